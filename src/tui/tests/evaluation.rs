//! Bins in numbers, an open bin, warnings, the machine, run control: their screens and journeys.

use std::path::PathBuf;

use proptest::prelude::*;

use super::screens::{failure, three_runs};
use super::*;
use crate::eval::decoded_bin::DecodedBin;
use crate::eval::detail::Detail;
use crate::eval::similarity::PairSimilarities;
use crate::event::{BinResult, Command, Event, GpuSample, MachineSample, Outcome, Rate, StopKind};
use crate::tui::bin_details::{BinDetails, BinRequest};
use crate::tui::layout::Pane;
use crate::tui::testing::START;
use crate::tui::view::Dialog;

/// Long, wide and odd names.
const NAMES: [&str; 6] =
    ["lfw", "クロスエイジの顔写真の組", "🙂🙃👩‍👩‍👧 faces", "x", "agedb_30_with_a_name_that_never_ends", "cfp_fp"];

fn running() -> Script {
    Script::new().preparing().start().stage(0).whole_epoch().epoch().steps(40)
}

fn at(app: &App, width: u16, height: u16) -> String {
    text(&frame(app, width, height, USUAL))
}

fn tell(app: &mut App, event: Event) -> Vec<Effect> {
    let at = app.now;
    hear(app, &[Record { at, event }])
}

fn first_line(app: &App) -> String {
    at(app, 100, 30).lines().next().unwrap_or_default().to_owned()
}

/// What lies behind the figures of a bin of forty pairs with faces of their own shades.
fn details(name: &str) -> BinDetails {
    let pairs = 40_u32;
    let same: Vec<bool> = (0..pairs).map(|pair| pair % 2 == 0).collect();
    let face = |at: u32| {
        let pixel = move |place: u32| {
            let (x, y) = (place % 16, place / 16);
            let inside = (x as i32 - 8).pow(2) + (y as i32 - 8).pow(2) < 40;
            let shade = (at * 5 % 200) as u8;
            if inside { [230, 190_u8.saturating_sub(shade / 2), 150] } else { [shade, 40, 90] }
        };
        (0..16 * 16).flat_map(pixel)
    };
    let bin = DecodedBin {
        name: name.to_owned(),
        size: (16, 16),
        images: (0..2 * pairs).flat_map(face).collect(),
        pairs: (0..pairs).map(|pair| [2 * pair, 2 * pair + 1]).collect(),
        same,
    };
    let score = |pair: u32| {
        let spread = f64::from(pair * 37 % 40) / 40.0 - 0.5;
        if pair.is_multiple_of(2) { 0.55 + 0.6 * spread } else { 0.05 + 0.7 * spread }
    };
    let measured =
        PairSimilarities { similarities: (0..pairs).map(score).collect(), distances: vec![1.0; pairs as usize] };
    let result = BinResult {
        bin: name.to_owned(),
        accuracy: 0.925,
        threshold: 0.3125,
        fold_mean: Some(0.91),
        fold_deviation: Some(0.02),
        pairs: u64::from(pairs),
        seconds: 1.0,
        rates: vec![Rate { far: 1e-3, tar: Some(0.8) }, Rate { far: 1e-4, tar: None }],
    };
    BinDetails::new(Detail::new(&bin, &measured, result, 1, None))
}

/// A front end that opens a bin whose details were read.
fn looking(mut app: App) -> App {
    let effects = press(&mut app, "v");
    let [Effect::ReadBin(request)] = &effects[..] else { panic!("{effects:?}") };
    let read = Box::new(Ok(details(&request.bin)));
    app.hear(News::BinRead(request.clone(), read));
    app
}

/// Samples of a machine with some GPUs.
fn machine(script: Script, gpus: usize) -> Script {
    (0..40).fold(script, |script, at| {
        let wave = (f64::from(at) / 5.0).sin().abs();
        let gpu = GpuSample {
            name: "NVIDIA H200".to_owned(),
            busy: 0.9 * wave,
            memory_used: 71 << 30,
            memory_total: 141 << 30,
            temperature: Some(61),
            power: Some(512.4),
        };
        let sample = MachineSample {
            cpu: 0.3 + 0.5 * wave,
            memory_used: 12 << 30,
            memory_total: 64 << 30,
            disk_free: Some(120 << 30),
            gpus: vec![gpu; gpus],
        };
        script.event(2.0, Event::Machine(Box::new(sample)))
    })
}

/// Two worries, one of them over.
fn worried() -> Script {
    let full = |script: Script, free: u64| {
        let sample = MachineSample { disk_free: Some(free), ..MachineSample::default() };
        script.event(1.0, Event::Machine(Box::new(sample)))
    };
    let loss = |script: Script, loss: f32| {
        let steps = Event::Steps {
            index: 2,
            step: 50,
            loss: vec![loss; 200],
            accuracy: Vec::new(),
            images_per_second: 400.0,
            waited: 0.0,
            memory: 1,
            gradient_norm: None,
        };
        script.event(1.0, steps)
    };
    let script = full(full(running(), 1 << 20), 90 << 30);
    loss(script, 30.0)
}

#[test]
fn the_table_in_every_state() {
    let none = Script::new().with(|header| header.bins.clear()).start().stage(0).steps(10);
    let zoomed = |script: Script| {
        let mut app = app(script);
        app.view.focus = Pane::Evaluation;
        app.view.zoomed = true;
        app
    };
    insta::assert_snapshot!("evaluation_none_80x24", at(&zoomed(none), 80, 24));
    let one = Script::new().preparing().start().stage(0).whole_epoch();
    insta::assert_snapshot!("evaluation_one_epoch_120x40", at(&zoomed(one), 120, 40));
    let late = Script::new().preparing().start().whole_stage(0).whole_stage(1).stage(2).whole_epoch().epoch().steps(20);
    insta::assert_snapshot!("evaluation_late_200x60", at(&zoomed(late.clone()), 200, 60));
    insta::assert_snapshot!("evaluation_late_60x16", at(&zoomed(late.clone()), 60, 16));
    insta::assert_debug_snapshot!("evaluation_styles_120x32", frame(&zoomed(late.clone()), 120, 32, USUAL));
    let result = BinResult { accuracy: 0.93, ..details("pose").detail.result };
    let checked = late.event(0.1, Event::BinChecked { index: 10, step: 20, result });
    let mut asked = app(checked);
    insta::assert_snapshot!("evaluation_asked_120x40", at(&asked, 120, 40));
    asked.view.focus = Pane::Evaluation;
    press(&mut asked, "Down");
    assert!(at(&asked, 120, 40).contains("Enter open bin"));
    let many = Script::new().with(|header| {
        header.bins = NAMES.iter().map(|name| (*name).to_owned()).collect();
        header.bins.extend((0..20).map(|at| "n".repeat(200 - at)));
    });
    let many = many.preparing().start().stage(0).whole_epoch().epoch().whole_epoch();
    insta::assert_snapshot!("evaluation_many_80x24", at(&app(many.clone()), 80, 24));
    let mut many = zoomed(many);
    (0..3).for_each(|_| drop(press(&mut many, "Down")));
    insta::assert_snapshot!("evaluation_many_chosen_120x40", at(&many, 120, 40));
}

#[test]
fn a_bin_looked_into() {
    let app = looking(app(running()));
    for (width, height) in [(60, 16), (80, 24), (120, 40), (200, 60)] {
        insta::assert_snapshot!(format!("bin_{width}x{height}"), at(&app, width, height));
    }
    insta::assert_debug_snapshot!("bin_styles_80x24", frame(&app, 80, 24, USUAL));
    let plain = text(&frame(&app, 80, 24, Abilities { color: false, unicode: false, light: false }));
    assert!(plain.is_ascii(), "{plain}");
    insta::assert_snapshot!("bin_ascii_80x24", plain);
}

#[test]
fn a_bin_that_is_not_read_yet_or_cannot_be() {
    let mut app = app(running());
    let effects = press(&mut app, "v");
    assert!(at(&app, 80, 24).contains("reading the details"));
    let [Effect::ReadBin(request)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(*request, BinRequest { journal: None, branch: None, bin: "frontal".to_owned(), best: false });
    let wrong = BinRequest { best: true, ..request.clone() };
    app.hear(News::BinRead(wrong, Box::new(Ok(details("frontal")))));
    assert!(at(&app, 80, 24).contains("reading"), "the best figures were not asked for");
    app.hear(News::BinRead(request.clone(), Box::new(Err("`x.json` is damaged: the curve".to_owned()))));
    assert!(at(&app, 80, 24).contains("`x.json` is damaged"));
    let mut blind = details("frontal");
    blind.faces.clear();
    blind.blind = Some("the faces are 3x3 pixels".to_owned());
    app.hear(News::BinRead(request.clone(), Box::new(Ok(blind))));
    insta::assert_snapshot!("bin_without_faces_120x40", at(&app, 120, 40));
}

#[test]
fn drilling_into_bins_and_back() {
    let mut app = app(running());
    app.view.focus = Pane::Evaluation;
    press(&mut app, "Down");
    let effects = press(&mut app, "Enter");
    assert!(matches!(&effects[..], [Effect::ReadBin(request)] if request.bin == "pose" && !request.best));
    let effects = press(&mut app, "b");
    assert!(matches!(&effects[..], [Effect::ReadBin(request)] if request.bin == "pose" && request.best));
    let effects = press(&mut app, "Right");
    assert!(matches!(effects.last(), Some(Effect::ReadBin(request)) if request.bin == "age" && request.best));
    let effects = press(&mut app, "Right");
    assert!(matches!(effects.last(), Some(Effect::ReadBin(request)) if request.bin == "frontal"));
    let Some(Effect::ReadBin(request)) = effects.last() else { panic!("no request") };
    app.hear(News::BinRead(request.clone(), Box::new(Ok(details("frontal")))));
    assert!(at(&app, 120, 40).contains("best: epoch 1"));
    (0..3).for_each(|_| drop(press(&mut app, "Down")));
    assert!(at(&app, 120, 40).contains("from the 4th"), "{}", at(&app, 120, 40));
    let small = at(&app, 60, 16);
    press(&mut app, "v");
    assert_ne!(at(&app, 60, 16), small, "one row shows the other kind");
    // The training can still be stopped from here, and a new evaluation is read at once.
    assert_eq!(press(&mut app, "p"), [Effect::Send(Command::Pause)]);
    let written = Event::DetailsWritten { bin: "frontal".to_owned(), index: 2, best: false };
    assert!(matches!(&tell(&mut app, written)[..], [Effect::ReadBin(request)] if request.bin == "frontal"));
    let other = Event::DetailsWritten { bin: "age".to_owned(), index: 2, best: false };
    assert!(tell(&mut app, other).is_empty());
    press(&mut app, "Esc");
    assert!(app.view.open_bin.is_none() && at(&app, 120, 40).contains("evaluation"));
}

#[test]
fn a_past_runs_bins_are_looked_into_beside_its_journal() {
    let mut app = App::new(false, START, TimeZone::UTC);
    app.hear(News::Listed(three_runs()));
    app.hear(News::Opened { id: "demo-c".to_owned(), state: Box::new(Ok(Script::new().whole().state())) });
    press(&mut app, "Enter");
    let effects = press(&mut app, "v");
    let wanted = PathBuf::from("runs/demo-c/journal.jsonl");
    assert!(matches!(&effects[..], [Effect::ReadBin(request)] if request.journal == Some(wanted)));
    press(&mut app, "Esc");
    assert!(app.history.full, "back in the run");
    // A branch's details lie in a folder of its own.
    let script = Script::new().branched(&["softmax", "arcface"]).preparing().start().whole_stage(0);
    let mut app = self::app(script.start_evaluated().branch(1).steps(20));
    let effects = press(&mut app, "v");
    assert!(
        matches!(&effects[..], [Effect::ReadBin(request)] if request.branch.as_deref() == Some("losses-20261124-070000-arcface"))
    );
}

#[test]
fn warnings_are_counted_and_told_in_full() {
    let mut app = app(worried());
    assert!(first_line(&app).contains("1 warning (!)"), "{}", first_line(&app));
    press(&mut app, "!");
    insta::assert_snapshot!("warnings_80x24", at(&app, 80, 24));
    insta::assert_snapshot!("warnings_120x40", at(&app, 120, 40));
    insta::assert_debug_snapshot!("warnings_styles_80x24", frame(&app, 80, 24, USUAL));
    press(&mut app, "Esc");
    assert_eq!(app.view.dialog, None);
    let mut calm = self::app(running());
    assert!(!first_line(&calm).contains("warning"));
    press(&mut calm, "!");
    assert!(at(&calm, 80, 24).contains("no warnings"));
}

#[test]
fn the_machine_with_and_without_gpus() {
    for gpus in [0, 2] {
        let mut app = app(machine(running(), gpus));
        press(&mut app, "M");
        insta::assert_snapshot!(format!("machine_{gpus}_gpus_120x40"), at(&app, 120, 40));
        let shown = at(&app, 60, 16);
        assert!(shown.contains("cpu") && shown.contains("disk"), "{shown}");
    }
    for (width, height) in [(120, 40), (200, 60), (250, 80)] {
        insta::assert_snapshot!(
            format!("machine_pane_{width}x{height}"),
            at(&app(machine(running(), 2)), width, height)
        );
    }
    assert!(!at(&app(machine(running(), 1)), 80, 24).contains("64.0 GiB"), "there is no room");
    let mut app = app(running());
    assert!(
        !at(&app, 250, 80).contains("M machine") && !at(&app, 250, 80).contains("╭ machine"),
        "nothing was measured"
    );
    press(&mut app, "M");
    assert!(at(&app, 80, 24).contains("no samples of the machine yet"));
}

#[test]
fn stop_now_asks() {
    let mut app = app(running());
    assert!(press(&mut app, "N").is_empty());
    insta::assert_snapshot!("stop_now_80x24", at(&app, 80, 24));
    assert!(press(&mut app, "Enter").is_empty() && press(&mut app, "q").is_empty());
    press(&mut app, "Esc");
    assert_eq!(app.view.dialog, None);
    press(&mut app, "N");
    assert_eq!(press(&mut app, "n"), [Effect::Send(Command::Stop(StopKind::AfterEpoch))]);
    tell(&mut app, Event::StopRequested { kind: StopKind::AfterEpoch });
    press(&mut app, "N");
    assert_eq!(press(&mut app, "s"), [Effect::Send(Command::Stop(StopKind::Now))]);
    assert!(first_line(&app).contains("stop requested"));
    tell(&mut app, Event::StopRequested { kind: StopKind::Now });
    assert!(first_line(&app).contains("stopping now"));
    assert!(press(&mut app, "N").is_empty() && app.view.dialog.is_none(), "it stops already");
    let end = Event::Finished { outcome: Outcome::Stopped, seconds: 1.0 };
    assert!(tell(&mut app, end).is_empty(), "whoever asked to stop may want to look");
}

#[test]
fn another_learning_rate() {
    let mut app = app(running());
    press(&mut app, "*");
    insta::assert_snapshot!("rate_80x24", at(&app, 80, 24));
    for key in ["0", ".", "2", "5"] {
        assert!(press(&mut app, key).is_empty());
    }
    assert!(at(&app, 80, 24).contains("gives  2.50e-4"), "{}", at(&app, 80, 24));
    assert_eq!(press(&mut app, "Enter"), [Effect::Send(Command::ScaleLearningRate(0.25))]);
    assert!(first_line(&app).contains("learning rate times 0.25 requested"));
    tell(&mut app, Event::LearningRateScaled { factor: 0.25 });
    assert!(!first_line(&app).contains("requested"));
    let shown = at(&app, 120, 40);
    assert!(shown.contains("2.50e-4 x0.25") && shown.contains("learning rate multiplied by 0.25"), "{shown}");
    press(&mut app, "*");
    press(&mut app, "Up");
    assert_eq!(press(&mut app, "Enter"), [Effect::Send(Command::ScaleLearningRate(0.5))]);
    tell(&mut app, Event::LearningRateScaled { factor: 0.5 });
    press(&mut app, "*");
    for key in ["e", "e", "9"] {
        press(&mut app, key);
    }
    assert!(
        press(&mut app, "Enter").is_empty() && app.view.dialog == Some(Dialog::LearningRate),
        "that is not a number"
    );
    assert!(at(&app, 80, 24).contains("enter a number from 1e-6 to 1e6"));
    press(&mut app, "Esc");
    press(&mut app, "*");
    assert!(press(&mut app, "Enter").is_empty(), "it is that already");
}

#[test]
fn evaluating_and_saving_are_pending_until_they_are_confirmed() {
    let mut app = app(running());
    assert_eq!(press(&mut app, "E"), [Effect::Send(Command::Evaluate)]);
    assert!(first_line(&app).contains("evaluation requested"));
    tell(&mut app, Event::EvaluationRequested);
    tell(&mut app, Event::Evaluating { bin: "pose".to_owned(), done: 10, total: 80 });
    assert!(first_line(&app).contains("EVALUATING"));
    let result = details("pose").detail.result;
    tell(&mut app, Event::BinChecked { index: 2, step: 40, result });
    let shown = at(&app, 120, 40);
    assert!(shown.contains("after 40 steps, pose: accuracy 0.9250"), "{shown}");
    assert!(shown.contains("0.9250 in epoch 2, step 40"), "{shown}");
    let live = app.live.as_ref().expect("a run");
    assert_eq!(live.state.bins[1].results.len(), 1, "it is no figure of an epoch");
    assert_eq!(press(&mut app, "S"), [Effect::Send(Command::Save)]);
    assert!(first_line(&app).contains("save requested"));
    tell(&mut app, Event::SaveRequested);
    assert!(!first_line(&app).contains("save requested"));
    let mut early = self::app(Script::new().preparing());
    assert!(press(&mut early, "E").is_empty() && press(&mut early, "S").is_empty(), "there is nothing to evaluate yet");
    let mut ended = self::app(running().finish(failure()));
    press(&mut ended, "Esc");
    for key in ["E", "S", "*", "N"] {
        assert!(press(&mut ended, key).is_empty() && ended.view.dialog.is_none(), "{key} after the end");
    }
}

#[test]
fn what_is_asked_in_a_paused_evaluation_says_that_it_waits() {
    let mut app = app(running().steps(260).evaluating(0, 400));
    tell(&mut app, Event::Paused);
    press(&mut app, "S");
    tell(&mut app, Event::SaveRequested);
    assert!(first_line(&app).contains("waits for the paused evaluation - p to resume"), "{}", first_line(&app));
    tell(&mut app, Event::Resumed);
    tell(&mut app, Event::Paused);
    assert!(first_line(&app).contains("paused - p to resume"));
}

#[test]
fn control_c_stops_gently_then_now_then_leaves() {
    let mut app = app(running());
    assert_eq!(press(&mut app, "C-c"), [Effect::Send(Command::Stop(StopKind::AfterEpoch))]);
    tell(&mut app, Event::StopRequested { kind: StopKind::AfterEpoch });
    assert!(first_line(&app).contains("Ctrl-C again stops now"), "{}", first_line(&app));
    // A change of mind begins anew.
    assert_eq!(press(&mut app, "n"), [Effect::Send(Command::WithdrawStop)]);
    tell(&mut app, Event::StopWithdrawn);
    assert_eq!(press(&mut app, "C-c"), [Effect::Send(Command::Stop(StopKind::AfterEpoch))]);
    tell(&mut app, Event::StopRequested { kind: StopKind::AfterEpoch });
    assert_eq!(press(&mut app, "C-c"), [Effect::Send(Command::Stop(StopKind::Now))]);
    assert_eq!(press(&mut app, "C-c"), [Effect::Quit]);
    // Asked for by `n` long ago, the first Ctrl-C does not yet stop now.
    let mut app = self::app(running().stop(StopKind::AfterEpoch));
    assert!(press(&mut app, "C-c").is_empty());
    assert!(first_line(&app).contains("Ctrl-C again stops now"));
    assert_eq!(press(&mut app, "C-c"), [Effect::Send(Command::Stop(StopKind::Now))]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn no_size_panics(width in 0_u16..=220, height in 0_u16..=70, color: bool, unicode: bool) {
        thread_local!(static MOODS: Vec<App> = {
            let windows = ["!", "M", "N", "*"].map(|key| {
                let mut app = app(machine(worried(), 1));
                press(&mut app, key);
                app
            });
            let mut zoomed = app(running());
            (zoomed.view.focus, zoomed.view.zoomed) = (Pane::Evaluation, true);
            windows.into_iter().chain([looking(app(running())), zoomed]).collect()
        });
        MOODS.with(|moods| {
            for mood in moods {
                frame(mood, width, height, Abilities { color, unicode, light: false });
            }
        });
    }
}
