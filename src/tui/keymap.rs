//! Every key, once: the table that keys are looked up in, and that the footer and the help are drawn from.
//!
//! A binding belongs to a [`Scope`]. What is on screen decides which scopes are listened to and in which order (see
//! `App::scopes`); a dialog listens to its own keys and to those of [`Scope::Always`] only, so that nothing dangerous can be
//! hit behind it.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::action::{Action, Charting, Motion};

/// Where a binding is listened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// A run that is being trained here.
    Live,
    /// The panes of a run, live or past.
    Run,
    /// The list of past runs.
    History,
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
    bind(Scope::History, &[plain(KeyCode::Enter)], Action::Open, "show the chosen run in full", Some("open")),
    bind(Scope::History, &[letter('P')], Action::Plot, "write the chosen run's plot.svg", None),
    bind(Scope::History, &[letter('r')], Action::Refresh, "read the list of runs again", Some("refresh")),
    bind(Scope::Everywhere, &[plain(KeyCode::Esc)], Action::Close, "close what is open, go back", Some("back")),
    bind(Scope::Everywhere, &[letter('q')], Action::Leave, "leave; asks first while a run is trained", Some("quit")),
    bind(Scope::Everywhere, &[letter('?'), plain(KeyCode::F(1))], Action::Help, "this help", Some("help")),
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
    bind(Scope::Result, &[letter('q')], Action::Leave, "leave", Some("leave")),
    bind(
        Scope::Result,
        &[plain(KeyCode::Esc), plain(KeyCode::Enter)],
        Action::Close,
        "look at the run once more",
        Some("look at the run"),
    ),
    bind(Scope::Always, &[control('c')], Action::Interrupt, "ask; a second time: stop now; a third: leave", None),
    bind(Scope::Always, &[control('z')], Action::Suspend, "go to the background", None),
];

/// The action of a key in the given scopes, the first scope that knows the key deciding.
pub(super) fn action(scopes: &[Scope], event: &KeyEvent) -> Option<Action> {
    let extra = event.modifiers.difference(KeyModifiers::SHIFT | KeyModifiers::CONTROL);
    if event.kind == KeyEventKind::Release || !extra.is_empty() {
        return None;
    }
    // A letter tells by itself whether Shift was held.
    let shift = event.modifiers.contains(KeyModifiers::SHIFT) && !matches!(event.code, KeyCode::Char(_));
    let key = Key { code: event.code, control: event.modifiers.contains(KeyModifiers::CONTROL), shift };
    let binding = scopes.iter().find_map(|scope| in_scope(*scope).find(|binding| binding.keys.contains(&key)))?;
    // A key that is held down may scroll, but must not toggle back and forth.
    let repeats = match binding.action {
        Action::Move(_) | Action::FocusNext | Action::FocusPrevious => true,
        Action::Chart(action) => !matches!(
            action,
            Charting::Axis | Charting::Log | Charting::Smoothing | Charting::Calm | Charting::Stage | Charting::Cross
        ),
        _ => false,
    };
    (event.kind == KeyEventKind::Press || repeats).then_some(binding.action)
}

/// The bindings of one scope, in the table's order.
pub(super) fn in_scope(scope: Scope) -> impl Iterator<Item = &'static Binding> {
    BINDINGS.iter().filter(move |binding| binding.scope == scope)
}

/// A key as people write it: `n`, `Ctrl-C`, `PgUp`.
pub(super) fn name(key: Key) -> String {
    let base = match key.code {
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

    /// Scopes that are listened to at the same time.
    const TOGETHER: &[&[Scope]] = &[
        &[Scope::Live, Scope::Run, Scope::Everywhere, Scope::Always],
        &[Scope::History, Scope::Everywhere, Scope::Always],
        &[Scope::Detach, Scope::Quit, Scope::Always],
        &[Scope::Help, Scope::Always],
        &[Scope::Result, Scope::Always],
        &[Scope::Branches, Scope::Always],
    ];

    #[test]
    fn no_key_means_two_things() {
        for scopes in TOGETHER {
            let mut seen: Vec<(Key, Action)> = Vec::new();
            for binding in scopes.iter().flat_map(|scope| in_scope(*scope)) {
                for key in binding.keys {
                    let before = seen.iter().find(|(known, _)| known == key);
                    assert!(before.is_none(), "{} is {before:?} and {:?}", name(*key), binding.action);
                    seen.push((*key, binding.action));
                }
            }
        }
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
