//! Steps of a stage on synthetic images, outside a run: to try a batch size, and to measure.

use tch::{Device, Kind, Tensor};

use crate::nn::Network;
use crate::nn::network::normalize_images;
use crate::schedule::{HeadKind, Optimizer, Schedule, Stage};
use crate::train::device;
use crate::train::error::TrainError;
use crate::train::loss::center::Centers;
use crate::train::loss::sampled_classes::Sample;
use crate::train::model::{self, Start};
use crate::train::optim::OptimizerState;
use crate::train::step::{Goal, step};

/// Takes one step of a stage on drawn images, with a network of its own, and forgets it.
///
/// # Errors
/// A network that cannot be built.
pub fn one_step(schedule: &Schedule, stage: &Stage, classes: usize, device: device::Device) -> Result<(), TrainError> {
    let start = model::start(&schedule.model, schedule.seed)?;
    let size = start.input_size();
    let mut trial = Trial::new(schedule, stage, start, classes, device.place, device.compute)?;
    trial.synthetic_step(size);
    Ok(())
}

/// A stage's network and optimiser, outside a run.
pub struct Trial<'a> {
    /// The stage.
    pub stage: &'a Stage,
    /// The schedule's seed.
    pub seed: u64,
    /// The network with the stage's head.
    pub network: Network,
    /// The stage's optimiser.
    pub optimizer: OptimizerState,
    /// Centers, where the stage has a center loss.
    pub centers: Option<Centers>,
    /// Images a step.
    pub batch: usize,
    /// Classes of the head.
    pub classes: usize,
    /// Where it computes.
    pub device: Device,
}

impl<'a> Trial<'a> {
    /// Makes them for a network that begins as `start`.
    ///
    /// # Errors
    /// A network that cannot be built.
    pub fn new(
        schedule: &Schedule,
        stage: &'a Stage,
        start: Start,
        classes: usize,
        place: Device,
        compute: Kind,
    ) -> Result<Self, TrainError> {
        let head = if stage.loss.keeps_head() { start.head_kind() } else { stage.head };
        let (network, _) = model::with_head(start, head, classes, schedule.seed, place, compute)?;
        let optimizer = OptimizerState::new(stage.optimizer.unwrap_or(Optimizer::FIRST), &network.parameters.flat);
        let length: usize = network.graph().nodes()[network.embedding()].shape.iter().product();
        let centers = stage.center.map(|settings| Centers::zeros(classes, length, settings, place));
        let batch = match stage.head {
            HeadKind::Triplet => (stage.batch_size as f64 / 4.0 * 1.5) as usize * 4,
            HeadKind::Softmax | HeadKind::Arcface => stage.batch_size as usize,
        };
        Ok(Self { stage, seed: schedule.seed, network, optimizer, centers, batch, classes, device: place })
    }

    /// One step; its loss stays on the device. `known` are the labels on the host.
    pub fn step(&mut self, images: &Tensor, labels: &Tensor, known: &[i64]) -> Tensor {
        let sample = self.stage.sample.map(|share| {
            let turn = [0, self.optimizer.iterations as u64];
            Sample::draw(known, self.classes, share, self.seed, turn, self.device)
        });
        let goal =
            Goal { loss: &self.stage.loss, centers: self.centers.as_mut(), sample: sample.as_ref(), measured: false };
        let rate = self.stage.learning_rate.base;
        step(&mut self.network, &mut self.optimizer, goal, images, labels, rate, self.stage.bottleneck_only).loss
    }

    /// One step, done when this returns.
    fn synthetic_step(&mut self, (width, height): (u32, u32)) {
        let shape = [self.batch as i64, i64::from(height), i64::from(width), 3];
        let known: Vec<i64> = (0..self.batch).map(|image| (image / 4 * 7919 % self.classes) as i64).collect();
        let bytes = Tensor::zeros(shape.as_slice(), (Kind::Uint8, self.device));
        let images = normalize_images(&bytes);
        let labels = Tensor::from_slice(&known).to_device(self.device);
        let loss = self.step(&images, &labels, &known);
        let _ = loss.sum(Kind::Double).double_value(&[]);
    }
}
