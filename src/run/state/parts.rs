//! What a run's state is made of: where it stands, its epochs, its bins, its log, its files.

use crate::event::{BinResult, CheckpointKind, Level, Outcome, Saved};

/// Where a run stands.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Phase {
    /// Before the first step: listing data, building the network.
    #[default]
    Preparing,
    /// Taking steps.
    Training,
    /// Embedding a bin after an epoch.
    Evaluating,
    /// Holding between two steps.
    Paused,
    /// Ended.
    Ended(Outcome),
}

/// Something that cannot be written at the moment, and waits in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsaved {
    /// What.
    pub of: Saved,
    /// Position of the newest epoch in the history whose state is on disk; 0 for none.
    pub since: u32,
    /// What the system says.
    pub reason: String,
}

impl Unsaved {
    /// In a few words: `NOT SAVED since epoch 12: No space left on device`.
    pub fn sentence(&self) -> String {
        let Self { of, since, reason } = self;
        // The cause alone, without the file's name before it and the number behind it.
        let cause = reason.rsplit_once(": ").map_or(reason.as_str(), |(_, cause)| cause);
        let cause = cause.split_once(" (os error").map_or(cause, |(cause, _)| cause);
        match (of, since) {
            (Saved::Journal, _) => format!("JOURNAL NOT SAVED: {cause}"),
            (Saved::Files, 0) => format!("NOT SAVED: {cause}"),
            (Saved::Files, since) => format!("NOT SAVED since epoch {since}: {cause}"),
        }
    }
}

/// One finished epoch: a row of the history.
#[derive(Debug, Clone, PartialEq)]
pub struct EpochRow {
    /// Index of its stage.
    pub stage: usize,
    /// The epoch's number as the reference prints it.
    pub epoch: u32,
    /// Position in the history, from 1.
    pub index: u32,
    /// Mean loss.
    pub loss: f64,
    /// Mean training accuracy, 0 to 1; none for triplet losses.
    pub accuracy: Option<f64>,
    /// Learning rate.
    pub learning_rate: f64,
    /// Seconds of training.
    pub seconds: f64,
    /// Images a second.
    pub images_per_second: f64,
    /// Share of the time spent waiting for data.
    pub waited: f64,
    /// Number of steps taken in all when the epoch ended: where its border lies on the step axis.
    pub total_steps: u64,
    /// When it ended, evaluation included, in seconds since the Unix epoch.
    pub ended: f64,
}

/// The epoch that is being trained.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CurrentEpoch {
    /// Index of its stage.
    pub stage: usize,
    /// The epoch's number as the reference prints it.
    pub epoch: u32,
    /// Position in the history, from 1.
    pub index: u32,
    /// Steps taken.
    pub step: u64,
    /// Steps it has.
    pub steps: u64,
    /// Learning rate.
    pub learning_rate: f64,
    /// When it began, in seconds since the Unix epoch.
    pub started: f64,
    /// Sum of the losses and their number so far, for the running mean.
    pub loss_sum: (f64, u64),
    /// Sum of the accuracies and their number so far.
    pub accuracy_sum: (f64, u64),
}

impl CurrentEpoch {
    /// Mean loss so far.
    pub fn loss(&self) -> Option<f64> {
        (self.loss_sum.1 > 0).then(|| self.loss_sum.0 / self.loss_sum.1 as f64)
    }

    /// Mean accuracy so far, 0 to 1.
    pub fn accuracy(&self) -> Option<f64> {
        (self.accuracy_sum.1 > 0).then(|| self.accuracy_sum.0 / self.accuracy_sum.1 as f64)
    }
}

/// What is known of one evaluation bin.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BinState {
    /// Its name.
    pub name: String,
    /// The results, each with its epoch's position in the history.
    pub results: Vec<(u32, BinResult)>,
    /// Index into `results` of the best accuracy (the first of equals).
    pub best: Option<usize>,
    /// Images embedded and images in all, while it is being evaluated.
    pub progress: Option<(u64, u64)>,
    /// The newest figures between two steps: the epoch's position in the history, its steps so far, and the figures.
    pub checked: Option<(u32, u64, BinResult)>,
    /// The epoch whose details were written last, and how often that was.
    pub details: Option<(u32, u64)>,
}

impl BinState {
    /// The newest result.
    pub fn last(&self) -> Option<&BinResult> {
        self.results.last().map(|(_, result)| result)
    }

    /// The best result and the position of its epoch in the history.
    pub fn best(&self) -> Option<&(u32, BinResult)> {
        self.best.and_then(|best| self.results.get(best))
    }
}

/// How far a stage is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StageProgress {
    /// Not begun.
    ToCome,
    /// Being trained; epochs finished.
    Current(u32),
    /// Trained to its end, or ended early.
    Done,
}

/// A line of the log pane.
#[derive(Debug, Clone, PartialEq)]
pub struct LogLine {
    /// Seconds since the Unix epoch.
    pub at: f64,
    /// How loud.
    pub level: Level,
    /// The sentence.
    pub message: String,
}

/// A checkpoint on disk, as last written.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckpointFile {
    /// What it is.
    pub kind: CheckpointKind,
    /// Where it lies.
    pub path: String,
    /// Position of its epoch in the history.
    pub index: u32,
    /// Its size in bytes.
    pub bytes: u64,
}
