//! What is to be exported, in which format, and what is told of it afterwards.

use std::path::{Path, PathBuf};

use super::error::ExportError;
use super::lower::{self, Lowered, Options};
use super::model::Model;
use super::tflite::Precision;
use crate::schedule::EmbeddingLayer;

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
    pub precision: Precision,
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

impl Request {
    /// The model as plain operations.
    pub(super) fn lower(&self, model: &Model) -> Result<Lowered, ExportError> {
        lower::lower(&model.graph, &model.weights, self.options)
            .map_err(|source| ExportError::Layer { path: self.model.clone(), source })
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
