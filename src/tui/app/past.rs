//! What a user does with past runs: compares, sorts, filters, notes, deletes, repeats; and the commands by name.

use crossterm::event::KeyEvent;

use crate::run::history::{Marks, PastRun};
use crate::run::state::RunState;
use crate::tui::action::{Action, Again, Effect, Next, Past, Tab};
use crate::tui::keymap;
use crate::tui::prompt::{Purpose, Typed, Typing};
use crate::tui::shelf::COMPARED;
use crate::tui::view::Dialog;

use super::App;

impl App {
    /// Does what a key of the history asks for.
    pub(super) fn past(&mut self, action: Past) -> Vec<Effect> {
        match action {
            Past::Compare => {
                let full = self.history.compared.len() == COMPARED;
                let run = self.history.toggle_compared();
                if full && self.history.compared.len() == COMPARED {
                    self.say(format!("{COMPARED} runs are compared; take one out first"));
                }
                compare(run)
            }
            Past::Pin => compare(self.history.pin()),
            Past::Clear => {
                self.history.compared.clear();
                self.history.baseline = None;
                Vec::new()
            }
            Past::Sort => {
                self.history.sort_by_next();
                self.open_chosen()
            }
            Past::Reverse => {
                self.history.reverse();
                self.open_chosen()
            }
            Past::Filter => self.prompt(Purpose::Filter, &self.history.filter_text.clone()),
            Past::Tags | Past::Note => {
                let Some(marks) = self.history.chosen().map(|run| run.marks.clone()) else { return Vec::new() };
                if action == Past::Tags {
                    self.prompt(Purpose::Tags, &marks.tags.join(" "))
                } else {
                    self.prompt(Purpose::Note, &marks.note)
                }
            }
            Past::Difference => self.difference(),
            Past::Delete => {
                match self.history.chosen() {
                    Some(run) if run.live => self.say("it is being trained; stop it first".to_owned()),
                    Some(_) => self.view.dialog = Some(Dialog::Delete),
                    None => {}
                }
                Vec::new()
            }
            Past::DeleteForSure => {
                self.view.dialog = None;
                self.history.chosen().map(|run| Effect::Discard(Box::new(run.clone()))).into_iter().collect()
            }
            Past::Attach => self.attach(),
            Past::Train => {
                self.ask_to_train();
                Vec::new()
            }
            Past::Resume => self.train(false),
            Past::Repeat => self.train(true),
        }
    }

    /// Says something above the panes.
    fn say(&mut self, sentence: String) {
        self.view.notice_age = 0;
        self.view.notice = Some(sentence);
    }

    /// Takes in what became of a change of a past run.
    pub(super) fn kept(&mut self, kept: Result<String, String>) {
        self.say(kept.unwrap_or_else(|reason| reason));
    }

    /// Takes in a compared run.
    pub(super) fn compared_run(&mut self, id: &str, state: Result<RunState, String>) {
        self.history.read(id, state);
    }

    fn difference(&mut self) -> Vec<Effect> {
        let (Some(chosen), Some(other)) = (self.history.chosen(), self.history.other()) else {
            self.say("there is no other run to compare its schedule with".to_owned());
            return Vec::new();
        };
        vec![Effect::Difference(Box::new(other.clone()), Box::new(chosen.clone()))]
    }

    /// Leaves for a run that another process trains.
    fn attach(&mut self) -> Vec<Effect> {
        let Some(run) = self.history.chosen() else { return Vec::new() };
        let own = self.live_state().and_then(|state| state.whole_header());
        let refusal = if own.is_some_and(|header| header.run_id == run.id) {
            "this is the run of the other tab".to_owned()
        } else if !run.live {
            "nobody trains it now; Enter shows it".to_owned()
        } else if self.training() && self.role == crate::tui::Role::Trainer {
            format!("a run is being trained here; `facetui attach {}` in another terminal shows it", run.id)
        } else if let Some(folder) = run.journal.parent() {
            return vec![Effect::Then(Next::Attach(folder.to_path_buf()))];
        } else {
            return Vec::new();
        };
        self.say(refusal);
        Vec::new()
    }

    fn ask_to_train(&mut self) {
        let Some(run) = self.history.chosen() else { return };
        let refusal = if self.training() {
            Some("a run is being trained here; start another facetui for a second one")
        } else if run.live {
            Some("it is being trained already")
        } else if run.schedule().is_none() {
            Some("nothing but its history is left: there is no schedule to train")
        } else {
            None
        };
        match refusal {
            Some(refusal) => self.say(refusal.to_owned()),
            None => self.view.dialog = Some(Dialog::Train),
        }
    }

    fn train(&mut self, fresh: bool) -> Vec<Effect> {
        self.view.dialog = None;
        let again = |run: &PastRun| Some(Again { schedule: run.schedule()?, name: run.name.clone(), fresh });
        // A branch begins where the stages before it end: there is no schedule of it alone.
        let run = self.history.chosen().map(|run| self.history.whole_of(run).unwrap_or(run));
        run.and_then(again).map(|again| Effect::Then(Next::Train(again))).into_iter().collect()
    }

    fn prompt(&mut self, purpose: Purpose, text: &str) -> Vec<Effect> {
        self.view.prompt = Some(Typing::new(purpose, text));
        self.view.offered = 0;
        Vec::new()
    }

    /// Opens the commands by name.
    pub(super) fn ask_for_command(&mut self) -> Vec<Effect> {
        self.view.dialog = None;
        self.prompt(Purpose::Command, "")
    }

    /// Takes a key for the text that is being typed; none when nothing is.
    pub(in crate::tui) fn type_key(&mut self, event: &KeyEvent) -> Option<Vec<Effect>> {
        let prompt = self.view.prompt.as_mut()?;
        let purpose = prompt.purpose;
        let effects = match prompt.key(event) {
            Typed::Nothing => Vec::new(),
            Typed::Chosen(by) => {
                let last = self.commands().len().saturating_sub(1);
                self.view.offered = self.view.offered.saturating_add_signed(by).min(last);
                Vec::new()
            }
            Typed::Changed => {
                self.view.offered = 0;
                self.typed(purpose)
            }
            Typed::Cancelled => {
                let before = prompt.before.clone();
                self.view.prompt = None;
                if purpose == Purpose::Filter {
                    self.history.filter(&before);
                    return Some(self.open_chosen());
                }
                Vec::new()
            }
            Typed::Done => self.done(purpose),
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
        let Some(text) = self.view.prompt.as_ref().filter(|_| purpose == Purpose::Filter).map(Typing::text) else {
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

    /// The commands that fit what was typed, the best first: what they do, their keys, their help.
    pub(in crate::tui) fn commands(&self) -> Vec<(Action, String, &'static str)> {
        let Some(text) = self.view.prompt.as_ref().filter(|prompt| prompt.purpose == Purpose::Command) else {
            return Vec::new();
        };
        let words: Vec<String> = text.text().to_lowercase().split_whitespace().map(str::to_owned).collect();
        let mut found: Vec<(Action, String, &'static str)> = Vec::new();
        for scope in self.scopes() {
            for binding in self.keys.in_scope(scope) {
                let named = format!("{} {}", keymap::id(binding.action).replace('_', " "), binding.help).to_lowercase();
                let fits = words.iter().all(|word| named.contains(word.as_str()));
                if fits && !binding.help.is_empty() && found.iter().all(|(action, ..)| *action != binding.action) {
                    found.push((binding.action, keymap::names(binding), binding.help));
                }
            }
        }
        // What is named by the first word comes before what only mentions it.
        if let Some(first) = words.first() {
            found.sort_by_key(|(action, ..)| !keymap::id(*action).contains(first.as_str()));
        }
        found
    }

    /// Scrolls the difference of two schedules, or chooses nothing.
    pub(super) fn scroll_difference(&mut self, motion: crate::tui::action::Motion) {
        let lines = match &self.history.difference {
            Some((_, Ok(lines))) => lines.len(),
            _ => 0,
        };
        let at = self.history.difference_scroll;
        self.history.difference_scroll = crate::tui::view::moved(at, lines.saturating_sub(1), motion);
    }

    /// Whether runs are compared on the screen.
    pub(in crate::tui) fn compares(&self) -> bool {
        self.view.tab == Tab::History && !self.history.full && !self.history.compared.is_empty()
    }
}

/// Has a run read that is compared from now on.
fn compare(run: Option<PastRun>) -> Vec<Effect> {
    run.map(|run| Effect::Compare(Box::new(run))).into_iter().collect()
}
