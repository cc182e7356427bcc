//! Training or inference: what a layer that behaves differently in the two is told.

/// Whether batch norms use the batch's statistics and dropout drops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Batch statistics (the moving ones are updated), dropout active.
    Train,
    /// Moving statistics, no dropout.
    Infer,
}
