//! Files that hold a network: Keras's `.h5`, the history beside it, their names, and the way every file that matters is
//! written: whole or not at all.
//!
//! The layout is the one Keras 2 writes (`model_config` as an attribute, `model_weights/<layer>/<layer>/<weight>:0`,
//! `optimizer_weights` as its `legacy` optimisers have them), in the dialect that Keras 2 and Keras 3 both open.

pub mod atomic;
pub mod history;
pub mod names;
pub mod npy;
mod optimizer;
mod read;
mod strings;
mod write;

use std::path::{Path, PathBuf};

use miette::Diagnostic;
use thiserror::Error;

use crate::graph::keras::KerasError;
use crate::graph::{Array, Graph, Weights};

pub use read::read;
pub use write::write;

/// A model as a file holds it.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedModel {
    /// Its layers.
    pub graph: Graph,
    /// Their weights.
    pub weights: Weights,
    /// Its optimiser, when the file has one that facetui knows.
    pub optimizer: Option<SavedOptimizer>,
    /// The loss it was compiled with, by name.
    pub loss: Option<String>,
}

/// An optimiser with its state, in Keras's words.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedOptimizer {
    /// `SGD`, `Adam` or `Nadam`.
    pub class_name: String,
    /// Its hyper-parameters.
    pub config: serde_json::Value,
    /// Steps taken.
    pub iterations: i64,
    /// Nadam's product of momenta.
    pub momentum_cache: Option<f32>,
    /// State of the trainable weights, slot by slot in the order of the graph.
    pub slots: Vec<OptimizerSlot>,
}

/// The state of one weight.
#[derive(Debug, Clone, PartialEq)]
pub struct OptimizerSlot {
    /// `momentum`, `m` or `v`.
    pub slot: String,
    /// The layer's name.
    pub layer: String,
    /// The weight's name in its layer.
    pub weight: String,
    /// The numbers, shaped as the weight.
    pub array: Array,
}

/// A file that cannot be read or written.
#[derive(Debug, Error, Diagnostic)]
pub enum CheckpointError {
    /// It is not there, or not readable.
    #[error("`{}` cannot be read: {reason}", path.display())]
    #[diagnostic(help(
        "give the path of a Keras .h5 file; `.keras` archives are saved again with `model.save(\"x.h5\")`"
    ))]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// It is an HDF5 file, but not a whole Keras model.
    #[error("`{}` is not a Keras model that facetui can use: {reason}", path.display())]
    #[diagnostic(help("save the whole model with `model.save(\"x.h5\")`, not only its weights"))]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Its layers make no graph.
    #[error("`{}`: {source}", path.display())]
    Layers {
        /// The file.
        path: PathBuf,
        /// The layer and what is wrong with it.
        source: Box<KerasError>,
    },
    /// It is no `.npy` file of what is wanted.
    #[error("`{}` holds no class centers: {reason}", path.display())]
    #[diagnostic(help("move the file away, and the centers start at zero"))]
    Array {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// It cannot be written.
    #[error("`{}` cannot be written: {reason}", path.display())]
    #[diagnostic(help("check that the folder is there, writable, and has space left"))]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
}

impl CheckpointError {
    fn write(path: &Path, reason: impl std::fmt::Display) -> Self {
        Self::Write { path: path.to_path_buf(), reason: reason.to_string() }
    }

    fn content(path: &Path, reason: impl std::fmt::Display) -> Self {
        Self::Content { path: path.to_path_buf(), reason: reason.to_string() }
    }
}
