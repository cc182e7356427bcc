//! What is made once a run and shared by all its stages: the device, the training set and its loader, the bins, the requests.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Receiver;
use tch::Kind;

use crate::data;
use crate::data::loader::{Loader, LoaderOptions};
use crate::data::sampler::Sampler;
use crate::data::source::Source;
use crate::event::{BranchPlan, Command, Event, LeftOut, Level, RunHeader, StagePlan};
use crate::graph::{Graph, NodeId};
use crate::nn::{Network, device};
use crate::schedule::{Schedule, Stage};
use crate::train::class_names;
use crate::train::control::Control;
use crate::train::device::Device;
use crate::train::emit::{Emit, Flush};
use crate::train::error::TrainError;
use crate::train::evaluation::bins::{Bins, bin_name};
use crate::train::evaluation::details::Moment;
use crate::train::memory::advice;
use crate::train::model::Start;
use crate::train::state::header::{Identity, StateHeader};

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
    pub state_header: StateHeader,
    /// How long stages that have ended try to write what a disk does not take.
    pub keep_trying: Duration,
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
        let data = class_names::keep(schedule, data, &emit)?;
        let size = start.input_size();
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
        let state_header = StateHeader { identity, ..StateHeader::default() };
        Ok(Self {
            schedule,
            emit,
            control,
            data,
            loader,
            bins,
            device,
            flush,
            state_header,
            keep_trying: Duration::ZERO,
        })
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

    /// What advice on memory needs to know of the run.
    pub fn memory_facts(&self) -> advice::RunFacts<'_> {
        advice::RunFacts {
            schedule: self.schedule,
            images: self.data.len() as u64,
            classes: self.data.classes() as u64,
            device: self.device,
            in_branch: self.state_header.branch.is_some(),
        }
    }

    /// The order of a stage's images.
    ///
    /// # Errors
    /// A training set that has no triplets.
    pub fn sampler(&self, stage: &Stage) -> Result<Sampler, TrainError> {
        Sampler::for_stage(self.data.as_ref(), stage, self.schedule.seed)
            .map_err(|error| TrainError::from_diagnostic(&error))
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
