//! A trained network as a file for another program: ONNX, `TFLite`, safetensors, or a smaller `.h5`. The formats for
//! inference are written from one list of plain operations ([`lower`]); every file is checked before it is kept.

pub mod check;
mod files;
pub mod lower;
pub mod model;
pub mod onnx;
pub mod python;
mod safetensors;
mod state;
pub mod tflite;

use std::path::{Path, PathBuf};

use miette::Diagnostic;
use thiserror::Error;

use crate::checkpoint::CheckpointError;
use crate::graph::GraphError;
use crate::schedule::EmbeddingLayer;
use lower::{LowerError, Options};

pub use files::export;
pub use model::Model;

/// What to export.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Request {
    /// The checkpoint.
    pub model: PathBuf,
    /// The file to write; its extension is the format.
    pub output: PathBuf,
    /// The embedding layer; the input of the head, or the output, when none is named.
    pub embedding: Option<EmbeddingLayer>,
    /// What is built around the network.
    pub options: Options,
    /// Thresholds to put into the file: the bin's name and the similarity above which two images are one person.
    pub thresholds: Vec<(String, f64)>,
    /// In safetensors, PyTorch's names and shapes instead of Keras's.
    pub pytorch: bool,
    /// In `.h5`, the optimiser's state too.
    pub optimizer: bool,
    /// In `.tflite`, the number format.
    pub precision: tflite::Precision,
    /// Where the images are that int8 is calibrated with: a folder, a RecordIO set or an evaluation bin.
    pub calibrate: Option<PathBuf>,
}

/// A format of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `.onnx`.
    Onnx,
    /// `.tflite`.
    Tflite,
    /// `.safetensors`.
    Safetensors,
    /// `.h5`: Keras's.
    Keras,
}

impl Format {
    /// The format of a file's extension.
    ///
    /// # Errors
    /// Another extension.
    pub fn of(path: &Path) -> Result<Self, ExportError> {
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
        match extension.as_deref() {
            Some("onnx") => Ok(Self::Onnx),
            Some("tflite") => Ok(Self::Tflite),
            Some("safetensors") => Ok(Self::Safetensors),
            Some("h5" | "hdf5") => Ok(Self::Keras),
            _ => Err(ExportError::Format(path.to_path_buf())),
        }
    }
}

/// What was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The file.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// What is in it, and how it was checked: lines for people.
    pub lines: Vec<String>,
}

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
