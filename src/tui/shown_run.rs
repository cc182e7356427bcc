//! A run under watch: its folded state, and what the charts need to draw its curves however long it gets.

use crate::event::Record;
use crate::run::state::RunState;

use super::charts::options::STRENGTH;
use super::charts::series::Series;

/// A run and its curves.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ShownRun {
    pub(super) state: RunState,
    /// Over the steps.
    pub(super) loss: Series,
    pub(super) accuracy: Series,
    /// Over the reports.
    pub(super) learning_rate: Series,
    pub(super) gradient_norm: Series,
    pub(super) speed: Series,
    /// How much the smoothed curves are smoothed.
    strength: f64,
    /// Where stages begin among the steps, and among the reports.
    pub(super) step_breaks: Vec<usize>,
    pub(super) report_breaks: Vec<usize>,
    /// How many branches had begun, and how often steps had been taken back, when the curves were last kept up.
    branches: (usize, u32),
}

impl Default for ShownRun {
    fn default() -> Self {
        Self {
            state: RunState::default(),
            loss: Series::default(),
            accuracy: Series::default(),
            learning_rate: Series::default(),
            gradient_norm: Series::default(),
            speed: Series::default(),
            strength: STRENGTH,
            step_breaks: Vec::new(),
            report_breaks: Vec::new(),
            branches: (0, 0),
        }
    }
}

impl ShownRun {
    /// A run whose state is known already: a past one.
    pub(super) fn of(state: RunState, strength: f64) -> Self {
        let mut watched = Self { state, strength, ..Self::default() };
        watched.follow();
        watched
    }

    /// Folds an event in.
    pub(super) fn apply(&mut self, record: &Record) {
        self.state.apply(record);
        self.follow();
    }

    /// Smooths the curves more or less.
    pub(super) fn smooth(&mut self, strength: f64) {
        self.strength = strength;
        self.follow();
    }

    fn follow(&mut self) {
        // Another branch has curves of its own, and so has a run that went back.
        let begun = self.state.comparison.as_ref().map_or(0, |comparison| comparison.begun);
        let branches = (begun, self.state.taken_back);
        if branches != self.branches {
            let state = std::mem::take(&mut self.state);
            *self = Self { state, strength: self.strength, branches, ..Self::default() };
        }
        let (state, strength) = (&self.state, self.strength);
        let timeline = &state.timeline;
        for (_, start) in &state.stage_steps[self.step_breaks.len().min(state.stage_steps.len())..] {
            self.step_breaks.push(*start as usize);
            self.report_breaks.push(timeline.steps.partition_point(|steps| steps <= start));
        }
        self.loss.follow(&state.step_loss, &self.step_breaks, strength);
        self.accuracy.follow(&state.step_accuracy, &self.step_breaks, strength);
        self.learning_rate.follow(&timeline.learning_rate, &self.report_breaks, 0.0);
        self.gradient_norm.follow(&timeline.gradient_norm, &self.report_breaks, strength);
        self.speed.follow(&timeline.images_per_second, &[], strength);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::testing::Script;

    #[test]
    fn a_past_run_is_as_if_it_had_been_watched() {
        let records = Script::new().whole().records();
        let mut live = ShownRun::default();
        for record in &records {
            live.apply(record);
        }
        let past = ShownRun::of(RunState::replay(&records), STRENGTH);
        assert_eq!(live, past);
        live.smooth(0.5);
        assert_ne!(live, past);
        live.smooth(STRENGTH);
        assert_eq!(live, past);
    }
}
