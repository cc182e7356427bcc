//! Every key, once: the table that keys are looked up in, and that the footer and the help are drawn from.
//!
//! A binding belongs to a [`Scope`]. What is on screen decides which scopes are listened to and in which order (see
//! `App::scopes`); a dialog listens to its own keys and to those of [`Scope::Always`] only, so that nothing dangerous can be
//! hit behind it. A user's settings may give an action other keys ([`Keymap::rebind`]).

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::action::{Action, Charting, Motion, Past};

/// Where a binding is listened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// A run that is being trained here.
    Live,
    /// The panes of a run, live or past.
    Run,
    /// The table of bins has the focus.
    Bins,
    /// A bin that is looked into.
    Drill,
    /// The list of past runs.
    History,
    /// The question whether to stop now.
    StopNow,
    /// The prompt for the learning rate.
    Rate,
    /// A window to be read: the warnings, the machine.
    Window,
    /// The question whether to leave.
    Quit,
    /// The same question, where another process trains the run.
    Detach,
    /// The help overlay.
    Help,
    /// The summary at the end.
    Result,
    /// The table of branches.
    Branches,
    /// The question whether a past run goes to the trash.
    Delete,
    /// The question how a past run's schedule is trained.
    Train,
    /// How two schedules differ.
    Difference,
    /// No dialog is open.
    Everywhere,
    /// Whatever is open.
    Always,
}

/// A key with or without Ctrl, or with Shift where that does not make it another letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    code: KeyCode,
    control: bool,
    shift: bool,
}

/// One line of the table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Binding {
    pub(super) scope: Scope,
    pub(super) keys: &'static [Key],
    pub(super) action: Action,
    /// What the help says.
    pub(super) help: &'static str,
    /// What the footer says; none leaves it out.
    pub(super) footer: Option<&'static str>,
}

const fn plain(code: KeyCode) -> Key {
    Key { code, control: false, shift: false }
}

const fn letter(letter: char) -> Key {
    plain(KeyCode::Char(letter))
}

const fn control(letter: char) -> Key {
    Key { code: KeyCode::Char(letter), control: true, shift: false }
}

const fn shifted(code: KeyCode) -> Key {
    Key { code, control: false, shift: true }
}

/// A key that changes the charts.
const fn chart(keys: &'static [Key], action: Charting, help: &'static str, footer: Option<&'static str>) -> Binding {
    Binding { scope: Scope::Run, keys, action: Action::Chart(action), help, footer }
}

/// A number key. The help explains the first one for all of them.
const fn number(keys: &'static [Key], pane: u8) -> Binding {
    Binding { scope: Scope::Run, keys, action: Action::Focus(pane), help: "", footer: None }
}

/// A key of the list of past runs.
const fn past(keys: &'static [Key], action: Past, help: &'static str, footer: Option<&'static str>) -> Binding {
    Binding { scope: Scope::History, keys, action: Action::Past(action), help, footer }
}

const fn bind(
    scope: Scope,
    keys: &'static [Key],
    action: Action,
    help: &'static str,
    footer: Option<&'static str>,
) -> Binding {
    Binding { scope, keys, action, help, footer }
}

/// The table. Its order is the footer's: what matters most comes first, since a narrow screen cuts the end.
pub(super) const BINDINGS: &[Binding] = &[
    bind(Scope::Live, &[letter('n')], Action::ToggleStop, "stop after this epoch, or go on after all", Some("stop")),
    bind(Scope::Live, &[letter('p')], Action::TogglePause, "pause or resume the training", Some("pause")),
    bind(Scope::Bins, &[plain(KeyCode::Enter)], Action::Look, "look into the chosen bin", Some("look into")),
    bind(Scope::Drill, &[plain(KeyCode::Left)], Action::LookBeside(false), "the bin before", None),
    bind(Scope::Drill, &[plain(KeyCode::Right)], Action::LookBeside(true), "the next bin", Some("next bin")),
    bind(Scope::Drill, &[letter('b')], Action::ToggleBest, "the newest figures or the best", Some("best")),
    bind(Scope::Drill, &[letter('v')], Action::ToggleKind, "pairs of two persons or of one", Some("other pairs")),
    bind(Scope::Run, &[letter('!')], Action::Warnings, "the warnings in full", Some("warnings")),
    bind(Scope::History, &[plain(KeyCode::Enter)], Action::Open, "show the chosen run in full", Some("open")),
    bind(
        Scope::History,
        &[letter('P')],
        Action::Plot,
        "write the plot of the chosen run, or of the compared ones",
        None,
    ),
    past(&[letter(' ')], Past::Compare, "draw the chosen run beside others, or no longer", Some("compare")),
    past(
        &[letter('/')],
        Past::Filter,
        "choose the runs that are shown: words, !not, tag:x, lfw>0.99, /regex/",
        Some("filter"),
    ),
    past(&[letter('o')], Past::Sort, "sort by the next column", Some("sort")),
    past(&[letter('O')], Past::Reverse, "turn the order around", None),
    past(&[letter('v')], Past::Pin, "measure the compared runs against the chosen one", None),
    past(&[letter('x')], Past::Clear, "compare nothing any more", None),
    past(
        &[letter('d')],
        Past::Difference,
        "how its schedule differs from the baseline's, or the next run's",
        Some("diff"),
    ),
    past(&[letter('t')], Past::Tags, "its tags", Some("tags")),
    past(&[letter('e')], Past::Note, "its note", Some("note")),
    past(&[letter('a')], Past::Attach, "show a run that another process trains, with all its keys", Some("attach")),
    past(&[letter('T')], Past::Train, "train its schedule: go on, or from the beginning", Some("train")),
    past(&[plain(KeyCode::Delete), letter('D')], Past::Delete, "move it to the trash; asks first", None),
    bind(Scope::History, &[letter('r')], Action::Refresh, "read the list of runs again", Some("refresh")),
    bind(Scope::Everywhere, &[plain(KeyCode::Esc)], Action::Close, "close what is open, go back", Some("back")),
    bind(Scope::Everywhere, &[letter('q')], Action::Leave, "leave; asks first while a run is trained", Some("quit")),
    bind(Scope::Everywhere, &[letter('?'), plain(KeyCode::F(1))], Action::Help, "this help", Some("help")),
    bind(Scope::Everywhere, &[letter(':')], Action::Command, "do something by its name", Some("commands")),
    bind(Scope::Everywhere, &[plain(KeyCode::Tab)], Action::NextTab, "the other tab", Some("tab")),
    bind(Scope::Run, &[letter('b')], Action::Branches, "the branches side by side", Some("branches")),
    chart(&[letter('x')], Charting::Axis, "charts over steps, epochs or time", Some("x axis")),
    chart(&[letter('y')], Charting::Log, "logarithmic or linear y axes", Some("log y")),
    chart(&[letter('s')], Charting::Smoothing, "smoothed or raw curves", Some("smooth")),
    bind(Scope::Run, &[letter('z')], Action::Zoom, "the focused pane on the whole screen", Some("zoom")),
    chart(&[letter('[')], Charting::Weaker, "smooth less", None),
    chart(&[letter(']')], Charting::Stronger, "smooth more", None),
    chart(&[letter('o')], Charting::Calm, "y axes without the wildest raw values", None),
    chart(&[letter('t')], Charting::Stage, "charts of the whole run or of this stage", None),
    chart(&[letter('c')], Charting::Cross, "crosshair on all charts: values at one place", Some("crosshair")),
    chart(&[plain(KeyCode::Left), letter('h')], Charting::CrossBy(-1), "crosshair to the left", None),
    chart(&[plain(KeyCode::Right), letter('l')], Charting::CrossBy(1), "crosshair to the right", None),
    chart(&[shifted(KeyCode::Left), letter('H')], Charting::CrossBy(-10), "the same, further", None),
    chart(&[shifted(KeyCode::Right), letter('L')], Charting::CrossBy(10), "the same, further", None),
    chart(&[letter('+'), letter('=')], Charting::ZoomIn, "zoom in, around the crosshair or the end", None),
    chart(&[letter('-')], Charting::ZoomOut, "zoom out", None),
    chart(&[letter(',')], Charting::PanLeft, "what was before", None),
    chart(&[letter('.')], Charting::PanRight, "what came after", None),
    chart(&[letter('f')], Charting::Follow, "keep the end of the run in view, or not", None),
    chart(&[letter('0')], Charting::Whole, "everything again", None),
    bind(Scope::Run, &[letter('1')], Action::Focus(1), "loss; 1 to 9 are the panes with that number", None),
    number(&[letter('2')], 2),
    number(&[letter('3')], 3),
    number(&[letter('4')], 4),
    number(&[letter('5')], 5),
    number(&[letter('6')], 6),
    number(&[letter('7')], 7),
    number(&[letter('8')], 8),
    number(&[letter('9')], 9),
    bind(Scope::Run, &[letter('w')], Action::FocusNext, "focus the next pane", None),
    bind(Scope::Run, &[letter('W')], Action::FocusPrevious, "focus the pane before", None),
    bind(Scope::Run, &[letter('R')], Action::ResetBorders, "put moved borders back", None),
    bind(Scope::Everywhere, &[letter('m')], Action::ToggleMouse, "let the mouse select text, or take it back", None),
    bind(Scope::Run, &[letter('P')], Action::Plot, "write the run's plot.svg beside its journal", None),
    bind(Scope::Run, &[letter('v')], Action::Look, "look into a bin", Some("bins")),
    bind(Scope::Run, &[letter('M')], Action::Machine, "how busy the machine is", Some("machine")),
    bind(Scope::Live, &[letter('E')], Action::EvaluateNow, "evaluate the bins before the next step", Some("evaluate")),
    bind(Scope::Live, &[letter('S')], Action::SaveNow, "save the model as it is, to a file of its own", Some("save")),
    bind(Scope::Live, &[letter('*')], Action::AskRate, "multiply the learning rate", Some("rate")),
    bind(Scope::Live, &[letter('N')], Action::AskStopNow, "stop now; asks first", Some("stop now")),
    bind(
        Scope::Everywhere,
        &[plain(KeyCode::Up), letter('k')],
        Action::Move(Motion::Up),
        "scroll, or choose a run",
        None,
    ),
    bind(
        Scope::Everywhere,
        &[plain(KeyCode::Down), letter('j')],
        Action::Move(Motion::Down),
        "the same downwards",
        None,
    ),
    bind(Scope::Everywhere, &[plain(KeyCode::PageUp)], Action::Move(Motion::PageUp), "a page back", None),
    bind(Scope::Everywhere, &[plain(KeyCode::PageDown)], Action::Move(Motion::PageDown), "a page on", None),
    bind(Scope::Everywhere, &[plain(KeyCode::Home)], Action::Move(Motion::Home), "to the beginning", None),
    bind(
        Scope::Everywhere,
        &[plain(KeyCode::End)],
        Action::Move(Motion::End),
        "to the end; the log follows again",
        None,
    ),
    bind(Scope::Detach, &[letter('q')], Action::Detach, "leave; the run goes on", None),
    bind(Scope::Quit, &[letter('n')], Action::StopAfterEpochAndLeave, "stop after this epoch, then leave", None),
    bind(Scope::Quit, &[letter('s')], Action::StopNowAndLeave, "stop now, then leave", None),
    bind(Scope::Quit, &[plain(KeyCode::Esc)], Action::Close, "keep watching", None),
    bind(Scope::StopNow, &[letter('s')], Action::StopNow, "stop now", None),
    bind(Scope::StopNow, &[letter('n')], Action::StopGently, "stop after this epoch instead", None),
    bind(Scope::StopNow, &[plain(KeyCode::Esc)], Action::Close, "go on", None),
    bind(Scope::Rate, &[plain(KeyCode::Enter)], Action::ApplyRate, "from the next step on", Some("apply")),
    bind(Scope::Rate, &[plain(KeyCode::Up)], Action::StepRate(true), "more", None),
    bind(Scope::Rate, &[plain(KeyCode::Down)], Action::StepRate(false), "less", None),
    bind(Scope::Rate, &[plain(KeyCode::Backspace)], Action::Erase, "take a letter back", None),
    bind(Scope::Rate, &[plain(KeyCode::Esc)], Action::Close, "leave it as it is", Some("cancel")),
    bind(
        Scope::Window,
        &[plain(KeyCode::Esc), letter('!'), letter('M'), letter('q')],
        Action::Close,
        "close",
        Some("close"),
    ),
    bind(Scope::Window, &[plain(KeyCode::Up), letter('k')], Action::Move(Motion::Up), "scroll", None),
    bind(Scope::Window, &[plain(KeyCode::Down), letter('j')], Action::Move(Motion::Down), "scroll on", None),
    bind(Scope::Help, &[plain(KeyCode::Esc), letter('?'), letter('q')], Action::Close, "close the help", Some("close")),
    bind(Scope::Help, &[plain(KeyCode::Up), letter('k')], Action::Move(Motion::Up), "scroll the help", None),
    bind(Scope::Help, &[plain(KeyCode::Down), letter('j')], Action::Move(Motion::Down), "the same downwards", None),
    bind(
        Scope::Branches,
        &[plain(KeyCode::Esc), letter('b'), letter('q')],
        Action::Close,
        "close the table",
        Some("close"),
    ),
    bind(Scope::Delete, &[letter('y')], Action::Past(Past::DeleteForSure), "move it to the trash", None),
    bind(Scope::Delete, &[plain(KeyCode::Esc), letter('n')], Action::Close, "keep it", None),
    bind(
        Scope::Train,
        &[letter('r')],
        Action::Past(Past::Resume),
        "go on where it was left (an ended one begins anew)",
        None,
    ),
    bind(Scope::Train, &[letter('n')], Action::Past(Past::Repeat), "from the beginning", None),
    bind(Scope::Train, &[plain(KeyCode::Esc)], Action::Close, "leave it", None),
    bind(
        Scope::Difference,
        &[plain(KeyCode::Esc), letter('d'), letter('q')],
        Action::Close,
        "close the difference",
        Some("close"),
    ),
    bind(Scope::Difference, &[plain(KeyCode::Up), letter('k')], Action::Move(Motion::Up), "scroll", None),
    bind(
        Scope::Difference,
        &[plain(KeyCode::Down), letter('j')],
        Action::Move(Motion::Down),
        "the same downwards",
        None,
    ),
    bind(Scope::Difference, &[plain(KeyCode::PageUp)], Action::Move(Motion::PageUp), "a page back", None),
    bind(Scope::Difference, &[plain(KeyCode::PageDown)], Action::Move(Motion::PageDown), "a page on", None),
    bind(Scope::Result, &[letter('q')], Action::Leave, "leave", Some("leave")),
    bind(
        Scope::Result,
        &[plain(KeyCode::Esc), plain(KeyCode::Enter)],
        Action::Close,
        "look at the run once more",
        Some("look at the run"),
    ),
    bind(
        Scope::Always,
        &[control('c')],
        Action::Interrupt,
        "stop after the epoch; again: stop now; again: leave",
        None,
    ),
    bind(Scope::Always, &[control('z')], Action::Suspend, "go to the background", None),
    bind(Scope::Always, &[control('l')], Action::Redraw, "draw the whole screen anew", None),
];

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
        // A letter tells by itself whether Shift was held.
        let shift = event.modifiers.contains(KeyModifiers::SHIFT) && !matches!(event.code, KeyCode::Char(_));
        let key = Key { code: event.code, control: event.modifiers.contains(KeyModifiers::CONTROL), shift };
        // In the prompt, digits and what else a number has are typed.
        if let (Some(Scope::Rate), KeyCode::Char(letter @ ('0'..='9' | '.' | 'e' | '-')), false) =
            (scopes.first(), key.code, key.control)
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
                Charting::Axis
                    | Charting::Log
                    | Charting::Smoothing
                    | Charting::Calm
                    | Charting::Stage
                    | Charting::Cross
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

    /// Gives an action other keys, wherever it has any.
    ///
    /// # Errors
    /// There is no such action: the names of all.
    pub(super) fn rebind(&mut self, action: &str, keys: &[Key]) -> Result<(), Vec<String>> {
        // Settings are read once, and live as long as the program.
        let keys: &'static [Key] = Vec::leak(keys.to_vec());
        let mut found = false;
        for binding in self.0.iter_mut().filter(|binding| id(binding.action) == action) {
            binding.keys = keys;
            found = true;
        }
        if found { Ok(()) } else { Err(self.0.iter().map(|binding| id(binding.action)).collect()) }
    }

    /// A key that means two things at once, and these.
    pub(super) fn conflict(&self) -> Option<(String, String, String)> {
        TOGETHER.iter().find_map(|scopes| {
            let mut seen: Vec<(Key, Action)> = Vec::new();
            for binding in scopes.iter().flat_map(|scope| self.in_scope(*scope)) {
                for key in binding.keys {
                    if let Some((_, first)) = seen.iter().find(|(known, _)| known == key) {
                        return Some((name(*key), id(*first), id(binding.action)));
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
    &[Scope::Live, Scope::Drill, Scope::Everywhere, Scope::Always],
    &[Scope::StopNow, Scope::Always],
    &[Scope::Rate, Scope::Always],
    &[Scope::Window, Scope::Always],
    &[Scope::History, Scope::Everywhere, Scope::Always],
    &[Scope::Detach, Scope::Quit, Scope::Always],
    &[Scope::Help, Scope::Always],
    &[Scope::Result, Scope::Always],
    &[Scope::Branches, Scope::Always],
    &[Scope::Delete, Scope::Always],
    &[Scope::Train, Scope::Always],
    &[Scope::Difference, Scope::Always],
];

/// An action's name in the settings: `ToggleStop` is `toggle_stop`, `Move(Up)` is `move_up`.
pub(super) fn id(action: Action) -> String {
    let mut name = String::new();
    for letter in format!("{action:?}").chars().filter(|letter| *letter != ')') {
        if letter == '(' || letter.is_ascii_uppercase() {
            if !name.is_empty() && !name.ends_with('_') {
                name.push('_');
            }
            name.extend(Some(letter.to_ascii_lowercase()).filter(|letter| *letter != '('));
        } else {
            name.push(letter);
        }
    }
    name
}

impl Key {
    /// Reads a key as people write it: `n`, `N`, `ctrl-s`, `f2`, `enter`, `pgup`, `space`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let strip = |text: &'_ str, head: &str| -> Option<usize> {
            let fits = text.get(..head.len()).is_some_and(|own| own.eq_ignore_ascii_case(head));
            (fits && text.len() > head.len()).then_some(head.len())
        };
        let (control, rest) = strip(text, "ctrl-").map_or((false, text), |at| (true, &text[at..]));
        let (shift, rest) = strip(rest, "shift-").map_or((false, rest), |at| (true, &rest[at..]));
        let mut letters = rest.chars();
        if let (Some(letter), None) = (letters.next(), letters.clone().next()) {
            let letter = if control { letter.to_ascii_lowercase() } else { letter };
            // A letter tells by itself whether Shift is held.
            return (!letter.is_control() && !shift).then_some(Self { code: KeyCode::Char(letter), control, shift });
        }
        let code = match rest.to_ascii_lowercase().as_str() {
            "enter" => KeyCode::Enter,
            "esc" => KeyCode::Esc,
            "tab" => KeyCode::Tab,
            "space" => KeyCode::Char(' '),
            "backspace" => KeyCode::Backspace,
            "delete" => KeyCode::Delete,
            "insert" => KeyCode::Insert,
            "up" => KeyCode::Up,
            "down" => KeyCode::Down,
            "left" => KeyCode::Left,
            "right" => KeyCode::Right,
            "home" => KeyCode::Home,
            "end" => KeyCode::End,
            "pgup" | "pageup" => KeyCode::PageUp,
            "pgdn" | "pagedown" => KeyCode::PageDown,
            other => {
                let number = other.strip_prefix('f')?.parse().ok().filter(|number| (1..=24).contains(number))?;
                KeyCode::F(number)
            }
        };
        Some(Self { code, control, shift })
    }
}

/// A key as people write it: `n`, `Ctrl-C`, `PgUp`.
pub(super) fn name(key: Key) -> String {
    let base = match key.code {
        KeyCode::Char(' ') => "Space".to_owned(),
        KeyCode::Char(letter) if key.control => letter.to_ascii_uppercase().to_string(),
        KeyCode::Char(letter) => letter.to_string(),
        KeyCode::F(number) => format!("F{number}"),
        KeyCode::PageUp => "PgUp".to_owned(),
        KeyCode::PageDown => "PgDn".to_owned(),
        other => format!("{other:?}"),
    };
    match (key.control, key.shift) {
        (true, _) => format!("Ctrl-{base}"),
        (_, true) => format!("Shift-{base}"),
        _ => base,
    }
}

/// All keys of a binding: `Up, k`.
pub(super) fn names(binding: &Binding) -> String {
    binding.keys.iter().map(|key| name(*key)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(scopes: &[Scope], event: &KeyEvent) -> Option<Action> {
        Keymap::default().action(scopes, event)
    }

    #[test]
    fn no_key_means_two_things() {
        assert_eq!(Keymap::default().conflict(), None);
    }

    #[test]
    fn actions_have_names_and_keys_are_read_as_written() {
        assert_eq!(id(Action::ToggleStop), "toggle_stop");
        assert_eq!(id(Action::Move(Motion::PageUp)), "move_page_up");
        assert_eq!(id(Action::Past(Past::Compare)), "past_compare");
        for key in BINDINGS.iter().flat_map(|binding| binding.keys) {
            assert_eq!(Key::parse(&name(*key)), Some(*key), "{}", name(*key));
        }
        for wrong in ["", "ctrl-", "f0", "f25", "hello", "ctrl-shift-x", "\n"] {
            assert_eq!(Key::parse(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_user_gives_an_action_another_key() {
        let mut keys = Keymap::default();
        keys.rebind("toggle_stop", &[Key::parse("ctrl-e").expect("a key")]).expect("an action");
        let press = |letter, modifiers| KeyEvent::new(KeyCode::Char(letter), modifiers);
        assert_eq!(keys.action(&[Scope::Live], &press('e', KeyModifiers::CONTROL)), Some(Action::ToggleStop));
        assert_eq!(keys.action(&[Scope::Live], &press('n', KeyModifiers::NONE)), None);
        assert!(keys.rebind("no_action", &[]).expect_err("none").contains(&"toggle_stop".to_owned()));
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
            let modifiers = match binding.keys[0] {
                Key { control: true, .. } => KeyModifiers::CONTROL,
                Key { shift: true, .. } => KeyModifiers::SHIFT,
                _ => KeyModifiers::NONE,
            };
            let event = KeyEvent::new(binding.keys[0].code, modifiers);
            assert_eq!(action(&[binding.scope], &event), Some(binding.action));
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
