//! How much memory a stage will take, told before anything is trained, from the graph and the schedule alone.
//!
//! What is counted: weights, gradients and optimiser as they lie in flat buffers; the activations that a step keeps; a head's
//! outputs, of which only a range exists at a time; decoded images on their way; the copies that are written to disk beside
//! the training; and what libtorch and the program take by themselves. `tests/counts/memory_plan.rs` compares it with what is taken.

use tch::{Device, Kind};

use crate::graph::{Graph, NodeId};
use crate::nn::activation_memory::{self, Activations};
use crate::nn::parameters;
use crate::schedule::{HeadKind, Optimizer, Stage};
use crate::train::loss::head;
use crate::train::optim::optimizer::OptimizerState;

/// Bytes of an fp32 number.
const WORD: u64 = 4;
/// What the program and libtorch take with nothing to train, on the CPU: libraries, threads, tables.
pub const BASE: u64 = 200 << 20;
/// Decoded batches that wait, at most: those of the workers and those of the queue.
const BATCHES_AHEAD: u64 = 6;
/// Of the rows of a head that are on their way into a file: as libtorch lays them out, and as they are written.
const ROWS: u64 = 2;
/// Gradients and scratch buffers of the largest result that are alive at once in the backward pass.
const SCRATCH: u64 = 2;

/// Bytes that a stage takes at its peak, by what they are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Memory {
    /// Weights and statistics, with their copy in another number format.
    pub weights: u64,
    /// Gradients.
    pub gradients: u64,
    /// The optimiser's state.
    pub optimizer: u64,
    /// Activations of a batch.
    pub activations: u64,
    /// The head's loss: a range of its outputs, or the rows of a sample.
    pub head: u64,
    /// Decoded images on their way.
    pub images: u64,
    /// Copies of weights and state on their way to the disk.
    pub saving: u64,
    /// The program and its libraries.
    pub program: u64,
}

impl Memory {
    /// All of it.
    pub const fn total(&self) -> u64 {
        self.weights
            + self.gradients
            + self.optimizer
            + self.activations
            + self.head
            + self.images
            + self.saving
            + self.program
    }

    /// What grows with the batch.
    const fn by_batch(&self) -> u64 {
        self.activations + self.images
    }
}

/// What a stage takes: of a basic model `graph` up to `embedding`, with the head that the stage puts behind it.
#[derive(Debug, Clone, Copy)]
pub struct Plan<'a> {
    /// The basic model, or one with a head, which does not count.
    pub graph: &'a Graph,
    /// Its embedding.
    pub embedding: NodeId,
    /// Classes of the training set.
    pub classes: u64,
    /// Number format of activations.
    pub compute: Kind,
    /// Where it computes.
    pub device: Device,
}

impl Plan<'_> {
    /// The memory of a stage whose optimiser is `optimizer`; on a GPU that of the GPU and of the host together.
    pub fn of(&self, stage: &Stage, optimizer: &Optimizer) -> Memory {
        let basic = &self.graph.nodes()[..=self.embedding];
        let count = |trainable: bool| {
            let specs = basic.iter().flat_map(|node| {
                node.weights.iter().filter(move |spec| (spec.trainable && node.trainable) == trainable)
            });
            specs.map(|spec| spec.len() as u64).sum::<u64>()
        };
        let (trained, fixed) = (count(true), count(false));
        let length = self.graph.nodes()[self.embedding].shape.iter().product::<usize>() as u64;
        let batch = images_a_step(stage);
        let half = self.compute != Kind::Float;
        let slots = OptimizerState::slot_names(optimizer).len() as u64;

        // A triplet stage has no head; a softmax one has a bias a class.
        let width = match stage.head {
            HeadKind::Softmax => length + 1,
            HeadKind::Arcface => length,
            HeadKind::Triplet => 0,
        };
        let classes = if width == 0 { 0 } else { self.classes };
        let taken = stage.sample.map_or(classes, |share| {
            ((classes as f64 * share).ceil() as u64).clamp(batch.min(classes), classes.max(1))
        });
        let (all, own) = (trained + classes * width, if stage.bottleneck_only { 0 } else { trained });
        let gradients = (own + taken * width) * WORD;
        let range = head::range(taken as i64, batch as i64, self.device) as u64;
        let scratch = if half { range.min(taken) * length * 2 } else { 0 };
        // The optimiser and the saver see all weights, block by block and as copies.
        let fused = !half && !self.device.is_cuda();
        let Activations { kept, largest } = activation_memory::of(self.graph, self.embedding, fused);
        let element = if half { 2 } else { WORD };
        let kept = if stage.bottleneck_only { 2 * largest } else { kept };
        let pixels = self.graph.input_shape().map_or(0, |shape| shape.iter().product::<usize>() as u64);
        let activations = batch * (kept + SCRATCH * largest) * element;
        // Rows of a sample are copied out for the loss; later, with the activations gone, with their state for the optimiser.
        let rows = if stage.sample.is_some() { taken * width * WORD } else { 0 };
        let sampled = rows.max((rows * (1 + slots)).saturating_sub(activations));
        Memory {
            weights: (all + fixed) * WORD + if half { (trained + fixed) * 2 } else { 0 },
            gradients: 2 * own * WORD + (gradients - own * WORD),
            optimizer: slots * all * WORD,
            activations,
            head: 3 * batch * range.min(taken) * WORD + sampled + scratch,
            images: batch * pixels * (BATCHES_AHEAD + 3 * WORD),
            // The copy that the training thread makes; it is written from there, a few rows of a head at a time.
            saving: (all * (1 + slots) + fixed + ROWS * parameters::block(classes)) * WORD,
            program: BASE,
        }
    }

    /// The largest batch of at most `stage`'s that fits into `available` bytes; none where not even one of two images does.
    pub fn batch_that_fits(&self, stage: &Stage, optimizer: &Optimizer, available: u64) -> Option<u64> {
        let needs = self.of(stage, optimizer);
        let others = needs.total() - needs.by_batch();
        let image = needs.by_batch() / images_a_step(stage).max(1);
        let fits = available.checked_sub(others)? / image.max(1);
        // As triplets count, a batch holds half more than its size says.
        let size = fits * stage.batch_size / images_a_step(stage).max(1);
        let size = size.min(stage.batch_size);
        (size >= 2).then_some(if size >= 8 { size / 8 * 8 } else { size })
    }
}

/// Images of a step: of triplets, groups of four.
fn images_a_step(stage: &Stage) -> u64 {
    match stage.head {
        HeadKind::Triplet => (stage.batch_size as f64 / 4.0 * 1.5) as u64 * 4,
        HeadKind::Softmax | HeadKind::Arcface => stage.batch_size,
    }
}

/// Bytes in words.
pub fn in_words(bytes: u64) -> String {
    let mebibytes = bytes as f64 / f64::from(1 << 20);
    if mebibytes < 1000.0 { format!("{mebibytes:.0} MiB") } else { format!("{:.1} GiB", mebibytes / 1024.0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::backbone::{Options, build};
    use crate::schedule;

    fn stage(text: &str) -> Stage {
        let text = format!(
            "model: {{backbone: mobilefacenet}}\ndata: {{train: x, bins: []}}\nstages:\n  - {{epochs: 1, {text}}}"
        );
        schedule::parse("x.yaml", &text, &[], &|_| None).expect("is valid").schedule.stages.remove(0)
    }

    #[test]
    fn a_head_of_many_classes_is_three_times_its_weights_and_a_sample_less() {
        let graph =
            build("mobilefacenet", &Options { embedding_size: 512, dropout: 0.0, width: 0.25 }).expect("builds");
        let embedding = graph.output();
        let plan = Plan { graph: &graph, embedding, classes: 1_000_000, compute: Kind::Float, device: Device::Cpu };
        let rule = Optimizer::sgd(0.9, false);
        let whole = plan.of(&stage("loss: arcface, batch_size: 64"), &rule);
        let part = plan.of(&stage("loss: arcface, batch_size: 64, sample: 0.1"), &rule);
        let head = 1_000_000u64 * 512 * 4;
        let near = |bytes: u64, heads: f64| (bytes as f64 / head as f64 - heads).abs() < 0.02;
        assert!(near(whole.weights, 1.0) && near(whole.gradients, 1.0) && near(whole.optimizer, 1.0), "{whole:?}");
        assert!(near(part.gradients, 0.1) && part.head < head / 5 && near(part.optimizer, 1.0), "{part:?}");
        // Weights and momentum once more, and 16 of 512 rows twice.
        assert!(near(part.saving, 2.0 + 2.0 / 32.0), "{part:?}");
    }

    #[test]
    fn sizes_read_well() {
        assert_eq!([in_words(3 << 20), in_words(1 << 30), in_words(5 << 29)], ["3 MiB", "1.0 GiB", "2.5 GiB"]);
    }

    #[test]
    fn a_batch_is_named_that_fits() {
        let graph = build("mobilefacenet", &Options { embedding_size: 128, dropout: 0.0, width: 1.0 }).expect("builds");
        let embedding = graph.output();
        let plan = Plan { graph: &graph, embedding, classes: 100, compute: Kind::Float, device: Device::Cpu };
        let (stage, rule) = (stage("loss: arcface, batch_size: 512"), Optimizer::ADAM);
        let needs = plan.of(&stage, &rule).total();
        assert_eq!(plan.batch_that_fits(&stage, &rule, needs + (1 << 20)), Some(512));
        let half = plan.batch_that_fits(&stage, &rule, needs / 2).expect("fits");
        assert!((120..256).contains(&half), "{half}");
        assert_eq!(plan.batch_that_fits(&stage, &rule, 1 << 20), None);
    }
}
