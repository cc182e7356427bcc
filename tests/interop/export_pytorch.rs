//! State dicts of `facetui export --pytorch` in PyTorch itself. PyTorch is no part of the tests' set-up, being three
//! gigabytes: this runs where a Python with torch and safetensors is at hand (`FACETUI_EXPORT_PYTHON`). What the names and
//! shapes must be is tested without it in `src/export/state_dict.rs`.

use std::path::Path;

use facetui::checkpoint::{self, SavedModel};
use facetui::export::check;
use facetui::export::lower::{InputKind, Layout, Options};
use facetui::export::python::Python;
use facetui::export::{Request, export};
use facetui::graph::backbone::{self, build};
use tch::Tensor;

use crate::trained::trained_like;

#[test]
fn pytorch_computes_the_same_from_the_state_dict() {
    let Some(python) = Python::with("torch") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let [model, state, input, output] =
        ["model.h5", "state.safetensors", "x.npy", "y.npy"].map(|name| folder.path().join(name));
    for name in ["mobilefacenet", "mobilenet", "resnet50v2"] {
        let width = if name == "resnet50v2" { 0.125 } else { 0.25 };
        let graph = build(name, &backbone::Options { embedding_size: 24, dropout: 0.3, width }).expect("builds");
        let weights = trained_like(&graph);
        checkpoint::write(&model, &SavedModel::new(graph.clone(), weights.clone())).expect("writes");
        let request = Request { model: model.clone(), output: state.clone(), pytorch: true, ..Request::default() };
        export(&request).expect("exports");
        let images = check::images(&vec![112, 112, 3], 3);
        let options = Options { input: InputKind::Float, layout: Layout::Nchw, ..Options::default() };
        check::file_input(&images, options).write_npy(&input).expect("writes");
        let paths: [&Path; 3] = [&state, &input, &output];
        python.run(include_str!("../python/torch_check.py"), &paths).expect("runs");
        let theirs = Tensor::read_npy(&output).expect("reads");
        let ours = check::reference(&graph, &weights, &images, Options::default());
        let difference = check::difference(&ours, &theirs).expect("is finite");
        assert!(difference < 1e-4, "{name}: {difference}");
    }
}
