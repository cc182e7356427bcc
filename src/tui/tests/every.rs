//! Every pane in every state, every dialog, every theme, and every layout's styles, as snapshots; and any area for each pane.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::screens::three_runs;
use super::*;
use crate::event::{Event, MachineSample, Outcome};
use crate::tui::draw;
use crate::tui::layout::Pane;
use crate::tui::options::Role;
use crate::tui::pane::{PaneFrame, Scene};
use crate::tui::terminal::abilities::Depth;
use crate::tui::testing::START;

fn late() -> Script {
    Script::new().preparing().start().whole_stage(0).whole_stage(1).stage(2).whole_epoch().epoch().steps(200)
}

fn looked_at(script: Script) -> Script {
    let sample = MachineSample {
        cpu: 0.87,
        memory_used: 12 << 30,
        memory_total: 64 << 30,
        disk_free: Some(120 << 30),
        gpus: Vec::new(),
    };
    script.event(0.1, Event::Machine(Box::new(sample)))
}

/// A comparison of two losses, in the second of them.
fn branches(script: Script) -> Script {
    let script = script.branched(&["softmax", "arcface"]).preparing().start().whole_stage(0).start_evaluated();
    script.branch(0).whole_epoch().branch_end(0, Outcome::Completed).branch(1).steps(40)
}

/// Runs of every kind, by name.
fn states() -> Vec<(&'static str, App)> {
    let mut not_finite = late().records();
    for record in not_finite.iter_mut().rev().take(9) {
        if let Event::Steps { loss, gradient_norm, .. } = &mut record.event {
            loss.fill(f32::NAN);
            *gradient_norm = Some(f64::INFINITY);
        }
    }
    let mut not_a_number = App::new(true, 0.0, TimeZone::UTC);
    hear(&mut not_a_number, &not_finite);
    let long = Script::new().with(|header| {
        header.stages.truncate(1);
        header.stages[0].epochs = 10_000;
        header.stages[0].steps_per_epoch = 10;
    });
    let named = Script::new().with(|header| {
        header.bins = vec!["顔認証データ🙂🙂".repeat(4), "x".repeat(200), "👩‍👩‍👧 age".to_owned()];
        header.stages[0].loss = "損失関数🙂".repeat(20);
        header.stages[1].name = Some("n".repeat(200));
        header.name = "実験🙂".repeat(60);
        header.model = "m".repeat(200);
    });
    vec![
        ("empty", app(Script::new())),
        ("one_point", app(Script::new().preparing().start().stage(0).event(0.5, one_step()))),
        ("nan", not_a_number),
        ("long", app(looked_at(long.preparing().start().whole_stage(0)))),
        ("names", app(named.clone().preparing().start().whole_stage(0).stage(1).steps(100))),
        ("branches", app(looked_at(branches(Script::new())))),
        ("branch_names", app(branches(named))),
    ]
}

/// A pane by itself.
fn alone(app: &App, pane: Pane, width: u16, height: u16, abilities: Abilities) -> Buffer {
    let area = Rect::new(0, 0, width, height);
    let mut buffer = Buffer::empty(area);
    let styles = Styles::new(abilities);
    let (run, live) = app.on_screen().expect("a run");
    let scene = Scene { app, run, styles: &styles, live };
    draw::pane(pane, area, &mut buffer, &scene, PaneFrame { sides: true, focused: false });
    buffer
}

#[test]
fn every_pane_in_every_state() {
    for (name, app) in states() {
        let panes = Pane::ALL.map(|pane| format!("{pane:?}\n{}", text(&alone(&app, pane, 64, 12, USUAL))));
        insta::assert_snapshot!(format!("panes_{name}"), panes.join("\n"));
    }
}

#[test]
fn every_panes_styles() {
    let app = app(looked_at(branches(Script::new())));
    for pane in Pane::ALL {
        insta::assert_debug_snapshot!(format!("pane_styles_{pane:?}"), alone(&app, pane, 64, 12, USUAL));
    }
}

#[test]
fn every_layouts_styles() {
    for (width, height) in [(60, 20), (80, 24), (200, 60), (250, 80)] {
        let mut app = app(looked_at(late()));
        app.area = Rect::new(0, 0, width, height);
        insta::assert_debug_snapshot!(format!("layout_styles_{width}x{height}"), frame(&app, width, height, USUAL));
    }
}

#[test]
fn every_theme() {
    let place = std::path::Path::new("config.toml");
    let parse = |text: &str| crate::tui::settings::Settings::parse(place, text).expect("right");
    let mut app = app(looked_at(late()));
    app.area = Rect::new(0, 0, 80, 24);
    for (name, depth, settings) in [
        ("dark", Depth::True, "theme = \"dark\""),
        ("light", Depth::True, "theme = \"light\""),
        ("indexed", Depth::Indexed, ""),
        ("sixteen", Depth::True, "theme = \"sixteen\""),
        ("mono", Depth::True, "theme = \"mono\""),
        ("ascii", Depth::Indexed, "ascii = true"),
    ] {
        let area = app.area;
        let mut buffer = Buffer::empty(area);
        draw::draw(area, &mut buffer, &app, &Styles::chosen(USUAL, depth, &parse(settings).look));
        insta::assert_debug_snapshot!(format!("theme_{name}"), buffer);
    }
}

/// Fronts with every dialog, window and prompt open that no other test has as a snapshot, or has without styles.
fn dialogs() -> Vec<(&'static str, App)> {
    let training = || app(looked_at(late()));
    let history = || {
        let mut app = App::new(false, START, TimeZone::UTC);
        app.hear(News::Listed(three_runs()));
        app
    };
    let with = |mut app: App, keys: &[&str]| {
        for key in keys {
            press(&mut app, key);
        }
        app
    };
    let attached = |role| App { role, ..training() };
    let mut same = history();
    same.hear(News::SchedulesDiffed { names: "from a to b".to_owned(), lines: Ok(Vec::new()) });
    let mut incomparable = history();
    let lines = Err("they cannot be compared: `a` has no schedule".to_owned());
    incomparable.hear(News::SchedulesDiffed { names: "from a to b".to_owned(), lines });
    let mut nothing = App::new(false, START, TimeZone::UTC);
    nothing.act(crate::tui::action::Action::NextTab);
    vec![
        ("help", with(training(), &["?"])),
        ("quit", with(training(), &["q"])),
        ("quit_attached", with(attached(Role::Attached), &["C-c"])),
        ("watching", attached(Role::Watching)),
        ("stop_now", with(training(), &["N"])),
        ("rate", with(training(), &["*", "2"])),
        ("rate_wrong", with(training(), &["*", "e", "e"])),
        ("no_warnings", with(training(), &["!"])),
        ("machine", with(training(), &["M"])),
        ("commands", with(training(), &[":", "z"])),
        ("no_commands", with(training(), &[":", "%"])),
        ("bin_reading", with(training(), &["v"])),
        ("stopped", app(late().finish(Outcome::Stopped))),
        ("branches", with(app(branches(Script::new())), &["b"])),
        ("delete", with(history(), &["D"])),
        ("train", with(history(), &["T"])),
        ("filter", with(history(), &["/", "d", "e"])),
        ("filter_wrong", with(history(), &["/", "x", ":"])),
        ("tags", with(history(), &["t", "a"])),
        ("note", with(history(), &["e", "顔"])),
        ("same_schedules", same),
        ("no_difference", incomparable),
        ("nothing_trained", nothing),
    ]
}

#[test]
fn every_dialog() {
    let mut all = String::new();
    for (name, app) in dialogs() {
        let _ = writeln!(all, "{name}\n{}", text(&frame(&app, 60, 16, USUAL)));
        insta::assert_debug_snapshot!(format!("dialog_{name}_80x24"), frame(&app, 80, 24, USUAL));
    }
    insta::assert_snapshot!("dialogs_60x16", all);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Empty ones, and ones that hang over the screen's edges.
    #[test]
    fn every_pane_takes_any_area(
        x in 0_u16..90, y in 0_u16..30, width in 0_u16..100, height in 0_u16..40,
        sides: bool, focused: bool, color: bool, unicode: bool,
    ) {
        thread_local!(static STATES: Vec<(&'static str, App)> = states());
        STATES.with(|states| {
            let styles = Styles::new(Abilities { color, unicode, light: false });
            for (_, app) in states {
                let (run, live) = app.on_screen().expect("a run");
                let scene = Scene { app, run, styles: &styles, live };
                for pane in Pane::ALL {
                    for (width, height) in [(width, height), (0, height), (width, 0)] {
                        let mut buffer = Buffer::empty(Rect::new(0, 0, 80, 24));
                        let area = Rect::new(x, y, width, height);
                        draw::pane(pane, area, &mut buffer, &scene, PaneFrame { sides, focused });
                    }
                }
            }
        });
    }

    #[test]
    fn every_dialog_takes_any_screen(width in 0_u16..130, height in 0_u16..50, color: bool, unicode: bool) {
        thread_local!(static DIALOGS: Vec<(&'static str, App)> = dialogs());
        DIALOGS.with(|dialogs| {
            for (_, app) in dialogs {
                frame(app, width, height, Abilities { color, unicode, light: false });
            }
        });
    }
}
