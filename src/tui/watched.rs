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
        self.loss.follow(&self.state.step_loss, &self.state.stage_steps);
        self.accuracy.follow(&self.state.step_accuracy, &self.state.stage_steps);
    }
}
