//! What a list of stages has reached so far, for the table of branches.

use serde::{Deserialize, Serialize};

use crate::event::{BinResult, BranchRow, Outcome};
use crate::train::state::train_state::TrainState;

/// What a list of stages has reached.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    epoch: u32,
    newest: Option<(f64, Option<f64>)>,
    bins: Vec<BinResult>,
    seconds: f64,
    steps: u64,
}

impl Progress {
    /// Nothing yet, from `train_state` on.
    pub fn new(train_state: &TrainState) -> Self {
        Self { epoch: train_state.epoch, newest: None, bins: Vec::new(), seconds: 0.0, steps: 0 }
    }

    /// Counts an epoch of `steps` steps in, after which the state is `train_state`.
    pub fn epoch_ended(&mut self, train_state: &TrainState, seconds: f64, steps: u64) {
        self.epoch = train_state.epoch;
        self.newest = train_state.newest;
        self.bins.clone_from(&train_state.figures);
        self.seconds += seconds;
        self.steps += steps;
    }

    /// As a row of the table.
    pub fn row(self, name: String, outcome: Option<Outcome>) -> BranchRow {
        let (loss, accuracy) = self.newest.map_or((None, None), |(loss, accuracy)| (Some(loss), accuracy));
        BranchRow {
            name,
            epoch: self.epoch,
            loss,
            accuracy,
            bins: self.bins,
            seconds: self.seconds,
            steps: self.steps,
            outcome,
        }
    }
}
