//! A head of many classes by itself: time and peak memory of a training step whose basic model is one dense layer.
//!
//! `cargo bench --bench head [-- CLASSES EMBEDDING BATCH STEPS]`. Prints the resident memory in units of the head's weights too,
//! of which weights, gradients and momentum are three.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::time::Instant;

use facetui::graph::Graph;
use facetui::graph::layer::{Activation, Initializer, Layer};
use facetui::nn::init;
use facetui::schedule::{HeadKind, Loss, Optimizer};
use facetui::train::model::{self, Start};
use facetui::train::optim::optimizer::OptimizerState;
use facetui::train::step::step;
use tch::{Device, Kind, Tensor};

const LOSS: Loss = Loss::Arcface { margin1: 1.0, margin2: 0.5, margin3: 0.0, scale: 64.0 };

/// A line of this process's status, in MiB; 0 where the system does not say.
fn status(line: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|found| found.strip_prefix(line));
    line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok()).unwrap_or_default() / 1024.0
}

fn main() {
    let numbers: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let [classes, embedding, batch, steps] = [85742, 512, 128, 5]
        .into_iter()
        .enumerate()
        .map(|(at, usual)| numbers.get(at).copied().unwrap_or(usual))
        .collect::<Vec<_>>()[..]
    else {
        return;
    };
    let mut graph = Graph::new("flat");
    let input = graph.add("input", Layer::Input { shape: vec![8, 8, 3] }, &[]).expect("fits");
    let flat = graph.add("flatten", Layer::Flatten, &[input]).expect("fits");
    let kernel_initializer = Initializer::GlorotUniform;
    let dense = Layer::Dense { units: embedding, use_bias: false, activation: Activation::Linear, kernel_initializer };
    let node = graph.add("embedding", dense, &[flat]).expect("fits");
    let weights = init::weights(&graph, 1);
    let start = Start { graph, embedding: node, weights, saved: None, notes: Vec::new() };
    let before = status("VmRSS:");
    let started = Instant::now();
    let (mut network, _) =
        model::with_head(start, HeadKind::Arcface, classes, 1, Device::Cpu, Kind::Float).expect("fits");
    let made = started.elapsed().as_secs_f64();
    let unit = (classes * embedding * 4) as f64 / f64::from(1 << 20);
    println!("{classes} classes, embedding {embedding}, batch {batch}: {unit:.0} MiB of weights");
    println!("made in {made:.2} s, peak {:.2} times the weights", (status("VmHWM:") - before) / unit);
    let mut optimizer = OptimizerState::new(Optimizer::sgd(0.9, false), &network.parameters.flat);
    let images = Tensor::rand([batch as i64, 8, 8, 3], (Kind::Float, Device::Cpu)).permute([0, 3, 1, 2]) * 2.0 - 1.0;
    let labels = Tensor::randint(classes as i64, [batch as i64], (Kind::Int64, Device::Cpu));
    let mut times = Vec::new();
    for _ in 0..steps {
        let started = Instant::now();
        let result = step(&mut network, &mut optimizer, &LOSS, &images, &labels, 0.01, false);
        assert!(result.loss.double_value(&[]).is_finite());
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    println!(
        "step {:.1} ms (median of {steps}), peak {:.2} times the weights",
        times[steps / 2],
        (status("VmHWM:") - before) / unit
    );
}
