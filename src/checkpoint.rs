//! Files that hold a network: Keras's `.h5`, the history beside it, their names, and the way every file that matters is
//! written: whole or not at all.
//!
//! The layout written is Keras 2's (`model_config` as an attribute, `model_weights/<layer>/<layer>/<weight>:0`,
//! `optimizer_weights` as its `legacy` optimisers have them), in the dialect that Keras 2 and Keras 3 both open. Read are
//! the files of Keras 2.1 to 2.15, `tf_keras` and Keras 3, whole models and weights alone. A file from anywhere may be
//! damaged or made to harm: reading one takes no more memory than it is long, times what its filters and number formats
//! make of it, and never panics.
//!
//! | files | what |
//! |---|---|
//! | `read`, `write`, `extras` | whole models; what is in a file for facetui alone |
//! | `weights`, `layers`, `matching`, `weight_order` | weights of any Keras, found by name or in Keras's order |
//! | `optimizer`, `training_config`, [`keras_history`] | the optimiser's state, what Keras's `compile` says, `_hist.json` |
//! | `h5_file`, `datasets`, `strings` | reading HDF5 under limits |
//! | `global_heaps`, `local_heaps`, `string_references`, `byte_scan` | HDF5's structures, looked at without its library |
//! | `memory_file`, `dataset_addresses`, [`Floats`] | writing HDF5: in memory first, the large arrays behind it |
//! | [`atomic`], [`checksum`], [`json_checksum`], [`names`], [`npy`] | any file: written whole or not at all, checked, named |

pub mod atomic;
mod byte_scan;
pub mod checksum;
mod dataset_addresses;
mod datasets;
mod error;
mod extras;
mod floats;
mod global_heaps;
mod h5_file;
pub mod json_checksum;
pub mod keras_history;
mod layers;
mod local_heaps;
mod matching;
mod memory_file;
pub mod names;
pub mod npy;
mod optimizer;
mod read;
mod string_references;
mod strings;
mod training_config;
mod weight_order;
mod weights;
mod write;

use std::path::Path;

use crate::event::BinResult;
use crate::graph::{Array, Graph, Weights};

pub use error::CheckpointError;
pub use extras::Extras;
pub use floats::Floats;
pub use read::{notes, read};
pub use weights::{LoadedWeights, Mismatch, read_weights};
pub use write::write;

/// A model as a file holds it. Its numbers are arrays when it is read; what is written may make them on the way ([`Floats`]).
#[derive(Debug, Clone, PartialEq)]
pub struct SavedModel<A = Array> {
    /// Its layers.
    pub graph: Graph,
    /// Their weights.
    pub weights: Weights<A>,
    /// Its optimiser, when the file has one, whatever its class is.
    pub optimizer: Option<SavedOptimizer<A>>,
    /// What the file has of an optimiser and could not be read; the reader of a file tells its user. Not written.
    pub optimizer_note: Option<String>,
    /// The loss it was compiled with, by name: Keras's or the reference's when read, facetui's or theirs when written.
    pub loss: Option<String>,
    /// The loss as Keras describes it, with its settings. Where there is none, it is written by its name alone.
    pub loss_config: Option<serde_json::Value>,
    /// What belongs to facetui alone.
    pub extras: Extras,
    /// The newest figures of the evaluation bins, in the run's order, when it was saved by a run that had bins.
    pub evaluation: Vec<BinResult>,
}

impl<A> SavedModel<A> {
    /// Layers and weights alone.
    pub fn new(graph: Graph, weights: Weights<A>) -> Self {
        let (optimizer, optimizer_note, loss, loss_config) = (None, None, None, None);
        let (extras, evaluation) = (Extras::default(), Vec::new());
        Self { graph, weights, optimizer, optimizer_note, loss, loss_config, extras, evaluation }
    }
}

/// An optimiser with its state, in Keras's words.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedOptimizer<A = Array> {
    /// `SGD`, `Adam`, `Nadam`, `RMSprop`, `AdamW`, `SGDW`, or another class without its package.
    pub class_name: String,
    /// Its hyper-parameters, with `learning_rate` whatever the file calls it.
    pub config: serde_json::Value,
    /// Steps taken.
    pub iterations: i64,
    /// Nadam's product of momenta.
    pub momentum_cache: Option<f32>,
    /// State of the trainable weights, slot by slot in the order of the graph. Frozen weights may have none.
    pub slots: Vec<OptimizerSlot<A>>,
}

/// The state of one weight.
#[derive(Debug, Clone, PartialEq)]
pub struct OptimizerSlot<A = Array> {
    /// `momentum` (SGD), `m`, `v`, `vhat` (Adam, `AdamW`, Nadam), `rms`, `momentum`, `mg` (`RMSprop`), or another in
    /// Keras's word.
    pub slot: String,
    /// The layer's name.
    pub layer: String,
    /// The weight's name in its layer.
    pub weight: String,
    /// The numbers, shaped as the weight.
    pub array: A,
}

/// Reads a file once and compares it with the checksum behind its end. Says whether it has one.
///
/// # Errors
/// It cannot be read, or is not as it was written.
pub fn verify(path: &Path) -> Result<bool, CheckpointError> {
    match checksum::check(path) {
        Ok(checksum::Checksum::Whole) => Ok(true),
        Ok(checksum::Checksum::None) => Ok(false),
        Ok(checksum::Checksum::Broken) => Err(CheckpointError::Damaged { path: path.to_path_buf() }),
        Err(error) => Err(CheckpointError::Read { path: path.to_path_buf(), reason: error.to_string() }),
    }
}
