//! Which key does what: keys are looked up in a table of bindings, which a user's settings may change.
//!
//! A binding belongs to a [`Scope`]. What is on screen decides which scopes are listened to and in which order (see
//! `App::scopes`); a dialog listens to its own keys and to those of [`Scope::Always`] only, so that nothing dangerous can be
//! hit behind it. A user's settings may give an action other keys ([`Keymap::rebind`]).
//!
//! | file | what it has |
//! |---|---|
//! | `bindings` | the table: scope, keys, action, help |
//! | `action_ids` | the actions' names in `config.toml` |
//! | `key` | a key, read and written |
//! | `help` | the lines of the help |

mod action_ids;
mod bindings;
pub(super) mod help;
mod key;

use crossterm::event::{KeyEvent, KeyEventKind, KeyModifiers};

use super::action::{Action, ChartAction};
pub(super) use action_ids::id;
use bindings::BINDINGS;
pub(super) use bindings::{Binding, Scope};
pub(super) use key::{Key, key_name};

/// The table as it is used: with the user's keys.
#[derive(Debug, Clone)]
pub(super) struct Keymap(Vec<Binding>);

impl Default for Keymap {
    fn default() -> Self {
        Self(BINDINGS.to_vec())
    }
}

impl Keymap {
    /// The action of a key in the given scopes, the first scope that knows the key deciding.
    pub(super) fn action(&self, scopes: &[Scope], event: &KeyEvent) -> Option<Action> {
        let extra = event.modifiers.difference(KeyModifiers::SHIFT | KeyModifiers::CONTROL);
        if event.kind == KeyEventKind::Release || !extra.is_empty() {
            return None;
        }
        let key = Key::of(event);
        // In the prompt, digits and what else a number has are typed.
        if let (Some(Scope::LearningRate), Some(letter @ ('0'..='9' | '.' | 'e' | '-'))) = (scopes.first(), key.typed())
        {
            return Some(Action::Type(letter));
        }
        let known = |scope: &Scope| self.in_scope(*scope).find(|binding| binding.keys.contains(&key));
        let binding = scopes.iter().find_map(known)?;
        // A key that is held down may scroll, but must not toggle back and forth.
        let repeats = match binding.action {
            Action::Move(_) | Action::FocusNext | Action::FocusPrevious => true,
            Action::Chart(action) => !matches!(
                action,
                ChartAction::NextXAxis
                    | ChartAction::ToggleLogY
                    | ChartAction::ToggleSmoothing
                    | ChartAction::ToggleOutliers
                    | ChartAction::ToggleStage
                    | ChartAction::ToggleCrosshair
            ),
            _ => false,
        };
        (event.kind == KeyEventKind::Press || repeats).then_some(binding.action)
    }

    /// All bindings, in the table's order.
    pub(super) fn bindings(&self) -> impl Iterator<Item = &Binding> {
        self.0.iter()
    }

    /// The bindings of one scope, in the table's order.
    pub(super) fn in_scope(&self, scope: Scope) -> impl Iterator<Item = &Binding> {
        self.0.iter().filter(move |binding| binding.scope == scope)
    }

    /// Gives an action other keys, wherever it has any. Older names of actions are understood too.
    ///
    /// # Errors
    /// There is no such action: the names of all.
    pub(super) fn rebind(&mut self, name: &str, keys: &[Key]) -> Result<(), Vec<&'static str>> {
        let Some(action) = action_ids::action(name) else { return Err(action_ids::all().collect()) };
        // Settings are read once, and live as long as the program.
        let keys: &'static [Key] = Vec::leak(keys.to_vec());
        for binding in self.0.iter_mut().filter(|binding| binding.action == action) {
            binding.keys = keys;
        }
        Ok(())
    }

    /// A key that means two things at once, and these.
    pub(super) fn conflict(&self) -> Option<(String, &'static str, &'static str)> {
        TOGETHER.iter().find_map(|scopes| {
            let mut seen: Vec<(Key, Action)> = Vec::new();
            for binding in scopes.iter().flat_map(|scope| self.in_scope(*scope)) {
                for key in binding.keys {
                    if let Some((_, first)) = seen.iter().find(|(known, _)| known == key) {
                        return Some((key_name(*key), id(*first), id(binding.action)));
                    }
                    seen.push((*key, binding.action));
                }
            }
            None
        })
    }
}

/// Scopes that are listened to at the same time.
const TOGETHER: &[&[Scope]] = &[
    &[Scope::Live, Scope::Bins, Scope::Run, Scope::Everywhere, Scope::Always],
    &[Scope::Live, Scope::BinView, Scope::Everywhere, Scope::Always],
    &[Scope::StopNow, Scope::Always],
    &[Scope::LearningRate, Scope::Always],
    &[Scope::Window, Scope::Always],
    &[Scope::History, Scope::Everywhere, Scope::Always],
    &[Scope::Detach, Scope::Quit, Scope::Always],
    &[Scope::Help, Scope::Always],
    &[Scope::Result, Scope::Always],
    &[Scope::Branches, Scope::Always],
    &[Scope::Delete, Scope::Always],
    &[Scope::Train, Scope::Always],
    &[Scope::ScheduleDiff, Scope::Always],
];

/// All keys of a binding: `Up, k`.
pub(super) fn key_names(binding: &Binding) -> String {
    binding.keys.iter().map(|key| key_name(*key)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use crossterm::event::KeyCode;

    use super::*;
    use crate::tui::action::Motion;

    fn action(scopes: &[Scope], event: &KeyEvent) -> Option<Action> {
        Keymap::default().action(scopes, event)
    }

    #[test]
    fn no_key_means_two_things() {
        assert_eq!(Keymap::default().conflict(), None);
    }

    #[test]
    fn keys_are_read_as_they_are_written() {
        for key in BINDINGS.iter().flat_map(|binding| binding.keys) {
            assert_eq!(Key::parse(&key_name(*key)), Some(*key), "{}", key_name(*key));
        }
    }

    #[test]
    fn a_user_gives_an_action_another_key() {
        let mut keys = Keymap::default();
        keys.rebind("toggle_stop", &[Key::parse("ctrl-e").expect("a key")]).expect("an action");
        let press = |letter, modifiers| KeyEvent::new(KeyCode::Char(letter), modifiers);
        assert_eq!(keys.action(&[Scope::Live], &press('e', KeyModifiers::CONTROL)), Some(Action::ToggleStop));
        assert_eq!(keys.action(&[Scope::Live], &press('n', KeyModifiers::NONE)), None);
        assert!(keys.rebind("no_action", &[]).expect_err("none").contains(&"toggle_stop"));
        // An older name.
        keys.rebind("chart_smoothing", &[Key::parse("ctrl-s").expect("a key")]).expect("an action");
        let smoothing = Some(Action::Chart(ChartAction::ToggleSmoothing));
        assert_eq!(keys.action(&[Scope::Run], &press('s', KeyModifiers::CONTROL)), smoothing);
        keys.rebind("help", &[Key::parse("q").expect("a key")]).expect("an action");
        assert!(keys.conflict().is_some());
    }

    #[test]
    fn every_binding_can_be_reached_and_explains_itself() {
        for binding in BINDINGS {
            // One of the number keys explains them all.
            let explained = !binding.help.is_empty() || matches!(binding.action, Action::Focus(_));
            assert!(!binding.keys.is_empty() && explained);
            assert!(TOGETHER.iter().any(|scopes| scopes.contains(&binding.scope)), "{:?}", binding.scope);
            assert_eq!(action(&[binding.scope], &binding.keys[0].event()), Some(binding.action));
        }
    }

    #[test]
    fn enter_does_nothing_in_the_quit_dialog() {
        let event = KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE);
        assert_eq!(action(&[Scope::Quit, Scope::Always], &event), None);
    }

    #[test]
    fn a_held_key_scrolls_but_does_not_toggle() {
        let held = |code| KeyEvent::new_with_kind(code, KeyModifiers::NONE, KeyEventKind::Repeat);
        assert_eq!(action(&[Scope::Everywhere], &held(KeyCode::Up)), Some(Action::Move(Motion::Up)));
        assert_eq!(action(&[Scope::Live], &held(KeyCode::Char('n'))), None);
    }
}
