//! The engine's way through a schedule: prepare, then stage by stage, epoch by epoch, step by step.
//!
//! At an epoch's end come the evaluation of every bin, the best basic model when the last bin improved, the whole model
//! and the history, in the reference's order; the files are written beside the training by [`Saver`].

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use tch::{Device, Kind, Tensor};

use super::control::Control;
use super::error::TrainError;
use super::evaluate::Bins;
use super::meter::Meter;
use super::model::{self, Start};
use super::optimizer::OptimizerState;
use super::outputs::Outputs;
use super::resume;
use super::saver::{OptimizerSnapshot, SaveJob, Saver};
use super::step;
use crate::checkpoint::history::History;
use crate::data::augment;
use crate::data::folder::{FolderSet, default_cache};
use crate::data::loader::{Batch, Loader, LoaderOptions};
use crate::data::sampler::Sampler;
use crate::event::{Command, Event, Level, Outcome, RunHeader, StagePlan};
use crate::nn::{Network, device};
use crate::schedule::{HeadKind, ModelSource, Optimizer, Schedule, Stage};

/// Where the engine says what happens. It must not block.
pub type Emit = Arc<dyn Fn(Event) + Send + Sync>;

/// Keras's Adam: what a first stage without an optimiser is trained with.
const FIRST_OPTIMIZER: Optimizer = Optimizer::Adam { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7 };

/// Trains a schedule to its end, a stop or a failure. The last event is always [`Event::Finished`], whatever happens:
/// libtorch's panics are caught here.
pub fn run(schedule: &Schedule, run_id: &str, commands: &Receiver<Command>, emit: &Emit) {
    let started = Instant::now();
    let result = catch_unwind(AssertUnwindSafe(|| {
        let mut session = Session::prepare(schedule, run_id, commands.clone(), Arc::clone(emit))?;
        let trained = session.train();
        session.close(trained)
    }));
    let outcome = match result {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(error)) => error.into(),
        Err(panic) => TrainError::from_panic(&*panic).into(),
    };
    emit(Event::Finished { outcome, seconds: started.elapsed().as_secs_f64() });
}

/// How an epoch went.
enum EpochEnd {
    /// All its steps were taken.
    Whole,
    /// The user asked to end now.
    Interrupted,
}

struct Session<'a> {
    schedule: &'a Schedule,
    emit: Emit,
    control: Control,
    data: Arc<FolderSet>,
    loader: Loader,
    bins: Bins,
    device: Device,
    compute: Kind,
    /// The network between stages; each stage takes it, gives it its head, and puts it back.
    start: Option<Start>,
    optimizer: Option<OptimizerState>,
    saver: Saver,
    history: History,
    /// Best accuracy of the last bin so far.
    best: f64,
    /// Epochs in this run's history so far.
    index: u32,
    /// Global epochs done: bottleneck-only stages do not count.
    epoch: u32,
}

impl<'a> Session<'a> {
    fn prepare(
        schedule: &'a Schedule,
        run_id: &str,
        commands: Receiver<Command>,
        emit: Emit,
    ) -> Result<Self, TrainError> {
        device::load_cuda();
        let outputs = Outputs::new(&schedule.checkpoints, &schedule.name)?;
        let place = device::choose(schedule.device).map_err(|error| {
            TrainError::new(error.to_string()).with_help("use `device: auto`, or `--set device=cpu`")
        })?;
        let compute = device::compute_kind(schedule.precision, place);
        let progress = Arc::clone(&emit);
        let data = FolderSet::open(&schedule.data.train, default_cache().as_deref(), &move |done, total| {
            progress(Event::Preparing { what: "listing images".to_owned(), done, total });
        })
        .map_err(|error| TrainError::from_diagnostic(&error))?;
        let data = Arc::new(data);
        emit(Event::Preparing { what: "building the network".to_owned(), done: 0, total: 0 });
        let mut start = model::start(&schedule.model, schedule.seed)?;
        let bins = Bins::open(&schedule.data.bins, input_size(&start));
        let loader = Loader::new(
            Arc::clone(&data) as Arc<_>,
            LoaderOptions { size: input_size(&start), workers: schedule.data.workers, ..LoaderOptions::default() },
        )
        .map_err(|error| TrainError::from_diagnostic(&error))?;
        let from_scratch = matches!(schedule.model, ModelSource::Backbone(_)) && schedule.initial_epoch == 0;
        let history = continue_or_set_aside(&outputs, from_scratch, &emit)?;
        let best = schedule.data.bins.last().and_then(|bin| history.best(&bin_name(bin))).unwrap_or(0.0);
        let header = header(schedule, run_id, &start, &data, place, compute)?;
        emit(Event::RunStarted(Box::new(header)));
        for (level, message) in start.notes.drain(..) {
            emit(Event::Log { level, message });
        }
        let saver = Saver::start(outputs, None, Arc::clone(&emit))
            .map_err(|error| TrainError::new(format!("no thread can be started: {error}")))?;
        Ok(Self {
            schedule,
            control: Control::new(commands, Arc::clone(&emit)),
            emit,
            data,
            loader,
            bins,
            device: place,
            compute,
            start: Some(start),
            optimizer: None,
            saver,
            history,
            best,
            index: 0,
            epoch: schedule.initial_epoch,
        })
    }

    /// Every stage in order.
    fn train(&mut self) -> Result<Outcome, TrainError> {
        for (number, stage) in self.schedule.stages.iter().enumerate() {
            if let Some(outcome) = self.train_stage(number, stage)? {
                return Ok(outcome);
            }
        }
        Ok(Outcome::Completed)
    }

    /// Waits for the files. A run whose last files could not be written has failed.
    fn close(self, trained: Result<Outcome, TrainError>) -> Result<Outcome, TrainError> {
        let unsaved = self.saver.finish();
        let outcome = trained?;
        match unsaved {
            Some(error) => Err(error),
            None => Ok(outcome),
        }
    }

    /// One stage; returns how the run ends, when it ends here.
    fn train_stage(&mut self, number: usize, stage: &Stage) -> Result<Option<Outcome>, TrainError> {
        let sampler = sampler(self.schedule, stage, &self.data)?;
        let mut network = self.network(stage.head)?;
        let optimizer_name = self.next_optimizer(stage, &network);
        (self.emit)(Event::StageStarted { stage: number, optimizer: optimizer_name.to_owned() });
        let mut outcome = None;
        for stage_epoch in 0..stage.epochs {
            // A bottleneck-only stage counts its own epochs and leaves the global ones where they are.
            let counted = if stage.bottleneck_only { stage_epoch } else { self.epoch };
            let learning_rate = self.schedule.learning_rate.at(counted);
            self.index += 1;
            let epoch = counted + 1;
            let mut meter = Meter::new(self.index);
            let plan = sampler.plan(u64::from(self.schedule.initial_epoch + self.index));
            (self.emit)(Event::EpochStarted {
                stage: number,
                epoch,
                index: self.index,
                steps: plan.steps() as u64,
                learning_rate,
            });
            self.loader.start_epoch(plan);
            tch::manual_seed((self.schedule.seed as i64).wrapping_mul(1_000_003).wrapping_add(i64::from(self.index)));
            if let EpochEnd::Interrupted = self.steps(&mut network, stage, learning_rate, &mut meter)? {
                outcome = Some(Outcome::Stopped);
                break;
            }
            self.end_epoch(number, stage, epoch, learning_rate, &network, &meter)?;
            if !stage.bottleneck_only {
                self.epoch += 1;
            }
            let last = stage_epoch + 1 == stage.epochs && number + 1 == self.schedule.stages.len();
            if !last && self.control.ends_after_epoch() {
                outcome = Some(Outcome::Stopped);
                break;
            }
        }
        if outcome.is_none() {
            (self.emit)(Event::StageEnded { stage: number });
        }
        self.start = Some(model::take_apart(&network));
        Ok(outcome)
    }

    /// The network with the head of a stage.
    fn network(&mut self, head: HeadKind) -> Result<Network, TrainError> {
        let mut start = self.start.take().ok_or_else(|| TrainError::new("the network is gone"))?;
        let saved = start.saved.take();
        let old = self.optimizer.as_ref().map(|_| start.graph.clone());
        let classes = self.data.classes();
        let (network, fresh) = model::with_head(start, head, classes, self.schedule.seed, self.device, self.compute)?;
        if let Some(saved) = saved.and_then(|saved| saved.optimizer) {
            self.optimizer = resume::optimizer(&saved, &network);
        }
        if let (Some(optimizer), Some(old)) = (&mut self.optimizer, old)
            && fresh
        {
            resume::keep_state(optimizer, &old, &network);
        }
        Ok(network)
    }

    /// Makes the stage's optimiser, or keeps the last one with its state. Returns its name.
    fn next_optimizer(&mut self, stage: &Stage, network: &Network) -> &'static str {
        let rule = match (stage.optimizer, &self.optimizer) {
            (Some(rule), _) => rule,
            (None, Some(kept)) => return kept.rule.name(),
            (None, None) => FIRST_OPTIMIZER,
        };
        self.optimizer = Some(OptimizerState::new(rule, &network.parameters.flat));
        rule.name()
    }

    /// The steps of one epoch.
    fn steps(
        &mut self,
        network: &mut Network,
        stage: &Stage,
        learning_rate: f64,
        meter: &mut Meter,
    ) -> Result<EpochEnd, TrainError> {
        let emit = Arc::clone(&self.emit);
        let input_shape = self.loader.size();
        let optimizer = self.optimizer.as_mut().ok_or_else(|| TrainError::new("the stage has no optimiser"))?;
        loop {
            let held = Instant::now();
            if self.control.poll() {
                return Ok(EpochEnd::Interrupted);
            }
            if held.elapsed() > Duration::from_millis(50) {
                meter.paused(held.elapsed());
            }
            self.bins.check()?;
            let asked = Instant::now();
            let batch = match self.loader.next_batch() {
                Some(batch) => batch.map_err(|error| TrainError::from_diagnostic(&error))?,
                None => break,
            };
            let waited = asked.elapsed();
            for bad in self.loader.take_bad_images() {
                emit(Event::BadImage { path: bad.name, reason: bad.reason, count: bad.count });
            }
            if batch.labels.is_empty() {
                continue;
            }
            let count = batch.labels.len() as u64;
            let (images, labels) = to_device(&batch, input_shape, self.device, self.schedule.data.augment);
            self.loader.recycle(batch);
            let result =
                step::step(network, optimizer, &stage.loss, &images, &labels, learning_rate, stage.bottleneck_only);
            if let Some(event) = meter.add(result, count, waited) {
                check_finite(&event)?;
                emit(event);
            }
        }
        if let Some(event) = meter.report() {
            check_finite(&event)?;
            emit(event);
        }
        Ok(EpochEnd::Whole)
    }

    /// Evaluation and files.
    fn end_epoch(
        &mut self,
        number: usize,
        stage: &Stage,
        epoch: u32,
        learning_rate: f64,
        network: &Network,
        meter: &Meter,
    ) -> Result<(), TrainError> {
        let totals = meter.totals();
        let index = self.index;
        let mut improved = None;
        // A frozen basic model gives the figures it gave before: the reference repeats them in its history.
        let accuracies: Vec<f64> = if stage.bottleneck_only {
            self.bins.names().iter().map(|bin| self.history.last(bin).unwrap_or(0.0)).collect()
        } else {
            let results = self.bins.evaluate(network, &self.emit, &mut self.control)?;
            for result in &results {
                (self.emit)(Event::BinEvaluated { index, result: result.clone() });
            }
            if let Some(last) = results.last()
                && last.accuracy > self.best
            {
                self.best = last.accuracy;
                improved = Some((last.bin.clone(), last.accuracy));
            }
            let known = |bin: &String| {
                let result = results.iter().find(|result| result.bin == *bin && result.accuracy.is_finite());
                result.map(|result| result.accuracy).or_else(|| self.history.last(bin)).unwrap_or(0.0)
            };
            self.bins.names().iter().map(known).collect()
        };
        self.history.push(totals.loss(), totals.accuracy(), learning_rate, self.bins.names(), &accuracies);
        if let Some((bin, accuracy)) = improved {
            let graph = network.graph().cut(network.embedding(), network.graph().name.clone());
            let snapshot = network.parameters.snapshot();
            self.saver.submit(SaveJob::Basic { index, epoch, graph, snapshot, bin, accuracy });
        }
        if let Some(optimizer) = &self.optimizer {
            let optimizer = OptimizerSnapshot::new(optimizer, learning_rate);
            let (graph, snapshot) = (network.graph().clone(), network.parameters.snapshot());
            self.saver.submit(SaveJob::Model { index, graph, snapshot, optimizer, loss: stage.loss.name().to_owned() });
        }
        self.saver.submit(SaveJob::History { index, history: self.history.clone() });
        (self.emit)(Event::EpochEnded {
            stage: number,
            epoch,
            index,
            loss: totals.loss(),
            accuracy: totals.accuracy(),
            learning_rate,
            seconds: totals.elapsed.as_secs_f64(),
            images_per_second: totals.images_per_second(),
            waited: totals.waited_share(),
        });
        Ok(())
    }
}

/// Height and width of a network's images, as (width, height).
fn input_size(start: &Start) -> (u32, u32) {
    match start.graph.input_shape().map(Vec::as_slice) {
        Some([height, width, _]) => (*width as u32, *height as u32),
        _ => (112, 112),
    }
}

/// A bin file's name in figures and files: its stem.
pub fn bin_name(path: &std::path::Path) -> String {
    path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned())
}

fn continue_or_set_aside(outputs: &Outputs, from_scratch: bool, emit: &Emit) -> Result<History, TrainError> {
    if from_scratch {
        if let Some(folder) = outputs.set_aside()? {
            let message = format!("the files of an earlier run of this name were moved to `{}`", folder.display());
            emit(Event::Log { level: Level::Info, message });
        }
        return Ok(History::default());
    }
    History::read_if_present(&outputs.history()).map_err(|error| TrainError::from_diagnostic(&error))
}

fn sampler(schedule: &Schedule, stage: &Stage, data: &FolderSet) -> Result<Sampler, TrainError> {
    let batch_size = schedule.batch_size as usize;
    let sampler = match stage.head {
        HeadKind::Triplet => Sampler::triplet(data.labels(), batch_size, schedule.seed),
        HeadKind::Softmax | HeadKind::Arcface => Sampler::shuffled(data.len(), batch_size, schedule.seed),
    };
    sampler.map_err(|error| TrainError::from_diagnostic(&error))
}

fn header(
    schedule: &Schedule,
    run_id: &str,
    start: &Start,
    data: &FolderSet,
    place: Device,
    compute: Kind,
) -> Result<RunHeader, TrainError> {
    let basic = start.graph.cut(start.embedding, start.graph.name.clone());
    let (trainable, fixed) = basic.count_weights();
    let mut stages = Vec::new();
    for stage in &schedule.stages {
        stages.push(StagePlan {
            loss: stage.loss.name().to_owned(),
            optimizer: stage.optimizer.map_or("keep", |optimizer| optimizer.name()).to_owned(),
            epochs: stage.epochs,
            bottleneck_only: stage.bottleneck_only,
            steps_per_epoch: sampler(schedule, stage, data)?.plan(1).steps() as u64,
        });
    }
    Ok(RunHeader {
        run_id: run_id.to_owned(),
        name: schedule.name.clone(),
        schedule: schedule.path.display().to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        model: basic.name.clone(),
        parameters: trainable + fixed,
        embedding_size: basic.output_shape().iter().product::<usize>() as u64,
        classes: data.classes() as u64,
        images: data.len() as u64,
        batch_size: schedule.batch_size,
        device: device::describe(place),
        precision: if compute == Kind::Float { "fp32" } else { "bf16" }.to_owned(),
        bins: schedule.data.bins.iter().map(|bin| bin_name(bin)).collect(),
        stages,
        initial_epoch: schedule.initial_epoch,
        pid: std::process::id(),
    })
}

/// A batch on the device: images (B, 3, H, W) in [-1, 1], augmented, channels-last, and labels (B).
fn to_device(batch: &Batch, size: (u32, u32), place: Device, level: u8) -> (Tensor, Tensor) {
    let labels = Tensor::from_slice(&batch.labels).to_device(place);
    let (count, width, height) = (batch.labels.len() as i64, i64::from(size.0), i64::from(size.1));
    let images = Tensor::from_slice(&batch.images).view([count, height, width, 3]).to_device(place);
    (augment::apply(&images, &batch.variations, level), labels)
}

/// A loss that is no number any more ends the run before it spoils the weights on disk.
fn check_finite(event: &Event) -> Result<(), TrainError> {
    let Event::Steps { step, loss, .. } = event else { return Ok(()) };
    match loss.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(place) => {
            let step = *step + 1 - (loss.len() - place) as u64;
            let value = loss[place];
            Err(TrainError::new(format!("the loss became {value} at step {step} of the epoch")).with_help(
                "the checkpoint of the epoch before is whole: continue from it with a lower `learning_rate`, or begin with a \
                 softmax stage before arcface",
            ))
        }
    }
}
