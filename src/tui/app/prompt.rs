//! The prompt: what its keys do to the filter, tags, note or command that is typed.

use crossterm::event::KeyEvent;

use super::App;
use super::text_input::{InputEvent, Purpose, TextInput};
use crate::run::history::Marks;
use crate::tui::action::Effect;

impl App {
    /// Opens the prompt with a text.
    pub(in crate::tui) fn prompt(&mut self, purpose: Purpose, text: &str) -> Vec<Effect> {
        self.view.prompt = Some(TextInput::new(purpose, text));
        self.view.offered = 0;
        Vec::new()
    }

    /// Takes a key for the text that is being typed; none when nothing is.
    pub(in crate::tui) fn type_key(&mut self, event: &KeyEvent) -> Option<Vec<Effect>> {
        let prompt = self.view.prompt.as_mut()?;
        let purpose = prompt.purpose;
        let effects = match prompt.key(event) {
            InputEvent::Nothing => Vec::new(),
            InputEvent::Chosen(by) => {
                let last = self.commands().len().saturating_sub(1);
                self.view.offered = self.view.offered.saturating_add_signed(by).min(last);
                Vec::new()
            }
            InputEvent::Changed => {
                self.view.offered = 0;
                self.typed(purpose)
            }
            InputEvent::Cancelled => {
                let before = prompt.before.clone();
                self.view.prompt = None;
                if purpose == Purpose::Filter {
                    self.history.filter(&before);
                    return Some(self.open_chosen());
                }
                Vec::new()
            }
            InputEvent::Done => self.done(purpose),
        };
        Some(effects)
    }

    /// Puts what was pasted where text is being typed.
    pub(in crate::tui) fn paste(&mut self, text: &str) -> Vec<Effect> {
        let Some(prompt) = &mut self.view.prompt else { return Vec::new() };
        prompt.insert(text);
        let purpose = prompt.purpose;
        self.typed(purpose)
    }

    /// A filter works while it is typed.
    fn typed(&mut self, purpose: Purpose) -> Vec<Effect> {
        let Some(text) = self.view.prompt.as_ref().filter(|_| purpose == Purpose::Filter).map(TextInput::text) else {
            return Vec::new();
        };
        self.history.filter(&text);
        self.open_chosen()
    }

    fn done(&mut self, purpose: Purpose) -> Vec<Effect> {
        let offered = self.commands().get(self.view.offered).map(|(action, ..)| *action);
        let Some(text) = self.view.prompt.take().map(|prompt| prompt.text()) else { return Vec::new() };
        let mark = |app: &Self, marks: Marks| {
            let run = app.history.chosen().cloned();
            run.map(|run| Effect::Mark(Box::new(run), marks)).into_iter().collect()
        };
        let marks = self.history.chosen().map(|run| run.marks.clone()).unwrap_or_default();
        match purpose {
            Purpose::Filter => {
                // A filter that was never understood is not kept.
                if self.history.filter_error.is_some() {
                    self.history.filter("");
                }
                self.open_chosen()
            }
            Purpose::Tags => mark(self, Marks { tags: text.split_whitespace().map(str::to_owned).collect(), ..marks }),
            Purpose::Note => mark(self, Marks { note: text, ..marks }),
            Purpose::Command => offered.map_or_else(Vec::new, |action| self.act(action)),
        }
    }
}
