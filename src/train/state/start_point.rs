//! Where the training of a list of stages starts: at its beginning, or at the point where it resumes.

use std::path::PathBuf;

use crate::train::meter::Totals;
use crate::train::state::progress::Progress;
use crate::train::state::train_state::TrainState;

/// The training of a list of stages at its beginning, or where it was interrupted.
#[derive(Debug)]
pub struct StartPoint {
    /// Network, optimizer, centers, history.
    pub train_state: TrainState,
    /// The accuracy that the last bin must pass for a new best basic model.
    pub best: f64,
    /// The best basic model so far.
    pub basic: Option<PathBuf>,
    /// Where it resumes; none at its beginning.
    pub resume: Option<ResumePoint>,
}

impl StartPoint {
    /// The beginning.
    pub const fn new(train_state: TrainState, best: f64) -> Self {
        Self { train_state, best, basic: None, resume: None }
    }
}

/// Where the training of a list of stages resumes.
#[derive(Debug)]
pub struct ResumePoint {
    /// Index of the stage.
    pub stage: usize,
    /// Its epochs that have ended.
    pub stage_epochs: u32,
    /// Position in the history of the newest epoch: the one that resumes, or the one that ended last.
    pub index: u32,
    /// What was reached.
    pub progress: Progress,
    /// How far the epoch is that resumes; none between two epochs.
    pub epoch_progress: Option<EpochProgress>,
}

/// How far an epoch is.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct EpochProgress {
    /// Batches of its order that were taken, empty ones included.
    pub batches: usize,
    /// Steps taken.
    pub steps: u64,
    /// Their figures.
    pub totals: Totals,
}
