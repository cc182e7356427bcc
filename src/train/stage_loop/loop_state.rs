//! What a stage loop carries from epoch to epoch, and how it is saved.

use std::path::PathBuf;

use crate::nn::Network;
use crate::train::error::{Diverged, TrainError};
use crate::train::paths::OutputPaths;
use crate::train::saver::Saver;
use crate::train::saver::job::{Kept, OptimizerSnapshot, SaveJob};
use crate::train::saver::snapshot_timer::SnapshotTimer;
use crate::train::session::Session;
use crate::train::stage_loop::running_epoch::RunningEpoch;
use crate::train::state::progress::Progress;
use crate::train::state::saved::{OptimizerFacts, SavedState, VERSION};
use crate::train::state::start_point::{EpochProgress, ResumePoint};
use crate::train::state::train_state::TrainState;

/// The training of a list of stages, as it stands.
pub struct LoopState {
    /// Network, optimizer, centers, history.
    pub train_state: TrainState,
    /// Writes the checkpoints.
    pub saver: Saver,
    /// Best accuracy of the last bin so far.
    pub best: f64,
    /// The best basic model's file.
    pub basic: Option<PathBuf>,
    /// Epochs in this run so far.
    pub index: u32,
    /// What was reached, for the table of branches.
    pub progress: Progress,
    /// When the next snapshot is due.
    pub timer: SnapshotTimer,
}

impl LoopState {
    /// Begins at `train_state`, or where `resume` says. `best` is the accuracy that the last bin must pass, `basic` the best
    /// basic model so far.
    ///
    /// # Errors
    /// No thread can be made.
    pub fn start(
        session: &Session<'_>,
        paths: OutputPaths,
        train_state: TrainState,
        (best, basic): (f64, Option<PathBuf>),
        resume: Option<&ResumePoint>,
    ) -> Result<Self, TrainError> {
        let run_id = &session.state_header.identity.run_id;
        let saver = Saver::start(paths, basic.clone(), run_id, &session.emit, &session.flush)
            .map_err(|error| TrainError::new(format!("no thread can be started: {error}")))?;
        let (index, progress) = match resume {
            Some(resume) => (resume.index, resume.progress.clone()),
            None => (0, Progress::new(&train_state)),
        };
        let timer = SnapshotTimer::new(session.schedule.snapshot);
        Ok(Self { train_state, saver, best, basic, index, progress, timer })
    }

    /// Saves the state of the run as it is between two steps, in the file of the older snapshot.
    ///
    /// # Errors
    /// Weights that are NaN or infinite.
    pub fn snapshot(
        &mut self,
        session: &mut Session<'_>,
        network: &Network,
        now: &RunningEpoch<'_>,
    ) -> Result<(), TrainError> {
        self.check_weights(network, now)?;
        self.timer.taken();
        if now.meter.steps() > 0 {
            self.save(session, network, now, Kept::Snapshot);
        }
        Ok(())
    }

    /// Weights that are NaN or infinite are never written over good ones.
    ///
    /// # Errors
    /// They are.
    pub fn check_weights(&self, network: &Network, now: &RunningEpoch<'_>) -> Result<(), TrainError> {
        if network.parameters.are_finite() {
            return Ok(());
        }
        let (drawn, batch, step) = (self.train_state.drawn, now.batches, now.meter.steps());
        Err(TrainError::diverged("the weights became NaN or infinite", step, Diverged { drawn, batch }))
    }

    /// Saves it in a file of its own.
    pub fn save_extra(&self, session: &mut Session<'_>, network: &Network, now: &RunningEpoch<'_>) {
        self.save(session, network, now, Kept::Extra { epoch: now.epoch, step: now.meter.steps() });
    }

    /// Hands the whole model with the state of the run to the saver.
    pub fn save(&self, session: &mut Session<'_>, network: &Network, now: &RunningEpoch<'_>, kept: Kept) {
        let Some(optimizer) = &self.train_state.optimizer else { return };
        let state = self.saved_state(session, network, now, kept, OptimizerFacts::of(optimizer));
        let train_state = &self.train_state;
        self.saver.submit(SaveJob::Model {
            kept,
            index: self.index,
            graph: network.graph().clone(),
            snapshot: network.parameters.snapshot(),
            optimizer: OptimizerSnapshot::new(optimizer, now.planned * session.control.rate_scale),
            loss: now.stage.loss.name().to_owned(),
            figures: if kept == Kept::Epoch { train_state.figures.clone() } else { Vec::new() },
            // Before its first step an epoch has not begun: the state is that of the epoch before.
            state: (kept == Kept::Epoch || now.meter.steps() > 0).then(|| Box::new(state)),
            centers: train_state.centers.as_ref().map(crate::train::loss::center::Centers::snapshot),
        });
    }

    /// The state of the run, with the next number among its states.
    fn saved_state(
        &self,
        session: &mut Session<'_>,
        network: &Network,
        now: &RunningEpoch<'_>,
        kept: Kept,
        optimizer: OptimizerFacts,
    ) -> SavedState {
        let epoch_progress = (kept != Kept::Epoch).then(|| EpochProgress {
            batches: now.batches,
            steps: now.meter.steps(),
            totals: now.meter.totals(),
        });
        let header = &mut session.state_header;
        header.sequence += 1;
        let stage_epochs = now.done + u32::from(epoch_progress.is_none());
        let train_state = &self.train_state;
        SavedState {
            version: VERSION,
            identity: header.identity.clone(),
            at: jiff::Timestamp::now().as_millisecond() as f64 / 1000.0,
            sequence: header.sequence,
            branch: header.branch,
            stage: now.number,
            stage_epochs,
            complete: now.in_last_stage && stage_epochs == now.stage.epochs,
            index: self.index,
            epoch: train_state.epoch,
            drawn: train_state.drawn,
            epoch_progress,
            rate_scale: session.control.rate_scale,
            best: self.best,
            basic: self.basic.as_ref().and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned())),
            history: train_state.history.to_json(),
            figures: train_state.figures.clone(),
            newest: train_state.newest,
            progress: self.progress.clone(),
            bad_images: session.loader.known_bad(),
            embedding: network.graph().nodes()[network.embedding()].name.clone(),
            optimizer: Some(optimizer),
            centers: train_state.centers.as_ref().map(|centers| centers.settings),
            start: header.start.clone(),
            rows: header.rows.clone(),
            recovery: header.recovery.clone(),
        }
    }
}
