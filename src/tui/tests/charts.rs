//! The charts: what they show of runs of every kind, and how a user looks around in them.

use super::*;
use crate::event::Event;
use crate::tui::charts::x_axis::Axis;
use crate::tui::layout::Pane;
use crate::tui::testing::START;

fn late() -> Script {
    Script::new().preparing().start().whole_stage(0).whole_stage(1).stage(2).whole_epoch().epoch().steps(200)
}

/// A front end on a screen of a certain size.
fn on(script: Script, width: u16, height: u16) -> App {
    let mut app = app(script);
    app.area = Rect::new(0, 0, width, height);
    app
}

fn keys(app: &mut App, keys: &[&str]) {
    for key in keys {
        press(app, key);
    }
}

/// The chart `pane` alone on a screen.
fn zoomed(app: &mut App, pane: &str, width: u16, height: u16) -> Buffer {
    app.area = Rect::new(0, 0, width, height);
    app.view.zoomed = false;
    keys(app, &[pane]);
    app.view.zoomed = true;
    frame(app, width, height, USUAL)
}

#[test]
fn every_size_has_its_layout() {
    for (width, height) in [(60, 20), (80, 24), (120, 40), (200, 60), (250, 80)] {
        let app = on(late(), width, height);
        let shown = text(&frame(&app, width, height, USUAL));
        insta::assert_snapshot!(format!("layout_{width}x{height}"), shown);
    }
    insta::assert_debug_snapshot!("layout_styles_120x40", frame(&on(late(), 120, 40), 120, 40, USUAL));
}

#[test]
fn every_chart_alone() {
    let mut app = on(late(), 90, 24);
    for (number, name) in
        [(1, "loss"), (3, "bins"), (4, "learning_rate"), (5, "gradient_norm"), (6, "speed"), (7, "thresholds")]
    {
        let shown = text(&zoomed(&mut app, &number.to_string(), 90, 24));
        insta::assert_snapshot!(format!("chart_{name}"), shown);
    }
}

#[test]
fn best_points_have_their_values_on_the_axis_of_epochs() {
    let mut app = on(Script::new().whole(), 100, 30);
    keys(&mut app, &["Esc", "x"]);
    insta::assert_snapshot!("epochs_loss_best", text(&zoomed(&mut app, "1", 100, 30)));
    let bins = zoomed(&mut app, "3", 100, 30);
    insta::assert_debug_snapshot!("epochs_bins_best_styles", bins);
    let bins = text(&bins);
    for bin in &app.live.as_ref().expect("a run").state.bins {
        let best = crate::tui::format::accuracy(bin.best().expect("was evaluated").1.accuracy);
        assert!(bins.contains(&best), "{best} of {} is missing:\n{bins}", bin.name);
    }
}

#[test]
fn charts_of_little() {
    let mut empty = on(Script::new().preparing(), 80, 24);
    assert!(text(&zoomed(&mut empty, "1", 80, 24)).contains("no steps yet"));
    assert!(text(&zoomed(&mut empty, "3", 80, 24)).contains("no bin was evaluated yet"));
    let script = Script::new().preparing().start().stage(0);
    let mut one = on(script.event(0.5, one_step()), 80, 24);
    for (pane, name) in [("1", "loss"), ("5", "gradient_norm")] {
        insta::assert_snapshot!(format!("one_point_{name}"), text(&zoomed(&mut one, pane, 80, 24)));
    }
}

#[test]
fn missing_numbers_are_gaps_with_a_mark() {
    let mut records = late().records();
    for (at, record) in records.iter_mut().rev().take(12).enumerate() {
        if let (Event::Steps { loss, gradient_norm, .. }, true) = (&mut record.event, at > 5) {
            loss.fill(if at % 2 == 0 { f32::NAN } else { f32::INFINITY });
            *gradient_norm = Some(f64::INFINITY);
        }
    }
    let mut app = App::new(true, 0.0, TimeZone::UTC);
    hear(&mut app, &records);
    let buffer = zoomed(&mut app, "1", 100, 20);
    insta::assert_snapshot!("gap_loss", text(&buffer));
    let marks = buffer.content().iter().filter(|cell| cell.symbol() == "×").count();
    assert!(
        marks > 0
            && buffer.content().iter().any(|cell| cell.symbol() == "×" && cell.fg != ratatui::style::Color::Reset)
    );
    assert!(text(&zoomed(&mut app, "5", 100, 20)).contains('×'));
}

/// A run of ten thousand epochs of one step each.
fn long() -> Script {
    let script = Script::new().with(|header| {
        header.stages.truncate(1);
        header.stages[0].epochs = 10_000;
        header.stages[0].steps_per_epoch = 10;
    });
    script.preparing().start().whole_stage(0)
}

#[test]
fn ten_thousand_epochs() {
    let mut app = on(long(), 100, 24);
    insta::assert_snapshot!("long_loss_steps", text(&zoomed(&mut app, "1", 100, 24)));
    keys(&mut app, &["x"]);
    insta::assert_snapshot!("long_bins_epochs", text(&zoomed(&mut app, "3", 100, 24)));
    keys(&mut app, &["x", "c", "S-Left"]);
    insta::assert_snapshot!("long_loss_time", text(&zoomed(&mut app, "1", 100, 24)));
}

#[test]
fn long_and_wide_names() {
    let script = Script::new().with(|header| {
        header.bins = vec!["顔認証データ🙂🙂".repeat(4), "x".repeat(200), "👩‍👩‍👧 age".to_owned()];
        header.stages[0].loss = "損失関数🙂".repeat(20);
        header.name = "実験🙂".repeat(60);
    });
    let script = script.preparing().start().whole_stage(0).stage(1).steps(100);
    for (width, height) in [(60, 20), (120, 40), (200, 60)] {
        let app = on(script.clone(), width, height);
        insta::assert_snapshot!(format!("wide_names_{width}x{height}"), text(&frame(&app, width, height, USUAL)));
    }
    let mut app = on(script, 100, 24);
    insta::assert_snapshot!("wide_names_bins", text(&zoomed(&mut app, "3", 100, 24)));
}

#[test]
fn without_colour_and_in_ascii_curves_differ() {
    let mut app = on(late(), 100, 24);
    zoomed(&mut app, "3", 100, 24);
    let plain = frame(&app, 100, 24, Abilities { color: false, unicode: true, light: false });
    insta::assert_snapshot!("mono_bins", text(&plain));
    let ascii = frame(&app, 100, 24, Abilities { color: false, unicode: false, light: false });
    assert!(text(&ascii).is_ascii());
    insta::assert_snapshot!("ascii_bins", text(&ascii));
}

#[test]
fn a_journey_through_a_run() {
    let mut app = on(late(), 120, 40);
    let span = |app: &App| app.span().expect("a run");
    let whole = span(&app);
    // Zooming in keeps the end, and the window goes on with the run.
    keys(&mut app, &["+", "+", "+"]);
    let near = span(&app);
    assert!((near.1 - whole.1).abs() < 1e-9 && near.0 > whole.0);
    assert!(text(&frame(&app, 120, 40, USUAL)).contains("following"));
    let more: Vec<Record> = late().steps(60).records().into_iter().skip(late().records().len()).collect();
    hear(&mut app, &more);
    assert!((span(&app).1 - near.1 - 60.0).abs() < 1e-9, "it follows");
    // Panning back rests; coming to the end again follows again.
    keys(&mut app, &[","]);
    let rested = span(&app);
    hear(&mut app, &late().steps(90).records().split_off(late().records().len() + more.len()));
    assert_eq!(span(&app), rested);
    keys(&mut app, &["f"]);
    assert!((span(&app).1 - whole.1 - 90.0).abs() < 1e-9);
    // The crosshair starts at the end and reads values out, on every chart.
    keys(&mut app, &["0", "c", "S-Left", "Left"]);
    let cross = app.view.charts.cross.expect("shown");
    let shown = text(&frame(&app, 120, 40, USUAL));
    assert!(shown.contains(&format!(" {cross:.0} ")) && shown.contains("raw "), "{shown}");
    // Two lines and three bins, two of which may share a cell.
    assert!(shown.matches('●').count() >= 4, "{shown}");
    insta::assert_snapshot!("crosshair_120x40", shown);
    insta::assert_debug_snapshot!("crosshair_styles_120x40", frame(&app, 120, 40, USUAL));
    // The axis changes under it, and back again.
    let steps = app.view.charts.cross.expect("shown");
    keys(&mut app, &["x", "x"]);
    assert_eq!(app.view.charts.axis, Axis::Time);
    insta::assert_snapshot!("crosshair_time_120x40", text(&frame(&app, 120, 40, USUAL)));
    keys(&mut app, &["x"]);
    assert!((app.view.charts.cross.expect("shown") - steps).abs() < 1e-3);
    // Escape closes the crosshair, then the zoom.
    keys(&mut app, &["+", "Esc"]);
    assert!(app.view.charts.cross.is_none() && app.view.charts.window.is_some());
    keys(&mut app, &["Esc"]);
    assert!(app.view.charts.window.is_none());
}

#[test]
fn the_crosshair_takes_the_window_along() {
    let mut app = on(late(), 120, 40);
    keys(&mut app, &["+", "+", "+", "+", "+", "+", "c"]);
    let before = app.span().expect("a run");
    (0..20).for_each(|_| keys(&mut app, &["S-Left"]));
    let after = app.span().expect("a run");
    let cross = app.view.charts.cross.expect("shown");
    assert!(after.0 < before.0 && cross >= after.0 && cross <= after.1);
    (0..200).for_each(|_| keys(&mut app, &["S-Left"]));
    assert_eq!(app.view.charts.cross, Some(0.0), "it stops at the beginning");
}

#[test]
fn smoothing_goes_off_and_on_and_has_degrees() {
    let mut app = on(late(), 120, 40);
    let shown = |app: &App| text(&frame(app, 120, 40, USUAL));
    assert!(shown(&app).contains("~0.98"));
    keys(&mut app, &["]"]);
    assert!(shown(&app).contains("~0.99"));
    keys(&mut app, &["[", "["]);
    assert!(shown(&app).contains("~0.95"));
    keys(&mut app, &["s"]);
    assert!(shown(&app).contains("raw") && !shown(&app).contains('~'));
    // The first key of either kind only brings it back.
    keys(&mut app, &["]"]);
    assert!(shown(&app).contains("~0.95"));
    // A run that is opened later is smoothed as much.
    keys(&mut app, &["Tab"]);
    app.hear(News::Listed(screens::three_runs()));
    app.hear(News::Opened { id: "demo-c".to_owned(), state: Box::new(Ok(Script::new().whole().state())) });
    let opened = app.history.shown().expect("opened").as_ref().expect("read");
    let live = crate::tui::shown_run::ShownRun::of(Script::new().whole().state(), 0.95);
    assert_eq!(*opened, live);
}

#[test]
fn numbers_focus_panes_and_bring_hidden_charts() {
    let mut app = on(late(), 80, 24);
    let titles = |app: &App| text(&frame(app, 80, 24, USUAL));
    assert!(titles(&app).contains("1 loss") && titles(&app).contains("2 accuracy"));
    keys(&mut app, &["5"]);
    assert_eq!(app.view.focus, Pane::GradientNorm);
    assert!(titles(&app).contains("1 loss") && titles(&app).contains("5 gradient norm"), "{}", titles(&app));
    keys(&mut app, &["z"]);
    assert!(app.view.zoomed && !titles(&app).contains("1 loss"));
    keys(&mut app, &["z", "9"]);
    assert_eq!((app.view.focus, app.view.zoomed), (Pane::Log, false));
    // On a small screen the log has no place: it gets the whole screen.
    let mut small = on(late(), 60, 20);
    keys(&mut small, &["4"]);
    assert!(text(&frame(&small, 60, 20, USUAL)).contains("4 learning rate"));
    keys(&mut small, &["9"]);
    assert!(small.view.zoomed && text(&frame(&small, 60, 20, USUAL)).contains("9 log"));
    keys(&mut small, &["Esc"]);
    assert!(!small.view.zoomed);
}

#[test]
fn a_past_run_can_be_looked_around_in_too() {
    let mut app = App::new(false, START, TimeZone::UTC);
    app.area = Rect::new(0, 0, 120, 40);
    app.hear(News::Listed(screens::three_runs()));
    app.hear(News::Opened { id: "demo-c".to_owned(), state: Box::new(Ok(Script::new().whole().state())) });
    keys(&mut app, &["Enter", "c", "Left", "+"]);
    let shown = text(&frame(&app, 120, 40, USUAL));
    assert!(shown.contains('●') && shown.contains("zoomed"), "{shown}");
}
