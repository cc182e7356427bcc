//! A loss that is no number any more: the run goes back to its newest state and on from there, or ends with that state on
//! disk. The real program, with images that a test makes NaN (`FACETUI_TEST_NAN`).

use std::process::{Command, Output};

use facetui::event::{CheckpointKind, Event};
use facetui::run::state::RunState;

use crate::place::{Place, plain, text};

const SCHEDULE: &str = "\
name: nan
model: {backbone: mobilefacenet, embedding: 16, width: 0.1}
data: {train: demo/faces_112x112_folders, bins: [demo/frontal.bin]}
batch_size: 4
device: cpu
stages:
  - {loss: softmax, optimizer: adam, epochs: 2}
  - {loss: arcface, epochs: 1}
";

/// Trains the schedule with `more` settings and NaN in the batches `nan`.
fn train(place: &Place, more: &[&str], nan: &str) -> Output {
    place.write("nan.yaml", SCHEDULE);
    let mut command = Command::new(env!("CARGO_BIN_EXE_facetui"));
    command.args(["nan.yaml", "--headless"]).args(more.iter().flat_map(|set| ["--set", set]));
    command.current_dir(place.path("")).env("XDG_CACHE_HOME", place.path("cache")).env("OMP_NUM_THREADS", "1");
    command.env("NO_COLOR", "1").env("FACETUI_TEST_NAN", nan).output().expect("starts")
}

#[test]
fn the_run_goes_back_and_finishes_without_the_batch() {
    let place = Place::new(5, 7);
    // In the second epoch after a snapshot, and in the first one before anything was saved.
    for (nan, snapshot, left) in [("2:6", "snapshot.steps=2", 7), ("1:2", "snapshot=off", 7)] {
        let output = train(&place, &[snapshot], nan);
        let said = text(&output);
        assert!(output.status.success(), "{said}");
        assert!(said.contains("the loss became NaN at step") && said.contains("the run went back"), "{said}");
        let journal = place.journals("nan").pop().expect("a journal");
        let recovered = journal.iter().filter(|record| matches!(record.event, Event::Recovered { .. })).count();
        assert_eq!(recovered, 1);
        let state = RunState::replay(&journal);
        assert!(state.step_loss.iter().all(|loss| loss.is_finite()), "what was taken back does not count");
        // Nine batches an epoch, less the two that were left out.
        let steps: Vec<u64> = state.epochs.iter().map(|row| row.total_steps).collect();
        if nan.starts_with('1') {
            assert_eq!(steps, [left, left + 9, left + 18]);
        } else {
            // Where the newest snapshot lay depends on the disk: one behind the first of the two leaves out the second only.
            assert!([left, left + 1].contains(&(steps[1] - 9)) && steps[2] == steps[1] + 9, "{steps:?}");
        }
        assert_eq!(state.rate_scale, Some(0.5));
        assert!((state.epochs[2].learning_rate - 0.0005).abs() < 1e-12);
    }
}

#[test]
fn with_recovery_off_it_ends_with_the_state_before_the_nan() {
    let place = Place::new(5, 7);
    let output = train(&place, &["recovery=off", "snapshot.steps=2"], "2:6");
    let said = plain(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("the loss became NaN at step") && said.contains("--resume-changed"), "{said}");
    for name in ["nan.h5", "nan_snapshot_a.h5", "nan_snapshot_b.h5"] {
        let weights = place.model(&format!("checkpoints/{name}")).weights;
        let mut values = weights.nodes.iter().flatten().flat_map(|array| &array.data);
        assert!(values.all(|value| value.is_finite()), "{name}");
    }
    // Without the fault it goes on from the newest state, which a fast epoch on a slow disk may have no snapshot behind, and
    // ends as the run that never had it.
    let newest = place.journals("nan")[0].iter().rev().find_map(|record| match record.event {
        Event::CheckpointWritten { kind: CheckpointKind::Model, .. } => Some("the run resumes from the end of epoch 1"),
        Event::CheckpointWritten { kind: CheckpointKind::Snapshot, .. } => Some("the run resumes from step"),
        _ => None,
    });
    let output = train(&place, &["recovery=off", "snapshot.steps=2"], "");
    let said = text(&output);
    assert!(output.status.success() && said.contains(newest.expect("a state was written")), "{said}");
    let killed = RunState::replay(&place.journals("nan")[0]);
    let kept = place.model("checkpoints/nan.h5");
    let output = train(&place, &["recovery=off"], "");
    assert!(output.status.success(), "{}", text(&output));
    assert!(kept.weights == place.model("checkpoints/nan.h5").weights);
    assert_eq!(killed.step_loss, RunState::replay(&place.journals("nan")[1]).step_loss);
}

#[test]
fn the_attempts_are_counted() {
    let place = Place::new(5, 7);
    let nan = "1:1,1:2,1:3,1:4,1:5,1:6,1:7,1:8,1:9";
    let output = train(&place, &["recovery={attempts: 2, skip: 1}"], nan);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(said.matches("the run went back to its newest saved state").count(), 2, "{said}");
}
