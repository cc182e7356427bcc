//! Ten training steps that Keras took, followed one by one: losses, the first gradient, the weights after it, and the way
//! on from Keras's own file with its optimiser.

use std::collections::HashMap;

use facetui::checkpoint::Floats as _;
use facetui::nn::network::normalize_images;
use facetui::nn::{Mode, Network};
use facetui::schedule::Loss;
use facetui::train::optim::optimizer::OptimizerState;
use facetui::train::optim::restore;
use facetui::train::step;
use tch::{Kind, Tensor};

use crate::root::{Arrays, Root, difference, network};

/// The data of a trace.
struct Data {
    images: Tensor,
    labels: Tensor,
    batches: Tensor,
}

impl Data {
    fn of(root: &Root) -> Self {
        let data = root.arrays("trace/data.npz");
        let get = |name: &str| data.get(name).shallow_clone();
        Self { images: get("images"), labels: get("labels"), batches: get("batches") }
    }

    /// The images of these rows, as networks take them.
    fn images(&self, rows: &Tensor) -> Tensor {
        let x = normalize_images(&self.images.index_select(0, rows));
        x.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2])
    }

    fn batch(&self, number: i64) -> (Tensor, Tensor) {
        let rows = self.batches.get(number);
        (self.images(&rows), self.labels.index_select(0, &rows))
    }
}

/// One run of a trace.
struct Run {
    json: serde_json::Value,
    tag: String,
    loss: Loss,
    rate: f64,
    arrays: Arrays,
}

fn runs(root: &Root) -> Vec<Run> {
    let trace = root.json("trace/trace.json");
    let runs = trace["runs"].as_array().expect("runs").iter().map(|json| {
        let tag = json["tag"].as_str().expect("a tag").to_owned();
        let config = |name: &str, default: f64| json["loss_config"][name].as_f64().unwrap_or(default);
        let loss = match json["loss"].as_str().expect("a loss") {
            "categorical_crossentropy" => Loss::Softmax { label_smoothing: 0.0 },
            "ArcfaceLoss" | "arcface_loss" => Loss::Arcface {
                margin1: config("margin1", 1.0),
                margin2: config("margin2", 0.5),
                margin3: config("margin3", 0.0),
                scale: config("scale", 64.0),
            },
            "batch_hard_triplet_loss" => Loss::BatchHardTriplet { alpha: config("alpha", 0.35) },
            "batch_all_triplet_loss" => Loss::BatchAllTriplet { alpha: config("alpha", 0.35) },
            other => panic!("{tag}: an unknown loss, {other}"),
        };
        let rate = json["optimizer_config"]["learning_rate"].as_f64().expect("a rate");
        Run { json: json.clone(), loss, rate, arrays: root.arrays(&format!("trace/{tag}.npz")), tag }
    });
    runs.collect()
}

impl Run {
    fn start(&self, root: &Root) -> Network {
        let head = self.json["head"].as_str().expect("a head");
        network(root.model(&format!("trace/{head}.initial.h5")))
    }

    /// A step along a batch; its loss must be Keras's.
    fn follow(&self, model: &mut Network, optimizer: &mut OptimizerState, data: &Data, batch: i64, wanted: f64) {
        let (x, labels) = data.batch(batch);
        let result = step::step(model, optimizer, &self.loss, &x, &labels, self.rate, false);
        let ours = result.loss.double_value(&[]);
        assert!((ours - wanted).abs() < 1e-3 * wanted, "{}, batch {batch}: loss {ours}, not {wanted}", self.tag);
    }
}

/// Losses of all steps, weights after the first, embeddings at the end, and four more steps from Keras's file.
pub fn losses(root: &Root) {
    let data = Data::of(root);
    for run in runs(root) {
        let end = root.model(&format!("trace/{}.final.h5", run.tag));
        let mut state = end.optimizer.clone().expect("has an optimiser");
        let mut model = run.start(root);
        // The same rule from the start: without its state.
        let mut fresh = state.clone();
        fresh.iterations = 0;
        fresh.momentum_cache = None;
        fresh.slots.clear();
        let mut optimizer = restore::optimizer(&fresh, &model).expect("is known");
        for (batch, wanted) in run.json["loss_acc_per_step"].as_array().expect("losses").iter().enumerate() {
            let wanted = wanted[0].as_f64().expect("a loss");
            run.follow(&mut model, &mut optimizer, &data, batch as i64, wanted);
            if batch == 0 {
                after_first_step(root, &run, &model);
            }
        }
        let first = Tensor::arange(8, (Kind::Int64, tch::Device::Cpu));
        let x = data.images(&first);
        let wanted = run.arrays.get("emb_first8_after");
        let error = difference(&tch::no_grad(|| model.embed(&x, Mode::Infer)), wanted);
        // Where a true gradient is zero an adaptive step goes where rounding points, and moving means lag behind it.
        let scale = wanted.abs().max().double_value(&[]);
        assert!(error < 5e-3 * scale, "{}: embeddings at the end off by {error} of {scale}", run.tag);

        let mut model = network(end);
        let error = difference(&tch::no_grad(|| model.embed(&x, Mode::Infer)), wanted);
        assert!(error < 1e-4 * scale.max(1.0), "{}: embeddings of Keras's file off by {error}", run.tag);
        state.iterations = state.iterations.max(1);
        let mut optimizer = restore::optimizer(&state, &model).expect("is known");
        let resumed = run.json["resume_losses_steps11_14_on_batches_0_3"].as_array().expect("losses");
        for (batch, wanted) in resumed.iter().enumerate() {
            let wanted = wanted.as_f64().expect("a loss");
            run.follow(&mut model, &mut optimizer, &data, batch as i64, wanted);
        }
    }
}

/// The arrays of a flat vector (gradient or weights) by Keras's names, without `:0`.
fn by_name(model: &Network, arrays: Vec<(usize, usize, facetui::graph::Array)>) -> HashMap<String, Tensor> {
    let nodes = model.graph().nodes();
    let named = arrays.into_iter().map(|(node, place, array)| {
        let name = format!("{}/{}", nodes[node].name, nodes[node].weights[place].name);
        let shape: Vec<i64> = array.shape.iter().map(|side| *side as i64).collect();
        (name, Tensor::from_slice(&array.data).view(shape.as_slice()))
    });
    named.collect()
}

fn keras_name(name: &str) -> &str {
    name.rsplit('|').next().expect("a name").trim_end_matches(":0")
}

/// The gradient of the first step, every weight's, against float64.
pub fn gradients(root: &Root) {
    let data = Data::of(root);
    // In the shared trace a few PReLUs lie so near 0 that float32 puts them on the other side: Keras's own float32
    // gradient is up to 4.1e-3 away from its float64 one there, and ours by the same amounts.
    let tolerance = if root.is_own() { 1e-3 } else { 5e-3 };
    for run in runs(root) {
        let model = run.start(root);
        let (x, labels) = data.batch(0);
        let flat = step::learn(&model, &run.loss, &x, &labels, false).gradient();
        let pieces = model.parameters.snapshot().slot(&flat);
        let arrays = pieces.into_iter().map(|(node, place, piece)| (node, place, piece.array()));
        let ours = by_name(&model, arrays.collect());
        let wanted = root.arrays(&format!("trace/{}.grads_step1_f64.npz", run.tag));
        assert_eq!(ours.len(), wanted.names().count(), "{}", run.tag);
        let largest = wanted.names().map(|name| norm(wanted.get(name))).fold(0.0, f64::max);
        for name in wanted.names() {
            let ours = ours.get(keras_name(name)).unwrap_or_else(|| panic!("{}: no gradient of {name}", run.tag));
            let wanted = wanted.get(name);
            let error = norm(&(ours.to_kind(Kind::Double) - wanted.to_kind(Kind::Double)));
            // Biases before a batch norm have no gradient but rounding.
            assert!(error <= tolerance * norm(wanted) + 1e-5 * largest, "{}: {name} off by {error}", run.tag);
        }
    }
}

fn norm(array: &Tensor) -> f64 {
    array.to_kind(Kind::Double).norm().double_value(&[])
}

/// The weights after the first step. An adaptive optimiser's first step has one length whatever the gradient is, so where
/// the true gradient is zero its direction is rounding's: there only the length is compared.
fn after_first_step(root: &Root, run: &Run, model: &Network) {
    let gradients = root.arrays(&format!("trace/{}.grads_step1_f64.npz", run.tag));
    let weights = model.parameters.snapshot().weights(model.graph().nodes().len());
    let arrays = weights
        .nodes
        .into_iter()
        .enumerate()
        .flat_map(|(node, arrays)| arrays.into_iter().enumerate().map(move |(place, array)| (node, place, array)));
    let ours = by_name(model, arrays.collect());
    let largest = gradients.names().map(|name| gradients.get(name).abs().max().double_value(&[])).fold(0.0, f64::max);
    let wanted = run.arrays.names().filter(|name| name.starts_with("after_step1|"));
    let mut compared = 0;
    for name in wanted {
        let wanted = run.arrays.get(name);
        let ours = ours.get(keras_name(name)).unwrap_or_else(|| panic!("{}: no {name}", run.tag));
        assert_eq!(ours.size(), wanted.size(), "{}: {name}", run.tag);
        let error = (ours - wanted).abs();
        let tolerance = match gradients.names().find(|known| keras_name(known) == keras_name(name)) {
            None => wanted.abs() * 1e-4 + 1e-5,
            Some(known) => {
                let noise = gradients.get(known).abs().lt(1e-5 * largest);
                wanted.abs() * 1e-6 + 0.02 * run.rate + noise.to_kind(Kind::Float) * (2.1 * run.rate)
            }
        };
        let excess = (&error - tolerance).max().double_value(&[]);
        assert!(excess <= 0.0, "{}: {name} after the first step off by {}", run.tag, error.max().double_value(&[]));
        compared += 1;
    }
    assert!(compared > 10, "{}: {compared} weights were compared", run.tag);
}
