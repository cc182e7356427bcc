//! The loss of a head of 85,742 classes takes little more memory than what is trained: in a process of its own, so that its
//! peak memory is the head's.

use facetui::graph::Graph;
use facetui::graph::layer::{Activation, Initializer, Layer};
use facetui::nn::init;
use facetui::schedule::{HeadKind, Loss, Optimizer};
use facetui::train::model::{self, Start};
use facetui::train::optim::optimizer::OptimizerState;
use facetui::train::step::step;
use tch::{Device, Kind, Tensor};

use crate::alone::in_a_process;

const CLASSES: usize = 85_742;
const EMBEDDING: usize = 512;
const BATCH: i64 = 128;
/// Of weights, gradients and momentum.
const LIMIT: f64 = 1.3;

/// A line of this process's status, in MiB; none where the system does not say.
fn status(line: &str) -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|found| found.strip_prefix(line))?;
    line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok().map(|kibibytes| kibibytes / 1024.0)
}

#[test]
fn weights_gradients_and_momentum_are_nearly_all_of_it() {
    in_a_process("head_memory::weights_gradients_and_momentum_are_nearly_all_of_it", measure);
}

fn measure() {
    let mut graph = Graph::new("small");
    let input = graph.add("input", Layer::Input { shape: vec![8, 8, 3] }, &[]).expect("fits");
    let flat = graph.add("flatten", Layer::Flatten, &[input]).expect("fits");
    let kernel_initializer = Initializer::GlorotUniform;
    let dense = Layer::Dense { units: EMBEDDING, use_bias: false, activation: Activation::Linear, kernel_initializer };
    let embedding = graph.add("embedding", dense, &[flat]).expect("fits");
    let images = Tensor::rand([BATCH, 8, 8, 3], (Kind::Float, Device::Cpu)).permute([0, 3, 1, 2]) * 2.0 - 1.0;
    let labels = Tensor::randint(CLASSES as i64, [BATCH], (Kind::Int64, Device::Cpu));
    // The libraries' own memory is there before.
    drop(images.matmul(&images.transpose(2, 3)));
    let Some(before) = status("VmRSS:") else { return };
    let weights = init::weights(&graph, 1);
    let start = Start { graph, embedding, weights, saved: None, notes: Vec::new() };
    let (mut network, _) =
        model::with_head(start, HeadKind::Arcface, CLASSES, 1, Device::Cpu, Kind::Float).expect("fits");
    let mut optimizer = OptimizerState::new(Optimizer::sgd(0.9, false), &network.parameters.flat);
    let loss = Loss::Arcface { margin1: 1.0, margin2: 0.5, margin3: 0.0, scale: 64.0 };
    for _ in 0..2 {
        let result = step(&mut network, &mut optimizer, &loss, &images, &labels, 0.01, false);
        assert!(result.loss.double_value(&[]).is_finite());
    }
    let trained = 3.0 * network.parameters.flat.numel() as f64 * 4.0 / f64::from(1 << 20);
    let peak = status("VmHWM:").unwrap_or_default() - before;
    eprintln!("{peak:.0} MiB at most, {trained:.0} MiB of weights, gradients and momentum");
    assert!(peak < LIMIT * trained, "{peak} MiB, {trained} MiB of weights, gradients and momentum");
}
