//! Writes a run's files on a thread of its own, so that training never waits for a disk: the whole model, the best
//! basic model, the history. Jobs are done in order; every file is written to a temporary name, synced and renamed.
//!
//! What a disk does not take stays in memory, the newest of each kind, and is tried again: after pauses that grow to a minute,
//! with the next job, and for a while at the end.

use std::os::unix::fs::MetadataExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use tch::Tensor;

use super::control::Control;
use super::error::TrainError;
use super::outputs::Outputs;
use super::rotation::Rotation;
use super::session::Session;
use super::state::State;
use super::{center, resume};
use crate::checkpoint::history::History;
use crate::checkpoint::{self, OptimizerSlot, SavedModel, SavedOptimizer};
use crate::crash;
use crate::event::{BinResult, CheckpointKind, Event, Level, Saved};
use crate::graph::Graph;
use crate::nn::parameters::{Piece, Snapshot};
use crate::schedule::{Method, Optimizer};
use crate::train::engine::{Emit, Flush};
use crate::train::optimizer::OptimizerState;

/// An optimiser at one moment, on the host.
#[derive(Debug)]
pub struct OptimizerSnapshot {
    rule: Optimizer,
    iterations: i64,
    momentum_cache: f64,
    learning_rate: f64,
    slots: Vec<Tensor>,
}

impl OptimizerSnapshot {
    /// Copies an optimiser's state to the host.
    pub fn new(state: &OptimizerState, learning_rate: f64) -> Self {
        Self {
            rule: state.rule,
            iterations: state.iterations,
            momentum_cache: state.momentum_cache,
            learning_rate,
            slots: state.slots().iter().map(|slot| slot.to_device(tch::Device::Cpu).copy()).collect(),
        }
    }

    /// As Keras saves it, for the trainable weights of a snapshot.
    pub fn saved(&self, graph: &Graph, snapshot: &Snapshot) -> SavedOptimizer<Piece> {
        let names = OptimizerState::slot_names(&self.rule);
        let slots = names.iter().zip(&self.slots).flat_map(|(name, slot)| {
            snapshot.slot(slot).into_iter().map(|(node, place, array)| {
                let node = &graph.nodes()[node];
                OptimizerSlot {
                    slot: (*name).to_owned(),
                    layer: node.name.clone(),
                    weight: node.weights[place].name.to_owned(),
                    array,
                }
            })
        });
        let (class_name, config) = resume::keras_config(&self.rule, self.learning_rate);
        SavedOptimizer {
            class_name: class_name.to_owned(),
            config,
            iterations: self.iterations,
            momentum_cache: matches!(self.rule.method, Method::Nadam { .. }).then_some(self.momentum_cache as f32),
            slots: slots.collect(),
        }
    }
}

/// Which file a whole model is kept in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// `<name>.h5`, after an epoch.
    Epoch,
    /// The older one of the two snapshots.
    Snapshot,
    /// A file of its own, between two steps.
    Extra {
        /// The epoch's number as the reference prints it.
        epoch: u32,
        /// Its steps so far.
        step: u64,
    },
}

/// A file to write.
#[derive(Debug)]
pub enum SaveJob {
    /// The whole model with its optimiser and the state of the run.
    Model {
        /// In which file.
        kept: Kept,
        /// Position of the epoch in the history.
        index: u32,
        /// Basic model and head.
        graph: Graph,
        /// Its weights.
        snapshot: Snapshot,
        /// Its optimiser.
        optimizer: OptimizerSnapshot,
        /// The stage's loss, by name.
        loss: String,
        /// The newest figures of the bins.
        figures: Vec<BinResult>,
        /// The state of the run; none between two epochs, where that of the epoch before counts.
        state: Option<Box<State>>,
        /// The centers of the center loss (C, E), on the host.
        centers: Option<Tensor>,
    },
    /// The basic model with the best accuracy of the last bin so far; the one before it is removed afterwards.
    Basic {
        /// Position of the epoch in the history.
        index: u32,
        /// The epoch's number as the reference prints it.
        epoch: u32,
        /// The basic model.
        graph: Graph,
        /// Weights of it, or of the whole model.
        snapshot: Snapshot,
        /// The last bin.
        bin: String,
        /// Its accuracy.
        accuracy: f64,
        /// The newest figures of all bins.
        figures: Vec<BinResult>,
    },
    /// The centers of the center loss.
    Centers {
        /// Position of the epoch in the history.
        index: u32,
        /// (C, E), on the host.
        centers: Tensor,
    },
    /// The history so far.
    History {
        /// Position of the epoch in the history.
        index: u32,
        /// The lists.
        history: History,
    },
}

impl SaveJob {
    /// What it writes.
    const fn kind(&self) -> CheckpointKind {
        match self {
            Self::Model { kept: Kept::Epoch, .. } => CheckpointKind::Model,
            Self::Model { kept: Kept::Snapshot, .. } => CheckpointKind::Snapshot,
            Self::Model { kept: Kept::Extra { .. }, .. } => CheckpointKind::Extra,
            Self::Basic { .. } => CheckpointKind::Basic,
            Self::Centers { .. } => CheckpointKind::Centers,
            Self::History { .. } => CheckpointKind::History,
        }
    }

    /// Position of its epoch in the history.
    const fn index(&self) -> u32 {
        match self {
            Self::Model { index, .. }
            | Self::Basic { index, .. }
            | Self::Centers { index, .. }
            | Self::History { index, .. } => *index,
        }
    }

    const fn is_model(&self) -> bool {
        matches!(self, Self::Model { .. })
    }

    /// Whether `older` need not be written any more when this one is.
    fn replaces(&self, older: &Self) -> bool {
        let (kind, before) = (self.kind(), older.kind());
        (kind == before && kind != CheckpointKind::Extra)
            || (kind == CheckpointKind::Model && before == CheckpointKind::Snapshot)
    }
}

/// Pauses between two tries, from the first to the longest.
const PAUSES: [Duration; 2] = [Duration::from_millis(250), Duration::from_mins(1)];

/// Most models of their own, saved on request, that wait for a disk.
const MOST_EXTRA: usize = 2;

/// The saver's thread.
#[derive(Debug)]
pub struct Saver {
    jobs: Sender<SaveJob>,
    /// Whole models that wait or are being written.
    models: Arc<AtomicUsize>,
    outputs: Outputs,
    /// Told when what waits is to be given up.
    give_up: Sender<()>,
    /// Closed when the thread ends.
    ended: Receiver<()>,
    thread: JoinHandle<Option<TrainError>>,
}

impl Saver {
    /// Starts it. `previous_basic` is the best basic model of an earlier part of the run.
    ///
    /// # Errors
    /// No thread can be made.
    pub fn start(outputs: Outputs, previous_basic: Option<PathBuf>, session: &Session<'_>) -> std::io::Result<Self> {
        // Two epochs' files may wait; a disk slower than that holds the training rather than filling the memory.
        let (jobs, receiver) = crossbeam_channel::bounded(6);
        let (give_up, given_up) = crossbeam_channel::bounded(1);
        let (alive, ended) = crossbeam_channel::bounded(0);
        let models = Arc::new(AtomicUsize::new(0));
        let desk = Desk {
            rotation: Rotation::new(&outputs, &session.ledger.identity.run_id),
            outputs: outputs.clone(),
            basic: previous_basic,
            obsolete: Vec::new(),
            emit: Arc::clone(&session.emit),
            flush: Arc::clone(&session.flush),
            models: Arc::clone(&models),
            owed: Vec::new(),
            told: None,
        };
        let work = move || {
            let _alive = alive;
            desk.work(&receiver, &given_up)
        };
        let thread = std::thread::Builder::new().name("saver".into()).spawn(work)?;
        Ok(Self { jobs, models, outputs, give_up, ended, thread })
    }

    /// The names of the files.
    pub const fn outputs(&self) -> &Outputs {
        &self.outputs
    }

    /// Whether no whole model waits to be written for the first time.
    pub fn is_idle(&self) -> bool {
        self.models.load(Ordering::Acquire) == 0
    }

    /// Hands a job over.
    pub fn submit(&self, job: SaveJob) {
        if job.is_model() {
            self.models.fetch_add(1, Ordering::AcqRel);
        }
        // The thread ends only after this sender: a send fails only when it panicked, and `finish` tells that.
        let _ = self.jobs.send(job);
    }

    /// Waits for every file; those that a disk does not take are tried for as long as `patience`, or until the user asks
    /// `control` to stop now. Returns why they could not be written.
    pub fn finish(self, patience: Duration, control: &mut Control) -> Option<TrainError> {
        drop(self.jobs);
        let began = Instant::now();
        while self.ended.recv_timeout(Duration::from_millis(100)) == Err(RecvTimeoutError::Timeout) {
            if began.elapsed() >= patience || control.gives_up() {
                // A second time is no news.
                let _ = self.give_up.try_send(());
            }
        }
        self.thread.join().unwrap_or_else(|panic| Some(TrainError::from_panic(&*panic)))
    }
}

/// Which file lies at a path, if one does.
fn identity(path: &Path) -> Option<u64> {
    std::fs::metadata(path).ok().map(|meta| meta.ino())
}

/// What the thread works with.
struct Desk {
    outputs: Outputs,
    rotation: Rotation,
    /// The best basic model.
    basic: Option<PathBuf>,
    /// Basic models that are not the best any more. They go once a state that names the best one is on disk.
    obsolete: Vec<PathBuf>,
    emit: Emit,
    flush: Flush,
    models: Arc<AtomicUsize>,
    /// What could not be written, in order.
    owed: Vec<SaveJob>,
    /// What was said of that last: the epoch and the reason.
    told: Option<(u32, String)>,
}

impl Desk {
    fn work(mut self, jobs: &Receiver<SaveJob>, given_up: &Receiver<()>) -> Option<TrainError> {
        let [first, longest] = PAUSES;
        let mut pause = first;
        let mut failure = None;
        loop {
            let next = if self.owed.is_empty() {
                pause = first;
                jobs.recv().map_err(|_closed| RecvTimeoutError::Disconnected)
            } else {
                jobs.recv_timeout(pause)
            };
            match next {
                Ok(job) => {
                    let is_model = job.is_model();
                    self.owe(job);
                    failure = self.try_all();
                    if is_model {
                        self.models.fetch_sub(1, Ordering::AcqRel);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    failure = self.try_all();
                    pause = (pause * 2).min(longest);
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        // Nothing follows: the pauses stay short enough to see that there is room again.
        pause = first;
        while failure.is_some() && given_up.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
            failure = self.try_all();
            pause = (pause * 2).min(longest / 6);
        }
        if failure.is_some() {
            // The last try.
            failure = self.try_all();
        }
        failure
    }

    /// Takes a job over; older ones that it makes needless go.
    fn owe(&mut self, job: SaveJob) {
        self.owed.retain(|older| !job.replaces(older));
        self.owed.push(job);
        let extra = |job: &SaveJob| job.kind() == CheckpointKind::Extra;
        if self.owed.iter().filter(|job| extra(job)).count() > MOST_EXTRA
            && let Some(oldest) = self.owed.iter().position(extra)
        {
            self.owed.remove(oldest);
            let message = "a model that was saved on request is given up: it could not be written, and newer ones wait";
            (self.emit)(Event::Log { level: Level::Error, message: message.to_owned() });
        }
    }

    /// Writes all that is owed. What fails stays owed; why the last of it did is returned.
    fn try_all(&mut self) -> Option<TrainError> {
        let mut failure = None;
        for job in std::mem::take(&mut self.owed) {
            let started = Instant::now();
            let (kind, index) = (job.kind(), job.index());
            let (path, result) = self.write_or_panic(&job);
            match result {
                Ok(bytes) => self.written(kind, index, &path, bytes, started),
                Err(error) => {
                    self.tell(index, &path, &error);
                    self.owed.push(job);
                    failure = Some(error);
                }
            }
        }
        if failure.is_none() && self.told.take().is_some() {
            (self.emit)(Event::SavingRestored { of: Saved::Files });
        }
        failure
    }

    fn written(&mut self, kind: CheckpointKind, index: u32, path: &Path, bytes: u64, started: Instant) {
        let seconds = started.elapsed().as_secs_f64();
        (self.emit)(Event::CheckpointWritten { kind, path: path.display().to_string(), index, bytes, seconds });
        match kind {
            CheckpointKind::Basic => {
                if let Some(old) = self.basic.replace(path.to_owned())
                    && old != path
                {
                    self.obsolete.push(old);
                }
            }
            CheckpointKind::Model | CheckpointKind::Snapshot | CheckpointKind::Extra => self.clear(),
            _ => {}
        }
    }

    /// Tells of a failure: once an epoch, and when its reason changes.
    fn tell(&mut self, index: u32, path: &std::path::Path, error: &TrainError) {
        let reason = error.message.split_once(" cannot be written: ").map_or(error.message.as_str(), |(_, why)| why);
        let news = (index, reason.to_owned());
        if self.told.as_ref() != Some(&news) {
            let (path, reason) = (path.display().to_string(), reason.to_owned());
            (self.emit)(Event::SavingFailed { of: Saved::Files, path, index, reason });
            self.told = Some(news);
        }
    }

    /// Removes the basic models that no state on disk needs.
    fn clear(&mut self) {
        for old in self.obsolete.drain(..) {
            match fs_err::remove_file(&old) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    let message = format!("the basic model before the best one stays: {error}");
                    (self.emit)(Event::Log { level: Level::Warning, message });
                }
                _ => {}
            }
        }
    }

    /// Writes a job's file. A panic ends the run, and is an error here: the state at its end is to be written yet.
    fn write_or_panic(&mut self, job: &SaveJob) -> (PathBuf, Result<u64, TrainError>) {
        catch_unwind(AssertUnwindSafe(|| {
            crash::test("saver");
            self.write(job)
        }))
        .unwrap_or_else(|panic| (self.outputs.model(), Err(TrainError::from_panic(&*panic))))
    }

    /// Writes a job's file. Where it goes, and how long it is.
    fn write(&mut self, job: &SaveJob) -> (PathBuf, Result<u64, TrainError>) {
        let outputs = &self.outputs;
        let told = |result: Result<u64, checkpoint::CheckpointError>| {
            result.map_err(|error| TrainError::from_diagnostic(&error))
        };
        match job {
            SaveJob::Model { kept, graph, snapshot, optimizer, loss, state, centers, figures, .. } => {
                // A state is never ahead of the journal.
                (self.flush)();
                let number = state.as_ref().map_or(0, |state| state.sequence);
                let path = match *kept {
                    Kept::Epoch => outputs.model(),
                    Kept::Snapshot => self.rotation.place(number),
                    Kept::Extra { epoch, step } => outputs.extra(epoch, step),
                };
                let weights = snapshot.pieces(graph.nodes().len());
                let optimizer = Some(optimizer.saved(graph, snapshot));
                let extras = state.as_ref().map(|state| state.extras(centers.as_ref())).unwrap_or_default();
                let (loss, evaluation) = (Some(loss.clone()), figures.clone());
                let plain = SavedModel::new(graph.clone(), weights);
                let model = SavedModel { optimizer, loss, extras, evaluation, ..plain };
                if *kept == Kept::Epoch {
                    self.rotation.keep_before(&path);
                }
                let before = identity(&path);
                let result = told(checkpoint::write(&path, &model));
                // A file whose folder could not be synced lies in its place all the same.
                if result.is_ok() || identity(&path) != before {
                    self.rotation.placed(*kept, &path, number);
                }
                (path, result)
            }
            SaveJob::Basic { epoch, graph, snapshot, bin, accuracy, figures, .. } => {
                let path = outputs.basic(bin, *epoch, *accuracy);
                let weights = snapshot.pieces(graph.nodes().len());
                let model = SavedModel { evaluation: figures.clone(), ..SavedModel::new(graph.clone(), weights) };
                let result = told(checkpoint::write(&path, &model));
                (path, result)
            }
            SaveJob::Centers { centers, .. } => {
                let path = outputs.centers();
                let result = told(center::save(&path, centers));
                (path, result)
            }
            SaveJob::History { history, .. } => {
                let path = outputs.history();
                let result = told(history.write(&path));
                (path, result)
            }
        }
    }
}
