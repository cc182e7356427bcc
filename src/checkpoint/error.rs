//! What is wrong with a file that cannot be read or written.

use std::path::{Path, PathBuf};

use miette::Diagnostic;
use thiserror::Error;

use crate::graph::keras::KerasError;

/// A file that cannot be read or written.
#[derive(Debug, Error, Diagnostic)]
pub enum CheckpointError {
    /// It is not there, or not readable.
    #[error("`{}` cannot be read: {reason}", path.display())]
    #[diagnostic(help("give the path of a Keras .h5 file"))]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// It is a `.keras` archive.
    #[error("`{}` is a `.keras` archive; facetui reads `.h5` files", path.display())]
    #[diagnostic(help(
        "save it again from Python: `keras.models.load_model(\"x.keras\", compile=False).save(\"x.h5\")`"
    ))]
    Archive {
        /// The file.
        path: PathBuf,
    },
    /// It holds weights without the layers they are of.
    #[error("`{}` holds weights only, not the layers they belong to", path.display())]
    #[diagnostic(help(
        "give it as `pretrained` weights of a backbone, or save the whole model with `model.save(\"x.h5\")`"
    ))]
    WeightsOnly {
        /// The file.
        path: PathBuf,
    },
    /// It is an HDF5 file, but not a whole Keras model.
    #[error("`{}` is not a Keras model that facetui can use: {reason}", path.display())]
    #[diagnostic(help("save the whole model again with `model.save(\"x.h5\")`"))]
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
    /// Its bytes are not those that were written.
    #[error("`{}` is damaged: its bytes are not those that were written", path.display())]
    #[diagnostic(help("use another checkpoint of the run, or a copy of this one"))]
    Damaged {
        /// The file.
        path: PathBuf,
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
    pub(crate) fn write(path: &Path, reason: impl std::fmt::Display) -> Self {
        Self::Write { path: path.to_path_buf(), reason: reason.to_string() }
    }

    pub(super) fn content(path: &Path, reason: impl std::fmt::Display) -> Self {
        Self::Content { path: path.to_path_buf(), reason: reason.to_string() }
    }
}
