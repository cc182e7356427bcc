//! What is drawn.

use serde::{Deserialize, Serialize};

/// What to draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SynthOptions {
    /// Persons in the training folder, at least 1.
    pub identities: u32,
    /// Pictures of each, at least 1.
    pub images: u32,
    /// Other seeds give other persons.
    pub seed: u64,
    /// Whether to write `frontal.bin`, `pose.bin` and `age.bin` too ([`PAIRS`](super::PAIRS) pairs each).
    pub bins: bool,
}
