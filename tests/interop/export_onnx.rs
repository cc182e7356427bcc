//! ONNX files under another maker's eyes: `onnx.checker` is silent, and onnxruntime's outputs are facetui's, for every
//! backbone, every layer that is read, and models that real Keras wrote.
//!
//! `cargo xtask test` installs both beside Keras; in CI a missing one fails the test.

use std::collections::HashMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use facetui::checkpoint;
use facetui::export::lower::{InputKind, Layout, Options, lower};
use facetui::export::onnx::interpreter::Program;
use facetui::export::{Model, check, onnx};
use facetui::graph::{Graph, Weights, backbone};
use facetui::schedule::EmbeddingLayer;
use serde_json::json;
use tch::Tensor;

use crate::trained::trained_like;

fn options(input: InputKind, layout: Layout, flip: bool, normalize: bool) -> Options {
    Options { input, layout, flip, normalize }
}

/// A file that was written, what it takes, and what it has to give, in Keras's order.
struct Job {
    name: String,
    options: Options,
    wanted: Tensor,
    most: f64,
}

struct Place {
    folder: tempfile::TempDir,
    jobs: Vec<Job>,
    wrong: Vec<String>,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder"), jobs: Vec::new(), wrong: Vec::new() }
    }

    fn path(&self, name: &str, extension: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.{extension}"))
    }

    /// Writes a model, runs it with facetui's own interpreter, and leaves it to be run by onnxruntime.
    fn add(&mut self, name: &str, graph: &Graph, weights: &Weights, input: &Tensor, wanted: Tensor, options: Options) {
        let lowered = lower(graph, weights, options).unwrap_or_else(|error| panic!("{name}: {error}"));
        let metadata = [("model".to_owned(), name.to_owned())];
        let bytes = onnx::encode(&lowered, name, &metadata);
        std::fs::write(self.path(name, "onnx"), &bytes).expect("writes");
        let input = check::file_input(input, options);
        input.write_npy(self.path(name, "in.npy")).expect("writes");
        let job = Job { name: name.to_owned(), options, wanted, most: 1e-4 };
        match Program::decode(&bytes).and_then(|program| tch::no_grad(|| program.run(&input))) {
            Ok(output) => self.compare(&job, &output, "facetui's interpreter"),
            Err(why) => self.wrong.push(format!("{name}: facetui's interpreter: {why}")),
        }
        self.jobs.push(job);
    }

    fn compare(&mut self, job: &Job, output: &Tensor, who: &str) {
        match check::difference(&job.wanted, &check::file_output(output, job.options)) {
            Ok(off) if off <= job.most => {}
            Ok(off) => self.wrong.push(format!("{}: {who}: off by {off:.1e}", job.name)),
            Err(why) => self.wrong.push(format!("{}: {who}: {why}", job.name)),
        }
    }

    /// Runs all files in one Python.
    fn finish(mut self) {
        if let Some(mut command) = python() {
            let jobs = self.jobs.iter().map(|job| {
                let [model, input, output] = ["onnx", "in.npy", "out.npy"].map(|kind| self.path(&job.name, kind));
                json!({"model": model, "input": input, "output": output})
            });
            let list = self.folder.path().join("jobs.json");
            std::fs::write(&list, serde_json::Value::from(jobs.collect::<Vec<_>>()).to_string()).expect("writes");
            let run = command.arg(list).output().expect("python starts");
            let said = format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
            if !said.trim().is_empty() {
                self.wrong.push(said);
            }
            for job in std::mem::take(&mut self.jobs) {
                if let Ok(output) = Tensor::read_npy(self.path(&job.name, "out.npy")) {
                    self.compare(&job, &output, "onnxruntime");
                } else {
                    self.wrong.push(format!("{}: onnxruntime gave nothing", job.name));
                }
            }
        }
        assert!(self.wrong.is_empty(), "{}", self.wrong.join("\n"));
    }
}

/// Python with onnx and onnxruntime; none when they are not installed, which only CI may not accept.
fn python() -> Option<Command> {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let (Some(python), Some(path)) = (set("FACETUI_TEST_PYTHON"), set("FACETUI_KERAS_PYTHONPATH")) else {
        assert!(set("CI").is_none(), "CI must run this test: use `cargo xtask test`, which installs onnxruntime");
        return None;
    };
    let command = |script: &[&str]| {
        let mut command = Command::new(&python);
        command.args(script).env("PYTHONPATH", &path).env("PYTHONNOUSERSITE", "1").env("PYTHONWARNINGS", "ignore");
        command
    };
    if !command(&["-c", "import onnx, onnxruntime"]).output().expect("python starts").status.success() {
        assert!(set("CI").is_none(), "CI must run this test: onnx and onnxruntime are not in `{path}`");
        return None;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/onnx_check.py");
    Some(command(&[script.to_str().expect("a path in UTF-8")]))
}

#[test]
fn every_backbone_gives_its_embeddings_in_onnxruntime() {
    use InputKind::{Float, Uint8};
    use Layout::{Nchw, Nhwc};
    let variants = [
        options(Float, Nhwc, false, false),
        options(Uint8, Nhwc, false, false),
        options(Float, Nchw, true, false),
        options(Uint8, Nchw, false, true),
        options(Uint8, Nhwc, true, true),
    ];
    let mut place = Place::new();
    for (at, entry) in backbone::TABLE.iter().enumerate() {
        let width = if entry.name.starts_with("resnet") { 0.125 } else { 0.25 };
        let settings = backbone::Options { embedding_size: 24, dropout: 0.3, width };
        let graph = backbone::build(entry.name, &settings).expect("builds");
        let weights = trained_like(&graph);
        let images = check::images(&vec![112, 112, 3], 3);
        // The first in all its variants, the others in the plain one and one other.
        for (variant, options) in variants.into_iter().enumerate() {
            if at == 0 || variant == 0 || variant == 1 + at % 4 {
                let wanted = check::reference(&graph, &weights, &images, options);
                place.add(&format!("{}.{variant}", entry.name), &graph, &weights, &images, wanted, options);
            }
        }
    }
    place.finish();
}

fn unpack(path: &Path, into: &Path) -> PathBuf {
    let mut bytes = Vec::new();
    let packed = std::fs::File::open(path).expect("opens");
    flate2::read::GzDecoder::new(packed).read_to_end(&mut bytes).expect("unpacks");
    let unpacked = into.join(path.file_stem().expect("a name"));
    std::fs::write(&unpacked, bytes).expect("writes");
    unpacked
}

#[test]
fn every_layer_gives_kerass_numbers_in_onnxruntime() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/layers");
    let mut place = Place::new();
    for keras in ["tf_keras", "keras3"] {
        let arrays = Tensor::read_npz(folder.join(format!("{keras}.npz"))).expect("reads");
        let arrays: HashMap<String, Tensor> = arrays.into_iter().collect();
        for (name, x) in arrays.iter().filter_map(|(name, x)| Some((name.strip_suffix("/x")?, x))) {
            let path = unpack(&folder.join(format!("{keras}_{name}.h5.gz")), place.folder.path());
            let model = checkpoint::read(&path).expect("reads");
            let layout = if name.len() % 2 == 0 { Layout::Nhwc } else { Layout::Nchw };
            let options = options(InputKind::Float, layout, false, false);
            let wanted = arrays[&format!("{name}/y")].shallow_clone();
            place.add(&format!("{keras}_{name}"), &model.graph, &model.weights, x, wanted, options);
        }
    }
    assert!(place.jobs.len() > 100, "the cases are not there");
    place.finish();
}

#[test]
fn models_of_real_keras_give_their_expected_embeddings_in_onnxruntime() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/cases/models");
    if !cases.is_dir() {
        return;
    }
    let array = |file: &Path, name: &str| {
        let arrays = Tensor::read_npz(file).expect("an npz");
        arrays.into_iter().find(|(known, _)| known == name).expect("is there").1
    };
    let images = array(&cases.join("inputs.npz"), "images");
    let mut place = Place::new();
    for (file, expected, layer) in [
        ("mobile_facenet_128_basic.k212.h5", "mobile_facenet_128_basic", None),
        ("mobile_facenet_128_basic.k3.h5", "mobile_facenet_128_basic.k3", None),
        ("tiny_softmax_nadam.tfk218.h5", "tiny_softmax_nadam.tfk218", None),
        ("buildin_MobileNet_a025_emb32.k212.h5.gz", "buildin_MobileNet_a025_emb32", None),
        ("buildin_ResNet50V2_emb32.k212.h5.gz", "buildin_ResNet50V2_emb32", None),
        ("head_se_mobilefacenet_GDC_emb64.k212.h5.gz", "head_se_mobilefacenet_GDC_emb64", None),
        (
            "mobile_facenet_128_arcface_bottleneckonly_adam_fnloss.k212.h5.gz",
            "mobile_facenet_128_arcface_bottleneckonly_adam_fnloss",
            Some(EmbeddingLayer::Index(-2)),
        ),
    ] {
        let mut path = cases.join(file);
        if path.extension().is_some_and(|extension| extension == "gz") {
            path = unpack(&path, place.folder.path());
        }
        let model = Model::read(&path, layer.as_ref()).expect("reads");
        let wanted = array(&cases.join(format!("{expected}.expected.npz")), "emb");
        let options = options(InputKind::Uint8, Layout::Nhwc, false, false);
        place.add(file, &model.graph, &model.weights, &images, wanted, options);
    }
    place.finish();
}
