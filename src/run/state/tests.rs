//! The fold: of a run with branches, and after the end.

use super::*;
use crate::event::{BranchPlan, BranchRow, Continuation, Point, StagePlan, grammar};

fn header(name: &str, stages: usize, branches: usize) -> RunHeader {
    let plan = StagePlan { loss: "softmax".into(), epochs: 2, steps_per_epoch: 1, ..StagePlan::default() };
    RunHeader {
        run_id: format!("{name}-1"),
        name: name.to_owned(),
        schedule: String::new(),
        version: String::new(),
        model: String::new(),
        parameters: 0,
        embedding_size: 0,
        classes: 2,
        images: 2,
        batch_size: 2,
        device: "cpu".into(),
        precision: "fp32".into(),
        bins: vec!["lfw".into()],
        stages: vec![plan.clone(); stages],
        initial_epoch: 0,
        pid: 0,
        branches: vec![BranchPlan { name: "b".into(), stages: vec![plan] }; branches],
    }
}

fn epoch(index: u32) -> Event {
    Event::EpochEnded {
        stage: 0,
        epoch: index,
        index,
        loss: 1.0,
        accuracy: None,
        learning_rate: 0.1,
        seconds: 1.0,
        images_per_second: 1.0,
        waited: 0.0,
    }
}

fn row() -> BranchRow {
    let (bins, outcome) = (Vec::new(), Some(Outcome::Completed));
    BranchRow { name: "b".into(), epoch: 3, loss: Some(1.0), accuracy: None, bins, seconds: 2.0, steps: 4, outcome }
}

#[test]
fn a_branch_is_a_run_of_its_own_within_the_whole() {
    let mut state = RunState::default();
    let mut hear = |event| {
        state.apply(&Record { at: 1.0, event });
        state.clone()
    };
    hear(Event::RunStarted(Box::new(header("x", 1, 2))));
    hear(epoch(1));
    let whole = hear(epoch(2));
    assert_eq!((whole.planned_epochs(), whole.done_epochs()), (6, 2));
    hear(Event::StopRequested { kind: StopKind::AfterEpoch });
    hear(Event::BranchStarted { branch: 0, name: "b".into(), run_id: "x-1-b".into() });
    let begun = hear(Event::RunStarted(Box::new(header("x_b", 1, 0))));
    assert_eq!((begun.epochs.len(), begun.done_epochs()), (0, 2));
    assert_eq!(begun.stop, Some(StopKind::AfterEpoch), "what was asked is not forgotten");
    assert!(begun.log.iter().any(|line| line.message.contains("the remaining 2 branches will not be started")));
    hear(epoch(1));
    let ended = hear(Event::BranchEnded { branch: 0, row: row() });
    let comparison = ended.comparison.as_ref().expect("there is one");
    assert_eq!((comparison.current, comparison.to_come().collect::<Vec<_>>()), (None, vec![1]));
    assert_eq!(comparison.lines().count(), 1);
    let second = hear(Event::BranchStarted { branch: 1, name: "b".into(), run_id: "x-1-b".into() });
    assert_eq!((second.done_epochs(), second.whole_header().map(|header| header.name.clone())), (3, Some("x".into())));
}

#[test]
fn a_run_that_has_ended_takes_no_longer() {
    let finished = Event::Finished { outcome: Outcome::Completed, seconds: 4.0 };
    let note = Event::Log { level: Level::Info, message: "wrote a plot".to_owned() };
    let records = [(1.0, Event::Paused), (5.0, finished), (99.0, note)].map(|(at, event)| Record { at, event });
    let state = RunState::replay(&records);
    assert_eq!((state.started, state.logged), (Some(1.0), 1));
    assert!((state.updated - 5.0).abs() < 1e-9);
}

fn steps(index: u32, step: u64, loss: &[f32]) -> Event {
    let (accuracy, images_per_second, waited, memory) = (loss.to_vec(), 1.0, 0.0, 0);
    Event::Steps { index, step, loss: loss.to_vec(), accuracy, images_per_second, waited, memory, gradient_norm: None }
}

fn begun(index: u32) -> Event {
    Event::EpochStarted { stage: 0, epoch: index, index, steps: 4, learning_rate: 0.1 }
}

#[test]
fn who_watches_a_run_go_back_sees_what_the_journal_says() {
    let header = header("x", 2, 0);
    let started = |stage| Event::StageStarted { stage, optimizer: "adam".into() };
    let bin = |index, accuracy| {
        let result = BinResult {
            bin: "lfw".into(),
            accuracy,
            threshold: 0.1,
            fold_mean: None,
            fold_deviation: None,
            pairs: 6,
            seconds: 1.0,
            rates: Vec::new(),
        };
        Event::BinEvaluated { index, result }
    };
    let events = [
        Event::RunStarted(Box::new(header.clone())),
        started(0),
        begun(1),
        steps(1, 2, &[4.0, 3.0]),
        bin(1, 0.7),
        epoch(1),
        begun(2),
        steps(2, 1, &[2.0]),
        steps(2, 3, &[f32::NAN, 1.0]),
        bin(2, 0.9),
        epoch(2),
        Event::StageEnded { stage: 0 },
        started(1),
    ];
    for (index, step) in [(1, 0), (2, 0), (2, 1), (2, 3), (3, 0)] {
        let point = Point { index, step, ..Point::default() };
        let continuation = Continuation { header: header.clone(), point, path: "x.h5".into() };
        let all = events.iter().cloned().chain([Event::Continued(Box::new(continuation))]);
        let records: Vec<Record> = all.map(|event| Record { at: 1.0, event }).collect();
        let watched = RunState::replay(&records);
        let mut counted = Vec::new();
        for record in records {
            crate::run::journal::push(&mut counted, record);
        }
        assert_eq!(grammar::check(counted.iter().map(|record| &record.event)), Ok(()));
        let read = RunState::replay(&counted);
        let figures = |state: &RunState| {
            let losses: Vec<u32> = state.step_loss.iter().map(|loss| loss.to_bits()).collect();
            let current = state.current.as_ref().filter(|_| step > 0).map(|now| (now.step, now.loss_sum));
            let rest = (state.stages.clone(), state.stage_steps.clone(), state.optimizers.clone());
            (losses, state.epochs.clone(), state.bins.clone(), current, rest)
        };
        assert_eq!(figures(&watched), figures(&read), "epoch {index}, step {step}");
    }
}

/// The journals of runs with stages and branches, one of them killed in its second branch.
#[test]
fn recorded_journals_follow_the_grammar() {
    let formats = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/formats");
    let folder = tempfile::tempdir().expect("a folder");
    let mut checked = 0;
    for version in std::fs::read_dir(formats).expect("formats").flatten() {
        for run in std::fs::read_dir(version.path().join("runs")).expect("runs").flatten() {
            let packed = std::fs::File::open(run.path().join("journal.jsonl.gz")).expect("a journal");
            let path = folder.path().join("journal.jsonl");
            let mut file = std::fs::File::create(&path).expect("makes");
            std::io::copy(&mut flate2::read::GzDecoder::new(packed), &mut file).expect("unpacks");
            let records = crate::run::journal::read(&path, true).expect("reads");
            let followed = grammar::check(records.iter().map(|record| &record.event));
            assert_eq!(followed, Ok(()), "{}", run.path().display());
            assert!(records.len() > 10, "{} has {} records", run.path().display(), records.len());
            checked += 1;
        }
    }
    assert!(checked >= 3, "{checked} journals");
}

#[test]
fn the_grammar_refuses_what_no_run_does() {
    let run = || Event::RunStarted(Box::new(header("x", 1, 0)));
    let stage = || Event::StageStarted { stage: 0, optimizer: "adam".into() };
    let finished = || Event::Finished { outcome: Outcome::Completed, seconds: 1.0 };
    let whole = [run(), stage(), begun(1), steps(1, 1, &[1.0]), epoch(1), Event::StageEnded { stage: 0 }, finished()];
    assert_eq!(grammar::check(&whole), Ok(()));
    let resumed = |index, step| {
        let point = Point { index, step, ..Point::default() };
        Event::Continued(Box::new(Continuation { header: header("x", 1, 0), point, path: "x.h5".into() }))
    };
    for (wrong, words) in [
        (vec![stage()], "nothing said what is trained"),
        (vec![run(), run()], "begun already"),
        (vec![run(), stage(), begun(2)], "no epoch of this number"),
        (vec![run(), stage(), begun(1), steps(1, 3, &[1.0])], "follow no step"),
        (vec![run(), stage(), begun(1), begun(2)], "no epoch of this number"),
        (vec![run(), stage(), begun(1), Event::StageEnded { stage: 0 }], "its epoch not ended"),
        (vec![run(), stage(), begun(1), resumed(1, 5)], "within another epoch"),
        (vec![run(), resumed(3, 0)], "after another epoch"),
        (vec![run(), finished(), stage()], "the run has ended"),
    ] {
        let error = grammar::check(&wrong).expect_err(words);
        assert!(error.contains(words), "{error}");
    }
}
