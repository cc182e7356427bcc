//! Every screen as a snapshot, and every size without a panic.

use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::event::{Level, Outcome, StopKind};
use crate::run::history::PastRun;
use crate::tui::testing::START;

/// Snapshots a screen at the three sizes the layout is made for.
macro_rules! screens {
    ($name:literal, $app:expr) => {{
        let app = $app;
        for (width, height) in [(80, 24), (120, 40), (200, 60)] {
            let shown = text(&frame(&app, width, height, USUAL));
            insta::assert_snapshot!(format!("{}_{width}x{height}", $name), shown);
        }
    }};
}

fn training() -> Script {
    Script::new().preparing().start().stage(0).whole_epoch().epoch().whole_epoch().epoch().steps(140)
}

fn late() -> Script {
    Script::new().preparing().start().whole_stage(0).whole_stage(1).stage(2).whole_epoch().epoch().steps(200)
}

pub(super) fn failure() -> Outcome {
    Outcome::Failed {
        error: "out of memory: 512 MiB more were asked for, 92 MiB are free on cuda:0".to_owned(),
        help: Some("halve `batch_size` (now 64), or set `precision: bf16`".to_owned()),
    }
}

#[test]
fn preparing() {
    screens!("preparing", app(Script::new().preparing()));
}

#[test]
fn first_steps() {
    screens!("first_steps", app(Script::new().preparing().start().stage(0).steps(20)));
}

#[test]
fn training_softmax() {
    screens!("training", app(training()));
}

#[test]
fn training_the_third_stage() {
    screens!("third_stage", app(late()));
}

#[test]
fn charts_over_epochs_on_a_logarithmic_axis() {
    let mut app = app(late());
    press(&mut app, "x");
    press(&mut app, "y");
    screens!("epochs_log", app);
}

#[test]
fn evaluating() {
    let script = training().steps(160).evaluating(0, 400).evaluated(0).evaluating(1, 700);
    screens!("evaluating", app(script));
}

#[test]
fn stop_pending() {
    let mut requested = app(training());
    press(&mut requested, "n");
    insta::assert_snapshot!("stop_requested_80x24", text(&frame(&requested, 80, 24, USUAL)));
    screens!("stop_pending", app(training().stop(StopKind::AfterEpoch)));
}

#[test]
fn paused() {
    let script = training().log(Level::Warning, "3 images could not be read").event(0.1, crate::event::Event::Paused);
    screens!("paused", app(script));
}

/// A comparison of losses whose second branch failed and whose third is trained.
fn branches() -> Script {
    let losses = ["softmax", "margin_softmax", "center_arcface", "batch_hard_triplet", "batch_all_triplet"];
    let error = "the loss became NaN at step 41 of the epoch".to_owned();
    let script = Script::new().branched(&losses).preparing().start().whole_stage(0).start_evaluated();
    let script = script.branch(0).whole_epoch().branch_end(0, Outcome::Completed);
    let script = script.branch(1).steps(40).branch_end(1, Outcome::Failed { error, help: None });
    script.branch(2).steps(120)
}

#[test]
fn branches_side_by_side() {
    screens!("branches", app(branches()));
    let mut app = app(branches());
    press(&mut app, "b");
    screens!("branches_table", app);
}

#[test]
fn a_comparison_that_ended() {
    let script = branches().steps(180).evaluation().epoch_end().branch_end(2, Outcome::Completed);
    let script = script.branch(3).whole_epoch().branch_end(3, Outcome::Stopped);
    screens!("branches_ended", app(script.finish(Outcome::Stopped)));
}

#[test]
fn finished() {
    screens!("finished", app(Script::new().whole()));
}

#[test]
fn finished_and_looked_at_once_more() {
    let mut app = app(Script::new().whole());
    press(&mut app, "Esc");
    screens!("finished_behind", app);
}

#[test]
fn failed() {
    screens!("failed", app(late().finish(failure())));
}

#[test]
fn help_and_quit() {
    let mut app = app(training());
    press(&mut app, "?");
    insta::assert_snapshot!("help_80x24", text(&frame(&app, 80, 24, USUAL)));
    insta::assert_snapshot!("help_120x40", text(&frame(&app, 120, 40, USUAL)));
    press(&mut app, "Esc");
    press(&mut app, "q");
    insta::assert_snapshot!("quit_80x24", text(&frame(&app, 80, 24, USUAL)));
}

pub(super) fn past(id: &str, days: f64, epochs: u32, outcome: Option<Outcome>) -> PastRun {
    PastRun {
        id: id.to_owned(),
        started: START - 86_400.0 * days,
        name: "demo".to_owned(),
        model: "mobilefacenet".to_owned(),
        epochs,
        planned: 16,
        outcome,
        best: vec![("frontal".to_owned(), 0.9881), ("pose".to_owned(), 0.9312), ("age".to_owned(), 0.8967)],
        losses: vec!["softmax".to_owned(), "arcface".to_owned()],
        loss: Some(0.5 + days / 10.0),
        journal: PathBuf::from(format!("runs/{id}/journal.jsonl")),
        ..PastRun::default()
    }
}

pub(super) fn three_runs() -> Vec<PastRun> {
    vec![
        past("demo-c", 0.0, 16, Some(Outcome::Completed)),
        past("demo-b", 1.0, 8, Some(Outcome::Stopped)),
        past("demo-a", 2.5, 6, None),
    ]
}

#[test]
fn history() {
    let mut app = App::new(false, START, TimeZone::UTC);
    app.hear(News::Listed(Vec::new()));
    insta::assert_snapshot!("history_empty_80x24", text(&frame(&app, 80, 24, USUAL)));
    app.hear(News::Listed(three_runs()));
    insta::assert_snapshot!("history_reading_80x24", text(&frame(&app, 80, 24, USUAL)));
    let state = Box::new(Ok(Script::new().whole().state()));
    app.hear(News::Opened { id: "demo-c".to_owned(), state });
    screens!("history", app);
}

#[test]
fn history_of_an_unreadable_run() {
    let mut app = App::new(false, START, TimeZone::UTC);
    app.hear(News::Listed(three_runs()));
    let state = Box::new(Err("cannot read `runs/demo-c/run.jsonl`: line 1204 is not a record".to_owned()));
    app.hear(News::Opened { id: "demo-c".to_owned(), state });
    insta::assert_snapshot!("history_unreadable_80x24", text(&frame(&app, 80, 24, USUAL)));
}

#[test]
fn a_past_run_on_the_whole_screen() {
    let mut app = App::new(false, START, TimeZone::UTC);
    app.hear(News::Listed(three_runs()));
    app.hear(News::Opened { id: "demo-c".to_owned(), state: Box::new(Ok(Script::new().whole().state())) });
    press(&mut app, "Enter");
    insta::assert_snapshot!("past_run_120x40", text(&frame(&app, 120, 40, USUAL)));
}

#[test]
fn history_of_a_comparison() {
    let mut app = App::new(false, START, TimeZone::UTC);
    app.hear(News::Listed(three_runs()));
    let state = branches().finish(Outcome::Stopped).state();
    app.hear(News::Opened { id: "demo-c".to_owned(), state: Box::new(Ok(state)) });
    insta::assert_snapshot!("history_branches_120x40", text(&frame(&app, 120, 40, USUAL)));
}

#[test]
fn tiny_terminals_say_what_is_needed() {
    let app = app(training());
    insta::assert_snapshot!("tiny_50x10", text(&frame(&app, 50, 10, USUAL)));
    insta::assert_snapshot!("smallest_60x16", text(&frame(&app, 60, 16, USUAL)));
    assert!(text(&frame(&app, 30, 4, USUAL)).contains("terminal too small: 30x4"));
}

#[test]
fn without_unicode_everything_is_ascii() {
    let ascii = Abilities { color: false, unicode: false, light: false };
    for script in [Script::new().preparing(), training(), late(), Script::new().whole(), branches()] {
        let shown = text(&frame(&app(script), 120, 40, ascii));
        assert!(shown.is_ascii(), "{shown}");
    }
    insta::assert_snapshot!("ascii_80x24", text(&frame(&app(late()), 80, 24, ascii)));
}

#[test]
fn styles_of_a_whole_screen() {
    let app = app(training().stop(StopKind::AfterEpoch));
    insta::assert_debug_snapshot!("styles_80x24", frame(&app, 80, 24, USUAL));
}

#[test]
fn styles_of_the_failure() {
    let app = app(late().finish(failure()));
    insta::assert_debug_snapshot!("styles_failed_80x24", frame(&app, 80, 24, USUAL));
}

#[test]
fn no_color_means_none() {
    let plain = Abilities { color: false, unicode: true, light: false };
    for script in [training(), late(), Script::new().whole(), late().finish(failure())] {
        let buffer = frame(&app(script), 120, 40, plain);
        let colored = buffer
            .content()
            .iter()
            .find(|cell| cell.fg != ratatui::style::Color::Reset || cell.bg != ratatui::style::Color::Reset);
        assert_eq!(colored, None);
    }
}

#[test]
fn wide_letters_in_the_log_stay_whole() {
    let script = training().log(Level::Info, &"訓練データの読み込みに時間がかかっています。".repeat(6));
    insta::assert_snapshot!("wide_letters_80x24", text(&frame(&app(script), 80, 24, USUAL)));
}

#[test]
fn a_loss_that_is_not_a_number_leaves_a_gap() {
    let mut records = training().records();
    for record in records.iter_mut().rev().take(8) {
        if let crate::event::Event::Steps { loss, .. } = &mut record.event {
            loss.fill(f32::NAN);
        }
    }
    let mut app = App::new(true, 0.0, TimeZone::UTC);
    hear(&mut app, &records);
    insta::assert_snapshot!("not_a_number_80x24", text(&frame(&app, 80, 24, USUAL)));
}

#[test]
fn many_stages_keep_the_current_one_in_view() {
    let script = Script::new().with(|header| {
        let last = header.stages[2].clone();
        header.stages.extend(std::iter::repeat_n(last, 9));
    });
    let app = app(script.preparing().start().whole_stage(0).whole_stage(1).stage(2).whole_epoch());
    let shown = text(&frame(&app, 80, 24, USUAL));
    assert!(shown.contains("▸ 3 arcface"), "{shown}");
}

/// Fronts in many moods.
fn moods() -> Vec<App> {
    let mut moods: Vec<App> = [
        Script::new(),
        Script::new().preparing(),
        Script::new().start(),
        training(),
        late().evaluating(2, 10),
        late().stop(StopKind::Now),
        late().finish(failure()),
        Script::new().whole(),
        Script::new().with(|header| header.bins.clear()).start().stage(0).steps(10),
        branches(),
        branches().finish(Outcome::Stopped),
        // A journal whose header was lost.
        Script::new().stage(1).steps(20),
    ]
    .into_iter()
    .map(app)
    .collect();
    for keys in [
        &["?"][..],
        &["q"],
        &["z"],
        &["x", "y", "t", "s"],
        &["w", "w", "z", "Up"],
        &["Tab"],
        &["b"],
        &["c", "+", "+", "Left", "x", "o"],
        &["7", "z", "f", "-", ","],
    ] {
        let mut mood = app(late());
        for key in keys {
            press(&mut mood, key);
        }
        moods.push(mood);
    }
    for keys in [&["b"][..], &["w", "w", "w", "w", "z"], &["q"]] {
        let mut mood = app(branches());
        for key in keys {
            press(&mut mood, key);
        }
        moods.push(mood);
    }
    for state in [late().state(), branches().state()] {
        let mut history = App::new(false, START, TimeZone::UTC);
        history.hear(News::Listed(three_runs()));
        history.hear(News::Opened { id: "demo-c".to_owned(), state: Box::new(Ok(state)) });
        moods.push(history);
    }
    let mut nothing = App::new(false, START, TimeZone::UTC);
    nothing.act(crate::tui::action::Action::NextTab);
    moods.push(nothing);
    moods
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(160))]

    #[test]
    fn no_size_panics(width in 0_u16..=250, height in 0_u16..=100, unicode: bool, color: bool) {
        thread_local!(static MOODS: Vec<App> = moods());
        MOODS.with(|moods| {
            let at = (usize::from(width) * 7 + usize::from(height)) % moods.len();
            for mood in [&moods[at], &moods[(at + 5) % moods.len()]] {
                frame(mood, width, height, Abilities { color, unicode, light: color });
            }
        });
    }
}
