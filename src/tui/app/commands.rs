//! Commands by name: which of them fit what was typed.

use super::App;
use super::text_input::Purpose;
use crate::tui::action::{Action, Effect};
use crate::tui::keymap::{id, key_names};

impl App {
    /// Opens the commands by name.
    pub(super) fn ask_for_command(&mut self) -> Vec<Effect> {
        self.view.dialog = None;
        self.prompt(Purpose::Command, "")
    }

    /// The commands that fit what was typed, the best first: their actions, keys and help.
    pub(in crate::tui) fn commands(&self) -> Vec<(Action, String, &'static str)> {
        let Some(text) = self.view.prompt.as_ref().filter(|prompt| prompt.purpose == Purpose::Command) else {
            return Vec::new();
        };
        let words: Vec<String> = text.text().to_lowercase().split_whitespace().map(str::to_owned).collect();
        let mut found: Vec<(Action, String, &'static str)> = Vec::new();
        for scope in self.scopes() {
            for binding in self.keys.in_scope(scope) {
                let named = format!("{} {}", id(binding.action).replace('_', " "), binding.help).to_lowercase();
                let fits = words.iter().all(|word| named.contains(word.as_str()));
                if fits && !binding.help.is_empty() && found.iter().all(|(action, ..)| *action != binding.action) {
                    found.push((binding.action, key_names(binding), binding.help));
                }
            }
        }
        // What is named by the first word comes before what only mentions it.
        if let Some(first) = words.first() {
            found.sort_by_key(|(action, ..)| !id(*action).contains(first.as_str()));
        }
        found
    }
}
