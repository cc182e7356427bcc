//! The ETA: how long the epoch and the run will still take, judged by what they took so far.

use crate::event::StagePlan;
use crate::run::state::branches::BranchComparison;
use crate::run::state::{Phase, RunState, StageProgress};

/// What is left, in seconds; none while nothing is known.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Eta {
    /// Until the current epoch's last step.
    pub(super) epoch: Option<f64>,
    /// Until the run's end, evaluations included.
    pub(super) run: Option<f64>,
    /// Share of the run's planned steps that were taken, 0 to 1.
    pub(super) share: f64,
}

/// Judges a run. Steps are assumed to take as long as those of the current epoch did (of the last one, before the
/// current one has any; failing that, as the newest speed says), and evaluations as long as they took on average.
pub(super) fn eta(state: &RunState) -> Eta {
    let Some(header) = &state.header else { return Eta::default() };
    let to_come: Vec<&StagePlan> = state.comparison.iter().flat_map(|comparison| coming(comparison)).collect();
    let steps = |stage: &StagePlan| u64::from(stage.epochs) * stage.steps_per_epoch;
    let planned: u64 = match &state.comparison {
        None => header.stages.iter().map(steps).sum(),
        Some(comparison) => {
            let branches = comparison.whole.branches.iter().flat_map(|branch| &branch.stages);
            comparison.whole.stages.iter().chain(branches).map(steps).sum()
        }
    };
    let mut left_steps: u64 = to_come.iter().map(|stage| steps(stage)).sum();
    let evaluated = |stage: &&&StagePlan| !stage.bottleneck_only;
    let mut left_evaluations: u64 = to_come.iter().filter(evaluated).map(|stage| u64::from(stage.epochs)).sum();
    for (at, plan) in header.stages.iter().enumerate() {
        let epochs = match state.stages.get(at) {
            Some(StageProgress::Done) => 0,
            // An epoch that ended and a next one that has not begun count as the same one here: both are left.
            Some(StageProgress::Current(done)) => plan.epochs.saturating_sub(*done),
            Some(StageProgress::ToCome) | None => plan.epochs,
        };
        left_steps += u64::from(epochs) * plan.steps_per_epoch;
        left_evaluations += if plan.bottleneck_only { 0 } else { u64::from(epochs) };
    }
    // The current epoch is among the epochs left until it ended.
    let current =
        state.current.as_ref().filter(|current| state.epochs.last().is_none_or(|last| last.index != current.index));
    let in_epoch = current.map(|current| current.steps.saturating_sub(current.step));
    let left_steps = left_steps.saturating_sub(current.map_or(0, |current| current.step));
    let step_seconds = current
        .filter(|current| current.step > 0 && state.phase == Phase::Training)
        .map(|current| (state.updated - current.started) / current.step as f64)
        .or_else(|| {
            let last = state.epochs.last()?;
            let before = state.epochs.iter().rev().nth(1).map_or(0, |row| row.total_steps);
            let steps = last.total_steps.saturating_sub(before);
            (steps > 0).then(|| last.seconds / steps as f64)
        })
        .or_else(|| (state.images_per_second > 0.0).then(|| header.batch_size as f64 / state.images_per_second))
        .filter(|seconds| seconds.is_finite() && *seconds > 0.0);
    let evaluation_seconds: f64 = state
        .bins
        .iter()
        .filter(|bin| !bin.results.is_empty())
        .map(|bin| bin.results.iter().map(|(_, result)| result.seconds).sum::<f64>() / bin.results.len() as f64)
        .sum();
    Eta {
        epoch: in_epoch.zip(step_seconds).map(|(steps, seconds)| steps as f64 * seconds),
        run: step_seconds.map(|seconds| left_steps as f64 * seconds + left_evaluations as f64 * evaluation_seconds),
        share: if planned == 0 { 0.0 } else { 1.0 - (left_steps as f64 / planned as f64).min(1.0) },
    }
}

/// The stages of the branches that have not begun.
fn coming(comparison: &BranchComparison) -> impl Iterator<Item = &StagePlan> {
    comparison.to_come().filter_map(|branch| comparison.whole.branches.get(branch)).flat_map(|branch| &branch.stages)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::testing::Script;

    #[test]
    fn nothing_is_promised_before_the_first_step() {
        assert_eq!(eta(&RunState::default()), Eta::default());
        let state = Script::new().start().state();
        assert_eq!(eta(&state).run, None);
    }

    #[test]
    fn the_rest_shrinks_to_nothing() {
        let records = Script::new().whole().records();
        let mut state = RunState::default();
        let mut shares = Vec::new();
        for record in &records {
            state.apply(record);
            shares.push(eta(&state).share);
        }
        assert!(shares.windows(2).all(|pair| pair[1] >= pair[0] - 1e-9), "the share never falls");
        assert!((shares.last().copied().unwrap_or_default() - 1.0).abs() < 1e-9);
        assert_eq!(eta(&state).run.map(f64::round), Some(0.0));
    }

    #[test]
    fn the_epoch_is_judged_by_its_own_pace() {
        let state = Script::new().start().stage(0).steps(30).state();
        let eta = eta(&state);
        let current = state.current.as_ref().expect("an epoch");
        let pace = (state.updated - current.started) / 30.0;
        let expected = (current.steps - 30) as f64 * pace;
        assert!((eta.epoch.expect("known") - expected).abs() < 1e-6);
        assert!(eta.run.expect("known") > expected);
    }
}
