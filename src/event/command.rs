//! What the engine can be asked while it runs.

use serde::{Deserialize, Serialize};

/// What a gentle or immediate stop should do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopKind {
    /// Finish the epoch with its evaluation and its files, then end.
    AfterEpoch,
    /// End after the current step, with a checkpoint of its own; that of the last epoch stays.
    Now,
}

/// The multipliers of the learning rate that are accepted.
pub const RATE_SCALES: std::ops::RangeInclusive<f64> = 1e-6..=1e6;

/// Everything the engine can be asked while it runs. It answers with events. The JSON is what travels over a run's
/// socket: `"pause"`, `{"stop": "now"}`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Ask for a stop.
    Stop(StopKind),
    /// Withdraw a gentle stop.
    WithdrawStop,
    /// Hold between two steps.
    Pause,
    /// Continue after a pause.
    Resume,
    /// Evaluate the bins between two steps, also in a pause.
    Evaluate,
    /// Write the whole model between two steps, to a file of its own, also in a pause.
    Save,
    /// Multiply every learning rate of the schedule by this from the next step on; within [`RATE_SCALES`].
    ScaleLearningRate(f64),
}
