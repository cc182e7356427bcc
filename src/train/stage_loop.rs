//! The loop over a list of stages: each gets its head, its centers and its optimizer, and is trained epoch by epoch.
//!
//! At an epoch's end come the evaluation of every bin, the best basic model when the last bin improved, the whole model
//! and the history, in the reference's order; the files are written beside the training by [`Saver`](super::saver::Saver).

use std::path::{Path, PathBuf};

use crate::checkpoint::names;
use crate::data::sampler::{GROUP, Sampler};
use crate::event::{Event, Level, Outcome};
use crate::nn::Network;
use crate::schedule::{CenterLoss, ModelSource, Optimizer, Stage};
use crate::train::error::{TrainError, caught};
use crate::train::loss::center;
use crate::train::memory::advice;
use crate::train::meter::Meter;
use crate::train::model;
use crate::train::optim::{OptimizerState, restore};
use crate::train::paths::OutputPaths;
use crate::train::session::Session;
use crate::train::state::progress::Progress;
use crate::train::state::start_point::{EpochProgress, ResumePoint, StartPoint};
use crate::train::state::train_state::TrainState;

mod epoch;
mod loop_state;
pub mod recovery;
mod running_epoch;

use epoch::EpochLoop;
use loop_state::LoopState;
use running_epoch::{EpochEnd, RunningEpoch};

/// The training of a list of stages.
pub struct StageLoop {
    state: LoopState,
    /// Where the centers of an earlier run of this name lie.
    centers_file: PathBuf,
    /// Where it resumes, until it does.
    resume: Option<ResumePoint>,
}

impl StageLoop {
    /// Begins where `start_point` begins or resumes.
    ///
    /// # Errors
    /// No thread can be made.
    pub fn start(session: &Session<'_>, paths: OutputPaths, start_point: StartPoint) -> Result<Self, TrainError> {
        let StartPoint { train_state, best, basic, resume } = start_point;
        let centers_file = paths.centers();
        let state = LoopState::start(session, paths, train_state, (best, basic), resume.as_ref())?;
        Ok(Self { state, centers_file, resume })
    }

    /// What was reached so far.
    pub fn progress(&self) -> Progress {
        self.state.progress.clone()
    }

    /// Every stage in order. With `last` nothing follows these stages, so that a gentle stop in their last epoch is no stop.
    ///
    /// # Errors
    /// What ends the training before its time.
    pub fn train(&mut self, session: &mut Session<'_>, stages: &[Stage], last: bool) -> Result<Outcome, TrainError> {
        let first = self.resume.as_ref().map_or(0, |resume| resume.stage);
        for (number, stage) in stages.iter().enumerate().skip(first) {
            let in_last_stage = number + 1 == stages.len();
            let network = self.state.train_state.start.as_ref().map(|start| (start.graph.clone(), start.embedding));
            let trained = caught(|| self.train_stage(session, number, stage, in_last_stage, last));
            let trained = trained.map_err(|error| match &network {
                Some(network) if error.is_out_of_memory() => {
                    let kept = self.state.train_state.optimizer.as_ref().map(|kept| kept.rule);
                    let rule = stage.optimizer.or(kept).unwrap_or(Optimizer::FIRST);
                    advice::explained(&error, (number, stage), &rule, network, &session.memory_facts())
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
    ) -> Result<(Outcome, TrainState), TrainError> {
        let LoopState { saver, train_state, .. } = self.state;
        let unsaved = saver.finish(session.keep_trying, &mut session.control);
        match (trained, unsaved) {
            (Ok(outcome), None) => Ok((outcome, train_state)),
            (Err(error), None) => Err(error),
            (Ok(_), Some(unsaved)) => Err(unsaved),
            (Err(mut error), Some(unsaved)) => {
                error.message = format!("{}; and {}", error.message, unsaved.message);
                error.diverged = None;
                Err(error)
            }
        }
    }

    /// One stage; returns how the training ends, when it ends here.
    fn train_stage(
        &mut self,
        session: &mut Session<'_>,
        number: usize,
        stage: &Stage,
        in_last_stage: bool,
        last: bool,
    ) -> Result<Option<Outcome>, TrainError> {
        let sampler = session.sampler(stage)?;
        let mut network = self.network(session, stage)?;
        if let Some(settings) = stage.center {
            self.prepare_centers(session, settings, &network)?;
        }
        let resume = self.resume.take();
        if resume.is_some() {
            self.keep_optimizer(stage, &network);
        } else {
            let optimizer_name = self.next_optimizer(stage, &network);
            (session.emit)(Event::StageStarted { stage: number, optimizer: optimizer_name.to_owned() });
            tell_left_out(session, &sampler);
        }
        let (first, mut within) = resume.map_or((0, None), |resume| (resume.stage_epochs, resume.epoch_progress));
        let mut outcome = None;
        for done in first..stage.epochs {
            let mut now = self.begin_epoch(session, &sampler, (number, stage, done), in_last_stage, within.take());
            let mut epoch = EpochLoop { state: &mut self.state, session, network: &mut network, now: &mut now };
            if epoch.run()? == EpochEnd::Interrupted {
                // What was done of it is not lost; without a step the newest checkpoint holds all there is.
                if now.meter.steps() > 0 {
                    self.state.save_extra(session, &network, &now);
                }
                outcome = Some(Outcome::Stopped);
                break;
            }
            // After the very last epoch there is nothing left to stop.
            let very_last = done + 1 == stage.epochs && in_last_stage;
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
        self.state.train_state.start = Some(model::take_apart(&network));
        Ok(outcome)
    }

    /// Begins an epoch of a stage (its number, the stage, its epochs that are done), or resumes it, and sets the loader to work.
    fn begin_epoch<'e>(
        &mut self,
        session: &mut Session<'_>,
        sampler: &Sampler,
        (number, stage, done): (usize, &'e Stage, u32),
        in_last_stage: bool,
        resumed: Option<EpochProgress>,
    ) -> RunningEpoch<'e> {
        let LoopState { train_state, index, .. } = &mut self.state;
        // A bottleneck-only stage counts its own epochs and leaves the global ones where they are.
        let counted = if stage.bottleneck_only { done } else { train_state.epoch };
        let (epoch, planned) = (counted + 1, stage.learning_rate.at(counted));
        if resumed.is_none() {
            *index += 1;
            train_state.drawn += 1;
        }
        let plan = sampler.plan(u64::from(train_state.drawn));
        let (batches, meter) = if let Some(EpochProgress { batches, steps, totals }) = resumed {
            (batches, Meter::going_on(*index, steps, totals))
        } else {
            let (index, steps) = (*index, plan.steps() as u64);
            let learning_rate = planned * session.control.rate_scale;
            (session.emit)(Event::EpochStarted { stage: number, epoch, index, steps, learning_rate });
            (0, Meter::new(index))
        };
        session.loader.start_epoch_at(plan, batches);
        RunningEpoch { number, stage, in_last_stage, done, epoch, planned, batches, meter, is_consistent: true }
    }

    /// The network with the head of a stage.
    fn network(&mut self, session: &Session<'_>, stage: &Stage) -> Result<Network, TrainError> {
        let train_state = &mut self.state.train_state;
        let mut start = train_state.start.take().ok_or_else(|| TrainError::new("the network is gone"))?;
        let head = if stage.loss.keeps_head() { start.head_kind() } else { stage.head };
        let saved = start.saved.take();
        let old = train_state.optimizer.as_ref().map(|_| start.graph.clone());
        let classes = session.data.classes();
        if let Some(message) = model::head_note(&start, head, classes) {
            (session.emit)(Event::Log { level: Level::Info, message });
        }
        let seed = session.schedule.seed;
        let (network, fresh) =
            model::with_head(start, head, classes, seed, session.device.place, session.device.compute)?;
        if let Some(saved) = saved {
            train_state.optimizer = restore::optimizer(&saved, &network);
            if train_state.optimizer.is_none() {
                let message =
                    format!("the file's optimiser `{}` is not known here: a fresh one is made", saved.class_name);
                (session.emit)(Event::Log { level: Level::Warning, message });
            }
        }
        if let (Some(optimizer), Some(old)) = (&mut train_state.optimizer, old)
            && fresh
        {
            restore::keep_state(optimizer, &old, &network);
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
        let known = self.state.train_state.centers.take();
        self.state.train_state.centers =
            Some(center::prepare(known, settings, shape, &files, session.device.place, &session.emit)?);
        Ok(())
    }

    /// The optimiser of a stage that resumes: as it was, unless the schedule now asks for another.
    fn keep_optimizer(&mut self, stage: &Stage, network: &Network) {
        let Some(rule) = stage.optimizer else { return };
        match &mut self.state.train_state.optimizer {
            Some(kept) if OptimizerState::slot_names(&kept.rule) == OptimizerState::slot_names(&rule) => {
                kept.rule = rule;
            }
            other => *other = Some(OptimizerState::new(rule, &network.parameters.flat)),
        }
    }

    /// Makes the stage's optimiser, or keeps the last one with its state. Returns its name.
    fn next_optimizer(&mut self, stage: &Stage, network: &Network) -> &'static str {
        let rule = match (stage.optimizer, &self.state.train_state.optimizer) {
            (Some(rule), _) => rule,
            (None, Some(kept)) => return kept.rule.name(),
            (None, None) => Optimizer::FIRST,
        };
        self.state.train_state.optimizer = Some(OptimizerState::new(rule, &network.parameters.flat));
        rule.name()
    }
}

/// Tells which classes and images triplet batches leave out.
fn tell_left_out(session: &Session<'_>, sampler: &Sampler) {
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
}
