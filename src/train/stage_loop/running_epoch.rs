//! The epoch that a stage loop is in, and how it ended.

use crate::schedule::Stage;
use crate::train::meter::Meter;

/// How an epoch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EpochEnd {
    /// All its steps were taken, and it was evaluated.
    Whole,
    /// The user asked to stop now.
    Interrupted,
}

/// The epoch at work.
#[derive(Debug)]
pub struct RunningEpoch<'a> {
    /// Index of its stage.
    pub number: usize,
    /// Its stage.
    pub stage: &'a Stage,
    /// Whether its stage is the last of its list.
    pub in_last_stage: bool,
    /// Epochs of the stage before it.
    pub done: u32,
    /// Its number as the reference prints it.
    pub epoch: u32,
    /// The learning rate as planned; the user's multiplier comes on top.
    pub planned: f64,
    /// Batches of its order that were taken.
    pub batches: usize,
    /// Its loss, accuracy and speed.
    pub meter: Meter,
    /// Whether weights, optimiser and figures are those after the last step that was counted.
    pub is_consistent: bool,
}
