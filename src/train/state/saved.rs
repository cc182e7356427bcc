//! The state of a run as its checkpoints hold it: with the weights and the optimiser, which lie in Keras's places, it is
//! all that is needed to resume bit for bit (on the CPU in fp32, with as many threads).
//!
//! It lies under `state` in the notes of the group `facetui`, the centers beside it as the array `centers`. The order of
//! the images, the augmentation and the dropout have no state: they are drawn by seed, epoch and step (see
//! [`crate::data::random`]). [`VERSION`] counts the changes that an older facetui cannot read; fields that are only added
//! do not count.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::json;
use tch::Tensor;

use crate::checkpoint::keras_history::History;
use crate::checkpoint::{self, Extras, SavedModel, names};
use crate::event::{BinResult, BranchRow, Point};
use crate::graph::{Array, embedding};
use crate::nn::Network;
use crate::schedule::{CenterLoss, EmbeddingLayer, Optimizer};
use crate::train::device::Device;
use crate::train::error::TrainError;
use crate::train::loss::center::{CENTERS, Centers};
use crate::train::model;
use crate::train::optim::optimizer::OptimizerState;
use crate::train::optim::restore;
use crate::train::state::header::{Identity, RecoveryAttempts};
use crate::train::state::progress::Progress;
use crate::train::state::start_point::{EpochProgress, ResumePoint, StartPoint};
use crate::train::state::train_state::TrainState;

/// The version that is written; states of later ones are refused.
pub const VERSION: u32 = 1;
/// Its name among a file's notes.
const NOTE: &str = "state";

/// The part of an optimiser's state that Keras has no exact place for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct OptimizerFacts {
    /// The rule.
    pub rule: Optimizer,
    /// Steps taken.
    pub iterations: i64,
    /// Product of Nadam's momenta.
    pub momentum_cache: f64,
}

/// Where a run stood when a checkpoint was written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SavedState {
    /// [`VERSION`] of the program that wrote it.
    pub version: u32,
    /// Which run it is.
    pub identity: Identity,
    /// When it was, in seconds since the Unix epoch.
    pub at: f64,
    /// Its number among the states of the run, from 1.
    pub sequence: u64,
    /// The branch it is of; none in the stages that come first.
    pub branch: Option<usize>,
    /// Index of the stage in its list.
    pub stage: usize,
    /// Epochs of the stage that have ended.
    pub stage_epochs: u32,
    /// Whether its list of stages has come to its end.
    pub complete: bool,
    /// Position in the history of the newest epoch.
    pub index: u32,
    /// Global epochs that have ended.
    pub epoch: u32,
    /// Epochs of all kinds begun: the address of everything random.
    pub drawn: u32,
    /// How far the newest epoch is, when it has not ended.
    #[serde(rename = "within")]
    pub epoch_progress: Option<EpochProgress>,
    /// What every learning rate was multiplied by.
    pub rate_scale: f64,
    /// Best accuracy of the last bin.
    pub best: f64,
    /// The best basic model's file name.
    pub basic: Option<String>,
    /// The history, as `_hist.json` holds it.
    pub history: String,
    /// The newest figures of every bin.
    pub figures: Vec<BinResult>,
    /// Mean loss and accuracy of the newest epoch that ended.
    pub newest: Option<(f64, Option<f64>)>,
    /// Its figures for the table of branches.
    pub progress: Progress,
    /// Numbers of the images that cannot be used.
    pub bad_images: Vec<u32>,
    /// The embedding layer's name.
    pub embedding: String,
    /// The optimiser, when there is one.
    pub optimizer: Option<OptimizerFacts>,
    /// How the centers are used, when there are any.
    pub centers: Option<CenterLoss>,
    /// The branches' starting point in the table.
    pub start: Option<BranchRow>,
    /// The branches that had ended.
    pub rows: Vec<BranchRow>,
    /// The attempts to recover so far.
    #[serde(default, rename = "setbacks")]
    pub recovery: RecoveryAttempts,
}

/// Whether a file holds a state of a run.
#[derive(Debug)]
pub enum Found {
    /// It does.
    State(Box<SavedState>),
    /// It holds none: another program's file, or one of an older facetui.
    None,
}

impl SavedState {
    /// The state that a checkpoint holds. The file is not compared with its checksum.
    ///
    /// # Errors
    /// A file that cannot be read, or a state of a newer facetui.
    pub fn read(path: &Path) -> Result<Found, TrainError> {
        let notes = checkpoint::notes(path).map_err(|error| TrainError::from_diagnostic(&error))?;
        let state = &notes[NOTE];
        let Some(version) = state["version"].as_u64() else { return Ok(Found::None) };
        if version > u64::from(VERSION) {
            return Err(TrainError::new(format!(
                "`{}` holds a run's state of version {version}, and this facetui knows up to {VERSION}",
                path.display()
            ))
            .with_help("use the facetui that wrote it, or a newer one"));
        }
        match serde_json::from_value::<Self>(state.clone()) {
            Ok(state) if !names::stays_inside(&state.identity.run_id) => Err(TrainError::new(format!(
                "the run's state in `{}` names the folder `{}`, which is none among the runs",
                path.display(),
                state.identity.run_id.escape_debug()
            ))
            .with_help("the file is not one that facetui wrote: move it away")),
            Ok(state) => Ok(Found::State(Box::new(state))),
            Err(error) => {
                Err(TrainError::new(format!("the run's state in `{}` cannot be read: {error}", path.display())))
            }
        }
    }

    /// With the centers' values on the host, as a file's own part.
    pub fn extras(&self, centers: Option<&Tensor>) -> Extras {
        let mut extras = Extras { notes: json!({ NOTE: self }), ..Extras::default() };
        if let Some(centers) = centers {
            let mut data = vec![0f32; centers.numel()];
            centers.copy_data(&mut data, centers.numel());
            let shape = centers.size().iter().map(|size| *size as usize).collect();
            extras.arrays.insert(CENTERS.to_owned(), Array { shape, data });
        }
        extras
    }

    /// Where in the run it is.
    pub fn point(&self) -> Point {
        let (index, step) = match &self.epoch_progress {
            Some(progress) => (self.index, progress.steps),
            None => (self.index + 1, 0),
        };
        Point { branches: self.branch.unwrap_or(0), within: self.branch.is_some(), index, step }
    }

    /// Where the training resumes, from the file `path` that held this state.
    ///
    /// # Errors
    /// A file that cannot be read, or does not hold what the state says.
    pub fn restore(&self, path: &Path, device: Device) -> Result<StartPoint, TrainError> {
        let wrong = |what: String| TrainError::new(format!("`{}`: {what}", path.display()));
        let SavedModel { graph, weights, optimizer, extras, .. } =
            checkpoint::read(path).map_err(|error| TrainError::from_diagnostic(&error))?;
        let wanted = EmbeddingLayer::Name(self.embedding.clone());
        let node = embedding::find(&graph, Some(&wanted)).map_err(|error| wrong(error.to_string()))?;
        let (graph, weights) = model::keep_head(&graph, &weights, node);
        let node = graph.require(&self.embedding).map_err(|error| wrong(error.to_string()))?;
        let network = Network::new(graph, node, &weights, device.place, device.compute);
        let optimizer = match self.optimizer {
            None => None,
            Some(facts) => {
                let saved = optimizer.ok_or_else(|| wrong("the optimiser's state is missing".to_owned()))?;
                Some(facts.restore(&saved, &network))
            }
        };
        let centers = match self.centers {
            None => None,
            Some(settings) => {
                let values =
                    extras.arrays.get(CENTERS).and_then(|array| Centers::from_array(array, settings, device.place));
                Some(values.ok_or_else(|| wrong("the class centers are missing".to_owned()))?)
            }
        };
        let train_state = TrainState {
            start: Some(model::take_apart(&network)),
            optimizer,
            centers,
            epoch: self.epoch,
            drawn: self.drawn,
            history: History::parse(&self.history).map_err(wrong)?,
            figures: self.figures.clone(),
            newest: self.newest,
        };
        let resume = ResumePoint {
            stage: self.stage,
            stage_epochs: self.stage_epochs,
            index: self.index,
            progress: self.progress.clone(),
            epoch_progress: self.epoch_progress.clone(),
        };
        let basic = self.basic.as_ref().filter(|name| is_basic_of(name, path)).map(|name| path.with_file_name(name));
        Ok(StartPoint { train_state, best: self.best, basic, resume: Some(resume) })
    }
}

/// Whether a file's name is that of a basic model of the run that `path` holds a state of: it is removed once there is a
/// better one.
fn is_basic_of(name: &str, path: &Path) -> bool {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let of_run = name.match_indices("_basic_").any(|(at, _)| stem.starts_with(&name[..at]));
    of_run && names::stays_inside(name) && Path::new(name).extension().is_some_and(|kind| kind == "h5")
}

impl OptimizerFacts {
    /// Those of an optimiser.
    pub const fn of(state: &OptimizerState) -> Self {
        Self { rule: state.rule, iterations: state.iterations, momentum_cache: state.momentum_cache }
    }

    /// The optimiser of a network, with the slots that a file holds.
    fn restore(self, saved: &checkpoint::SavedOptimizer, network: &Network) -> OptimizerState {
        let mut state = OptimizerState::new(self.rule, &network.parameters.flat);
        state.iterations = self.iterations;
        state.momentum_cache = self.momentum_cache;
        state.set_slots(restore::slots(&self.rule, saved, network));
        state
    }
}
