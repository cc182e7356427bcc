//! How a run or a branch ended.

use serde::{Deserialize, Serialize};

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// Every stage was trained.
    Completed,
    /// The user asked for the end.
    Stopped,
    /// Something went wrong.
    Failed {
        /// What, in one sentence, with names and places.
        error: String,
        /// What to do about it.
        help: Option<String>,
    },
}
