//! The mouse: hovering, choosing, dragging, scrolling, and letting it go.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};

use super::*;
use crate::tui::layout::Pane;
use crate::tui::ui_state::UiState;

fn late() -> App {
    let script = Script::new().preparing().start().whole_stage(0).whole_stage(1).stage(2).whole_epoch().epoch();
    let mut app = app(script.steps(200));
    app.area = Rect::new(0, 0, 120, 40);
    app
}

fn mouse(app: &mut App, kind: MouseEventKind, column: u16, row: u16) -> (bool, Vec<Effect>) {
    app.mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE })
}

const LEFT: MouseButton = MouseButton::Left;
const RIGHT: MouseButton = MouseButton::Right;

/// A cell among the curves of the loss, at 120x40, and one further to the right and below.
const INSIDE: (u16, u16) = (20, 15);
const BEYOND: (u16, u16) = (40, 19);

#[test]
fn the_crosshair_follows_the_mouse_and_leaves_with_it() {
    let mut app = late();
    assert!(mouse(&mut app, MouseEventKind::Moved, INSIDE.0, INSIDE.1).0);
    let here = app.view.charts.cross.expect("shown");
    assert!(text(&frame(&app, 120, 40, USUAL)).contains('●'));
    assert!(!mouse(&mut app, MouseEventKind::Moved, INSIDE.0, INSIDE.1 + 1).0, "the same column is nothing new");
    // Over another chart, at the same place from its left edge, it stands at about the same step.
    mouse(&mut app, MouseEventKind::Moved, INSIDE.0 + 60, INSIDE.1);
    let there = app.view.charts.cross.expect("shown");
    let whole = app.span().expect("a run").1;
    assert!((here - there).abs() < whole * 0.1, "{here} and {there} of {whole}");
    assert!(mouse(&mut app, MouseEventKind::Moved, 5, 35).0);
    assert_eq!(app.view.charts.cross, None);
    // One that the keys placed stays.
    press(&mut app, "c");
    assert!(!mouse(&mut app, MouseEventKind::Moved, 6, 35).0);
    assert!(app.view.charts.cross.is_some());
}

#[test]
fn a_box_zooms_and_a_right_click_shows_all() {
    let mut app = late();
    mouse(&mut app, MouseEventKind::Down(LEFT), INSIDE.0, INSIDE.1);
    mouse(&mut app, MouseEventKind::Drag(LEFT), BEYOND.0, BEYOND.1);
    insta::assert_debug_snapshot!("box_styles_120x40", frame(&app, 120, 40, USUAL));
    mouse(&mut app, MouseEventKind::Up(LEFT), BEYOND.0, BEYOND.1);
    let (from, to) = app.span().expect("a run");
    let whole = 2600.0;
    assert!(from > 0.2 * whole && to < 0.9 * whole, "{from} to {to}");
    let (pane, (low, high)) = app.view.charts.y.expect("y was chosen too");
    assert!(pane == Pane::Loss && low < high);
    assert!(text(&frame(&app, 120, 40, USUAL)).contains("zoomed"));
    // Moved with the right button, shown whole again with a click of it.
    mouse(&mut app, MouseEventKind::Down(RIGHT), BEYOND.0, BEYOND.1);
    mouse(&mut app, MouseEventKind::Drag(RIGHT), BEYOND.0 + 5, BEYOND.1);
    mouse(&mut app, MouseEventKind::Up(RIGHT), BEYOND.0 + 5, BEYOND.1);
    let moved = app.span().expect("a run");
    assert!(moved.0 < from && ((moved.1 - moved.0) - (to - from)).abs() < 1e-6);
    mouse(&mut app, MouseEventKind::Down(RIGHT), BEYOND.0, BEYOND.1);
    mouse(&mut app, MouseEventKind::Up(RIGHT), BEYOND.0, BEYOND.1);
    assert!(app.view.charts.window.is_none() && app.view.charts.y.is_none());
}

#[test]
fn the_wheel_zooms_at_the_mouse_and_scrolls_the_log() {
    let mut app = late();
    mouse(&mut app, MouseEventKind::Moved, INSIDE.0, INSIDE.1);
    let at = app.view.charts.cross.expect("shown");
    (0..5).for_each(|_| drop(mouse(&mut app, MouseEventKind::ScrollUp, INSIDE.0, INSIDE.1)));
    mouse(&mut app, MouseEventKind::Moved, INSIDE.0 + 1, INSIDE.1);
    mouse(&mut app, MouseEventKind::Moved, INSIDE.0, INSIDE.1);
    let span = app.span().expect("a run");
    assert!((app.view.charts.cross.expect("shown") - at).abs() < (span.1 - span.0) * 0.02, "the place stays");
    let before = span;
    mouse(&mut app, MouseEventKind::ScrollRight, INSIDE.0, INSIDE.1);
    assert!(app.span().expect("a run").0 > before.0);
    (0..20).for_each(|_| drop(mouse(&mut app, MouseEventKind::ScrollDown, INSIDE.0, INSIDE.1)));
    assert!(app.view.charts.window.is_none(), "out again");
    mouse(&mut app, MouseEventKind::ScrollUp, 10, 36);
    assert!(app.view.log_scroll > 0);
}

#[test]
fn borders_are_dragged_and_remembered() {
    let mut app = late();
    let width = |app: &App, pane| {
        let (run, _) = app.on_screen().expect("a run");
        let panes = app.arrangement(run, Rect::new(0, 1, 120, 38), crate::tui::layout::Size::Medium).panes;
        panes.into_iter().find(|(known, _)| *known == pane).expect("shown").1.width
    };
    assert_eq!(width(&app, Pane::Loss), 60);
    mouse(&mut app, MouseEventKind::Down(LEFT), 60, 15);
    mouse(&mut app, MouseEventKind::Drag(LEFT), 90, 15);
    let (_, effects) = mouse(&mut app, MouseEventKind::Up(LEFT), 90, 15);
    assert_eq!(width(&app, Pane::Loss), 90);
    let [Effect::SaveUiState(kept)] = &effects[..] else { panic!("{effects:?}") };
    insta::assert_snapshot!("moved_border_120x40", text(&frame(&app, 120, 40, USUAL)));
    let mut next = late();
    next.restore_ui_state(kept.clone());
    assert_eq!(width(&next, Pane::Loss), 90);
    assert_eq!(press(&mut next, "R"), [Effect::SaveUiState(UiState::default())]);
    assert_eq!(width(&next, Pane::Loss), 60);
    // A click alone moves nothing, and writes nothing.
    mouse(&mut app, MouseEventKind::Down(LEFT), 90, 15);
    assert!(mouse(&mut app, MouseEventKind::Up(LEFT), 90, 15).1.is_empty());
}

#[test]
fn clicks_focus_panes_and_open_tabs() {
    let mut app = late();
    mouse(&mut app, MouseEventKind::Down(LEFT), 10, 36);
    assert_eq!(app.view.focus, Pane::Log);
    mouse(&mut app, MouseEventKind::Up(LEFT), 10, 36);
    assert_eq!(mouse(&mut app, MouseEventKind::Down(LEFT), 14, 0).1, [Effect::ListRuns]);
    app.hear(News::Listed(screens::three_runs()));
    let chosen = mouse(&mut app, MouseEventKind::Down(LEFT), 14, 4).1;
    assert_eq!(chosen, [Effect::OpenRun(Box::new(screens::three_runs()[1].clone()))]);
    mouse(&mut app, MouseEventKind::Down(LEFT), 3, 0);
    assert_eq!(app.view.tab, crate::tui::action::Tab::Training);
}

#[test]
fn the_mouse_can_be_let_go() {
    let mut app = late();
    let effects = press(&mut app, "m");
    assert_eq!(effects[0], Effect::Mouse(false));
    assert!(matches!(&effects[1], Effect::SaveUiState(kept) if !kept.mouse));
    assert!(text(&frame(&app, 120, 40, USUAL)).contains("the terminal selects text"));
    let mut next = late();
    next.restore_ui_state(UiState { mouse: false, ..UiState::default() });
    assert_eq!(press(&mut next, "m")[0], Effect::Mouse(true));
}

#[test]
fn nothing_behind_a_dialog_is_hit() {
    let mut app = late();
    press(&mut app, "q");
    for kind in
        [MouseEventKind::Moved, MouseEventKind::Down(LEFT), MouseEventKind::Drag(LEFT), MouseEventKind::Up(LEFT)]
    {
        assert!(mouse(&mut app, kind, INSIDE.0, INSIDE.1).1.is_empty());
    }
    assert!(app.view.charts.cross.is_none() && app.view.charts.window.is_none());
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(60))]

    #[test]
    fn no_flood_of_events_panics(
        events in proptest::collection::vec((0_u8..8, 0_u16..140, 0_u16..50), 0..60),
        width in 0_u16..140, height in 0_u16..50,
    ) {
        let mut app = late();
        app.area = Rect::new(0, 0, width, height);
        for (kind, column, row) in events {
            let kind = match kind {
                0 => MouseEventKind::Moved,
                1 => MouseEventKind::Down(LEFT),
                2 => MouseEventKind::Down(RIGHT),
                3 => MouseEventKind::Drag(LEFT),
                4 => MouseEventKind::Up(LEFT),
                5 => MouseEventKind::ScrollUp,
                6 => MouseEventKind::ScrollDown,
                _ => MouseEventKind::ScrollLeft,
            };
            mouse(&mut app, kind, column, row);
        }
        frame(&app, width, height, USUAL);
    }
}
