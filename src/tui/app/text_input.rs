//! A line of text that the user types: a filter, tags, a note, a command.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// Longest text, in characters.
const LONGEST: usize = 1000;

/// What is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tui) enum Purpose {
    /// The filter of the list of runs.
    Filter,
    /// The chosen run's tags.
    Tags,
    /// The chosen run's note.
    Note,
    /// A command of the palette.
    Command,
}

impl Purpose {
    /// What stands before the text.
    pub(in crate::tui) const fn label(self) -> &'static str {
        match self {
            Self::Filter => "filter",
            Self::Tags => "tags",
            Self::Note => "note",
            Self::Command => "command",
        }
    }
}

/// What a key did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tui) enum InputEvent {
    /// The text changed, or the cursor moved.
    Changed,
    /// It is complete.
    Done,
    /// It is not wanted after all.
    Cancelled,
    /// Towards the previous (-1) or the next (1) of what is offered.
    Chosen(isize),
    /// Nothing that concerns a text.
    Nothing,
}

/// The text and its cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::tui) struct TextInput {
    pub(in crate::tui) purpose: Purpose,
    letters: Vec<char>,
    cursor: usize,
    /// The text before anything was typed.
    pub(in crate::tui) before: String,
}

impl TextInput {
    /// A prompt that begins with a text, the cursor behind it.
    pub(in crate::tui) fn new(purpose: Purpose, text: &str) -> Self {
        let letters: Vec<char> = text.chars().filter(|letter| !letter.is_control()).take(LONGEST).collect();
        Self { purpose, cursor: letters.len(), letters, before: text.to_owned() }
    }

    /// What was typed.
    pub(in crate::tui) fn text(&self) -> String {
        self.letters.iter().collect()
    }

    /// What stands before the cursor, and from it on.
    pub(in crate::tui) fn halves(&self) -> (String, String) {
        let (before, after) = self.letters.split_at(self.cursor);
        (before.iter().collect(), after.iter().collect())
    }

    /// Takes a key.
    pub(in crate::tui) fn key(&mut self, event: &KeyEvent) -> InputEvent {
        if event.kind == KeyEventKind::Release {
            return InputEvent::Nothing;
        }
        if event.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) {
            return match event.code {
                KeyCode::Char('u') => self.keep(self.cursor, self.letters.len()),
                KeyCode::Char('w') => self.word(),
                KeyCode::Char('a') => self.go(0),
                KeyCode::Char('e') => self.go(self.letters.len()),
                KeyCode::Char('p') => InputEvent::Chosen(-1),
                KeyCode::Char('n') => InputEvent::Chosen(1),
                // What ends programs elsewhere ends the prompt here.
                KeyCode::Char('c' | 'g' | 'd') => InputEvent::Cancelled,
                _ => InputEvent::Nothing,
            };
        }
        match event.code {
            KeyCode::Enter => InputEvent::Done,
            KeyCode::Esc => InputEvent::Cancelled,
            KeyCode::Up | KeyCode::BackTab => InputEvent::Chosen(-1),
            KeyCode::Down | KeyCode::Tab => InputEvent::Chosen(1),
            KeyCode::Left => self.go(self.cursor.saturating_sub(1)),
            KeyCode::Right => self.go(self.cursor + 1),
            KeyCode::Home => self.go(0),
            KeyCode::End => self.go(self.letters.len()),
            // An empty text is left with one more of them, as in editors.
            KeyCode::Backspace if self.letters.is_empty() => InputEvent::Cancelled,
            KeyCode::Backspace => {
                if self.cursor > 0 {
                    self.cursor -= 1;
                    self.letters.remove(self.cursor);
                }
                InputEvent::Changed
            }
            KeyCode::Delete => {
                if self.cursor < self.letters.len() {
                    self.letters.remove(self.cursor);
                }
                InputEvent::Changed
            }
            KeyCode::Char(letter) => {
                self.insert(&letter.to_string());
                InputEvent::Changed
            }
            _ => InputEvent::Nothing,
        }
    }

    /// Puts a text, typed or pasted, at the cursor.
    pub(in crate::tui) fn insert(&mut self, text: &str) {
        for letter in text.chars().map(|letter| if letter.is_whitespace() { ' ' } else { letter }) {
            if self.letters.len() < LONGEST && !letter.is_control() {
                self.letters.insert(self.cursor, letter);
                self.cursor += 1;
            }
        }
    }

    fn go(&mut self, to: usize) -> InputEvent {
        self.cursor = to.min(self.letters.len());
        InputEvent::Changed
    }

    /// Keeps the letters between two places only.
    fn keep(&mut self, from: usize, to: usize) -> InputEvent {
        self.letters = self.letters[from..to].to_vec();
        self.cursor = 0;
        InputEvent::Changed
    }

    /// Takes the word before the cursor away.
    fn word(&mut self) -> InputEvent {
        let blank = |letter: &char| letter.is_whitespace();
        let end = self.letters[..self.cursor].iter().rposition(|letter| !blank(letter)).map_or(0, |at| at + 1);
        let start = self.letters[..end].iter().rposition(blank).map_or(0, |at| at + 1);
        self.letters.drain(start..self.cursor);
        self.cursor = start;
        InputEvent::Changed
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn press(prompt: &mut TextInput, code: KeyCode, modifiers: KeyModifiers) -> InputEvent {
        prompt.key(&KeyEvent::new(code, modifiers))
    }

    #[test]
    fn text_is_edited_as_in_a_shell() {
        let mut prompt = TextInput::new(Purpose::Filter, "tag:paper lfw");
        press(&mut prompt, KeyCode::Char('w'), KeyModifiers::CONTROL);
        assert_eq!(prompt.text(), "tag:paper ");
        prompt.insert("é\nx");
        press(&mut prompt, KeyCode::Left, KeyModifiers::NONE);
        press(&mut prompt, KeyCode::Backspace, KeyModifiers::NONE);
        assert_eq!(prompt.halves(), ("tag:paper é".to_owned(), "x".to_owned()));
        press(&mut prompt, KeyCode::Char('u'), KeyModifiers::CONTROL);
        assert_eq!(prompt.text(), "x");
        assert_eq!(press(&mut prompt, KeyCode::Enter, KeyModifiers::NONE), InputEvent::Done);
        assert_eq!(press(&mut prompt, KeyCode::Char('c'), KeyModifiers::CONTROL), InputEvent::Cancelled);
    }

    #[test]
    fn an_empty_text_is_left_by_deleting_more() {
        let mut prompt = TextInput::new(Purpose::Note, "a");
        assert_eq!(press(&mut prompt, KeyCode::Backspace, KeyModifiers::NONE), InputEvent::Changed);
        assert_eq!(press(&mut prompt, KeyCode::Backspace, KeyModifiers::NONE), InputEvent::Cancelled);
    }

    proptest! {
        #[test]
        fn no_keys_leave_the_text(keys in proptest::collection::vec(0_u8..12, 0..60)) {
            let mut prompt = TextInput::new(Purpose::Filter, "start");
            for key in keys {
                let (code, modifiers) = match key {
                    0 => (KeyCode::Backspace, KeyModifiers::NONE),
                    1 => (KeyCode::Delete, KeyModifiers::NONE),
                    2 => (KeyCode::Left, KeyModifiers::NONE),
                    3 => (KeyCode::Right, KeyModifiers::NONE),
                    4 => (KeyCode::Home, KeyModifiers::NONE),
                    5 => (KeyCode::End, KeyModifiers::NONE),
                    6 => (KeyCode::Char('w'), KeyModifiers::CONTROL),
                    7 => (KeyCode::Char('u'), KeyModifiers::CONTROL),
                    8 => (KeyCode::Char(' '), KeyModifiers::NONE),
                    _ => (KeyCode::Char('é'), KeyModifiers::SHIFT),
                };
                press(&mut prompt, code, modifiers);
                let (before, after) = prompt.halves();
                prop_assert_eq!(before + &after, prompt.text());
            }
        }
    }
}
