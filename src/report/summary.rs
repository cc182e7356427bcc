//! The closing summary of a run: how it ended, the best figures, where the files lie.

use std::fmt::Write as _;

use super::branch_table;
use crate::event::{CheckpointKind, Outcome};
use crate::run::state::{Phase, RunState};

/// A few lines of plain text.
pub fn text(state: &RunState) -> String {
    let mut text = String::new();
    let name = state.whole_header().map_or("the run", |header| header.run_id.as_str());
    let seconds = state.started.map_or(0.0, |started| state.updated - started);
    let done = format!("{} of {} epochs in {}", state.done_epochs(), state.planned_epochs(), duration(seconds));
    let _ = match &state.phase {
        Phase::Ended(Outcome::Completed) => writeln!(text, "{name}: completed, {done}"),
        Phase::Ended(Outcome::Stopped) => writeln!(text, "{name}: stopped on request, {done}"),
        Phase::Ended(Outcome::Failed { error, help }) => {
            let _ = writeln!(text, "{name}: failed, {done}\nerror: {error}");
            help.as_ref().map_or(Ok(()), |help| writeln!(text, "help: {help}"))
        }
        _ => writeln!(text, "{name}: left while it was running, {done}"),
    };
    if let Some(comparison) = &state.comparison {
        text.push_str(&branch_table::text(comparison));
        if let Some(file) = state.checkpoints.iter().rev().find(|file| file.kind == CheckpointKind::Branches) {
            let _ = writeln!(text, "table: {}", file.path);
        }
        return text;
    }
    for bin in &state.bins {
        if let Some((index, best)) = bin.best() {
            let _ = writeln!(
                text,
                "{}: best accuracy {:.4} at epoch {} (threshold {:.4})",
                bin.name,
                best.accuracy,
                state.epoch_number(*index),
                best.threshold
            );
        }
    }
    let kinds = [
        CheckpointKind::Model,
        CheckpointKind::Extra,
        CheckpointKind::Basic,
        CheckpointKind::Centers,
        CheckpointKind::History,
    ];
    for kind in kinds {
        if let Some(file) = state.checkpoints.iter().rev().find(|file| file.kind == kind) {
            let what = match kind {
                CheckpointKind::Model => "model",
                CheckpointKind::Basic => "best basic model",
                CheckpointKind::Centers => "class centers",
                CheckpointKind::History => "history",
                CheckpointKind::Extra => "between epochs",
                CheckpointKind::Branches => "table",
                CheckpointKind::Snapshot => "snapshot",
            };
            let _ = writeln!(text, "{what}: {}", file.path);
        }
    }
    text
}

/// Seconds as `1:02:03` or `2:03`.
pub fn duration(seconds: f64) -> String {
    let seconds = seconds.max(0.0).round() as u64;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_like_a_clock() {
        assert_eq!([duration(0.4), duration(62.0), duration(3723.0)], ["0:00", "1:02", "1:02:03"]);
    }

    #[test]
    fn a_failure_is_told_with_its_advice() {
        let state = RunState {
            phase: Phase::Ended(Outcome::Failed { error: "no space".into(), help: Some("make room".into()) }),
            ..RunState::default()
        };
        let text = text(&state);
        assert!(text.contains("error: no space\nhelp: make room"), "{text}");
    }
}
