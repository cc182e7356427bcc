//! A trained network as a file for another program: ONNX, `TFLite`, safetensors, or a smaller `.h5`. The formats for
//! inference are written from one list of plain operations ([`lower`]); every file is checked before it is kept.

pub mod check;
mod error;
mod keep;
pub mod lower;
mod metadata;
pub mod model;
pub mod onnx;
pub mod python;
mod request;
mod safetensors;
mod state_dict;
pub mod tflite;

use std::path::Path;

use crate::checkpoint::{self, CheckpointError, SavedModel};
use crate::graph::keras;
use check::MOST;
use keep::{check_failed, keep};
use lower::Options;
use metadata::{metadata, thresholds};
use tflite::Precision;

pub use error::ExportError;
pub use model::Model;
pub use request::{Format, Report, Request};

/// Reads a checkpoint, writes it in the format of the output's extension, checks what was written, and only then puts it
/// in its place.
///
/// # Errors
/// Whatever goes wrong; the file that was at the output's path stays as it was.
pub fn export(request: &Request) -> Result<Report, ExportError> {
    let format = Format::of(&request.output)?;
    options_fit(request, format)?;
    folder_is_there(&request.output)?;
    let model = Model::read(&request.model, request.embedding.as_ref())?;
    let (bytes, mut checks) = match format {
        Format::Onnx => write_onnx(request, &model)?,
        Format::Tflite => tflite::write(request, &model)?,
        Format::Safetensors => write_safetensors(request, &model)?,
        Format::Keras => write_keras(request, &model)?,
    };
    let mut lines = vec![what(&model, bytes)];
    if format != Format::Keras {
        let thresholds = thresholds(request, &model);
        let each: Vec<String> = thresholds
            .iter()
            .map(|(bin, threshold)| format!("{bin} {:.4}", threshold.as_f64().unwrap_or(f64::NAN)))
            .collect();
        if !each.is_empty() {
            lines.push(format!("thresholds noted in the file: {}", each.join(", ")));
        }
    }
    lines.append(&mut checks);
    Ok(Report { path: request.output.clone(), bytes, lines })
}

fn what(model: &Model, bytes: u64) -> String {
    let node = &model.graph.nodes()[model.graph.output()];
    let shape = node.shape.iter().map(ToString::to_string).collect::<Vec<_>>().join(" x ");
    format!("`{}` up to layer `{}` ({shape}), {:.1} MB", model.graph.name, node.name, bytes as f64 / 1e6)
}

fn options_fit(request: &Request, format: Format) -> Result<(), ExportError> {
    let runs = matches!(format, Format::Onnx | Format::Tflite);
    let wrong = |what: &str| Err(ExportError::Options(format!("{what}; the output is `{}`", request.output.display())));
    if !runs && (request.options != Options::default() || !request.thresholds.is_empty()) {
        return wrong("--input, --nchw, --flip, --normalize and --threshold are for .onnx and .tflite files");
    }
    if request.pytorch && format != Format::Safetensors {
        return wrong("--pytorch is for .safetensors files");
    }
    if format != Format::Tflite && (request.precision != Precision::Float32 || request.calibrate.is_some()) {
        return wrong("--float16, --int8 and --calibrate are for .tflite files");
    }
    if (request.precision == Precision::Int8) != request.calibrate.is_some() {
        return wrong("--int8 and --calibrate FOLDER or BIN go together: the images show which numbers occur");
    }
    if request.optimizer && format != Format::Keras {
        return wrong("--optimizer is for .h5 files");
    }
    let same = |a: &Path, b: &Path| matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b);
    if same(&request.model, &request.output) {
        return wrong("the output would replace the model itself");
    }
    Ok(())
}

fn folder_is_there(output: &Path) -> Result<(), ExportError> {
    let folder = output.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if folder.is_dir() {
        return Ok(());
    }
    Err(ExportError::NoFolder { folder: folder.to_path_buf(), file: output.to_path_buf() })
}

fn write_onnx(request: &Request, model: &Model) -> Result<(u64, Vec<String>), ExportError> {
    let lowered = request.lower(model)?;
    let bytes = onnx::encode(&lowered, &model.graph.name, &metadata(request, model));
    drop(lowered);
    if bytes.len() > onnx::MOST_BYTES {
        return Err(ExportError::Options(format!(
            "`{}` would have {:.1} GB; ONNX files have at most 2.1",
            request.output.display(),
            bytes.len() as f64 / 1e9
        )));
    }
    keep(&request.output, |temporary| {
        fs_err::write(temporary, &bytes).map_err(|error| cannot_write(request, error))?;
        onnx::check(temporary, model, request.options).map_err(|why| check_failed(&request.output, why))
    })
}

fn cannot_write(request: &Request, reason: impl std::fmt::Display) -> ExportError {
    CheckpointError::Write { path: request.output.clone(), reason: reason.to_string() }.into()
}

fn write_safetensors(request: &Request, model: &Model) -> Result<(u64, Vec<String>), ExportError> {
    let arrays = if request.pytorch {
        state_dict::pytorch(&model.graph, &model.weights)
    } else {
        state_dict::keras(&model.graph, &model.weights)
    };
    let mut metadata = metadata(request, model);
    metadata.push(("format".to_owned(), if request.pytorch { "pt" } else { "tf" }.to_owned()));
    metadata.push(("model_config".to_owned(), keras::to_json(&model.graph).to_string()));
    let (bytes, ()) = keep(&request.output, |temporary| {
        safetensors::write(temporary, &arrays, &metadata).map_err(|error| cannot_write(request, error))?;
        safetensors::check(temporary, &arrays).map_err(|why| check_failed(&request.output, why))
    })?;
    let names = if request.pytorch { "PyTorch's names and shapes" } else { "Keras's names and shapes" };
    Ok((bytes, vec![format!("{} arrays under {names}; read back bit for bit", arrays.len())]))
}

fn write_keras(request: &Request, model: &Model) -> Result<(u64, Vec<String>), ExportError> {
    let evaluation = model.rest.evaluation.clone();
    let mut saved = SavedModel { evaluation, ..SavedModel::new(model.graph.clone(), model.weights.clone()) };
    if request.optimizer {
        let Some(mut optimizer) = model.rest.optimizer.clone() else {
            let why = model.rest.optimizer_note.as_deref().unwrap_or("holds no optimiser");
            return Err(ExportError::Options(format!("`{}` {why}; leave --optimizer out", request.model.display())));
        };
        optimizer.slots.retain(|slot| model.graph.find(&slot.layer).is_some());
        saved.optimizer = Some(optimizer);
    }
    let (bytes, off) = keep(&request.output, |temporary| {
        checkpoint::write(temporary, &saved).map_err(|error| match error {
            CheckpointError::Write { reason, .. } => cannot_write(request, reason),
            error => error.into(),
        })?;
        let failed = |why: String| check_failed(&request.output, why);
        let read = checkpoint::read(temporary).map_err(|error| failed(format!("it cannot be read back: {error}")))?;
        let images = check::images(model.graph.input_shape().unwrap_or(&Vec::new()), 4);
        let [ours, theirs] = [(&model.graph, &model.weights), (&read.graph, &read.weights)]
            .map(|(graph, weights)| check::reference(graph, weights, &images, Options::default()));
        let off = check::difference(&ours, &theirs).map_err(failed)?;
        let same = off <= MOST && read.optimizer.is_some() == request.optimizer;
        if same { Ok(off) } else { Err(failed(format!("read back, it is {off:.1e} of the embedding's norm off"))) }
    })?;
    let state = if request.optimizer { "with its optimiser" } else { "without optimiser" };
    Ok((bytes, vec![format!("{state}; read back and run on 4 images: {off:.1e} of the norm off at most")]))
}
