//! The memory that is foretold is the memory that is taken: tensors to within a fifth, as libtorch's allocator counts them.

use facetui::nn::counters::count;
use facetui::schedule::{self, Optimizer};
use facetui::train::loss::sampled_classes::Sample;
use facetui::train::memory::Plan;
use facetui::train::model;
use facetui::train::optim::optimizer::OptimizerState;
use facetui::train::step::{Goal, step};
use tch::{Device, Kind, Tensor};

use crate::alone::turn;

/// How far the foretold figure may be away.
const TOLERANCE: f64 = 0.2;

/// Foretold and taken bytes of what a step adds to weights and optimiser.
fn compare(backbone: &str, stage: &str, classes: usize) {
    let text = format!(
        "model: {{backbone: {backbone}, embedding: 128}}\ndata: {{train: x, bins: []}}\nstages:\n  - {{epochs: 1, optimizer: {{sgd: {{momentum: 0.9}}}}, {stage}}}"
    );
    let schedule = schedule::parse("x.yaml", &text, &[], &|_| None).expect("is valid").schedule;
    let stage = &schedule.stages[0];
    let start = model::start(&schedule.model, 1).expect("builds");
    let (graph, embedding) = (start.graph.clone(), start.embedding);
    let plan = Plan { graph: &graph, embedding, classes: classes as u64, compute: Kind::Float, device: Device::Cpu };
    let rule: Optimizer = stage.optimizer.expect("is given");
    let needs = plan.of(stage, &rule);
    let batch = stage.batch_size as i64;
    let ((mut network, mut optimizer), made) = count(|| {
        let (network, _) = model::with_head(start, stage.head, classes, 1, Device::Cpu, Kind::Float).expect("fits");
        let optimizer = OptimizerState::new(rule, &network.parameters.flat);
        (network, optimizer)
    });
    let kept = (needs.weights + needs.optimizer) as f64;
    assert!((made.peak as f64 / kept - 1.0).abs() < TOLERANCE, "{backbone}: {} made, {kept} foretold", made.peak);
    let images = Tensor::rand([batch, 112, 112, 3], (Kind::Float, Device::Cpu)).permute([0, 3, 1, 2]) * 2.0 - 1.0;
    let known: Vec<i64> = (0..batch).collect();
    let labels = Tensor::from_slice(&known);
    let mut once = || {
        let sample = stage.sample.map(|share| Sample::draw(&known, classes, share, 1, [0, 0], Device::Cpu));
        let goal = Goal { loss: &stage.loss, centers: None, sample: sample.as_ref(), measured: false };
        drop(step(&mut network, &mut optimizer, goal, &images, &labels, 0.01, stage.bottleneck_only));
    };
    once();
    let ((), taken) = count(once);
    let foretold = (needs.gradients + needs.activations + needs.head) as f64;
    let share = taken.peak as f64 / foretold;
    assert!((1.0 - TOLERANCE..1.0 + TOLERANCE).contains(&share), "{backbone}: {taken:?}, {needs:?}");
}

#[test]
fn what_is_foretold_is_taken() {
    let _turn = turn();
    compare("mobilefacenet, width: 0.5", "loss: arcface, batch_size: 16", 500);
    compare("mobilefacenet, width: 0.25", "loss: softmax, batch_size: 8", 100_000);
    compare("mobilefacenet, width: 0.25", "loss: arcface, batch_size: 8, sample: 0.1", 300_000);
    compare("resnet50v2", "loss: arcface, batch_size: 4", 500);
    compare("mobilenetv2", "loss: arcface, batch_size: 8", 500);
}
