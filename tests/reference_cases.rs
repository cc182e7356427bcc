//! The numbers that real Keras and the reference's own code gave, read from `../shared/cases` where that folder lies
//! beside the clone: embeddings of files they wrote, and ten training steps followed one by one.

use std::path::{Path, PathBuf};

use facetui::checkpoint::{self, SavedModel};
use facetui::nn::network::normalize_images;
use facetui::nn::{Mode, Network};
use facetui::schedule::{Loss, Optimizer};
use facetui::train::optimizer::OptimizerState;
use facetui::train::{resume, step};
use tch::{Device, Kind, Tensor};

/// The folder of the cases; none on a clone that stands alone.
fn cases() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/cases");
    folder.is_dir().then_some(folder)
}

fn array(file: &Path, name: &str) -> Tensor {
    let arrays = Tensor::read_npz(file).expect("an npz");
    arrays.into_iter().find(|(known, _)| known == name).unwrap_or_else(|| panic!("{name} in {}", file.display())).1
}

/// The network of a saved model: its embedding is the output, or the input of its head.
fn network(saved: SavedModel, head: bool) -> Network {
    let output = saved.graph.output();
    let embedding = if head { saved.graph.nodes()[output].inputs[0] } else { output };
    Network::new(saved.graph, embedding, &saved.weights, Device::Cpu, Kind::Float)
}

#[test]
fn files_of_real_keras_give_their_expected_embeddings() {
    let Some(cases) = cases() else { return };
    let images = normalize_images(&array(&cases.join("models/inputs.npz"), "images"));
    for (file, expected, head) in [
        ("models/mobile_facenet_128_basic.k212.h5", "models/mobile_facenet_128_basic.expected.npz", false),
        ("models/mobile_facenet_128_basic.k3.h5", "models/mobile_facenet_128_basic.k3.expected.npz", false),
        ("models/tiny_softmax_nadam.tfk218.h5", "models/tiny_softmax_nadam.tfk218.expected.npz", true),
        (
            "models_2020_layout/tiny_softmax_nadam.tf21layout.h5",
            "models_2020_layout/tiny_softmax_nadam.tf21layout.expected.npz",
            true,
        ),
    ] {
        let network = network(checkpoint::read(&cases.join(file)).expect(file), head);
        let ours = tch::no_grad(|| network.embed(&images, Mode::Infer));
        let wanted = array(&cases.join(expected), "emb");
        let error = (&ours - &wanted).abs().max().double_value(&[]);
        assert!(error < 1e-4, "{file}: off by {error}");
    }
}

#[test]
fn ten_training_steps_follow_keras() {
    let Some(cases) = cases() else { return };
    let text = std::fs::read_to_string(cases.join("trace/trace.json")).expect("reads");
    let trace: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let data = cases.join("trace/data.npz");
    let (images, labels, batches) = (array(&data, "images"), array(&data, "labels"), array(&data, "batches"));
    for (tag, loss, rule) in [
        ("softmax_legacynadam", Loss::Softmax { label_smoothing: 0.0 }, Optimizer::NADAM),
        (
            "arcface_legacyadam",
            Loss::Arcface { margin1: 1.0, margin2: 0.5, margin3: 0.0, scale: 64.0 },
            Optimizer::ADAM,
        ),
    ] {
        let runs = trace["runs"].as_array().expect("runs");
        let run = runs.iter().find(|run| run["tag"] == tag).expect("the run");
        let rate = run["optimizer_config"]["learning_rate"].as_f64().expect("a rate");
        let head = tag.split('_').next().expect("a name");
        let start = checkpoint::read(&cases.join(format!("trace/{head}.initial.h5"))).expect("reads");
        let mut model = network(start, true);
        let mut optimizer = OptimizerState::new(rule, &model.parameters.flat);
        let follow = |model: &mut Network, optimizer: &mut OptimizerState, batch: i64, wanted: f64| {
            let rows = batches.get(batch);
            let x = normalize_images(&images.index_select(0, &rows));
            let x = x.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2]);
            let result = step::step(model, optimizer, &loss, &x, &labels.index_select(0, &rows), rate, false);
            let ours = result.loss.double_value(&[]);
            assert!((ours - wanted).abs() < 1e-3 * wanted, "{tag}, batch {batch}: loss {ours}, not {wanted}");
        };
        for (batch, wanted) in run["loss_acc_per_step"].as_array().expect("losses").iter().enumerate() {
            follow(&mut model, &mut optimizer, batch as i64, wanted[0].as_f64().expect("a loss"));
        }
        // Keras's own file after those steps, its optimiser included, goes on as Keras went on.
        let end = checkpoint::read(&cases.join(format!("trace/{tag}.final.h5"))).expect("reads");
        let state = end.optimizer.clone().expect("has an optimiser");
        let mut model = network(end, true);
        let mut optimizer = resume::optimizer(&state, &model).expect("is known");
        for (batch, wanted) in
            run["resume_losses_steps11_14_on_batches_0_3"].as_array().expect("losses").iter().enumerate()
        {
            follow(&mut model, &mut optimizer, batch as i64, wanted.as_f64().expect("a loss"));
        }
    }
}
