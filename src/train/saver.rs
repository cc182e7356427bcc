//! Writes a run's files on a thread of its own, so that training never waits for a disk: the whole model, the best
//! basic model, the history. Jobs are done in order; every file is written to a temporary name, synced and renamed.

use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender};
use tch::Tensor;

use super::error::TrainError;
use super::outputs::Outputs;
use super::{center, resume};
use crate::checkpoint::history::History;
use crate::checkpoint::{self, OptimizerSlot, SavedModel, SavedOptimizer};
use crate::event::{BinResult, CheckpointKind, Event, Level};
use crate::graph::Graph;
use crate::nn::parameters::Snapshot;
use crate::schedule::{Method, Optimizer};
use crate::train::engine::Emit;
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

/// A file to write.
#[derive(Debug)]
pub enum SaveJob {
    /// The whole model with its optimiser, over the one of the epoch before.
    Model {
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
    },
    /// The whole model between two epochs, to a file that is not there yet.
    Extra {
        /// Position of the epoch in the history.
        index: u32,
        /// The epoch's number as the reference prints it.
        epoch: u32,
        /// Its steps so far.
        step: u64,
        /// Basic model and head.
        graph: Graph,
        /// Its weights.
        snapshot: Snapshot,
        /// Its optimiser.
        optimizer: OptimizerSnapshot,
        /// The stage's loss, by name.
        loss: String,
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
    thread: JoinHandle<Option<TrainError>>,
}

impl Saver {
    /// Starts it. `previous_basic` is the best basic model of an earlier part of the run.
    ///
    /// # Errors
    /// No thread can be made.
    pub fn start(outputs: Outputs, previous_basic: Option<PathBuf>, emit: Emit) -> std::io::Result<Self> {
        // Two epochs' files may wait; a disk slower than that holds the training rather than filling the memory.
        let (jobs, receiver) = crossbeam_channel::bounded(6);
        let thread = std::thread::Builder::new()
            .name("saver".into())
            .spawn(move || work(&receiver, &outputs, previous_basic, &emit))?;
        Ok(Self { jobs, thread })
    }

    /// Hands a job over.
    pub fn submit(&self, job: SaveJob) {
        // The thread ends only after this sender: a send fails only when it panicked, and `finish` tells that.
        let _ = self.jobs.send(job);
    }

    /// Waits for every file. Returns the error of the last write of a kind, when that failed.
    pub fn finish(self) -> Option<TrainError> {
        drop(self.jobs);
        self.thread.join().unwrap_or_else(|panic| Some(TrainError::from_panic(&*panic)))
    }
}

fn work(jobs: &Receiver<SaveJob>, outputs: &Outputs, mut basic: Option<PathBuf>, emit: &Emit) -> Option<TrainError> {
    let mut failures: [Option<TrainError>; CheckpointKind::Extra as usize + 1] =
        [const { None }; CheckpointKind::Extra as usize + 1];
    for job in jobs {
        let started = Instant::now();
        let (kind, index, path, result) = write(job, outputs);
        let slot = &mut failures[kind as usize];
        match result {
            Ok(bytes) => {
                *slot = None;
                let path_text = path.display().to_string();
                let seconds = started.elapsed().as_secs_f64();
                emit(Event::CheckpointWritten { kind, path: path_text, index, bytes, seconds });
                if kind == CheckpointKind::Basic
                    && let Some(old) = basic.replace(path.clone())
                    && old != path
                    && let Err(error) = fs_err::remove_file(&old)
                {
                    let message = format!("the basic model before the best one stays: {error}");
                    emit(Event::Log { level: Level::Warning, message });
                }
            }
            Err(error) => {
                let message = format!("{}; the file before it stays, training goes on", error.message);
                emit(Event::Log { level: Level::Error, message });
                *slot = Some(error);
            }
        }
    }
    failures.into_iter().flatten().next()
}

fn write(job: SaveJob, outputs: &Outputs) -> (CheckpointKind, u32, PathBuf, Result<u64, TrainError>) {
    let told =
        |result: Result<u64, checkpoint::CheckpointError>| result.map_err(|error| TrainError::from_diagnostic(&error));
    match job {
        SaveJob::Model { index, graph, snapshot, optimizer, loss, figures } => {
            let path = outputs.model();
            let evaluation = figures;
            let model = SavedModel { evaluation, ..whole(graph, &snapshot, &optimizer, loss) };
            let result = told(checkpoint::write(&path, &model));
            (CheckpointKind::Model, index, path, result)
        }
        SaveJob::Extra { index, epoch, step, graph, snapshot, optimizer, loss } => {
            let path = outputs.extra(epoch, step);
            let result = told(checkpoint::write(&path, &whole(graph, &snapshot, &optimizer, loss)));
            (CheckpointKind::Extra, index, path, result)
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

/// A model with its head and optimiser.
fn whole(graph: Graph, snapshot: &Snapshot, optimizer: &OptimizerSnapshot, loss: String) -> SavedModel {
    let weights = snapshot.weights(graph.nodes().len());
    let optimizer = Some(optimizer.saved(&graph, snapshot));
    SavedModel { optimizer, loss: Some(loss), ..SavedModel::new(graph, weights) }
}
