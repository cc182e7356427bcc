//! The fold: of a run with branches, and after the end.

use super::*;
use crate::event::{BranchPlan, BranchRow, StagePlan};

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
    assert!(begun.log.iter().any(|line| line.message.contains("the 2 branches to come are not begun")));
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
