//! A run under watch: its folded state, and the digests of its step curves that the charts are drawn from.

use crate::event::Record;
use crate::run::state::RunState;

use super::digest::StepDigest;

/// A run and what the charts need of it.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Watched {
    pub(super) state: RunState,
    pub(super) loss: StepDigest,
    pub(super) accuracy: StepDigest,
    /// How many branches had begun when the digests were last kept up.
    branches: usize,
}

impl Watched {
    /// A run whose state is known already: a past one.
    pub(super) fn of(state: RunState) -> Self {
        let mut watched = Self { state, ..Self::default() };
        watched.follow();
        watched
    }

    /// Folds an event in.
    pub(super) fn apply(&mut self, record: &Record) {
        self.state.apply(record);
        self.follow();
    }

    fn follow(&mut self) {
        // Another branch begins its curves anew.
        let branches = self.state.comparison.as_ref().map_or(0, |comparison| comparison.begun);
        if branches != self.branches {
            self.branches = branches;
            self.loss = StepDigest::default();
            self.accuracy = StepDigest::default();
        }
        self.loss.follow(&self.state.step_loss, &self.state.stage_steps);
        self.accuracy.follow(&self.state.step_accuracy, &self.state.stage_steps);
    }
}
