//! What every line of stages of a run shares: the device, the training set and its loader, the bins, the requests.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Receiver;
use tch::Kind;

use super::classes;
use super::control::Control;
use super::details::Moment;
use super::engine::{Emit, Flush, bin_name};
use super::error::TrainError;
use super::evaluate::Bins;
use super::memory;
use super::model::Start;
use super::state::{Identity, Ledger};
use crate::data;
use crate::data::loader::{Loader, LoaderOptions};
use crate::data::sampler::Sampler;
use crate::data::source::Source;
use crate::event::{BranchPlan, Command, Event, LeftOut, Level, RunHeader, StagePlan};
use crate::graph::{Graph, NodeId};
use crate::nn::{Network, device};
use crate::schedule::{HeadKind, Schedule, Stage};

/// What is made once a run.
pub struct Session<'a> {
    /// What was asked for.
    pub schedule: &'a Schedule,
    /// Where events go.
    pub emit: Emit,
    /// What the user wants.
    pub control: Control,
    /// The training set.
    pub data: Arc<dyn Source>,
    /// Its decoded batches.
    pub loader: Loader,
    /// The evaluation bins.
    pub bins: Bins,
    /// Where it computes, and how.
    pub device: Device,
    /// Makes sure that the journal holds what was emitted.
    pub flush: Flush,
    /// What the saved states of the run have in common.
    pub ledger: Ledger,
    /// How long a line of stages that has ended tries to write what a disk does not take.
    pub patience: Duration,
}

/// Where a run computes, and in which number format.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Device {
    /// The CPU or a GPU.
    pub place: tch::Device,
    /// Number format of activations.
    pub compute: Kind,
    /// Bytes that were free there before the run took any, its own kept blocks included.
    pub free: Option<u64>,
}

impl Device {
    /// That of a schedule.
    ///
    /// # Errors
    /// A GPU that is not there.
    pub fn choose(schedule: &Schedule) -> Result<Self, TrainError> {
        device::load_cuda();
        let place = device::choose(schedule.device).map_err(|error| {
            TrainError::new(error.to_string()).with_help("use `device: auto`, or `--set device=cpu`")
        })?;
        let free = memory::available_on(place);
        Ok(Self { place, compute: device::compute_kind(schedule.precision, place), free })
    }
}

impl<'a> Session<'a> {
    /// Lists the data and begins to decode the bins, for a network that begins as `start`.
    ///
    /// # Errors
    /// Anything that is not there or does not fit.
    pub fn prepare(
        schedule: &'a Schedule,
        run_id: &str,
        commands: Receiver<Command>,
        (emit, flush): (Emit, Flush),
        device: Device,
        start: &Start,
    ) -> Result<Self, TrainError> {
        let progress = Arc::clone(&emit);
        let data = data::open_all(&schedule.data.train, &move |done, total| {
            progress(Event::Preparing { what: "listing images".to_owned(), done, total });
        })
        .map_err(|error| TrainError::from_diagnostic(&error))?;
        for message in data.notes() {
            emit(Event::Log { level: Level::Warning, message });
        }
        let data = classes::keep(schedule, data, &emit)?;
        let size = input_size(start);
        let bins = Bins::open(&schedule.data.bins, size, schedule.runs.join(run_id), &emit);
        let options = LoaderOptions { size, workers: schedule.data.workers, most_bad: schedule.data.most_bad };
        let loader = Loader::new(Arc::clone(&data), options).map_err(|error| TrainError::from_diagnostic(&error))?;
        let control = Control::new(commands, Arc::clone(&emit));
        let identity = Identity {
            run_id: run_id.to_owned(),
            program: env!("CARGO_PKG_VERSION").to_owned(),
            schedule: schedule.settings(),
            device: device::describe(device.place),
            images: data.len() as u64,
            classes: data.classes() as u64,
            batch_size: found_batch(schedule),
        };
        let ledger = Ledger { identity, ..Ledger::default() };
        Ok(Self { schedule, emit, control, data, loader, bins, device, flush, ledger, patience: Duration::ZERO })
    }

    /// Evaluates the bins between two steps of an epoch, on request: its figures are told, and no history holds them.
    ///
    /// # Errors
    /// A bin that cannot be read.
    pub fn check_bins(&mut self, network: &Network, index: u32, step: u64) -> Result<(), TrainError> {
        if self.bins.names().is_empty() {
            let message = "there is nothing to evaluate: the schedule names no bins".to_owned();
            (self.emit)(Event::Log { level: Level::Warning, message });
        }
        let moment = Moment { index, step: Some(step) };
        for result in self.bins.evaluate(network, moment, &self.emit, &mut self.control)? {
            (self.emit)(Event::BinChecked { index, step, result });
        }
        Ok(())
    }

    /// The order of a stage's images.
    ///
    /// # Errors
    /// A training set that has no triplets.
    pub fn sampler(&self, stage: &Stage) -> Result<Sampler, TrainError> {
        sampler(self.data.as_ref(), stage, self.schedule.seed)
    }

    /// The facts of a run of `schedule` (the whole one or a branch's own) that begins with the network `graph`.
    ///
    /// # Errors
    /// A stage that the training set does not fit.
    pub fn header(
        &self,
        schedule: &Schedule,
        run_id: &str,
        (graph, embedding): (&Graph, NodeId),
    ) -> Result<RunHeader, TrainError> {
        let basic = graph.cut(embedding, graph.name.clone());
        let (trainable, fixed) = basic.count_weights();
        let plans = |stages: &[Stage]| stages.iter().map(|stage| self.plan(stage)).collect::<Result<Vec<_>, _>>();
        let branches = schedule.branches.iter().map(|branch| {
            Ok::<_, TrainError>(BranchPlan { name: branch.name.clone(), stages: plans(&branch.stages)? })
        });
        Ok(RunHeader {
            run_id: run_id.to_owned(),
            name: schedule.name.clone(),
            schedule: schedule.path.display().to_string(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            model: basic.name.clone(),
            parameters: trainable + fixed,
            embedding_size: basic.output_shape().iter().product::<usize>() as u64,
            classes: self.data.classes() as u64,
            images: self.data.len() as u64,
            batch_size: schedule.batch_size,
            device: device::describe(self.device.place),
            precision: if self.device.compute == Kind::Float { "fp32" } else { "bf16" }.to_owned(),
            bins: schedule.data.bins.iter().map(|bin| bin_name(bin)).collect(),
            stages: plans(&schedule.stages)?,
            initial_epoch: schedule.initial_epoch,
            pid: std::process::id(),
            branches: branches.collect::<Result<_, _>>()?,
        })
    }

    fn plan(&self, stage: &Stage) -> Result<StagePlan, TrainError> {
        let sampler = self.sampler(stage)?;
        let left_out = sampler.left_out();
        Ok(StagePlan {
            loss: stage.loss.name().to_owned(),
            optimizer: stage.optimizer.map_or("keep", |optimizer| optimizer.name()).to_owned(),
            epochs: stage.epochs,
            bottleneck_only: stage.bottleneck_only,
            steps_per_epoch: sampler.steps() as u64,
            name: stage.name.clone(),
            batch_size: sampler.batch() as u64,
            learning_rate: stage.learning_rate.base,
            augment: stage.augment,
            left_out: LeftOut { classes: left_out.classes as u64, images: left_out.images as u64 },
        })
    }
}

/// The batch size that was found for a schedule which left it to facetui.
fn found_batch(schedule: &Schedule) -> Option<u64> {
    let stage = || schedule.all_stages().find(|stage| stage.auto_batch).map(|stage| stage.batch_size);
    if schedule.auto_batch { Some(schedule.batch_size) } else { stage() }
}

/// The order of a stage's images in a training set.
///
/// # Errors
/// A training set that has no triplets.
pub fn sampler(data: &dyn Source, stage: &Stage, seed: u64) -> Result<Sampler, TrainError> {
    let size = stage.batch_size as usize;
    let sampler = match stage.head {
        HeadKind::Triplet => Sampler::triplet(data.labels(), size, seed),
        HeadKind::Softmax | HeadKind::Arcface => Sampler::shuffled(data.len(), size, seed),
    };
    sampler.map_err(|error| TrainError::from_diagnostic(&error))
}

/// Width and height of a network's images.
pub fn input_size(start: &Start) -> (u32, u32) {
    match start.graph.input_shape().map(Vec::as_slice) {
        Some([height, width, _]) => (*width as u32, *height as u32),
        _ => (112, 112),
    }
}
