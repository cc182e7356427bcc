//! One optimiser step, without a wait for the device: forward, loss, backward, update.

use tch::{Device, Kind, Tensor};

use crate::data::augment;
use crate::data::loader::Batch;
use crate::nn::device::upload;
use crate::nn::regularization::add_to;
use crate::nn::{HeadWeights, Mode, Network};
use crate::schedule::Loss;
use crate::train::loss;
use crate::train::loss::center::Centers;
use crate::train::loss::head::{self, HeadGradient};
use crate::train::loss::sampled_classes::{self, Sample};
use crate::train::optim::optimizer::OptimizerState;

/// What a step leaves on the device; nothing of it has been waited for.
#[derive(Debug)]
pub struct StepResult {
    /// Mean loss of the batch, a scalar, the center loss's and the regularisers' parts included.
    pub loss: Tensor,
    /// Share of the batch that was classified right; none for triplet losses.
    pub accuracy: Option<Tensor>,
    /// Length of the gradient before it was clipped, a scalar; none unless [`step`] was asked for it.
    pub gradient_norm: Option<Tensor>,
}

/// What a step makes smaller.
#[derive(Debug)]
pub struct Goal<'a> {
    /// The loss of the head's output.
    pub loss: &'a Loss,
    /// The centers of the center loss, where the stage has one; they move in every step.
    pub centers: Option<&'a mut Centers>,
    /// The classes that take part, where not all do.
    pub sample: Option<&'a Sample>,
    /// Whether the gradient's length is wanted too.
    pub measured: bool,
}

impl<'a> From<&'a Loss> for Goal<'a> {
    fn from(loss: &'a Loss) -> Self {
        Self { loss, centers: None, sample: None, measured: false }
    }
}

/// What a batch taught.
#[derive(Debug)]
pub struct Learnt {
    /// What is reported of the step.
    pub result: StepResult,
    /// Room for the whole gradient; the head's is there.
    room: Tensor,
    /// The basic model's gradients, as vectors that lie as their weights do.
    basic: Vec<Tensor>,
    /// How long each weight's part of the gradient is.
    pub lengths: Vec<i64>,
}

impl Learnt {
    /// The gradient of the trainable weights from the first that learns on, as they lie in the flat buffer; of a sampled head
    /// the rows of the sample. Empty where nothing learns.
    pub fn gradient(&mut self) -> Tensor {
        let length = self.basic_length();
        if length > 0 {
            let _ = Tensor::cat_out(&self.room.narrow(0, 0, length), &std::mem::take(&mut self.basic), 0);
        }
        self.room.shallow_clone()
    }

    fn basic_length(&self) -> i64 {
        self.basic.iter().map(|piece| piece.numel() as i64).sum()
    }

    /// The same gradient where it lies, in pieces.
    fn pieces(&self) -> Vec<Tensor> {
        let from = self.basic_length();
        let head = self.room.numel() as i64 - from;
        let head = (head > 0).then(|| self.room.narrow(0, from, head));
        self.basic.iter().map(Tensor::shallow_clone).chain(head).collect()
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
    let goal = goal.into();
    let (sample, measured) = (goal.sample, goal.measured);
    let mut learnt = learn(network, goal, images, labels, head_only);
    // A frozen basic model under a loss without a head leaves nothing to train.
    if learnt.room.numel() > 0 {
        let (offset, _) = network.parameters.range(if head_only { network.head() } else { 0 });
        let flat = &network.parameters.flat;
        if measured || sample.is_some() || !optimizer.step_pieces(flat, offset, &learnt.pieces(), learning_rate) {
            let mut gradient = learnt.gradient();
            learnt.result.gradient_norm = measured.then(|| gradient.norm());
            optimizer.clip(&mut gradient, &learnt.lengths);
            match sample {
                Some(sample) => sampled_classes::step(sample, network, optimizer, offset, &gradient, learning_rate),
                None => optimizer.step(flat, offset, &gradient, learning_rate),
            }
        }
        network.parameters.refresh();
    }
    learnt.result
}

/// The loss of a batch and its gradient: a [`step`] without its end. The moving statistics and the centers move.
pub fn learn<'a>(
    network: &Network,
    goal: impl Into<Goal<'a>>,
    images: &Tensor,
    labels: &Tensor,
    head_only: bool,
) -> Learnt {
    let Goal { loss, mut centers, sample, .. } = goal.into();
    let embeddings = if head_only {
        tch::no_grad(|| network.embed(images, Mode::Infer))
    } else {
        network.embed(images, Mode::Train)
    };
    let basic = 0..if head_only { 0 } else { network.head() };
    let leaves = network.parameters.leaves(basic.clone());
    let mut lengths = network.parameters.lengths(basic.clone());
    let basic_length: i64 = lengths.iter().sum();

    // The head, with room for its gradient behind the basic model's.
    let head_rests = loss.keeps_head();
    let mut head = network.head_weights().filter(|_| loss::of_classes(loss));
    if let (Some(head), Some(sample)) = (&mut head, sample) {
        sample.take(head);
    }
    let learns = head.as_ref().is_some_and(|head| head.trainable && !head_rests);
    if let (Some(head), true) = (&head, learns) {
        lengths.extend([&head.rows].into_iter().chain(&head.bias).map(|weight| weight.numel() as i64));
    }
    let gradient = Tensor::empty([lengths.iter().sum::<i64>()], (Kind::Float, network.device()));
    let room = head.as_ref().filter(|_| learns).map(|head| split(head, &gradient, basic_length));

    let known = sample.map_or(labels, |sample| &sample.labels);
    let back = !head_rests && !leaves.is_empty();
    let own =
        room.as_ref().map(|room| HeadGradient { rows: room.rows.shallow_clone(), bias: clone(room.bias.as_ref()) });
    let judged = head.as_ref().map(|head| head::run(loss, head, &embeddings, known, own, back || learns));

    // What the basic model is trained by, and what is reported.
    let mut value = Tensor::zeros([], (Kind::Float, network.device()));
    let mut target = loss::of_embeddings(loss, &embeddings, labels);
    if let Some(target) = &target {
        value += target.detach();
    }
    if let (Some(judged), false) = (&judged, head_rests) {
        value += &judged.verdict.loss;
        // Its gradient by the embeddings is the one that the head gave.
        target = back.then(|| (&embeddings * &judged.embeddings).sum(Kind::Float));
    }
    if let Some(centers) = &mut centers {
        let loss = centers.loss(&embeddings, labels);
        value += loss.detach();
        target = Some(target.map_or_else(|| loss.shallow_clone(), |target| target + &loss));
        centers.update(&embeddings, labels);
    }
    // As Keras's, the loss that is reported has the regularisers' part in it.
    if let Some(loss) = network.regularization_loss(0..network.head()) {
        value += loss.detach();
        target = Some(target.map_or_else(|| loss.shallow_clone(), |target| target + &loss));
    }
    if let Some(head) = &head {
        let weights = std::iter::once(&head.rows).chain(&head.bias);
        for (place, (weight, regularizer)) in weights.zip(&head.regularizers).enumerate() {
            if let Some(regularizer) = regularizer {
                let part =
                    room.as_ref().and_then(|room| if place == 0 { Some(&room.rows) } else { room.bias.as_ref() });
                value += add_to(*regularizer, weight, part);
            }
        }
    }
    let gradients = match target {
        Some(target) if !leaves.is_empty() => Tensor::run_backward(&[target], &leaves, false, false),
        _ => leaves.iter().map(|_| Tensor::new()).collect(),
    };
    let pieces = network.parameters.gradient_pieces(basic, &gradients);
    let accuracy = judged.map(|judged| judged.verdict.accuracy);
    let result = StepResult { loss: value, accuracy, gradient_norm: None };
    Learnt { result, room: gradient, basic: pieces, lengths }
}

fn clone(tensor: Option<&Tensor>) -> Option<Tensor> {
    tensor.map(Tensor::shallow_clone)
}

/// The places of a head's gradients in a flat one.
fn split(head: &HeadWeights, gradient: &Tensor, from: i64) -> HeadGradient {
    let long = head.rows.numel() as i64;
    HeadGradient {
        rows: gradient.narrow(0, from, long).view(head.rows.size().as_slice()),
        bias: head.bias.as_ref().map(|bias| gradient.narrow(0, from + long, bias.numel() as i64)),
    }
}

/// A batch on the device: images (B, 3, H, W) in [-1, 1], augmented, channels-last, and labels (B). `size` is (W, H), `level` the
/// schedule's `augment`.
pub fn to_device(batch: &Batch, size: (u32, u32), place: Device, level: u8) -> (Tensor, Tensor) {
    let labels = upload(&Tensor::from_slice(&batch.labels), place);
    (augment::to_device(&batch.images, size, &batch.variations, level, place), labels)
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
            let goal = Goal { loss: &loss, centers: Some(&mut centers), sample: None, measured: false };
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
        let goal = Goal { loss: &loss, centers: Some(&mut centers), sample: None, measured: false };
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
        let goal = Goal { loss: &LOSS, centers: Some(&mut centers), sample: None, measured: false };
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
