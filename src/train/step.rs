//! One optimiser step, without a wait for the device: forward, loss, backward, update.

use tch::Tensor;

use super::loss;
use super::optimizer::OptimizerState;
use crate::nn::{Mode, Network};
use crate::schedule::Loss;

/// What a step leaves on the device; nothing of it has been waited for.
#[derive(Debug)]
pub struct StepResult {
    /// Mean loss of the batch, a scalar.
    pub loss: Tensor,
    /// Share of the batch that was classified right; none for triplet losses.
    pub accuracy: Option<Tensor>,
}

/// Takes one step. `images` (B, 3, H, W) in [-1, 1], channels-last; `labels` (B) classes. With `head_only` the basic
/// model runs in inference mode and only the head's weights change.
pub fn step(
    network: &mut Network,
    optimizer: &mut OptimizerState,
    loss: &Loss,
    images: &Tensor,
    labels: &Tensor,
    learning_rate: f64,
    head_only: bool,
) -> StepResult {
    let (first, embeddings) = if head_only {
        (network.head(), tch::no_grad(|| network.embed(images, Mode::Infer)))
    } else {
        (0, network.embed(images, Mode::Train))
    };
    let output = network.head_output(&embeddings);
    let value = loss::mean_loss(loss, &output, labels);
    let leaves = network.parameters.leaves(first);
    // A frozen basic model under a loss without a head leaves nothing to train.
    let trains = !leaves.is_empty();
    let value = match network.regularization_loss() {
        Some(penalty) => value + penalty,
        None => value,
    };
    if trains {
        let gradients = Tensor::run_backward(&[&value], &leaves, false, false);
        let gradient = network.parameters.flatten_gradients(first, &gradients);
        let (offset, _) = network.parameters.range(first);
        optimizer.step(&network.parameters.flat, offset, &gradient, learning_rate);
        network.parameters.refresh();
    }
    StepResult { loss: value.detach(), accuracy: loss::accuracy(loss, &output, labels) }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;
    use crate::schedule::{Backbone, HeadKind, ModelSource, Optimizer};
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
    const ADAM: Optimizer = Optimizer::Adam { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7 };

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
}
