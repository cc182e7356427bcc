//! Writes a run's files on a thread of its own, so that training never waits for a disk: the whole model, the best
//! basic model, the history. Jobs are done in order; every file is written to a temporary name, synced and renamed.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender};
use tch::Tensor;

use super::error::TrainError;
use super::outputs::Outputs;
use super::rotation::Rotation;
use super::session::Session;
use super::state::State;
use super::{center, resume};
use crate::checkpoint::history::History;
use crate::checkpoint::{self, OptimizerSlot, SavedModel, SavedOptimizer};
use crate::event::{BinResult, CheckpointKind, Event, Level};
use crate::graph::Graph;
use crate::nn::parameters::Snapshot;
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
    pub fn saved(&self, graph: &Graph, snapshot: &Snapshot) -> SavedOptimizer {
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

/// The saver's thread.
#[derive(Debug)]
pub struct Saver {
    jobs: Sender<SaveJob>,
    /// Whole models that wait or are being written.
    models: Arc<AtomicUsize>,
    outputs: Outputs,
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
        let models = Arc::new(AtomicUsize::new(0));
        let desk = Desk {
            rotation: Rotation::new(&outputs),
            outputs: outputs.clone(),
            basic: previous_basic,
            obsolete: Vec::new(),
            emit: Arc::clone(&session.emit),
            flush: Arc::clone(&session.flush),
            models: Arc::clone(&models),
        };
        let thread = std::thread::Builder::new().name("saver".into()).spawn(move || desk.work(&receiver))?;
        Ok(Self { jobs, models, outputs, thread })
    }

    /// The names of the files.
    pub const fn outputs(&self) -> &Outputs {
        &self.outputs
    }

    /// Whether no whole model waits to be written.
    pub fn is_idle(&self) -> bool {
        self.models.load(Ordering::Acquire) == 0
    }

    /// Hands a job over.
    pub fn submit(&self, job: SaveJob) {
        if matches!(job, SaveJob::Model { .. }) {
            self.models.fetch_add(1, Ordering::AcqRel);
        }
        // The thread ends only after this sender: a send fails only when it panicked, and `finish` tells that.
        let _ = self.jobs.send(job);
    }

    /// Waits for every file. Returns the error of the last write of a kind, when that failed.
    pub fn finish(self) -> Option<TrainError> {
        drop(self.jobs);
        self.thread.join().unwrap_or_else(|panic| Some(TrainError::from_panic(&*panic)))
    }
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
}

impl Desk {
    fn work(mut self, jobs: &Receiver<SaveJob>) -> Option<TrainError> {
        let mut failures: [Option<TrainError>; CheckpointKind::Extra as usize + 1] =
            [const { None }; CheckpointKind::Extra as usize + 1];
        for job in jobs {
            let started = Instant::now();
            let is_model = matches!(job, SaveJob::Model { .. });
            let (kind, index, path, result) = self.write(job);
            if is_model {
                self.models.fetch_sub(1, Ordering::AcqRel);
            }
            match result {
                Ok(bytes) => {
                    failures[kind as usize] = None;
                    if kind == CheckpointKind::Model {
                        // A later state than the snapshot that could not be written.
                        failures[CheckpointKind::Snapshot as usize] = None;
                    }
                    let path_text = path.display().to_string();
                    let seconds = started.elapsed().as_secs_f64();
                    (self.emit)(Event::CheckpointWritten { kind, path: path_text, index, bytes, seconds });
                    if kind == CheckpointKind::Basic
                        && let Some(old) = self.basic.replace(path.clone())
                        && old != path
                    {
                        self.obsolete.push(old);
                    }
                    if is_model {
                        self.clear();
                    }
                }
                Err(error) => {
                    let message = format!("{}; the file before it stays, training goes on", error.message);
                    (self.emit)(Event::Log { level: Level::Error, message });
                    failures[kind as usize] = Some(error);
                }
            }
        }
        failures.into_iter().flatten().next()
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

    fn write(&mut self, job: SaveJob) -> (CheckpointKind, u32, PathBuf, Result<u64, TrainError>) {
        let outputs = &self.outputs;
        let told = |result: Result<u64, checkpoint::CheckpointError>| {
            result.map_err(|error| TrainError::from_diagnostic(&error))
        };
        match job {
            SaveJob::Model { kept, index, graph, snapshot, optimizer, loss, state, centers, figures } => {
                // A state is never ahead of the journal.
                (self.flush)();
                let (kind, path) = match kept {
                    Kept::Epoch => (CheckpointKind::Model, outputs.model()),
                    Kept::Snapshot => (CheckpointKind::Snapshot, self.rotation.next()),
                    Kept::Extra { epoch, step } => (CheckpointKind::Extra, outputs.extra(epoch, step)),
                };
                let weights = snapshot.weights(graph.nodes().len());
                let optimizer = Some(optimizer.saved(&graph, &snapshot));
                let extras = state.map(|state| state.extras(centers.as_ref())).unwrap_or_default();
                let (loss, evaluation) = (Some(loss), figures);
                let model = SavedModel { optimizer, loss, extras, evaluation, ..SavedModel::new(graph, weights) };
                if kept == Kept::Epoch {
                    self.rotation.keep_before(&path);
                }
                let result = told(checkpoint::write(&path, &model));
                if result.is_ok() {
                    self.rotation.written(kept);
                }
                (kind, index, path, result)
            }
            SaveJob::Basic { index, epoch, graph, snapshot, bin, accuracy, figures } => {
                let path = outputs.basic(&bin, epoch, accuracy);
                let weights = snapshot.weights(graph.nodes().len());
                let model = SavedModel { evaluation: figures, ..SavedModel::new(graph, weights) };
                let result = told(checkpoint::write(&path, &model));
                (CheckpointKind::Basic, index, path, result)
            }
            SaveJob::Centers { index, centers } => {
                let path = outputs.centers();
                let result = told(center::save(&path, &centers));
                (CheckpointKind::Centers, index, path, result)
            }
            SaveJob::History { index, history } => {
                let path = outputs.history();
                let result = told(history.write(&path));
                (CheckpointKind::History, index, path, result)
            }
        }
    }
}
