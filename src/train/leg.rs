//! A line of stages, trained one after the other: stage by stage, epoch by epoch, step by step.
//!
//! At an epoch's end come the evaluation of every bin, the best basic model when the last bin improved, the whole model
//! and the history, in the reference's order; the files are written beside the training by [`Saver`].

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tch::{Device, Tensor};

use super::center::{self, Centers};
use super::comparison::Progress;
use super::control::Next;
use super::details::Moment;
use super::engine::Emit;
use super::error::TrainError;
use super::meter::Meter;
use super::model::{self, Start};
use super::optimizer::OptimizerState;
use super::outputs::Outputs;
use super::sample::Sample;
use super::saver::{OptimizerSnapshot, SaveJob, Saver};
use super::session::Session;
use super::step::{self, Goal};
use super::{loss, resume};
use crate::checkpoint::history::History;
use crate::checkpoint::names;
use crate::data::augment;
use crate::data::loader::Batch;
use crate::data::sampler::GROUP;
use crate::event::{BinResult, Event, Level, Outcome};
use crate::nn::Network;
use crate::schedule::{CenterLoss, ModelSource, Optimizer, Stage};

/// Where a line of stages stands between two of them; what a branch starts from.
#[derive(Debug)]
pub struct Standing {
    /// The network between stages; each stage takes it, gives it its head, and puts it back.
    start: Option<Start>,
    /// The optimiser, once a stage has made one.
    optimizer: Option<OptimizerState>,
    /// The centers of the last stage that had a center loss.
    centers: Option<Centers>,
    /// Global epochs done: bottleneck-only stages do not count.
    pub epoch: u32,
    /// Epochs of all kinds done, those before this run included: what the data's order and the dropout are drawn by.
    pub drawn: u32,
    /// The values of every epoch.
    pub history: History,
    /// The newest figures of every bin.
    pub figures: Vec<BinResult>,
    /// Mean loss and accuracy of the newest epoch.
    pub newest: Option<(f64, Option<f64>)>,
}

impl Standing {
    /// The beginning, after `epoch` epochs of an earlier run.
    pub const fn new(start: Start, epoch: u32, history: History) -> Self {
        Self {
            start: Some(start),
            optimizer: None,
            centers: None,
            epoch,
            drawn: epoch,
            history,
            figures: Vec::new(),
            newest: None,
        }
    }

    /// A copy that shares nothing with this one.
    #[must_use]
    pub fn copy(&self) -> Self {
        Self {
            start: self.start.clone(),
            optimizer: self.optimizer.as_ref().map(OptimizerState::copy),
            centers: self.centers.as_ref().map(Centers::copy),
            epoch: self.epoch,
            drawn: self.drawn,
            history: self.history.clone(),
            figures: self.figures.clone(),
            newest: self.newest,
        }
    }

    /// The network.
    ///
    /// # Errors
    /// A stage that failed took it along.
    pub fn start(&self) -> Result<&Start, TrainError> {
        self.start.as_ref().ok_or_else(|| TrainError::new("the network is gone"))
    }
}

/// How an epoch went.
enum EpochEnd {
    /// All its steps were taken.
    Whole,
    /// The user asked to end now.
    Interrupted,
}

/// A line of stages at work.
pub struct Leg {
    standing: Standing,
    saver: Saver,
    /// Where the centers of an earlier run of this name lie.
    centers_file: PathBuf,
    /// Best accuracy of the last bin so far.
    best: f64,
    /// Epochs in this run so far.
    index: u32,
    progress: Progress,
}

impl Leg {
    /// Begins where `standing` stands. `best` is the accuracy that the last bin must pass.
    ///
    /// # Errors
    /// No thread can be made.
    pub fn start(session: &Session<'_>, outputs: Outputs, standing: Standing, best: f64) -> Result<Self, TrainError> {
        let centers_file = outputs.centers();
        let saver = Saver::start(outputs, None, Arc::clone(&session.emit))
            .map_err(|error| TrainError::new(format!("no thread can be started: {error}")))?;
        Ok(Self { progress: Progress::new(&standing), standing, saver, centers_file, best, index: 0 })
    }

    /// What was reached so far.
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// Every stage in order. With `last` nothing follows this line, so that a gentle stop in its last epoch is no stop.
    ///
    /// # Errors
    /// What ends the training before its time.
    pub fn train(&mut self, session: &mut Session<'_>, stages: &[Stage], last: bool) -> Result<Outcome, TrainError> {
        for (number, stage) in stages.iter().enumerate() {
            let ends = number + 1 == stages.len();
            if let Some(outcome) = self.train_stage(session, number, stage, ends, last)? {
                return Ok(outcome);
            }
        }
        Ok(Outcome::Completed)
    }

    /// Waits for the files. A run whose last files could not be written has failed.
    ///
    /// # Errors
    /// What the training ended with, or a file that could not be written.
    pub fn close(self, trained: Result<Outcome, TrainError>) -> Result<(Outcome, Standing), TrainError> {
        let unsaved = self.saver.finish();
        let outcome = trained?;
        match unsaved {
            Some(error) => Err(error),
            None => Ok((outcome, self.standing)),
        }
    }

    /// One stage; returns how the line ends, when it ends here.
    fn train_stage(
        &mut self,
        session: &mut Session<'_>,
        number: usize,
        stage: &Stage,
        ends: bool,
        last: bool,
    ) -> Result<Option<Outcome>, TrainError> {
        let sampler = session.sampler(stage)?;
        let mut network = self.network(session, stage)?;
        if let Some(settings) = stage.center {
            self.prepare_centers(session, settings, &network)?;
        }
        let optimizer_name = self.next_optimizer(stage, &network);
        (session.emit)(Event::StageStarted { stage: number, optimizer: optimizer_name.to_owned() });
        let left_out = sampler.left_out();
        if left_out.images > 0 {
            let message = format!(
                "triplet batches leave out {} of {} classes, which have {GROUP} images or fewer, and {} of {} images",
                left_out.classes,
                session.data.present_classes(),
                left_out.images,
                session.data.len()
            );
            (session.emit)(Event::Log { level: Level::Info, message });
        }
        let mut outcome = None;
        for stage_epoch in 0..stage.epochs {
            // A bottleneck-only stage counts its own epochs and leaves the global ones where they are.
            let counted = if stage.bottleneck_only { stage_epoch } else { self.standing.epoch };
            // As planned; what is asked for meanwhile multiplies it.
            let planned = stage.learning_rate.at(counted);
            let learning_rate = planned * session.control.rate_scale;
            self.index += 1;
            self.standing.drawn += 1;
            let epoch = counted + 1;
            let mut meter = Meter::new(self.index);
            let plan = sampler.plan(u64::from(self.standing.drawn));
            (session.emit)(Event::EpochStarted {
                stage: number,
                epoch,
                index: self.index,
                steps: plan.steps() as u64,
                learning_rate,
            });
            session.loader.start_epoch(plan);
            let seed = session.schedule.seed as i64;
            tch::manual_seed(seed.wrapping_mul(1_000_003).wrapping_add(i64::from(self.standing.drawn)));
            let whole = self.steps(session, &mut network, stage, (epoch, planned), &mut meter)?;
            let learning_rate = planned * session.control.rate_scale;
            if let EpochEnd::Interrupted = whole {
                // Without a step the newest checkpoint holds all there is.
                if meter.steps() > 0 {
                    self.save_extra(&network, stage, epoch, meter.steps(), learning_rate);
                }
                outcome = Some(Outcome::Stopped);
                break;
            }
            self.end_epoch(session, number, stage, epoch, learning_rate, &network, &meter)?;
            // After the very last epoch there is nothing left to stop.
            let very_last = stage_epoch + 1 == stage.epochs && ends;
            if !very_last && session.control.ends_after_epoch() {
                outcome = Some(Outcome::Stopped);
                break;
            }
            if very_last && !last && session.control.poll() {
                outcome = Some(Outcome::Stopped);
                break;
            }
        }
        if outcome.is_none() {
            (session.emit)(Event::StageEnded { stage: number });
        }
        self.standing.start = Some(model::take_apart(&network));
        Ok(outcome)
    }

    /// The network with the head of a stage.
    fn network(&mut self, session: &Session<'_>, stage: &Stage) -> Result<Network, TrainError> {
        let standing = &mut self.standing;
        let mut start = standing.start.take().ok_or_else(|| TrainError::new("the network is gone"))?;
        let head = if stage.loss.keeps_head() { start.head_kind() } else { stage.head };
        let saved = start.saved.take();
        let old = standing.optimizer.as_ref().map(|_| start.graph.clone());
        let classes = session.data.classes();
        if let Some(message) = model::head_note(&start, head, classes) {
            (session.emit)(Event::Log { level: Level::Info, message });
        }
        let seed = session.schedule.seed;
        let (network, fresh) = model::with_head(start, head, classes, seed, session.device, session.compute)?;
        if let Some(saved) = saved {
            standing.optimizer = resume::optimizer(&saved, &network);
            if standing.optimizer.is_none() {
                let message =
                    format!("the file's optimiser `{}` is not known here: a fresh one is made", saved.class_name);
                (session.emit)(Event::Log { level: Level::Warning, message });
            }
        }
        if let (Some(optimizer), Some(old)) = (&mut standing.optimizer, old)
            && fresh
        {
            resume::keep_state(optimizer, &old, &network);
        }
        Ok(network)
    }

    /// The centers of a stage with a center loss: those of the stage before, or of the files that the network came with,
    /// or at zero.
    fn prepare_centers(
        &mut self,
        session: &Session<'_>,
        settings: CenterLoss,
        network: &Network,
    ) -> Result<(), TrainError> {
        let basic = &network.graph().nodes()[network.embedding()];
        let shape = [session.data.classes(), basic.shape.iter().product()];
        let beside_model = match &session.schedule.model {
            ModelSource::File { path, .. } => path
                .file_stem()
                .map(|stem| names::centers_file(path.parent().unwrap_or(Path::new("")), &stem.to_string_lossy())),
            ModelSource::Backbone(_) => None,
        };
        let files: Vec<PathBuf> = beside_model.into_iter().chain([self.centers_file.clone()]).collect();
        let known = self.standing.centers.take();
        self.standing.centers = Some(center::prepare(known, settings, shape, &files, session.device, &session.emit)?);
        Ok(())
    }

    /// Makes the stage's optimiser, or keeps the last one with its state. Returns its name.
    fn next_optimizer(&mut self, stage: &Stage, network: &Network) -> &'static str {
        let rule = match (stage.optimizer, &self.standing.optimizer) {
            (Some(rule), _) => rule,
            (None, Some(kept)) => return kept.rule.name(),
            (None, None) => Optimizer::FIRST,
        };
        self.standing.optimizer = Some(OptimizerState::new(rule, &network.parameters.flat));
        rule.name()
    }

    /// The whole model between two steps, to a file of its own.
    fn save_extra(&self, network: &Network, stage: &Stage, epoch: u32, step: u64, learning_rate: f64) {
        if let Some(optimizer) = &self.standing.optimizer {
            let optimizer = OptimizerSnapshot::new(optimizer, learning_rate);
            let (graph, snapshot) = (network.graph().clone(), network.parameters.snapshot());
            let (index, loss) = (self.index, stage.loss.name().to_owned());
            self.saver.submit(SaveJob::Extra { index, epoch, step, graph, snapshot, optimizer, loss });
        }
    }

    /// The steps of one epoch, whose number and planned learning rate are given.
    fn steps(
        &mut self,
        session: &mut Session<'_>,
        network: &mut Network,
        stage: &Stage,
        (epoch, planned): (u32, f64),
        meter: &mut Meter,
    ) -> Result<EpochEnd, TrainError> {
        loop {
            let held = Instant::now();
            loop {
                match session.control.attend() {
                    Next::Step => break,
                    Next::End => {
                        if let Some(event) = meter.report() {
                            report(&session.emit, event)?;
                        }
                        return Ok(EpochEnd::Interrupted);
                    }
                    Next::Evaluate => session.check_bins(network, self.index, meter.steps())?,
                    Next::Save => {
                        let learning_rate = planned * session.control.rate_scale;
                        self.save_extra(network, stage, epoch, meter.steps(), learning_rate);
                    }
                }
            }
            let Session { emit, control, data, loader, bins, device, schedule, .. } = &mut *session;
            let input_shape = loader.size();
            let Standing { optimizer, centers, drawn, .. } = &mut self.standing;
            let optimizer = optimizer.as_mut().ok_or_else(|| TrainError::new("the stage has no optimiser"))?;
            let learning_rate = planned * control.rate_scale;
            if held.elapsed() > Duration::from_millis(50) {
                meter.paused(held.elapsed());
            }
            bins.check()?;
            let asked = Instant::now();
            let next = loader.next_batch();
            let waited = asked.elapsed();
            // Those that were too many are listed too.
            for bad in loader.take_bad_images() {
                emit(Event::BadImage { path: bad.name, reason: bad.reason, count: bad.count });
            }
            if let Some(message) = loader.take_resized() {
                emit(Event::Log { level: Level::Warning, message });
            }
            let Some(batch) = next else { break };
            let batch = batch.map_err(|error| TrainError::from_diagnostic(&error))?;
            if batch.labels.is_empty() {
                continue;
            }
            let count = batch.labels.len() as u64;
            loss::check_labels(&batch.labels, data.classes())?;
            let (images, labels) = to_device(&batch, input_shape, *device, stage.augment);
            let sample = stage.sample.map(|share| {
                // What a run that goes on from a file knows too.
                let turn = [u64::from(*drawn), optimizer.iterations as u64];
                Sample::draw(&batch.labels, data.classes(), share, schedule.seed, turn, *device)
            });
            loader.recycle(batch);
            let centers = centers.as_mut().filter(|_| stage.center.is_some());
            let goal = Goal { loss: &stage.loss, centers, sample: sample.as_ref(), measured: meter.is_due() };
            let result = step::step(network, optimizer, goal, &images, &labels, learning_rate, stage.bottleneck_only);
            if let Some(event) = meter.add(result, count, waited) {
                report(emit, event)?;
            }
        }
        if let Some(event) = meter.report() {
            report(&session.emit, event)?;
        }
        Ok(EpochEnd::Whole)
    }

    /// Evaluation and files.
    #[expect(clippy::too_many_arguments, reason = "the facts of one epoch")]
    fn end_epoch(
        &mut self,
        session: &mut Session<'_>,
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
        if !stage.bottleneck_only {
            let moment = Moment { index, step: None };
            let results = session.bins.evaluate(network, moment, &session.emit, &mut session.control)?;
            for result in &results {
                (session.emit)(Event::BinEvaluated { index, result: result.clone() });
            }
            if let Some(last) = results.last()
                && last.accuracy > self.best
            {
                self.best = last.accuracy;
                improved = Some((last.bin.clone(), last.accuracy));
            }
            self.standing.remember(results);
            self.standing.epoch += 1;
        }
        let standing = &mut self.standing;
        let bins = session.bins.names();
        let accuracies: Vec<f64> = bins.iter().map(|bin| standing.accuracy(bin)).collect();
        standing.history.push(totals.loss(), totals.accuracy(), learning_rate, bins, &accuracies);
        standing.newest = Some((totals.loss(), totals.accuracy()));
        if let Some((bin, accuracy)) = improved {
            let graph = network.graph().cut(network.embedding(), network.graph().name.clone());
            let snapshot = network.parameters.snapshot();
            let figures = standing.figures.clone();
            self.saver.submit(SaveJob::Basic { index, epoch, graph, snapshot, bin, accuracy, figures });
        }
        if let (Some(centers), Some(_)) = (&standing.centers, stage.center) {
            self.saver.submit(SaveJob::Centers { index, centers: centers.snapshot() });
        }
        if let Some(optimizer) = &standing.optimizer {
            let optimizer = OptimizerSnapshot::new(optimizer, learning_rate);
            let (graph, snapshot) = (network.graph().clone(), network.parameters.snapshot());
            let (loss, figures) = (stage.loss.name().to_owned(), standing.figures.clone());
            self.saver.submit(SaveJob::Model { index, graph, snapshot, optimizer, loss, figures });
        }
        self.saver.submit(SaveJob::History { index, history: standing.history.clone() });
        self.progress.epoch_ended(standing, totals.elapsed.as_secs_f64(), meter.steps());
        (session.emit)(Event::EpochEnded {
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

impl Standing {
    /// Takes in new figures; a bin without any keeps its last ones.
    pub fn remember(&mut self, results: Vec<BinResult>) {
        for result in results.into_iter().filter(|result| result.accuracy.is_finite()) {
            match self.figures.iter_mut().find(|known| known.bin == result.bin) {
                Some(known) => *known = result,
                None => self.figures.push(result),
            }
        }
    }

    /// The newest accuracy of a bin, an earlier run's where this one has none.
    fn accuracy(&self, bin: &str) -> f64 {
        let known = self.figures.iter().find(|result| result.bin == bin).map(|result| result.accuracy);
        known.or_else(|| self.history.last(bin)).unwrap_or(0.0)
    }
}

/// A batch on the device: images (B, 3, H, W) in [-1, 1], augmented, channels-last, and labels (B).
pub(super) fn to_device(batch: &Batch, size: (u32, u32), place: Device, level: u8) -> (Tensor, Tensor) {
    let labels = Tensor::from_slice(&batch.labels).to_device(place);
    (augment::to_device(&batch.images, size, &batch.variations, level, place), labels)
}

/// Tells of steps. A loss that is no number any more is told too, and ends the run before it spoils the weights on disk.
fn report(emit: &Emit, event: Event) -> Result<(), TrainError> {
    let Event::Steps { step, loss, .. } = &event else { return Ok(()) };
    let result = match loss.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(place) => {
            let step = *step + 1 - (loss.len() - place) as u64;
            let value = loss[place];
            Err(TrainError::new(format!("the loss became {value} at step {step} of the epoch")).with_help(
                "the checkpoint of the epoch before is whole: continue from it with a lower `learning_rate`, or begin with a \
                 softmax stage before arcface",
            ))
        }
    };
    emit(event);
    result
}
