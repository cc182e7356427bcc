//! A written TFLite file against facetui's own embeddings: by this crate's interpreter, and by TFLite where there is one.

use std::path::Path;

use tch::Tensor;

use super::super::check::{self, MOST};
use super::super::lower::Options;
use super::super::python::Python;
use super::interpreter::Interpreter;
use super::model::Model as Read;
use super::precision::Precision;
use super::read::read;
use crate::export::model::Model;

/// How many images are run where none are given.
const IMAGES: usize = 8;

/// Largest difference of fp16 weights, relative to the embedding's norm. Most networks lose a thousandth; one that is a
/// chaos of its weights' last digits loses more in any program. The runtime's own difference is bounded by [`MOST`].
const MOST_HALF: f64 = 0.2;

/// Least mean cosine similarity of int8: below it something is wrong. What is good enough is for the reader to say.
const LEAST_COSINE: f64 = 0.8;

/// Runs a script of `python -c` for one file: path, input.npy, output.npy.
const RUN: &str = include_str!("run.py");

/// Checks a file; says how, in lines for people. `images` (N, H, W, 3) are bytes; drawn faces where there are none.
///
/// # Errors
/// What is wrong, as a sentence.
pub(super) fn file(
    path: &Path,
    model: &Model,
    options: Options,
    precision: Precision,
    images: Option<&Tensor>,
) -> Result<Vec<String>, String> {
    let bytes = fs_err::read(path).map_err(|error| error.to_string())?;
    let read = read(&bytes)?;
    let shape = model.graph.input_shape().ok_or("the network has no input")?.clone();
    let what = match (images, &shape[..]) {
        (Some(images), _) => format!("{} of the images given", images.size()[0]),
        (None, [_, _, 3]) => format!("{IMAGES} drawn faces"),
        (None, _) => format!("{IMAGES} random inputs"),
    };
    let images = images.map_or_else(|| check::images(&shape, IMAGES), Tensor::shallow_clone);
    let wanted = check::reference(&model.graph, &model.weights, &images, options);
    let input = check::file_input(&images, options);
    let ours = both(&read, &input);
    let compare = |theirs: &Tensor| compare(&wanted, theirs, precision);
    let difference = compare(&ours).map_err(|why| format!("run by facetui's interpreter, {why}"))?;
    let mut lines = vec![format!("structure checked; run by facetui's own interpreter on {what}: {difference}")];
    match Python::with("ai_edge_litert").map(|python| (python, "LiteRT")).or_else(|| {
        // TensorFlow brings the same interpreter.
        Python::with("tensorflow").map(|python| (python, "TensorFlow's TFLite"))
    }) {
        None => lines.push(
            "LiteRT is not installed: `pip install ai-edge-litert`, or name a Python that has it in FACETUI_EXPORT_PYTHON"
                .to_owned(),
        ),
        Some((python, name)) => {
            let theirs = tflite(&python, path, &input).map_err(|why| format!("{name} refuses it: {why}"))?;
            let name = format!("{name} {}", python.version);
            let difference = compare(&theirs).map_err(|why| format!("run by {name}, {why}"))?;
            let between = check::difference(&ours, &theirs)?;
            if precision != Precision::Int8 && between > MOST {
                return Err(format!("run by {name}, it is {between:.1e} off what its own weights make here"));
            }
            lines.push(format!("run by {name} on the same: {difference}"));
        }
    }
    Ok(lines)
}

/// The output for all images, then that for the first alone: one image is another batch than several.
fn both(model: &Read, input: &Tensor) -> Tensor {
    let interpreter = Interpreter::new(model);
    let run = |input: &Tensor| tch::no_grad(|| interpreter.run(input, &mut |_, _| {}));
    Tensor::cat(&[run(input), run(&input.narrow(0, 0, 1))], 0)
}

fn tflite(python: &Python, path: &Path, input: &Tensor) -> Result<Tensor, String> {
    let folder = tempfile::tempdir().map_err(|error| format!("there is no temporary folder: {error}"))?;
    let [images, output] = ["images.npy", "output.npy"].map(|name| folder.path().join(name));
    let plain = |error: tch::TchError| error.to_string();
    input.write_npy(&images).map_err(plain)?;
    python.run(RUN, &[path, &images, &output])?;
    Tensor::read_npy(&output).map_err(plain)
}

/// How far an output is off, in words. `output` has one row more than `wanted`: the first image alone.
fn compare(wanted: &Tensor, output: &Tensor, precision: Precision) -> Result<String, String> {
    let wanted = Tensor::cat(&[wanted, &wanted.narrow(0, 0, 1)], 0);
    let difference = check::difference(&wanted, output)?;
    let most = match precision {
        Precision::Float32 => MOST,
        Precision::Float16 => MOST_HALF,
        Precision::Int8 => {
            let rows = |x: &Tensor| x.reshape([x.size()[0], -1]);
            let cosines = Tensor::cosine_similarity(&rows(&wanted), &rows(output), 1, 1e-12);
            let [mean, least] = [cosines.mean(None), cosines.min()].map(|cosine| cosine.double_value(&[]));
            let text = format!("cosine similarity to the fp32 embeddings {mean:.4} on average, {least:.4} at least");
            return if mean >= LEAST_COSINE {
                Ok(text)
            } else {
                Err(format!("{text}; expected {LEAST_COSINE} or more: is it calibrated on faces like those it sees?"))
            };
        }
    };
    if difference <= most {
        return Ok(format!("{difference:.1e} of the norm off at most"));
    }
    Err(format!("it is {difference:.1e} of the embedding's norm off; expected at most {most:.0e}"))
}
