//! A written ONNX file against facetui's own embeddings: by this crate's interpreter, and by onnxruntime where there is one.

use std::path::Path;

use tch::Tensor;

use super::interpreter::Program;
use crate::export::check::{self, MOST};
use crate::export::lower::Options;
use crate::export::model::Model;
use crate::export::python::Python;

/// How many images are run.
const IMAGES: usize = 8;

/// Runs a script of `python -c` for one file: path, input.npy, output.npy.
const RUN: &str = include_str!("run.py");

/// Checks a file; says how, in lines for people.
///
/// # Errors
/// What is wrong, as a sentence.
pub fn file(path: &Path, model: &Model, options: Options) -> Result<Vec<String>, String> {
    let program = Program::open(path)?;
    let shape = model.graph.input_shape().ok_or("the network has no input")?.clone();
    let images = check::images(&shape, IMAGES);
    let wanted = check::reference(&model.graph, &model.weights, &images, options);
    let input = check::file_input(&images, options);
    let ours = tch::no_grad(|| program.run(&input))?;
    let difference = compare(&wanted, &ours, options).map_err(|why| format!("run by facetui's interpreter, {why}"))?;
    let kind = if shape.len() == 3 && shape[2] == 3 { "drawn faces" } else { "random inputs" };
    let mut lines = vec![format!(
        "structure checked; run by facetui's own interpreter on {IMAGES} {kind}: {difference:.1e} of the norm off at most"
    )];
    // One image is another batch than several.
    let one = tch::no_grad(|| program.run(&input.narrow(0, 0, 1)))?;
    compare(&wanted.narrow(0, 0, 1), &one, options).map_err(|why| format!("run on one image, {why}"))?;
    match Python::with("onnxruntime") {
        None => lines.push(
            "onnxruntime is not installed: `pip install onnxruntime`, or name a Python that has it in FACETUI_EXPORT_PYTHON"
                .to_owned(),
        ),
        Some(python) => {
            let theirs = onnxruntime(&python, path, &input)?;
            let what = format!("onnxruntime {}", python.version);
            let difference = compare(&wanted, &theirs, options).map_err(|why| format!("run by {what}, {why}"))?;
            lines.push(format!("run by {what} on the same: {difference:.1e} of the norm off at most"));
        }
    }
    Ok(lines)
}

fn compare(wanted: &Tensor, output: &Tensor, options: Options) -> Result<f64, String> {
    let difference = check::difference(wanted, &check::file_output(output, options))?;
    if difference <= MOST {
        return Ok(difference);
    }
    Err(format!("it is {difference:.1e} of the embedding's norm off; expected at most {MOST:.0e}"))
}

fn onnxruntime(python: &Python, path: &Path, input: &Tensor) -> Result<Tensor, String> {
    let folder = tempfile::tempdir().map_err(|error| format!("there is no temporary folder: {error}"))?;
    let [images, output] = ["images.npy", "output.npy"].map(|name| folder.path().join(name));
    let plain = |error: tch::TchError| error.to_string();
    input.write_npy(&images).map_err(plain)?;
    python.run(RUN, &[path, &images, &output]).map_err(|why| format!("onnxruntime refuses it: {why}"))?;
    Tensor::read_npy(&output).map_err(plain)
}
