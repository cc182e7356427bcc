//! The backbones between facetui and real Keras: both Kerases open what facetui writes of them, and weights that Keras
//! writes of its own networks make the same maps here.
//!
//! As in `tests/interop/keras_interop.rs`, a missing Keras fails the test in CI only.

use std::path::Path;
use std::process::Command;

use facetui::checkpoint::{self, SavedModel};
use facetui::graph::backbone::{Options, build};
use facetui::nn::network::normalize_images;
use facetui::nn::{Mode, Network, init};
use facetui::train::model::pretrained;
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use crate::trained::trained_like;

/// Runs a script of `tests/python` with both Kerases; false where they are not installed.
fn run(script: &str, arguments: &[&Path]) -> bool {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let (Some(python), Some(path)) = (set("FACETUI_TEST_PYTHON"), set("FACETUI_KERAS_PYTHONPATH")) else {
        assert!(set("CI").is_none(), "CI must run this test: use `cargo xtask test`, which installs Keras");
        return false;
    };
    let run = Command::new(python)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python").join(script))
        .args(arguments)
        .env("PYTHONPATH", path)
        .env("PYTHONNOUSERSITE", "1")
        .env("TF_CPP_MIN_LOG_LEVEL", "3")
        .env("CUDA_VISIBLE_DEVICES", "")
        .output()
        .expect("python starts");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    true
}

/// Two images, also as `images.npy` in a folder.
fn images(folder: &Path) -> Tensor {
    tch::manual_seed(3);
    let images = Tensor::randint(256, [2, 112, 112, 3], (Kind::Uint8, Device::Cpu));
    images.write_npy(folder.join("images.npy")).expect("writes");
    normalize_images(&images)
}

/// Every number of nested lists.
fn numbers(value: &Value) -> Vec<f32> {
    match value {
        Value::Array(values) => values.iter().flat_map(numbers).collect(),
        value => vec![value.as_f64().expect("a number") as f32],
    }
}

#[test]
fn both_kerases_open_every_kind_of_backbone() {
    let folder = tempfile::tempdir().expect("a folder");
    let images = images(folder.path());
    let mut arguments = vec![folder.path().join("images.npy"), folder.path().join("out.json")];
    let mut wanted = Vec::new();
    for name in ["se_mobilefacenet", "mobilenet", "mobilenetv2", "mobilenetv3_large", "mobilenetv3_small", "resnet50v2"]
    {
        let graph = build(name, &Options { embedding_size: 16, dropout: 0.2, width: 0.25 }).expect("builds");
        let weights = trained_like(&graph);
        let network = Network::new(graph.clone(), graph.output(), &weights, Device::Cpu, Kind::Float);
        let output = tch::no_grad(|| network.embed(&images, Mode::Infer));
        let path = folder.path().join(format!("{name}.h5"));
        checkpoint::write(&path, &SavedModel::new(graph, weights)).expect("writes");
        arguments.push(path);
        wanted.push((name, output));
    }
    if !run("keras_check.py", &arguments.iter().map(std::path::PathBuf::as_path).collect::<Vec<_>>()) {
        return;
    }
    let text = std::fs::read_to_string(&arguments[1]).expect("reads");
    let outputs: Value = serde_json::from_str(&text).expect("JSON");
    for (name, ours) in &wanted {
        for keras in ["tf_keras", "keras3"] {
            let theirs = Tensor::from_slice(&numbers(&outputs[format!("{name}.h5|{keras}")])).view_as(ours);
            let error = (ours - theirs).abs().max().double_value(&[]);
            assert!(error < 1e-4, "{name} in {keras}: off by {error}");
        }
    }
}

#[test]
fn weights_of_keras_applications_make_the_same_maps() {
    let folder = tempfile::tempdir().expect("a folder");
    let images = images(folder.path());
    if !run("backbone_check.py", &[folder.path()]) {
        return;
    }
    let text = std::fs::read_to_string(folder.path().join("maps.json")).expect("reads");
    let maps: Value = serde_json::from_str(&text).expect("JSON");
    for (file, map) in maps.as_object().expect("networks") {
        let (name, width) = file.split_once('-').expect("a name and a width");
        let options = Options { embedding_size: 16, dropout: 0.0, width: width.parse().expect("a number") };
        let graph = build(name, &options).expect("builds");
        let mut weights = init::weights(&graph, 1);
        let path = folder.path().join(format!("{file}.h5"));
        let notes = pretrained::load(&path, name, &options, &mut weights).expect(file);
        assert!(notes.iter().all(|(_, note)| !note.contains("lacks")), "{notes:?}");
        // The last map is what the head's convolution takes.
        let last = graph.nodes()[graph.find("conv2d").expect("the head")].inputs[0];
        let network = Network::new(graph.cut(last, "maps"), last, &weights, Device::Cpu, Kind::Float);
        let ours = tch::no_grad(|| network.embed(&images, Mode::Infer)).permute([0, 2, 3, 1]);
        let theirs = Tensor::from_slice(&numbers(map)).view_as(&ours);
        let error = ((&ours - &theirs).abs().max() / theirs.abs().max()).double_value(&[]);
        assert!(error < 1e-4, "{file}: off by {error}");
    }
}

#[test]
fn weights_of_the_reference_make_its_embeddings() {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/cases/models");
    if !models.is_dir() {
        return;
    }
    let array = |file: &str, name: &str| {
        let arrays = Tensor::read_npz(models.join(file)).expect("an npz");
        arrays.into_iter().find(|(known, _)| known == name).expect("an array").1
    };
    let options = Options { embedding_size: 32, dropout: 0.0, width: 0.25 };
    let graph = build("mobilenet", &options).expect("builds");
    let mut weights = init::weights(&graph, 1);
    // Its head was made later in a session: `conv2d_3`, `dense_3`.
    let path = models.join("buildin_MobileNet_a025_emb32.k212.weights.h5");
    pretrained::load(&path, "mobilenet", &options, &mut weights).expect("loads");
    let network = Network::new(graph.clone(), graph.output(), &weights, Device::Cpu, Kind::Float);
    let images = normalize_images(&array("inputs.npz", "images"));
    let ours = tch::no_grad(|| network.embed(&images, Mode::Infer));
    let error = (ours - array("buildin_MobileNet_a025_emb32.expected.npz", "emb")).abs().max().double_value(&[]);
    assert!(error < 1e-4, "off by {error}");
}
