//! What is wrong with a pickle.

use thiserror::Error;

/// A pickle that is damaged, or holds something else than data.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("at byte {offset}: {reason}")]
pub struct PickleError {
    /// Where in the file, counted from 0.
    pub offset: usize,
    /// What was found there, and what was expected.
    pub reason: String,
}
