//! Why a network was not exported.

use std::path::PathBuf;

use miette::Diagnostic;
use thiserror::Error;

use super::lower::LowerError;
use crate::checkpoint::CheckpointError;
use crate::graph::GraphError;

/// An export that failed. Nothing was written.
#[derive(Debug, Error, Diagnostic)]
pub enum ExportError {
    /// The checkpoint cannot be read, or the file not be written.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// There is no such embedding layer.
    #[error("`{}`: {source}", path.display())]
    #[diagnostic(help("name the layer whose result is the embedding with `--embedding`"))]
    Graph {
        /// The checkpoint.
        path: PathBuf,
        /// What is not there.
        source: GraphError,
    },
    /// A layer that the format has nothing for.
    #[error("`{}`: {source}", path.display())]
    Layer {
        /// The checkpoint.
        path: PathBuf,
        /// Which, and why.
        source: LowerError,
    },
    /// No known extension.
    #[error("`{}`: the extension names no format", .0.display())]
    #[diagnostic(help("end the name of the file in .onnx, .tflite, .safetensors or .h5"))]
    Format(PathBuf),
    /// Options that do not go together.
    #[error("{0}")]
    Options(String),
    /// There is no folder for the file.
    #[error("there is no folder `{}` for `{}`", folder.display(), file.display())]
    #[diagnostic(help("make the folder, or give another path with `-o`"))]
    NoFolder {
        /// The folder.
        folder: PathBuf,
        /// The file.
        file: PathBuf,
    },
    /// Images for the calibration that cannot be used.
    #[error("`{}`: {reason}", path.display())]
    #[diagnostic(help(
        "`--calibrate` takes an evaluation bin, a RecordIO set, or a folder of JPEG and PNG images of faces as the \
                       network gets them: some hundred of different people"
    ))]
    Calibrate {
        /// The folder or bin.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// What was written is not what it should be.
    #[error("`{}` was not kept: {reason}", path.display())]
    #[diagnostic(help("this is an error of facetui: please report it with the model's layers"))]
    Check {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}
