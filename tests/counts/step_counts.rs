//! A guard of the step that needs no clock: how many operations and how much memory a training step asks of libtorch. A change
//! that makes more of either fails here; one that makes much less may lower the bounds.

use facetui::nn::counters::{Counts, count};
use facetui::schedule::{Backbone, HeadKind, Loss, ModelSource, Optimizer};
use facetui::train::optim::optimizer::OptimizerState;
use facetui::train::{model, step};
use tch::{Device, Kind, Tensor};

use crate::alone::turn;

const LOSS: Loss = Loss::Arcface { margin1: 1.0, margin2: 0.5, margin3: 0.0, scale: 64.0 };

/// What a step of a network of width 0.25 with so many classes asks for, once it has warmed up. The counters are the
/// program's: a test takes its turn before.
fn counts(kind: &str, classes: usize, batch: i64) -> Counts {
    let backbone = Backbone { width: 0.25, ..Backbone::new(kind, 64) };
    let start = model::start(&ModelSource::Backbone(backbone), 1).expect("builds");
    let (mut network, _) =
        model::with_head(start, HeadKind::Arcface, classes, 1, Device::Cpu, Kind::Float).expect("fits");
    let mut optimizer = OptimizerState::new(Optimizer::sgd(0.9, false), &network.parameters.flat);
    let images = Tensor::rand([batch, 112, 112, 3], (Kind::Float, Device::Cpu)).permute([0, 3, 1, 2]) * 2.0 - 1.0;
    let labels = Tensor::arange(batch, (Kind::Int64, Device::Cpu));
    let mut once = || drop(step::step(&mut network, &mut optimizer, &LOSS, &images, &labels, 0.01, false));
    once();
    count(once).1
}

#[test]
fn a_step_asks_for_no_more_than_it_did() {
    let _turn = turn();
    let small = counts("mobilefacenet", 100, 4);
    eprintln!("{small:?}");
    assert!(small.operations <= 4000, "{small:?}");
    assert!(small.allocations <= 960, "{small:?}");
    // Activations grow with the batch, and nothing else does.
    let large = counts("mobilefacenet", 100, 8);
    assert!(large.operations == small.operations && large.allocations <= small.allocations + 8, "{small:?} {large:?}");
    assert!(large.peak < 2 * small.peak, "{small:?} {large:?}");
}

#[test]
fn a_head_of_many_classes_never_has_its_outputs_whole() {
    let _turn = turn();
    let batch = 64;
    let [few, many] = [1000, 200_000].map(|classes| counts("mobilefacenet", classes, batch));
    eprintln!("{few:?} {many:?}");
    let weights = 199_000 * 64 * 4;
    let outputs = 200_000 * batch as u64 * 4;
    // The gradient of the head's weights, and some ranges of outputs.
    assert!(many.peak - few.peak < weights + outputs / 2, "{few:?} {many:?}");
}
