//! What the engine hands to the saver: copies on the host, which training does not change any more.

use tch::Tensor;

use crate::checkpoint::keras_history::History;
use crate::checkpoint::{OptimizerSlot, SavedOptimizer};
use crate::event::{BinResult, CheckpointKind};
use crate::graph::Graph;
use crate::nn::parameters::{Piece, Snapshot};
use crate::schedule::{Method, Optimizer};
use crate::train::optim::optimizer::OptimizerState;
use crate::train::optim::restore;
use crate::train::state::saved::SavedState;

/// Most models of their own, saved on request, that wait for a disk.
const MOST_EXTRA: usize = 2;

/// An optimiser at one moment, on the host.
#[derive(Debug)]
pub struct OptimizerSnapshot {
    rule: Optimizer,
    iterations: i64,
    momentum_cache: f64,
    learning_rate: f64,
    slots: Vec<Tensor>,
}

impl OptimizerSnapshot {
    /// Copies an optimiser's state to the host.
    pub fn new(state: &OptimizerState, learning_rate: f64) -> Self {
        Self {
            rule: state.rule,
            iterations: state.iterations,
            momentum_cache: state.momentum_cache,
            learning_rate,
            slots: state.slots().iter().map(|slot| slot.to_device(tch::Device::Cpu).copy()).collect(),
        }
    }

    /// As Keras saves it, for the trainable weights of a snapshot.
    pub fn saved(&self, graph: &Graph, snapshot: &Snapshot) -> SavedOptimizer<Piece> {
        let names = OptimizerState::slot_names(&self.rule);
        let slots = names.iter().zip(&self.slots).flat_map(|(name, slot)| {
            snapshot.slot(slot).into_iter().map(|(node, place, array)| {
                let node = &graph.nodes()[node];
                OptimizerSlot {
                    slot: (*name).to_owned(),
                    layer: node.name.clone(),
                    weight: node.weights[place].name.to_owned(),
                    array,
                }
            })
        });
        let (class_name, config) = restore::keras_config(&self.rule, self.learning_rate);
        SavedOptimizer {
            class_name: class_name.to_owned(),
            config,
            iterations: self.iterations,
            momentum_cache: matches!(self.rule.method, Method::Nadam { .. }).then_some(self.momentum_cache as f32),
            slots: slots.collect(),
        }
    }
}

/// Which file a whole model is kept in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// `<name>.h5`, after an epoch.
    Epoch,
    /// The older one of the two snapshots.
    Snapshot,
    /// A file of its own, between two steps.
    Extra {
        /// The epoch's number as the reference prints it.
        epoch: u32,
        /// Its steps so far.
        step: u64,
    },
}

/// A file to write.
#[derive(Debug)]
pub enum SaveJob {
    /// The whole model with its optimiser and the state of the run.
    Model {
        /// In which file.
        kept: Kept,
        /// Position of the epoch in the history.
        index: u32,
        /// Basic model and head.
        graph: Graph,
        /// Its weights.
        snapshot: Snapshot,
        /// Its optimiser.
        optimizer: OptimizerSnapshot,
        /// The stage's loss, by name.
        loss: String,
        /// The newest figures of the bins.
        figures: Vec<BinResult>,
        /// The state of the run; none between two epochs, where that of the epoch before counts.
        state: Option<Box<SavedState>>,
        /// The centers of the center loss (C, E), on the host.
        centers: Option<Tensor>,
    },
    /// The basic model with the best accuracy of the last bin so far; the one before it is removed afterwards.
    Basic {
        /// Position of the epoch in the history.
        index: u32,
        /// The epoch's number as the reference prints it.
        epoch: u32,
        /// The basic model.
        graph: Graph,
        /// Weights of it, or of the whole model.
        snapshot: Snapshot,
        /// The last bin.
        bin: String,
        /// Its accuracy.
        accuracy: f64,
        /// The newest figures of all bins.
        figures: Vec<BinResult>,
    },
    /// The centers of the center loss.
    Centers {
        /// Position of the epoch in the history.
        index: u32,
        /// (C, E), on the host.
        centers: Tensor,
    },
    /// The history so far.
    History {
        /// Position of the epoch in the history.
        index: u32,
        /// The lists.
        history: History,
    },
}

impl SaveJob {
    /// What it writes.
    pub const fn kind(&self) -> CheckpointKind {
        match self {
            Self::Model { kept: Kept::Epoch, .. } => CheckpointKind::Model,
            Self::Model { kept: Kept::Snapshot, .. } => CheckpointKind::Snapshot,
            Self::Model { kept: Kept::Extra { .. }, .. } => CheckpointKind::Extra,
            Self::Basic { .. } => CheckpointKind::Basic,
            Self::Centers { .. } => CheckpointKind::Centers,
            Self::History { .. } => CheckpointKind::History,
        }
    }

    /// Position of its epoch in the history, from 1.
    pub const fn index(&self) -> u32 {
        match self {
            Self::Model { index, .. }
            | Self::Basic { index, .. }
            | Self::Centers { index, .. }
            | Self::History { index, .. } => *index,
        }
    }

    /// About how many bytes it is.
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Model { snapshot, optimizer, .. } => {
                snapshot.bytes() + optimizer.slots.iter().map(|slot| slot.numel() as u64 * 4).sum::<u64>()
            }
            Self::Basic { snapshot, .. } => snapshot.bytes(),
            Self::Centers { centers, .. } => centers.numel() as u64 * 4,
            Self::History { .. } => 0,
        }
    }

    /// Whether it is a whole model.
    pub const fn is_model(&self) -> bool {
        matches!(self, Self::Model { .. })
    }

    /// Whether `older` need not be written any more when this one is.
    fn replaces(&self, older: &Self) -> bool {
        let (kind, before) = (self.kind(), older.kind());
        (kind == before && kind != CheckpointKind::Extra)
            || (kind == CheckpointKind::Model && before == CheckpointKind::Snapshot)
    }
}

/// Adds a job to those that wait; older ones that it makes needless go. Whether a model that was saved on request had to go too.
pub(super) fn keep_newest(waiting: &mut Vec<SaveJob>, job: SaveJob) -> bool {
    waiting.retain(|older| !job.replaces(older));
    waiting.push(job);
    let extra = |job: &SaveJob| job.kind() == CheckpointKind::Extra;
    let oldest = waiting.iter().position(extra);
    let too_many = waiting.iter().filter(|job| extra(job)).count() > MOST_EXTRA;
    if let Some(oldest) = oldest.filter(|_| too_many) {
        waiting.remove(oldest);
    }
    too_many
}
