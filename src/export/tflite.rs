//! TFLite: a network as a `.tflite` file in fp32, with fp16 weights, or in int8.
//!
//! A [`Lowered`] network becomes a [`model::Model`] of TFLite's operators (`build`), that may become one with fp16 constants
//! (`fp16`) or of integers (`int8`), and that is written (`write`), read back (`read`) and run before it is
//! kept: by this crate's interpreter (`interpreter`) and by TFLite itself where there is one (`check`).

mod build;
mod calibration;
mod check;
mod fp16;
mod int8;
mod interpreter;
pub mod model;
pub mod op;
mod precision;
mod read;
pub mod tensor;
mod write;

use std::path::Path;

use tch::Tensor;

use super::check as checks;
use super::error::ExportError;
use super::keep::{check_failed, keep};
use super::lower::{LowerError, Lowered};
use super::metadata::metadata;
use super::request::Request;
use crate::checkpoint::CheckpointError;

pub use precision::Precision;

/// The bytes of a file and what is to say of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Encoded {
    /// The file.
    pub bytes: Vec<u8>,
    /// The oldest TFLite that runs it.
    pub runtime: String,
    /// Operators that an int8 file computes in fp32, each once.
    pub in_float: Vec<String>,
}

/// Makes the bytes of a file. `images` is what the file takes, for int8: the calibration.
///
/// # Errors
/// A layer that TFLite cannot express, or a network too large for a file.
pub fn encode(
    lowered: &Lowered,
    precision: Precision,
    images: Option<&Tensor>,
    name: &str,
    metadata: &[(String, String)],
) -> Result<Encoded, LowerError> {
    let mut built = build::build(lowered)?;
    built.model.description = format!("{name}, written by facetui {}", env!("CARGO_PKG_VERSION"));
    let entries = metadata.iter().map(|(key, value)| (key.clone(), value.clone().into()));
    let entries: serde_json::Map<String, serde_json::Value> = entries.collect();
    let entries = serde_json::Value::Object(entries).to_string();
    built.model.metadata.push((METADATA.to_owned(), entries.into_bytes()));
    let mut in_float = Vec::new();
    let model = match (precision, images) {
        (Precision::Float32, _) => built.model,
        (Precision::Float16, _) => fp16::halve(&built.model),
        (Precision::Int8, images) => {
            let ranges = images.map(|images| int8::ranges::calibrate(&built.model, images));
            let quantized = int8::quantize(&built, &ranges.unwrap_or_default());
            in_float = quantized.in_float;
            quantized.model
        }
    };
    let Some(bytes) = write::write(&model) else {
        let (layer, class) = (name.to_owned(), "Model");
        return Err(LowerError::Layer { layer, class, reason: "a .tflite file holds at most 2 GB".to_owned() });
    };
    Ok(Encoded { bytes, runtime: model.runtime(), in_float })
}

/// The name of facetui's own metadata in a file: a JSON object of texts.
const METADATA: &str = "facetui";

/// A file of facetui's that can be run by its own interpreter.
#[derive(Debug)]
pub struct Program {
    model: model::Model,
    metadata: serde_json::Value,
}

impl Program {
    /// Reads a file.
    ///
    /// # Errors
    /// A file that cannot be read, or that facetui did not write, as a sentence.
    pub fn open(path: &Path) -> Result<Self, String> {
        let bytes = fs_err::read(path).map_err(|error| error.to_string())?;
        let model = read::read(&bytes)?;
        let own = model.metadata.iter().find(|(name, _)| name == METADATA);
        let metadata = own.and_then(|(_, bytes)| serde_json::from_slice(bytes).ok());
        let Some(metadata) = metadata else { return Err("facetui did not write it".to_owned()) };
        Ok(Self { model, metadata })
    }

    /// A value of the file's metadata.
    pub fn metadata(&self, key: &str) -> Option<String> {
        self.metadata.get(key)?.as_str().map(str::to_owned)
    }

    /// Whether it takes bytes.
    pub fn takes_bytes(&self) -> bool {
        self.model.tensors[self.model.input].kind == tensor::Kind::Uint8
    }

    /// The axes of its input after the batch.
    pub fn input_shape(&self) -> Vec<i64> {
        self.model.tensors[self.model.input].shape.iter().skip(1).map(|size| i64::from(*size)).collect()
    }

    /// The output for images (B, ...). Panics where a damaged file's operators do not fit each other, as libtorch does.
    pub fn run(&self, images: &Tensor) -> Tensor {
        interpreter::Interpreter::new(&self.model).run(images, &mut |_, _| {})
    }
}

/// Makes a file, checks it and puts it in its place; its length and lines for people.
pub(super) fn write(request: &Request, model: &super::Model) -> Result<(u64, Vec<String>), ExportError> {
    let failed = |source| ExportError::Layer { path: request.model.clone(), source };
    let lowered = request.lower(model)?;
    let shape = model.graph.input_shape().cloned().unwrap_or_default();
    let (calibration, shown) = match &request.calibrate {
        Some(path) => {
            let images = calibration::read(path, &shape)?;
            (Some(checks::file_input(&images.calibration, request.options)), Some(images.check))
        }
        None => (None, None),
    };
    let entries = metadata(request, model);
    let encoded = encode(&lowered, request.precision, calibration.as_ref(), &model.graph.name, &entries);
    let Encoded { bytes, runtime, in_float } = encoded.map_err(failed)?;
    drop(lowered);
    let (length, mut lines) = keep(&request.output, |temporary| {
        fs_err::write(temporary, &bytes)
            .map_err(|error| CheckpointError::Write { path: request.output.clone(), reason: error.to_string() })?;
        check::file(temporary, model, request.options, request.precision, shown.as_ref())
            .map_err(|why| check_failed(&request.output, why))
    })?;
    let (trainable, statistics) = model.graph.count_weights();
    let plain = (trainable + statistics) as f64 * 4.0 / 1e6;
    let format = match request.precision {
        Precision::Float32 => "fp32".to_owned(),
        Precision::Float16 => "weights in fp16".to_owned(),
        Precision::Int8 if in_float.is_empty() => "int8 throughout".to_owned(),
        Precision::Int8 => format!("int8, but {} in fp32", in_float.join(", ")),
    };
    let what = format!(
        "{format}: {:.2} MB; the model's weights in fp32 are {plain:.2} MB; runs on TFLite {runtime} or newer",
        length as f64 / 1e6
    );
    lines.insert(0, what);
    if let Some(images) = calibration {
        lines.insert(1, format!("calibrated on {} images", images.size()[0]));
    }
    Ok((length, lines))
}
