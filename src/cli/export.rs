//! `facetui export`: a model in another format, with what was checked.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::failure::Failure;
use super::output::say;
use crate::export::lower::{InputKind, Layout, Options};
use crate::export::tflite::Precision;
use crate::export::{self, ExportError, Request};
use crate::schedule::EmbeddingLayer;

/// What can be typed after `export`.
#[derive(Debug, Clone, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub(super) struct Arguments {
    /// The model: a Keras .h5 file
    model: PathBuf,

    /// The file to write; its extension is the format
    #[arg(short, long)]
    output: PathBuf,

    /// The embedding's layer: its name, or its position (-1 is the last); by default the input of the head
    #[arg(long, value_name = "LAYER", allow_hyphen_values = true)]
    embedding: Option<String>,

    /// Input values: fp32 in -1 to 1, or bytes that the file normalises
    #[arg(long, value_enum, default_value_t = Input::Float)]
    input: Input,

    /// Take the images as (batch, channels, height, width)
    #[arg(long)]
    nchw: bool,

    /// Give the mean of the embeddings of the image and the mirrored image, l2-normalised
    #[arg(long)]
    flip: bool,

    /// Give l2-normalised embeddings
    #[arg(long)]
    normalize: bool,

    /// Store a threshold in the file, for example `lfw=0.25` (may be repeated)
    #[arg(long, value_name = "BIN=SIMILARITY", value_parser = threshold)]
    threshold: Vec<(String, f64)>,

    /// In .safetensors, use the names and shapes of a PyTorch state dict
    #[arg(long)]
    pytorch: bool,

    /// In .h5, keep the optimiser's state
    #[arg(long)]
    optimizer: bool,

    /// In .tflite, keep the weights in fp16: half the size
    #[arg(long, conflicts_with = "int8")]
    float16: bool,

    /// In .tflite, compute in int8: a quarter of the size; needs --calibrate
    #[arg(long, requires = "calibrate")]
    int8: bool,

    /// Face images to calibrate int8 with: a folder, a RecordIO set, or an evaluation bin
    #[arg(long, value_name = "FOLDER or BIN", requires = "int8")]
    calibrate: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Input {
    /// fp32 in -1 to 1
    Float,
    /// Bytes, 0 to 255
    Uint8,
}

fn threshold(text: &str) -> Result<(String, f64), String> {
    let (bin, value) = text.split_once('=').ok_or("expected BIN=SIMILARITY, for example lfw=0.25")?;
    let value: f64 = value.parse().map_err(|error| format!("`{value}`: {error}"))?;
    if value.is_finite() { Ok((bin.to_owned(), value)) } else { Err(format!("`{value}` is not a similarity")) }
}

impl Arguments {
    pub(super) fn into_request(self) -> Request {
        let layer = |text: String| text.parse().map_or_else(|_| EmbeddingLayer::Name(text), EmbeddingLayer::Index);
        Request {
            model: self.model,
            output: self.output,
            embedding: self.embedding.map(layer),
            options: Options {
                input: if self.input == Input::Uint8 { InputKind::Uint8 } else { InputKind::Float },
                layout: if self.nchw { Layout::Nchw } else { Layout::Nhwc },
                flip: self.flip,
                normalize: self.normalize,
            },
            thresholds: self.threshold,
            pytorch: self.pytorch,
            optimizer: self.optimizer,
            precision: match (self.float16, self.int8) {
                (_, true) => Precision::Int8,
                (true, false) => Precision::Float16,
                (false, false) => Precision::Float32,
            },
            calibrate: self.calibrate,
        }
    }
}

/// Exports and says what was written.
pub(super) fn export(request: &Request) -> Result<(), Failure> {
    let report = export::export(request).map_err(|error| match error {
        ExportError::Options(_) | ExportError::Format(_) => Failure::Usage(error.into()),
        error => Failure::Run(error.into()),
    })?;
    let mut text = format!("wrote `{}`\n", report.path.display());
    for line in &report.lines {
        let _ = writeln!(text, "  {line}");
    }
    say(&text);
    Ok(())
}
