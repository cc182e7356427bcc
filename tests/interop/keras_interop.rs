//! Files that facetui writes, opened by real `tf_keras` (Keras 2) and Keras 3: the outputs of every backbone with every
//! head are facetui's, training goes on with the same next step, and a history comes apart as the reference plots it.
//!
//! `cargo xtask test` installs both Kerases and sets `FACETUI_TEST_PYTHON` and `FACETUI_KERAS_PYTHONPATH` for plain `cargo test`
//! too. In CI a missing Keras fails the test.

use std::path::Path;
use std::process::Command;

use facetui::checkpoint::keras_history::History;
use facetui::checkpoint::{self, SavedModel};
use facetui::graph::backbone::{Options, TABLE, build};
use facetui::graph::layer::{Activation, Initializer, Layer};
use facetui::nn::network::normalize_images;
use facetui::nn::{Mode, Network};
use serde_json::json;
use tch::{Device, Kind, Tensor};

use crate::trained::trained_like;

/// Python with both Kerases; none when they are not installed, which only CI may not accept.
fn keras(script: &str) -> Option<Command> {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let (Some(python), Some(path)) = (set("FACETUI_TEST_PYTHON"), set("FACETUI_KERAS_PYTHONPATH")) else {
        assert!(set("CI").is_none(), "CI must run this test: use `cargo xtask test`, which installs Keras");
        return None;
    };
    let mut command = Command::new(python);
    command
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python").join(script))
        .env("PYTHONPATH", path)
        .env("PYTHONNOUSERSITE", "1")
        .env("TF_CPP_MIN_LOG_LEVEL", "3")
        .env("CUDA_VISIBLE_DEVICES", "");
    Some(command)
}

/// Runs it and reads what it wrote.
fn results(mut command: Command, out: &Path) -> serde_json::Value {
    let run = command.output().expect("python starts");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let text = std::fs::read_to_string(out).expect("reads");
    serde_json::from_str(&text).expect("JSON")
}

/// The heads of the reference: none, softmax, arcface.
fn heads() -> [(&'static str, Option<Layer>); 3] {
    let softmax = Layer::Dense {
        units: 7,
        use_bias: true,
        activation: Activation::Softmax,
        kernel_initializer: Initializer::GlorotUniform,
    };
    [("basic", None), ("softmax", Some(softmax)), ("arcface", Some(Layer::NormDense { units: 7 }))]
}

#[test]
fn both_kerases_open_every_backbone_and_head() {
    let Some(mut command) = keras("keras_check.py") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out.json");
    let images = Tensor::randint(256, [4, 112, 112, 3], (Kind::Uint8, Device::Cpu));
    images.write_npy(folder.path().join("images.npy")).expect("writes");
    command.arg(folder.path().join("images.npy")).arg(&out);
    let mut wanted = Vec::new();
    for (place, backbone) in TABLE.iter().enumerate() {
        let options = Options { embedding_size: 16, dropout: 0.2, width: 0.25 };
        let basic = build(backbone.name, &options).expect("builds");
        // The heads are the same after every backbone.
        for (head, layer) in heads().into_iter().filter(|(head, _)| place == 0 || *head == "basic") {
            let mut graph = basic.clone();
            if let Some(layer) = layer {
                graph.add(head, layer, &[basic.output()]).expect("fits");
            }
            let weights = trained_like(&graph);
            let network = Network::new(graph.clone(), basic.output(), &weights, Device::Cpu, Kind::Float);
            let output = tch::no_grad(|| network.head_output(&network.embed(&normalize_images(&images), Mode::Infer)));
            let output = if head == "softmax" { output.softmax(-1, None) } else { output };
            let file = format!("{}_{head}.h5", backbone.name);
            let model = SavedModel::new(graph, weights);
            checkpoint::write(&folder.path().join(&file), &model).expect("writes");
            command.arg(folder.path().join(&file));
            wanted.push((file, output));
        }
    }
    let outputs = results(command, &out);
    for (file, ours) in &wanted {
        for keras in ["tf_keras", "keras3"] {
            let rows = outputs[format!("{file}|{keras}")].as_array().expect("outputs");
            let values: Vec<f32> = rows
                .iter()
                .flat_map(|row| row.as_array().expect("a row"))
                .map(|value| value.as_f64().expect("a number") as f32)
                .collect();
            let theirs = Tensor::from_slice(&values).view_as(ours);
            // Deep networks with such weights give large embeddings, which round accordingly.
            let scale = theirs.abs().max().double_value(&[]).max(1.0);
            let error = (ours - theirs).abs().max().double_value(&[]);
            assert!(error < 1e-4 * scale, "{file} in {keras}: off by {error} of {scale}");
        }
    }
}

/// `load_model(compile=True)` takes the same next step with facetui's copy of a file as with the file.
#[test]
fn keras_goes_on_with_what_facetui_writes() {
    let Some(mut command) = keras("keras_continue.py") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out.json");
    command.arg(&out);
    let mut copies = Vec::new();
    let mut add = |name: &str, legacy: bool| {
        let original = folder.path().join(format!("{name}.h5"));
        let packed = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/cases/checkpoint/{name}.h5.gz"));
        let mut file = std::fs::File::create(&original).expect("creates");
        let packed = std::fs::File::open(packed).expect("opens");
        std::io::copy(&mut flate2::read::GzDecoder::new(packed), &mut file).expect("unpacks");
        let mut model = checkpoint::read(&original).unwrap_or_else(|error| panic!("{name}: {error}"));
        let copy = format!("{name}.copy{}.h5", if legacy { ".legacy" } else { "" });
        if legacy {
            let state = model.optimizer.as_mut().expect("an optimiser");
            state.config.as_object_mut().expect("settings").remove("is_legacy_optimizer");
            assert!(state.is_legacy());
        }
        checkpoint::write(&folder.path().join(&copy), &model).expect("writes");
        command.arg(original).arg(folder.path().join(&copy));
        copies.push(copy);
    };
    for name in [
        "legacy_adam",
        "legacy_nadam",
        "legacy_rmsprop",
        "legacy_sgd",
        "new_adam",
        "new_adamw",
        "new_rmsprop",
        "new_sgd",
        "keras3_adam",
        "keras3_rmsprop",
        "keras3_sgd",
        "head_only",
        "nested",
        "chunked",
    ] {
        add(name, false);
    }
    // Adam and SGD are the same in every Keras: as facetui's own runs save them.
    for name in ["new_adam", "new_sgd", "keras3_adam", "keras3_sgd"] {
        add(name, true);
    }
    let results = results(command, &out);
    for copy in &copies {
        let result = &results[copy];
        let number = |key: &str| result[key].as_f64().expect("a number");
        // Keras 3's moving variances take the biased variance of a batch, Keras 2's the unbiased one.
        let most = if copy.starts_with("keras3") { 1e-4 } else { 1e-5 };
        assert!(number("error") < most, "{copy}: {result}");
        assert!(number("moved") > 1e-4 && result["iterations"] == 4, "{copy}: {result}");
    }
    if std::env::var_os("FACETUI_SHOW").is_some() {
        println!("{results:#}");
    }
}

#[test]
fn the_history_comes_apart_as_the_reference_plots_it() {
    let Some(mut command) = keras("hist_check.py") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let place = |name: &str| folder.path().join(name);
    let mut history = History::default();
    let bins = ["lfw".to_owned(), "agedb_30".to_owned()];
    // Three softmax epochs, two of arcface with a loss that is a whole number, one of triplets without an accuracy.
    for (epoch, loss) in [4.5, 3.25, 2.0, 30.0, 20.0, 0.3].into_iter().enumerate() {
        let share = epoch as f64 / 8.0;
        history.push(loss, (epoch < 5).then_some(share), 1e-3, &bins, &[0.5 + share / 2.0, 1.0]);
    }
    history.write(&place("run_hist.json")).expect("writes");
    let splits = json!({"Softmax": [0, 3], "Arcface": [3, 5], "Triplet": [5, -1]});
    std::fs::write(place("splits.json"), splits.to_string()).expect("writes");
    command.args([place("run_hist.json"), place("splits.json"), place("out.json")]);
    let drawn = results(command, &place("out.json"));
    assert_eq!(drawn["Softmax"]["loss"], json!([4.5, 3.25, 2.0]));
    assert_eq!(drawn["Arcface"]["loss"], json!([30.0, 20.0]));
    assert_eq!(drawn["Arcface"]["accuracy"], json!([0.375, 0.5]));
    assert_eq!(drawn["Triplet"]["accuracy"], json!([]));
    assert_eq!(drawn["Triplet"]["bins"], json!({"lfw": [0.8125], "agedb_30": [1.0]}));
}
