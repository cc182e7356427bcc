//! The schedule: the YAML file a user writes, checked into a [`Schedule`] in which nothing is left open that the
//! engine needs.
//!
//! Two phases, so that every mistake is found before training and points at its line: `file` holds spanned types that
//! say exactly what was written and where; `check` turns them into a [`Schedule`]. `load` goes the whole way:
//!
//! ```text
//! text, --set ──tree──▶ Node ──overrides──▶ Node ──file──▶ ScheduleFile ──check──▶ Schedule, warnings
//!                                                  (variables: ${VAR})     (loss, optimizer: tables)
//! ```
//!
//! Every part of a schedule has a file with its type, what may be written for it and its checks: `model`, `data`,
//! `learning_rate`, `stage`, `loss`, `optimizer`, ... The names of all fields are in `fields`.
//!
//! Relative paths in a schedule are relative to the folder the program is started from, as the reference has it.
//! Names of fields, losses and optimisers may be written in any case, with `_`, with `-` or without.

mod batch_size;
mod branches;
mod call;
mod center_loss;
mod check;
mod data;
mod device;
mod diff;
mod fields;
mod file;
mod learning_rate;
mod load;
mod loss;
mod model;
mod names;
mod optimizer;
mod overrides;
mod params;
mod paths;
mod places;
mod problem;
mod range;
mod reader;
mod recovery;
mod scalars;
mod snapshot;
mod span;
mod stage;
mod tree;
mod variables;
mod vocabulary;

use std::path::PathBuf;

use serde::Serialize;

pub use branches::Branch;
pub use data::{Data, Labels, TrainSet};
pub use device::{DeviceChoice, Precision};
pub use diff::{Change, changes};
pub use learning_rate::LearningRate;
pub use load::{Loaded, load, parse};
pub use loss::{CenterLoss, HeadKind, Loss};
pub use model::{Backbone, EmbeddingLayer, ModelSource, backbones};
pub use optimizer::{Clip, Method, Optimizer};
pub use paths::check_paths;
pub use places::Place;
pub use problem::{Problem, ScheduleError};
pub use recovery::Recovery;
pub use snapshot::Snapshot;
pub use stage::Stage;
pub use vocabulary::{Word, vocabulary};

/// A commented schedule that teaches the format: `schedules/demo.yaml`.
pub const fn template() -> &'static str {
    include_str!("../schedules/demo.yaml")
}

/// A checked schedule: everything a run needs.
#[derive(Debug, Clone, PartialEq, Serialize)]
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
    /// Whether that was `auto`: found when the run begins.
    #[serde(skip)]
    pub auto_batch: bool,
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
    /// What to train, in order; with branches it may be empty.
    pub stages: Vec<Stage>,
    /// Alternatives that each start from the state the stages leave.
    pub branches: Vec<Branch>,
    /// How often the state of the run is kept besides the ends of epochs.
    pub snapshot: Snapshot,
    /// What is done when the loss is NaN or infinite.
    pub recovery: Recovery,
}
