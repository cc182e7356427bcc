//! The schedule: the YAML file a user writes, checked into a [`Schedule`] in which nothing is left open that the
//! engine needs.
//!
//! Two phases, so that every mistake is found before training and points at its line: `file` holds spanned types that
//! say exactly what was written and where; `check` turns them into the types of this page.

use std::path::PathBuf;

/// A checked schedule: everything a run needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// The file it was read from.
    pub path: PathBuf,
    /// The run's name: the stem of its checkpoints.
    pub name: String,
    /// Where the network comes from.
    pub model: ModelSource,
    /// What it is trained and evaluated on.
    pub data: Data,
    /// Images a step (triplet stages derive their own from it).
    pub batch_size: u64,
    /// Seed of everything random: weights, order, augmentation, dropout.
    pub seed: u64,
    /// Learning rate by epoch.
    pub learning_rate: LearningRate,
    /// Epochs that an earlier run has already done: shifts the numbering and the learning rate.
    pub initial_epoch: u32,
    /// Number format of activations and products.
    pub precision: Precision,
    /// Where to compute.
    pub device: DeviceChoice,
    /// Folder of the checkpoints; `checkpoints` beside the place the program is started from, unless given.
    pub checkpoints: PathBuf,
    /// Folder of the runs' journals; `runs` unless given.
    pub runs: PathBuf,
    /// What to train, in order; at least one.
    pub stages: Vec<Stage>,
}

/// Where a run's network comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum ModelSource {
    /// Built from scratch.
    Backbone(Backbone),
    /// Continued from a saved file.
    File {
        /// A basic model, or a whole model with its head.
        path: PathBuf,
        /// The layer whose output is the embedding, when the file holds a whole model.
        embedding: Option<EmbeddingLayer>,
    },
}

/// How a file's embedding layer is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EmbeddingLayer {
    /// By the layer's name.
    Name(String),
    /// By its position, from the end when negative (the reference's `basic_model=-2`).
    Index(i64),
}

/// A network to build.
#[derive(Debug, Clone, PartialEq)]
pub struct Backbone {
    /// A name of the backbone table: `mobilefacenet`.
    pub kind: String,
    /// Length of the embedding.
    pub embedding_size: u64,
    /// Share of the features dropped before the embedding, 0 to below 1.
    pub dropout: f64,
    /// Width multiplier: 1 is the published network.
    pub width: f64,
}

/// What a run reads.
#[derive(Debug, Clone, PartialEq)]
pub struct Data {
    /// The training set: a folder of folders of images.
    pub train: PathBuf,
    /// Evaluation bins, in order; the last one decides which basic model is best.
    pub bins: Vec<PathBuf>,
    /// The reference's `random_status`, 0 to 3.
    pub augment: u8,
    /// Threads that decode images; none means all cores but one.
    pub workers: Option<usize>,
}

/// The learning rate of a global epoch `e`, counted from 0: `base` while `e < hold`, then
/// `base * exp(decay * (hold - e))`, as the reference's scheduler has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LearningRate {
    /// The rate of the first epochs.
    pub base: f64,
    /// How fast it falls; the reference's 0.05.
    pub decay: f64,
    /// Epochs it is held; the reference's 10.
    pub hold: u32,
}

impl LearningRate {
    /// The rate of the global epoch `epoch`, counted from 0.
    pub fn at(&self, epoch: u32) -> f64 {
        if epoch < self.hold {
            self.base
        } else {
            self.base * (self.decay * (f64::from(self.hold) - f64::from(epoch))).exp()
        }
    }
}

/// Number format of activations and matrix products; weights, statistics and losses stay in fp32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// bf16 on a GPU, fp32 on the CPU.
    Auto,
    /// 32-bit floats.
    Fp32,
    /// bfloat16 activations and products.
    Bf16,
}

/// Where to compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The first GPU when there is one, else the CPU.
    Auto,
    /// The CPU.
    Cpu,
    /// A GPU by number; an error when it is not there.
    Cuda(usize),
}

/// One stage of the schedule.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// What is minimised.
    pub loss: Loss,
    /// Which head the loss needs.
    pub head: HeadKind,
    /// How; none keeps the optimiser of the stage before, with its state.
    pub optimizer: Option<Optimizer>,
    /// How long; at least 1.
    pub epochs: u32,
    /// Train the head only: the basic model is frozen, its batch norms in inference mode.
    pub bottleneck_only: bool,
}

/// What a loss works on, the reference's `type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadKind {
    /// A dense layer with softmax.
    Softmax,
    /// Cosines to l2-normalised class centres.
    Arcface,
    /// No head: the embedding itself.
    Triplet,
}

/// The losses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Loss {
    /// Categorical cross-entropy of a softmax head.
    Softmax {
        /// Share of the target given to all classes alike, 0 to below 1.
        label_smoothing: f64,
    },
    /// Cross-entropy from logits of `scale * p`.
    ScaleSoftmax {
        /// The factor, the reference's 64.
        scale: f64,
    },
    /// At the label's column the probability becomes `(p^power + scale * p) / 2`; then cross-entropy.
    MarginSoftmax {
        /// The exponent, 2.
        power: f64,
        /// The weight of the linear part, 0.4.
        scale: f64,
    },
    /// ArcFace: `cos(margin1 * theta + margin2) - margin3` at the label's column.
    Arcface {
        /// Factor on the angle.
        margin1: f64,
        /// Added to the angle, in radians.
        margin2: f64,
        /// Taken off the cosine.
        margin3: f64,
        /// Factor on the cosines.
        scale: f64,
    },
    /// Hardest positive and hardest negative of the batch for each anchor.
    BatchHardTriplet {
        /// Margin between the similarities, 0.35.
        alpha: f64,
    },
    /// All positives and all negatives within the margin.
    BatchAllTriplet {
        /// Margin between the similarities, 0.35.
        alpha: f64,
    },
}

impl Loss {
    /// The name in the schedule's vocabulary.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Softmax { .. } => "softmax",
            Self::ScaleSoftmax { .. } => "scale_softmax",
            Self::MarginSoftmax { .. } => "margin_softmax",
            Self::Arcface { .. } => "arcface",
            Self::BatchHardTriplet { .. } => "batch_hard_triplet",
            Self::BatchAllTriplet { .. } => "batch_all_triplet",
        }
    }
}

/// The optimisers, with Keras's hyper-parameters. A learning rate that is given fixes the rate of the stage's first
/// step only in Keras; here as there the schedule's [`LearningRate`] rules from epoch to epoch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Optimizer {
    /// Stochastic gradient descent.
    Sgd {
        /// Share of the last step that is kept, 0 to below 1.
        momentum: f64,
        /// Nesterov's form.
        nesterov: bool,
    },
    /// Adam.
    Adam {
        /// Decay of the first moment.
        beta_1: f64,
        /// Decay of the second moment.
        beta_2: f64,
        /// Added to the root of the second moment.
        epsilon: f64,
    },
    /// Nadam, as Keras 2 had it (momentum schedule 0.96^(0.004 t)).
    Nadam {
        /// Decay of the first moment.
        beta_1: f64,
        /// Decay of the second moment.
        beta_2: f64,
        /// Added to the root of the second moment.
        epsilon: f64,
    },
}

impl Optimizer {
    /// The name in the schedule's vocabulary.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Sgd { .. } => "sgd",
            Self::Adam { .. } => "adam",
            Self::Nadam { .. } => "nadam",
        }
    }
}
