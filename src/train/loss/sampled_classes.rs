//! Sampled classes (An et al. 2021, Partial FC): of a head of very many classes those of the batch and a random share of the
//! others take part in a step; only their weights and only their optimiser's state change.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tch::{Device, Tensor};

use crate::nn::parameters::Parameters;
use crate::nn::{HeadWeights, Network};
use crate::train::optim::optimizer::OptimizerState;

/// The classes of one step.
#[derive(Debug)]
pub struct Sample {
    /// The classes, ascending, (K).
    classes: Tensor,
    /// The batch's labels as places in `classes`, (B).
    pub labels: Tensor,
}

impl Sample {
    /// Draws a step's classes: those of `labels` and others, `share` of all together, at least those of `labels`. The same
    /// `seed` and `turn` (which epoch and which step) draw the same.
    pub fn draw(labels: &[i64], classes: usize, share: f64, seed: u64, turn: [u64; 2], device: Device) -> Self {
        let mut taken = labels.to_vec();
        taken.sort_unstable();
        taken.dedup();
        let wanted = ((classes as f64 * share).ceil() as usize).clamp(taken.len(), classes.max(taken.len()));
        let mut random = ChaCha8Rng::seed_from_u64(seed ^ turn[0].wrapping_mul(0x9e37_79b9_7f4a_7c15));
        random.set_stream(turn[1]);
        let positives = taken.clone();
        let others = rand::seq::index::sample(&mut random, classes, wanted.min(classes));
        let others = others.iter().map(|class| class as i64).filter(|class| positives.binary_search(class).is_err());
        let missing = wanted - taken.len();
        taken.extend(others.take(missing));
        taken.sort_unstable();
        let places: Vec<i64> =
            labels.iter().map(|label| taken.binary_search(label).map_or(-1, |place| place as i64)).collect();
        let [classes, labels] = [&taken, &places].map(|list| Tensor::from_slice(list).to_device(device));
        Self { classes, labels }
    }

    /// Leaves a head with copies of the rows of the sample.
    pub(in crate::train) fn take(&self, head: &mut HeadWeights) {
        head.rows = head.rows.index_select(0, &self.classes);
        head.bias = head.bias.as_ref().map(|bias| bias.index_select(0, &self.classes));
    }
}

/// One optimiser step of the basic model's weights from `offset` on and of a head's rows of a sample, along a gradient of
/// [`learn`](crate::train::step::learn). Rows outside the sample keep their weights and their state.
pub(in crate::train) fn step(
    sample: &Sample,
    network: &Network,
    optimizer: &mut OptimizerState,
    offset: i64,
    gradient: &Tensor,
    learning_rate: f64,
) {
    let turn = optimizer.begin(learning_rate);
    let parameters = &network.parameters;
    let (head, _) = parameters.range(network.head());
    let basic = head - offset;
    if basic > 0 {
        let part = |tensor: &Tensor| tensor.narrow(0, offset, basic);
        let slots: Vec<Tensor> = optimizer.slots().iter().map(part).collect();
        turn.apply(&part(&parameters.flat), &slots, &gradient.narrow(0, 0, basic));
    }
    tch::no_grad(|| {
        let mut from = basic;
        for (at, length) in weights(parameters, network.head()) {
            let count = sample.classes.size()[0];
            // A row a class; a bias has rows of one.
            let width = length / network.head_classes().max(1);
            let rows = |flat: &Tensor| flat.narrow(0, at, length).view([-1, width]);
            let taken = |flat: &Tensor| rows(flat).index_select(0, &sample.classes).view([-1]);
            let own = gradient.narrow(0, from, count * width);
            let weights = taken(&parameters.flat);
            let slots: Vec<Tensor> = optimizer.slots().iter().map(taken).collect();
            turn.apply(&weights, &slots, &own);
            for (whole, part) in optimizer.slots().iter().chain([&parameters.flat]).zip(slots.iter().chain([&weights]))
            {
                let _ = rows(whole).index_copy_(0, &sample.classes, &part.view([-1, width]));
            }
            from += count * width;
        }
    });
}

/// Where the trainable weights of the head lie: (offset, length).
fn weights(parameters: &Parameters, head: usize) -> Vec<(i64, i64)> {
    let segments = parameters.segments().iter().filter(|segment| segment.trainable && segment.node >= head);
    segments.map(|segment| (segment.offset, segment.len)).collect()
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;
    use crate::schedule::{Backbone, HeadKind, Loss, ModelSource, Optimizer};
    use crate::train::model;
    use crate::train::step::{Goal, step as take};

    fn list(tensor: &Tensor) -> Vec<i64> {
        Vec::try_from(tensor).expect("numbers")
    }

    #[test]
    fn all_positives_and_a_share_of_the_others_are_drawn_again_the_same() {
        let labels = [7i64, 99, 7, 0];
        let draw = |seed, turn| Sample::draw(&labels, 100, 0.2, seed, turn, Device::Cpu);
        let sample = draw(1, [3, 4]);
        let classes = list(&sample.classes);
        assert_eq!(classes.len(), 20);
        assert!(classes.is_sorted_by(|a, b| a < b) && classes.iter().all(|class| (0..100).contains(class)));
        let back: Vec<i64> = list(&sample.labels).iter().map(|place| classes[*place as usize]).collect();
        assert_eq!(back, labels);
        assert_eq!(list(&draw(1, [3, 4]).classes), classes);
        for (seed, turn) in [(2, [3, 4]), (1, [4, 4]), (1, [3, 5])] {
            assert_ne!(list(&draw(seed, turn).classes), classes);
        }
    }

    #[test]
    fn every_class_comes_as_often_as_another() {
        let mut counts = vec![0u32; 50];
        for step in 0..2000 {
            let sample = Sample::draw(&[3], 50, 0.3, 1, [0, step], Device::Cpu);
            for class in list(&sample.classes) {
                counts[class as usize] += 1;
            }
        }
        assert_eq!(counts[3], 2000);
        // 14 of the 49 others: 571 of 2000, deviation 20.
        assert!(
            counts.iter().enumerate().all(|(class, count)| class == 3 || (470..=670).contains(count)),
            "{counts:?}"
        );
    }

    #[test]
    fn only_the_rows_of_the_sample_change() {
        let backbone = Backbone { width: 0.1, ..Backbone::new("mobilefacenet", 16) };
        let start = model::start(&ModelSource::Backbone(backbone), 1).expect("builds");
        for kind in [HeadKind::Arcface, HeadKind::Softmax] {
            let (mut network, _) =
                model::with_head(start.clone(), kind, 40, 1, Device::Cpu, Kind::Float).expect("fits");
            let mut optimizer = OptimizerState::new(Optimizer::sgd(0.9, false), &network.parameters.flat);
            let images = Tensor::rand([4, 112, 112, 3], (Kind::Float, Device::Cpu)).permute([0, 3, 1, 2]);
            let known = [3i64, 3, 17, 30];
            let sample = Sample::draw(&known, 40, 0.25, 1, [0, 0], Device::Cpu);
            let (before, basic) = (network.parameters.flat.detach().copy(), network.parameters.range(network.head()).0);
            let loss = match kind {
                HeadKind::Softmax => Loss::Softmax { label_smoothing: 0.0 },
                _ => Loss::Arcface { margin1: 1.0, margin2: 0.5, margin3: 0.0, scale: 64.0 },
            };
            for _ in 0..2 {
                let goal = Goal { loss: &loss, centers: None, sample: Some(&sample), measured: false };
                take(&mut network, &mut optimizer, goal, &images, &Tensor::from_slice(&known), 0.1, false);
            }
            let taken = list(&sample.classes);
            let moved = &network.parameters.flat - &before;
            assert!(moved.narrow(0, 0, basic).abs().max().double_value(&[]) > 0.0);
            for buffer in [&moved, &optimizer.slots()[0]] {
                let rows = buffer.narrow(0, basic, 40 * 16).view([40, 16]).abs().amax([1i64].as_slice(), false);
                for class in 0..40 {
                    let changed = rows.double_value(&[class]) > 0.0;
                    assert_eq!(changed, taken.contains(&class), "{kind:?}, class {class}");
                }
            }
        }
    }

    #[test]
    fn a_share_below_the_batchs_classes_takes_these() {
        let sample = Sample::draw(&[1, 2, 3], 4, 0.01, 1, [0, 0], Device::Cpu);
        assert_eq!(list(&sample.classes), [1, 2, 3]);
        assert_eq!(list(&Sample::draw(&[1], 4, 1.0, 1, [0, 0], Device::Cpu).classes), [0, 1, 2, 3]);
    }
}
