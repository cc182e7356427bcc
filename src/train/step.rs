//! One optimiser step, without a wait for the device: forward, loss, backward, update.

use tch::Tensor;

use super::center::Centers;
use super::loss;
use super::optimizer::OptimizerState;
use crate::nn::{Mode, Network};
use crate::schedule::Loss;

/// What a step leaves on the device; nothing of it has been waited for.
#[derive(Debug)]
pub struct StepResult {
    /// Mean loss of the batch, a scalar, the center loss's and the regularisers' parts included.
    pub loss: Tensor,
    /// Share of the batch that was classified right; none for triplet losses.
    pub accuracy: Option<Tensor>,
    /// Length of the gradient before it was clipped, a scalar; none unless it was asked for.
    pub gradient_norm: Option<Tensor>,
}

/// What a step makes smaller.
#[derive(Debug)]
pub struct Goal<'a> {
    /// The loss of the head's output.
    pub loss: &'a Loss,
    /// The centers of the center loss, where the stage has one; they move in every step.
    pub centers: Option<&'a mut Centers>,
    /// Whether the gradient's length is wanted too.
    pub measured: bool,
}

impl<'a> From<&'a Loss> for Goal<'a> {
    fn from(loss: &'a Loss) -> Self {
        Self { loss, centers: None, measured: false }
    }
}

/// Takes one step. `images` (B, 3, H, W) in [-1, 1], channels-last; `labels` (B) classes. With `head_only` the basic
/// model runs in inference mode and only the head's weights change. The center loss alone changes the basic model only.
pub fn step<'a>(
    network: &mut Network,
    optimizer: &mut OptimizerState,
    goal: impl Into<Goal<'a>>,
    images: &Tensor,
    labels: &Tensor,
    learning_rate: f64,
    head_only: bool,
) -> StepResult {
    let Goal { loss, mut centers, measured } = goal.into();
    let (first, embeddings) = if head_only {
        (network.head(), tch::no_grad(|| network.embed(images, Mode::Infer)))
    } else {
        (0, network.embed(images, Mode::Train))
    };
    let head_rests = loss.keeps_head();
    let output =
        if head_rests { tch::no_grad(|| network.head_output(&embeddings)) } else { network.head_output(&embeddings) };
    let mut value = loss::mean_loss(loss, &output, labels);
    if let Some(centers) = &mut centers {
        value += centers.loss(&embeddings, labels);
        centers.update(&embeddings, labels);
    }
    // As Keras's, the loss that is reported has the regularisers' part in it.
    if let Some(regularization) = network.regularization_loss() {
        value += regularization;
    }
    let mut leaves = network.parameters.leaves(first);
    if head_rests {
        leaves.truncate(leaves.len() - network.parameters.leaves(network.head()).len());
    }
    let mut gradient_norm = None;
    // A frozen basic model under a loss without a head leaves nothing to train.
    if !leaves.is_empty() {
        let gradients = Tensor::run_backward(&[&value], &leaves, false, false);
        let mut gradient = network.parameters.flatten_gradients(first, &gradients);
        gradient_norm = measured.then(|| gradient.norm());
        optimizer.clip(&mut gradient, &network.parameters, first);
        let (offset, _) = network.parameters.range(first);
        optimizer.step(&network.parameters.flat, offset, &gradient, learning_rate);
        network.parameters.refresh();
    }
    let has_classes = network.has_head() || !head_rests;
    let accuracy = has_classes.then(|| loss::accuracy(loss, &output, labels)).flatten();
    StepResult { loss: value.detach(), accuracy, gradient_norm }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;
    use crate::graph::layer::Regularizer;
    use crate::schedule::{Backbone, CenterLoss, Clip, HeadKind, ModelSource, Optimizer};
    use crate::train::model;

    fn network(compute: Kind) -> Network {
        let backbone = Backbone { width: 0.1, ..Backbone::new("mobilefacenet", 16) };
        let start = model::start(&ModelSource::Backbone(backbone), 1).expect("builds");
        model::with_head(start, HeadKind::Arcface, 4, 1, Device::Cpu, compute).expect("fits").0
    }

    fn batch() -> (Tensor, Tensor) {
        tch::manual_seed(7);
        let images = Tensor::rand([8, 112, 112, 3], (Kind::Float, Device::Cpu)).permute([0, 3, 1, 2]) * 2.0 - 1.0;
        (images, Tensor::from_slice(&[0i64, 1, 2, 3, 0, 1, 2, 3]))
    }

    const LOSS: Loss = Loss::Arcface { margin1: 1.0, margin2: 0.5, margin3: 0.0, scale: 64.0 };
    const ADAM: Optimizer = Optimizer::ADAM;

    #[test]
    fn a_batch_is_learned_by_heart_in_both_precisions() {
        for compute in [Kind::Float, Kind::BFloat16] {
            let mut network = network(compute);
            let mut optimizer = OptimizerState::new(ADAM, &network.parameters.flat);
            let (images, labels) = batch();
            let mut losses = Vec::new();
            for _ in 0..12 {
                let result = step(&mut network, &mut optimizer, &LOSS, &images, &labels, 0.005, false);
                losses.push(result.loss.double_value(&[]));
            }
            assert!(losses[11] < 0.6 * losses[0], "{compute:?}: {losses:?}");
        }
    }

    #[test]
    fn a_frozen_basic_model_stays_bit_for_bit() {
        let mut network = network(Kind::Float);
        let mut optimizer = OptimizerState::new(ADAM, &network.parameters.flat);
        let (images, labels) = batch();
        let before = model::take_apart(&network).weights;
        let first = step(&mut network, &mut optimizer, &LOSS, &images, &labels, 0.01, true);
        for _ in 0..5 {
            step(&mut network, &mut optimizer, &LOSS, &images, &labels, 0.01, true);
        }
        let last = step(&mut network, &mut optimizer, &LOSS, &images, &labels, 0.01, true);
        let after = model::take_apart(&network).weights;
        let basic = network.head();
        assert_eq!(before.nodes[..basic], after.nodes[..basic]);
        assert_ne!(before.nodes[basic], after.nodes[basic]);
        assert!(last.loss.double_value(&[]) < first.loss.double_value(&[]));
    }

    #[test]
    fn the_center_loss_alone_trains_the_basic_model_and_rests_the_head() {
        let mut network = network(Kind::Float);
        let rule = Optimizer { clip: Clip { norm: Some(1.0), ..Clip::default() }, ..ADAM };
        let mut optimizer = OptimizerState::new(rule, &network.parameters.flat);
        let settings = CenterLoss::DEFAULT;
        let mut centers = Centers::zeros(4, 16, settings, Device::Cpu);
        let (images, labels) = batch();
        let before = model::take_apart(&network).weights;
        let mut losses = Vec::new();
        let loss = Loss::Center(settings);
        for _ in 0..8 {
            let goal = Goal { loss: &loss, centers: Some(&mut centers), measured: false };
            let result = step(&mut network, &mut optimizer, goal, &images, &labels, 0.002, false);
            assert!(result.accuracy.is_some());
            losses.push(result.loss.double_value(&[]));
        }
        let after = model::take_apart(&network).weights;
        let head = network.head();
        assert_eq!(before.nodes[head], after.nodes[head]);
        assert_ne!(before.nodes[1], after.nodes[1]);
        assert!(losses[7] < losses[0], "{losses:?}");
        // With the basic model frozen nothing is left to train, and nothing fails.
        let frozen = model::take_apart(&network).weights;
        let goal = Goal { loss: &loss, centers: Some(&mut centers), measured: false };
        step(&mut network, &mut optimizer, goal, &images, &labels, 0.002, true);
        assert_eq!(frozen, model::take_apart(&network).weights);
    }

    #[test]
    fn the_gradients_length_is_that_before_clipping() {
        let (images, labels) = batch();
        let clip = Clip { norm: None, value: None, global_norm: Some(1e-6) };
        let mut network = network(Kind::Float);
        let before = network.parameters.flat.detach().copy();
        let mut optimizer = OptimizerState::new(Optimizer { clip, ..Optimizer::sgd(0.0, false) }, &before);
        let goal = Goal { measured: true, ..Goal::from(&LOSS) };
        let result = step(&mut network, &mut optimizer, goal, &images, &labels, 1.0, false);
        let norm = result.gradient_norm.expect("was asked for").double_value(&[]);
        let moved = (&network.parameters.flat - before).norm().double_value(&[]);
        assert!(norm > 1e-3 && moved < 1e-5, "{norm}, {moved}");
        assert!(step(&mut network, &mut optimizer, &LOSS, &images, &labels, 1.0, false).gradient_norm.is_none());
    }

    #[test]
    fn regularisers_pull_on_their_weights() {
        let (images, labels) = batch();
        let rule = Optimizer::sgd(0.0, false);
        let run = |l2: f64| {
            let mut start = model::take_apart(&network(Kind::Float));
            let head = start.embedding + 1;
            start.graph.set_regularizer(head, 0, Some(Regularizer { l1: 0.0, l2 }));
            let (mut network, _) =
                model::with_head(start, HeadKind::Arcface, 4, 1, Device::Cpu, Kind::Float).expect("fits");
            let before = network.parameters.node(head)[0].detach().copy();
            let mut optimizer = OptimizerState::new(rule, &network.parameters.flat);
            let loss = step(&mut network, &mut optimizer, &LOSS, &images, &labels, 0.01, false).loss;
            (loss.double_value(&[]), before, network.parameters.node(head)[0].detach().copy())
        };
        let (plain, before, without) = run(0.0);
        let (value, _, with) = run(0.3);
        let size = (&before * &before).sum(Kind::Float).double_value(&[]);
        assert!((value - plain - 0.3 * size).abs() < 1e-4 * value, "{value}, {plain}, {size}");
        assert!((with - (without - before * (0.01 * 2.0 * 0.3))).abs().max().double_value(&[]) < 1e-6);
    }

    #[test]
    fn the_center_loss_adds_to_another_and_its_gradient_is_the_sum() {
        let settings = CenterLoss { alpha: 0.5, factor: 3.0 };
        let mut with = network(Kind::Float);
        let mut without = network(Kind::Float);
        let (images, labels) = batch();
        let rule = Optimizer::sgd(0.0, false);
        let mut optimizers = [0, 1].map(|_| OptimizerState::new(rule, &with.parameters.flat));
        let mut centers = Centers::zeros(4, 16, settings, Device::Cpu);
        let goal = Goal { loss: &LOSS, centers: Some(&mut centers), measured: false };
        let sum = step(&mut with, &mut optimizers[0], goal, &images, &labels, 0.01, false).loss.double_value(&[]);
        let alone = step(&mut without, &mut optimizers[1], &LOSS, &images, &labels, 0.01, false);
        assert!(sum > alone.loss.double_value(&[]));
        let head = with.head();
        let (a, b) = (model::take_apart(&with).weights, model::take_apart(&without).weights);
        assert_eq!(a.nodes[head], b.nodes[head]);
        assert_ne!(a.nodes[1], b.nodes[1]);
        assert!(centers.snapshot().abs().sum(Kind::Float).double_value(&[]) > 0.0);
    }
}
