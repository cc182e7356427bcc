//! What events carry of a run: its facts, its stages and branches as planned, and the figures of branches and bins.

use serde::{Deserialize, Serialize};

use super::finite;
use super::outcome::Outcome;

/// What a stage will do, known before the run starts.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct StagePlan {
    /// The loss's name as the schedule's vocabulary spells it: `softmax`, `arcface`, ...
    pub loss: String,
    /// The optimiser's name, or `keep` when the stage keeps the one before it.
    pub optimizer: String,
    /// Epochs of this stage.
    pub epochs: u32,
    /// Whether only the head (the bottleneck layer) is trained.
    pub bottleneck_only: bool,
    /// Optimiser steps in each of its epochs.
    pub steps_per_epoch: u64,
    /// Its own name, when the schedule gives one.
    #[serde(default)]
    pub name: Option<String>,
    /// Images a step, a triplet stage's groups included; 0 in journals of versions that did not say.
    #[serde(default)]
    pub batch_size: u64,
    /// Learning rate before any decay; 0 in journals of versions that did not say.
    #[serde(default)]
    pub learning_rate: f64,
    /// Augmentation, 0 to 3.
    #[serde(default)]
    pub augment: u8,
    /// What its sampler leaves out in every epoch.
    #[serde(default)]
    pub left_out: LeftOut,
}

/// What triplet batches leave out of a training set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LeftOut {
    /// Classes with too few images for a group.
    pub classes: u64,
    /// Images: those of these classes, and in every epoch the ones that fill no group.
    pub images: u64,
}

/// An alternative that starts from the same state as the others of its schedule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BranchPlan {
    /// Its name: `arcface`.
    pub name: String,
    /// What it trains.
    pub stages: Vec<StagePlan>,
}

/// A line of the table that compares branches, the starting point's included.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BranchRow {
    /// The branch's name; the starting point's is `start`.
    pub name: String,
    /// The number of its last global epoch.
    pub epoch: u32,
    /// Mean loss of its last epoch; none where no epoch ended.
    pub loss: Option<f64>,
    /// Mean training accuracy of its last epoch; none for triplet losses.
    pub accuracy: Option<f64>,
    /// The newest figures of every bin.
    pub bins: Vec<BinResult>,
    /// Seconds its epochs took, evaluation not counted.
    pub seconds: f64,
    /// Optimiser steps of its epochs.
    pub steps: u64,
    /// How it ended; none for the starting point.
    #[serde(flatten)]
    pub outcome: Option<Outcome>,
}

impl BranchRow {
    /// Seconds a step.
    pub fn seconds_per_step(&self) -> Option<f64> {
        (self.steps > 0).then(|| self.seconds / self.steps as f64)
    }
}

/// The facts of a run that do not change while it runs.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RunHeader {
    /// Identifies the run and names its folder: `<name>-<date>-<time>`.
    pub run_id: String,
    /// The schedule's `name`: the stem of the checkpoints.
    pub name: String,
    /// The schedule file.
    pub schedule: String,
    /// facetui's version.
    pub version: String,
    /// The network, for example `mobilefacenet`.
    pub model: String,
    /// Trainable and fixed weights of the basic model (without head).
    pub parameters: u64,
    /// Length of an embedding.
    pub embedding_size: u64,
    /// Identities of the training set.
    pub classes: u64,
    /// Images of the training set.
    pub images: u64,
    /// Images a step.
    pub batch_size: u64,
    /// The device in words: `cpu (2 threads)`, `cuda:0 NVIDIA H200`.
    pub device: String,
    /// `fp32` or `bf16`.
    pub precision: String,
    /// Names of the evaluation bins, in the schedule's order; the last one decides which basic model is best.
    pub bins: Vec<String>,
    /// What is to be trained, in order.
    pub stages: Vec<StagePlan>,
    /// The global epoch the run starts from (0 unless it continues an earlier one).
    pub initial_epoch: u32,
    /// Process id of the trainer.
    pub pid: u32,
    /// The branches that follow the stages, each from the state the stages leave.
    #[serde(default)]
    pub branches: Vec<BranchPlan>,
}

/// The figures of one evaluation bin after one epoch.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct BinResult {
    /// The bin's name (its file's stem).
    pub bin: String,
    /// Best accuracy over the thresholds, 0 to 1 (the reference's figure).
    #[serde(with = "finite")]
    pub accuracy: f64,
    /// The cosine similarity where that accuracy is reached.
    #[serde(with = "finite")]
    pub threshold: f64,
    /// Mean accuracy of ten folds, 0 to 1; absent where the folds cannot be formed.
    pub fold_mean: Option<f64>,
    /// Standard deviation of the ten folds.
    pub fold_deviation: Option<f64>,
    /// Pairs in the bin.
    pub pairs: u64,
    /// Seconds the evaluation took.
    pub seconds: f64,
    /// Pairs of one person accepted at some false accept rates; empty in journals of versions that did not say.
    #[serde(default)]
    pub rates: Vec<Rate>,
}

/// What a bin accepts rightly where it may accept a share of the others wrongly.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// The false accept rate, for example 1e-3.
    pub far: f64,
    /// Share of the pairs of one person that is accepted, 0 to 1; none where there are too few pairs of two to tell.
    pub tar: Option<f64>,
}
