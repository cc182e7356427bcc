//! A line of stages, trained one after the other: stage by stage, epoch by epoch, step by step.
//!
//! At an epoch's end come the evaluation of every bin, the best basic model when the last bin improved, the whole model
//! and the history, in the reference's order; the files are written beside the training by [`Saver`].

use std::path::{Path, PathBuf};

use super::cadence::Cadence;
use super::comparison::Progress;
use super::engine::caught;
use super::error::{Diverged, TrainError};
use super::meter::Meter;
use super::optimizer::OptimizerState;
use super::outputs::Outputs;
use super::saver::{Kept, OptimizerSnapshot, SaveJob, Saver};
use super::session::Session;
use super::standing::{Going, Line, Standing, Within};
use super::state::{OptimizerFacts, State, VERSION};
use super::{center, model, resume, shortage};
use crate::checkpoint::names;
use crate::data::sampler::GROUP;
use crate::event::{Event, Level, Outcome};
use crate::nn::Network;
use crate::schedule::{CenterLoss, ModelSource, Optimizer, Stage};

pub(super) mod epoch;

/// How an epoch went.
enum EpochEnd {
    /// All its steps were taken, and it was evaluated.
    Whole,
    /// The user asked to end now.
    Interrupted,
}

/// The epoch at work.
struct Now<'a> {
    /// Index of its stage.
    number: usize,
    stage: &'a Stage,
    /// Whether its stage is the line's last.
    ends: bool,
    /// Epochs of the stage before it.
    done: u32,
    /// Its number as the reference prints it.
    epoch: u32,
    /// The learning rate as planned; what is asked for meanwhile multiplies it.
    planned: f64,
    /// Batches of its order that were taken.
    batches: usize,
    meter: Meter,
    /// Whether weights, optimiser and figures are those after the last step that was counted.
    whole: bool,
}

/// A line of stages at work.
pub struct Leg {
    standing: Standing,
    saver: Saver,
    /// Where the centers of an earlier run of this name lie.
    centers_file: PathBuf,
    /// Best accuracy of the last bin so far.
    best: f64,
    /// The best basic model's file.
    basic: Option<PathBuf>,
    /// Epochs in this run so far.
    index: u32,
    progress: Progress,
    /// Where it goes on, until it does.
    going: Option<Going>,
    cadence: Cadence,
}

impl Leg {
    /// Begins where `line` begins or goes on.
    ///
    /// # Errors
    /// No thread can be made.
    pub fn start(session: &Session<'_>, outputs: Outputs, line: Line) -> Result<Self, TrainError> {
        let Line { standing, best, basic, going } = line;
        let centers_file = outputs.centers();
        let saver = Saver::start(outputs, basic.clone(), session)
            .map_err(|error| TrainError::new(format!("no thread can be started: {error}")))?;
        let (index, progress) = match &going {
            Some(going) => (going.index, going.progress.clone()),
            None => (0, Progress::new(&standing)),
        };
        let cadence = Cadence::new(session.schedule.snapshot);
        Ok(Self { standing, saver, centers_file, best, basic, index, progress, going, cadence })
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
        let first = self.going.as_ref().map_or(0, |going| going.stage);
        for (number, stage) in stages.iter().enumerate().skip(first) {
            let ends = number + 1 == stages.len();
            let network = self.standing.start.as_ref().map(|start| (start.graph.clone(), start.embedding));
            let trained = caught(|| self.train_stage(session, number, stage, ends, last));
            let trained = trained.map_err(|error| match &network {
                Some(network) if error.is_out_of_memory() => {
                    let kept = self.standing.optimizer.as_ref().map(|kept| kept.rule);
                    let rule = stage.optimizer.or(kept).unwrap_or(Optimizer::FIRST);
                    shortage::explained(&error, (number, stage), &rule, network, session)
                }
                _ => error,
            });
            if let Some(outcome) = trained? {
                return Ok(outcome);
            }
        }
        Ok(Outcome::Completed)
    }

    /// Waits for the files, for a while also where a disk does not take them. A run whose last files could not be written
    /// has failed; it never goes back to an older state on disk than the one that waits.
    ///
    /// # Errors
    /// What the training ended with, or a file that could not be written.
    pub fn close(
        self,
        session: &mut Session<'_>,
        trained: Result<Outcome, TrainError>,
    ) -> Result<(Outcome, Standing), TrainError> {
        let unsaved = self.saver.finish(session.patience, &mut session.control);
        match (trained, unsaved) {
            (Ok(outcome), None) => Ok((outcome, self.standing)),
            (Err(error), None) => Err(error),
            (Ok(_), Some(unsaved)) => Err(unsaved),
            (Err(mut error), Some(unsaved)) => {
                error.message = format!("{}; and {}", error.message, unsaved.message);
                error.diverged = None;
                Err(error)
            }
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
        let going = self.going.take();
        if going.is_some() {
            self.keep_optimizer(stage, &network);
        } else {
            let optimizer_name = self.next_optimizer(stage, &network);
            (session.emit)(Event::StageStarted { stage: number, optimizer: optimizer_name.to_owned() });
        }
        let left_out = sampler.left_out();
        if left_out.images > 0 && going.is_none() {
            let message = format!(
                "triplet batches leave out {} of {} classes, which have {GROUP} images or fewer, and {} of {} images",
                left_out.classes,
                session.data.present_classes(),
                left_out.images,
                session.data.len()
            );
            (session.emit)(Event::Log { level: Level::Info, message });
        }
        let (first, mut within) = going.map_or((0, None), |going| (going.stage_epochs, going.within));
        let mut outcome = None;
        for stage_epoch in first..stage.epochs {
            // A bottleneck-only stage counts its own epochs and leaves the global ones where they are.
            let counted = if stage.bottleneck_only { stage_epoch } else { self.standing.epoch };
            let planned = stage.learning_rate.at(counted);
            let (epoch, within) = (counted + 1, within.take());
            if within.is_none() {
                self.index += 1;
                self.standing.drawn += 1;
            }
            let plan = sampler.plan(u64::from(self.standing.drawn));
            let (batches, meter) = if let Some(Within { batches, steps, totals }) = within {
                (batches, Meter::going_on(self.index, steps, totals))
            } else {
                let (index, steps) = (self.index, plan.steps() as u64);
                let learning_rate = planned * session.control.rate_scale;
                (session.emit)(Event::EpochStarted { stage: number, epoch, index, steps, learning_rate });
                (0, Meter::new(self.index))
            };
            session.loader.start_epoch_at(plan, batches);
            let mut now = Now { number, stage, ends, done: stage_epoch, epoch, planned, batches, meter, whole: true };
            if let EpochEnd::Interrupted = self.epoch(session, &mut network, &mut now)? {
                // What was done of it is not lost; without a step the newest checkpoint holds all there is.
                if now.meter.steps() > 0 {
                    self.save_extra(session, &network, &now);
                }
                outcome = Some(Outcome::Stopped);
                break;
            }
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

    /// Keeps the state of the run as it is between two steps, in the file of the older snapshot.
    fn snapshot(&mut self, session: &mut Session<'_>, network: &Network, now: &mut Now<'_>) -> Result<(), TrainError> {
        self.check_weights(network, now)?;
        self.cadence.taken();
        if now.meter.steps() > 0 {
            self.save(session, network, now, Kept::Snapshot);
        }
        Ok(())
    }

    /// Weights that are no numbers are never written over whole ones.
    fn check_weights(&self, network: &Network, now: &Now<'_>) -> Result<(), TrainError> {
        if network.parameters.are_finite() {
            return Ok(());
        }
        let (drawn, batch, step) = (self.standing.drawn, now.batches, now.meter.steps());
        Err(epoch::no_number("the weights became NaN or infinite", step, Diverged { drawn, batch }))
    }

    /// Keeps it in a file of its own.
    fn save_extra(&self, session: &mut Session<'_>, network: &Network, now: &Now<'_>) {
        self.save(session, network, now, Kept::Extra { epoch: now.epoch, step: now.meter.steps() });
    }

    /// Hands the whole model with the state of the run to the saver.
    fn save(&self, session: &mut Session<'_>, network: &Network, now: &Now<'_>, kept: Kept) {
        let Some(optimizer) = &self.standing.optimizer else { return };
        let within = (kept != Kept::Epoch).then(|| Within {
            batches: now.batches,
            steps: now.meter.steps(),
            totals: now.meter.totals(),
        });
        let ledger = &mut session.ledger;
        ledger.sequence += 1;
        let stage_epochs = now.done + u32::from(within.is_none());
        let standing = &self.standing;
        let state = State {
            version: VERSION,
            identity: ledger.identity.clone(),
            at: jiff::Timestamp::now().as_millisecond() as f64 / 1000.0,
            sequence: ledger.sequence,
            branch: ledger.branch,
            stage: now.number,
            stage_epochs,
            complete: now.ends && stage_epochs == now.stage.epochs,
            index: self.index,
            epoch: standing.epoch,
            drawn: standing.drawn,
            within,
            rate_scale: session.control.rate_scale,
            best: self.best,
            basic: self.basic.as_ref().and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned())),
            history: standing.history.to_json(),
            figures: standing.figures.clone(),
            newest: standing.newest,
            progress: self.progress.clone(),
            bad_images: session.loader.known_bad(),
            embedding: network.graph().nodes()[network.embedding()].name.clone(),
            optimizer: Some(OptimizerFacts::of(optimizer)),
            centers: standing.centers.as_ref().map(|centers| centers.settings),
            start: ledger.start.clone(),
            rows: ledger.rows.clone(),
            setbacks: ledger.setbacks.clone(),
        };
        self.saver.submit(SaveJob::Model {
            kept,
            index: self.index,
            graph: network.graph().clone(),
            snapshot: network.parameters.snapshot(),
            optimizer: OptimizerSnapshot::new(optimizer, now.planned * session.control.rate_scale),
            loss: now.stage.loss.name().to_owned(),
            figures: if kept == Kept::Epoch { standing.figures.clone() } else { Vec::new() },
            // Before its first step an epoch has not begun: the state is that of the epoch before.
            state: (kept == Kept::Epoch || now.meter.steps() > 0).then(|| Box::new(state)),
            centers: standing.centers.as_ref().map(super::center::Centers::snapshot),
        });
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
        let (network, fresh) =
            model::with_head(start, head, classes, seed, session.device.place, session.device.compute)?;
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
        self.standing.centers =
            Some(center::prepare(known, settings, shape, &files, session.device.place, &session.emit)?);
        Ok(())
    }

    /// The optimiser of a stage that goes on: as it was, unless the schedule now asks for another.
    fn keep_optimizer(&mut self, stage: &Stage, network: &Network) {
        let Some(rule) = stage.optimizer else { return };
        match &mut self.standing.optimizer {
            Some(kept) if OptimizerState::slot_names(&kept.rule) == OptimizerState::slot_names(&rule) => {
                kept.rule = rule;
            }
            other => *other = Some(OptimizerState::new(rule, &network.parameters.flat)),
        }
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
}
