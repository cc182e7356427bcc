//! Training-step and embedding throughput on synthetic batches: `cargo bench --bench step [-- WIDTH BATCH]`.
//!
//! Prints a line a case; machines are noisy, so compare ratios within one run.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::time::Instant;

use facetui::data::augment::{Variation, apply, to_device};
use facetui::graph::Layer;
use facetui::graph::backbone::{Options, build};
use facetui::nn::{Mode, Network, init};
use facetui::schedule::{Loss, Optimizer};
use facetui::train::optim::optimizer::OptimizerState;
use facetui::train::step::step;
use tch::{Device, Kind, Tensor};

const CLASSES: usize = 1000;
const LOSS: Loss = Loss::Arcface { margin1: 1.0, margin2: 0.5, margin3: 0.0, scale: 64.0 };

/// Median seconds of a few calls, after two to warm up.
fn median(mut call: impl FnMut()) -> f64 {
    call();
    call();
    let mut times: Vec<f64> = (0..7)
        .map(|_| {
            let started = Instant::now();
            call();
            started.elapsed().as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn report(name: &str, width: f64, batch: i64, seconds: f64) {
    println!(
        "{name:20} width {width:4} batch {batch:4} {:8.1} ms {:8.1} images/s",
        seconds * 1e3,
        batch as f64 / seconds
    );
}

fn case(width: f64, batch: i64) {
    let options = Options { embedding_size: 256, dropout: 0.0, width };
    let mut graph = build("mobilefacenet", &options).expect("builds");
    let embedding = graph.output();
    graph.add("arcface", Layer::NormDense { units: CLASSES }, &[embedding]).expect("fits");
    let weights = init::weights(&graph, 1);
    let mut network = Network::new(graph, embedding, &weights, Device::Cpu, Kind::Float);
    let rule = Optimizer::sgd(0.9, false);
    let mut optimizer = OptimizerState::new(rule, &network.parameters.flat);
    let bytes = Tensor::randint(256, [batch, 112, 112, 3], (Kind::Uint8, Device::Cpu));
    let labels = Tensor::randint(CLASSES as i64, [batch], (Kind::Int64, Device::Cpu));
    let variations: Vec<Variation> = (0..batch as u64).map(|image| Variation::draw(1, 1, image)).collect();
    let images = apply(&bytes, &variations, 0);
    let held = Vec::<u8>::try_from(bytes.flatten(0, -1)).expect("bytes");
    for level in 0..=3 {
        let seconds = median(|| drop(to_device(&held, (112, 112), &variations, level, Device::Cpu)));
        report(&format!("augment level {level}"), width, batch, seconds);
    }
    let forward = median(|| drop(tch::no_grad(|| network.embed(&images, Mode::Infer))));
    report("embed", width, batch, forward);
    let seconds = median(|| drop(step(&mut network, &mut optimizer, &LOSS, &images, &labels, 0.01, false)));
    report("training step", width, batch, seconds);
}

fn main() {
    let numbers: Vec<f64> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    match numbers.as_slice() {
        [width, batch] => case(*width, *batch as i64),
        _ => [(0.25, 32), (1.0, 64)].into_iter().for_each(|(width, batch)| case(width, batch)),
    }
}
