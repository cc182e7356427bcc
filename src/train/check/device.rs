//! Whether a device computes what the CPU computes: a forward pass, every loss with its gradient, ten training steps.

use serde::Serialize;
use tch::{Device, Kind, Tensor};

use crate::nn::{Mode, Network, device};
use crate::schedule::{HeadKind, Loss, ModelSource, Optimizer, Schedule};
use crate::train::error::TrainError;
use crate::train::loss::sampled_classes::Sample;
use crate::train::model;
use crate::train::optim::optimizer::OptimizerState;
use crate::train::step::{Goal, learn, step};

/// Images of a batch: groups of four of a class, for triplets.
const BATCH: usize = 16;
/// Classes of the heads.
const CLASSES: usize = 64;

/// One comparison.
#[derive(Debug, Clone, Serialize)]
pub struct Compared {
    /// What was computed.
    pub what: String,
    /// How far the results are apart, relative to their size.
    pub difference: f64,
    /// How far they may be.
    pub allowed: f64,
    /// Whether they agree.
    pub agrees: bool,
}

impl Compared {
    fn new(what: impl Into<String>, difference: f64, allowed: f64) -> Self {
        Self { what: what.into(), difference, allowed, agrees: difference <= allowed }
    }
}

/// Compares the device of a schedule with the CPU, with the schedule's network in fp32 and, for the steps on a GPU, in bf16
/// too. Where there is no GPU the CPU is compared with itself, which says that the comparison works and no more.
///
/// # Errors
/// A network that cannot be made, or a device that is not there.
pub fn run(schedule: &Schedule) -> Result<Vec<Compared>, TrainError> {
    device::load_cuda();
    let place = device::choose(schedule.device).map_err(|error| TrainError::new(error.to_string()))?;
    // A dropout would draw other noise each time.
    let mut source = schedule.model.clone();
    if let ModelSource::Backbone(backbone) = &mut source {
        backbone.dropout = 0.0;
    }
    let start = model::start(&source, schedule.seed)?;
    let make = |kind: HeadKind, device: Device, compute: Kind| -> Result<Network, TrainError> {
        Ok(model::with_head(start.clone(), kind, CLASSES, schedule.seed, device, compute)?.0)
    };
    tch::manual_seed(5);
    let [height, width] = match start.graph.input_shape().map(Vec::as_slice) {
        Some([height, width, _]) => [*height as i64, *width as i64],
        _ => [112, 112],
    };
    let bytes = Tensor::randint(256, [BATCH as i64, height, width, 3], (Kind::Uint8, Device::Cpu));
    let images = crate::nn::network::normalize_images(&bytes);
    let known: Vec<i64> = (0..BATCH as i64).map(|image| image / 4 * 7).collect();
    let labels = Tensor::from_slice(&known);
    let there = |tensor: &Tensor| tensor.to_device(place);

    let mut all = Vec::new();
    let embed = |device: Device, images: &Tensor| -> Result<Tensor, TrainError> {
        let network = make(HeadKind::Triplet, device, Kind::Float)?;
        Ok(tch::no_grad(|| network.embed(images, Mode::Infer)).to_device(Device::Cpu))
    };
    let (ours, theirs) = (embed(Device::Cpu, &images)?, embed(place, &there(&images))?);
    all.push(Compared::new("embeddings of a forward pass", apart(&ours, &theirs), 1e-3));

    for loss in losses() {
        for share in [None, Some(0.5)].into_iter().filter(|share| share.is_none() || loss.can_sample()) {
            let taught = |device: Device, images: &Tensor, labels: &Tensor| -> Result<[Tensor; 2], TrainError> {
                let network = make(loss.head(), device, Kind::Float)?;
                let sample = share.map(|share| Sample::draw(&known, CLASSES, share, 1, [0, 0], device));
                let goal = Goal { loss: &loss, centers: None, sample: sample.as_ref(), measured: false };
                let only_head = loss.head() != HeadKind::Triplet;
                let mut learnt = learn(&network, goal, images, labels, only_head);
                let gradient = learnt.gradient();
                Ok([learnt.result.loss, gradient].map(|tensor| tensor.to_device(Device::Cpu)))
            };
            let ours = taught(Device::Cpu, &images, &labels)?;
            let theirs = taught(place, &there(&images), &there(&labels))?;
            let sampled = if share.is_some() { ", sampled classes" } else { "" };
            all.push(Compared::new(format!("{}{sampled}: loss", loss.name()), apart(&ours[0], &theirs[0]), 1e-3));
            // Triplets choose their hardest pairs, and train the whole basic model.
            let allowed = if loss.head() == HeadKind::Triplet { 5e-2 } else { 5e-3 };
            all.push(Compared::new(
                format!("{}{sampled}: gradient", loss.name()),
                apart(&ours[1], &theirs[1]),
                allowed,
            ));
        }
    }

    let loss = losses().swap_remove(3);
    let steps = |device: Device, compute: Kind| -> Result<Tensor, TrainError> {
        let mut network = make(loss.head(), device, compute)?;
        let mut optimizer = OptimizerState::new(Optimizer::sgd(0.9, false), &network.parameters.flat);
        let (images, labels) = (images.to_device(device), labels.to_device(device));
        let values: Vec<Tensor> =
            (0..10).map(|_| step(&mut network, &mut optimizer, &loss, &images, &labels, 1e-3, false).loss).collect();
        Ok(Tensor::stack(&values, 0).to_device(Device::Cpu))
    };
    let exact = steps(Device::Cpu, Kind::Float)?;
    all.push(Compared::new("losses of ten steps", apart(&exact, &steps(place, Kind::Float)?), 2e-2));
    all.push(Compared::new("losses of ten steps in bf16", apart(&exact, &steps(place, Kind::BFloat16)?), 1e-1));
    Ok(all)
}

/// Every loss, with the reference's settings.
fn losses() -> Vec<Loss> {
    let (margin1, margin2, margin3, scale) = (1.0, 0.5, 0.0, 64.0);
    vec![
        Loss::Softmax { label_smoothing: 0.0 },
        Loss::ScaleSoftmax { scale },
        Loss::MarginSoftmax { power: 2.0, scale: 0.4 },
        Loss::Arcface { margin1, margin2, margin3, scale },
        Loss::Arcface2 { margin1, margin2, margin3, scale },
        Loss::BatchHardTriplet { alpha: 0.35 },
        Loss::BatchAllTriplet { alpha: 0.35 },
    ]
}

/// The length of the difference by the length of the first.
fn apart(ours: &Tensor, theirs: &Tensor) -> f64 {
    let length = |tensor: &Tensor| tensor.to_kind(Kind::Double).norm().double_value(&[]);
    length(&(ours.to_kind(Kind::Double) - theirs.to_kind(Kind::Double))) / length(ours).max(1e-9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_agrees_with_itself() {
        let text = "model: {backbone: mobilefacenet, embedding: 16, width: 0.1, dropout: 0.4}\ndevice: cpu\ndata: {train: x, bins: []}\n\
                    stages: [{loss: arcface, epochs: 1}]";
        let schedule = crate::schedule::parse("x.yaml", text, &[], &|_| None).expect("is valid").schedule;
        let all = run(&schedule).expect("runs");
        assert_eq!(all.len(), 1 + 2 * (7 + 3) + 2);
        assert!(all.iter().all(|compared| compared.agrees), "{all:#?}");
    }
}
