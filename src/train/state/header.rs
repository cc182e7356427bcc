//! What all saved states of a run have in common, and the attempts to recover so far.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::event::{BranchRow, RunHeader};

/// What is the same in all states of a run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Identity {
    /// The run's folder.
    pub run_id: String,
    /// facetui's version.
    pub program: String,
    /// The schedule, as [`crate::schedule::Schedule::settings`] tells it.
    pub schedule: Vec<(String, String)>,
    /// The device in words, its number of threads included.
    pub device: String,
    /// Images of the training set.
    pub images: u64,
    /// Its classes.
    pub classes: u64,
    /// Images a step, where the schedule left them to facetui.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<u64>,
}

/// What belongs to the whole run and not to one list of stages.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StateHeader {
    /// Which run it is.
    pub identity: Identity,
    /// States saved so far.
    pub sequence: u64,
    /// The branch that is being trained.
    pub branch: Option<usize>,
    /// The branches' starting point in the table.
    pub start: Option<BranchRow>,
    /// The branches that ended.
    pub rows: Vec<BranchRow>,
    /// The attempts to recover so far.
    pub recovery: RecoveryAttempts,
    /// The facts of the whole run, once they are known.
    pub run_header: Option<RunHeader>,
}

/// How often a list of stages went back to an older state, and what it does differently since.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RecoveryAttempts {
    /// How often the loss was NaN or infinite.
    pub count: u32,
    /// Batches that are left out: the epoch, by the address of everything random, and the number, from 1.
    pub skipped: BTreeSet<(u32, usize)>,
    /// What learning rates were multiplied by before the first attempt, and since the newest.
    #[serde(default)]
    pub scale: Option<(f64, f64)>,
}
