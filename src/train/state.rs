//! The state of a run as its checkpoints hold it: with the weights and the optimiser, which lie in Keras's places, it is
//! all that is needed to go on bit for bit (on the CPU in fp32, with as many threads).
//!
//! It lies under `state` in the notes of the group `facetui`, the centers beside it as the array `centers`. The order of
//! the images, the augmentation and the dropout have no state: they are drawn by seed, epoch and step (see
//! [`crate::data::random`]). [`VERSION`] counts the changes that an older facetui cannot read; fields that are only added
//! do not count.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::json;
use tch::Tensor;

use super::center::Centers;
use super::comparison::Progress;
use super::error::TrainError;
use super::model;
use super::optimizer::OptimizerState;
use super::resume;
use super::session::Device;
use super::standing::{Going, Line, Standing, Within};
use crate::checkpoint::keras_history::History;
use crate::checkpoint::{self, Extras, SavedModel, names};
use crate::event::{BinResult, BranchRow, Point, RunHeader};
use crate::graph::{Array, embedding};
use crate::nn::Network;
use crate::schedule::{CenterLoss, EmbeddingLayer, Optimizer};

/// The version that is written; states of later ones are refused.
pub const VERSION: u32 = 1;
/// Its name among a file's notes.
const NOTE: &str = "state";
/// The name of the centers among a file's arrays.
pub(super) const CENTERS: &str = "centers";

/// What is the same in all states of a run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Identity {
    /// The run's folder.
    pub run_id: String,
    /// facetui's version.
    pub program: String,
    /// The schedule, as [`crate::schedule::Schedule::settings`] tells it.
    pub schedule: Vec<(String, String)>,
    /// The device in words, its number of threads included.
    pub device: String,
    /// Images of the training set.
    pub images: u64,
    /// Its classes.
    pub classes: u64,
    /// Images a step, where the schedule left them to facetui.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<u64>,
}

/// What belongs to the whole run and not to one line of its stages.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Ledger {
    /// Which run it is.
    pub identity: Identity,
    /// States saved so far.
    pub sequence: u64,
    /// The branch that is being trained.
    pub branch: Option<usize>,
    /// The branches' starting point in the table.
    pub start: Option<BranchRow>,
    /// The branches that ended.
    pub rows: Vec<BranchRow>,
    /// What the run has been through.
    pub setbacks: Setbacks,
    /// The facts of the whole run, once they are known.
    pub header: Option<RunHeader>,
}

/// What a line of stages has been through.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Setbacks {
    /// How often the loss was no number.
    pub count: u32,
    /// Batches that are left out: the epoch, by the address of everything random, and the number, from 1.
    pub skipped: BTreeSet<(u32, usize)>,
    /// What rates were multiplied by before the first setback, and what the newest one made of it.
    #[serde(default)]
    pub scale: Option<(f64, f64)>,
}

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
pub struct State {
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
    /// Index of the stage in its line.
    pub stage: usize,
    /// Epochs of the stage that have ended.
    pub stage_epochs: u32,
    /// Whether the line has come to its end.
    pub complete: bool,
    /// Position in the history of the newest epoch.
    pub index: u32,
    /// Global epochs that have ended.
    pub epoch: u32,
    /// Epochs of all kinds begun: the address of everything random.
    pub drawn: u32,
    /// How far the newest epoch is, when it has not ended.
    pub within: Option<Within>,
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
    /// The line's figures for the table of branches.
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
    /// What the line has been through.
    #[serde(default)]
    pub setbacks: Setbacks,
}

/// Whether a file holds a state of a run.
#[derive(Debug)]
pub enum Found {
    /// It does.
    State(Box<State>),
    /// It holds none: another program's file, or one of an older facetui.
    None,
}

impl State {
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
            .with_help("go on with the facetui that wrote it, or a newer one"));
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
        let (index, step) = match &self.within {
            Some(within) => (self.index, within.steps),
            None => (self.index + 1, 0),
        };
        Point { branches: self.branch.unwrap_or(0), within: self.branch.is_some(), index, step }
    }

    /// The line of stages as it stood, from the file `path` that held this state.
    ///
    /// # Errors
    /// A file that cannot be read, or does not hold what the state says.
    pub fn restore(&self, path: &Path, device: Device) -> Result<Line, TrainError> {
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
        let standing = Standing {
            start: Some(model::take_apart(&network)),
            optimizer,
            centers,
            epoch: self.epoch,
            drawn: self.drawn,
            history: History::parse(&self.history).map_err(wrong)?,
            figures: self.figures.clone(),
            newest: self.newest,
        };
        let going = Going {
            stage: self.stage,
            stage_epochs: self.stage_epochs,
            index: self.index,
            progress: self.progress.clone(),
            within: self.within.clone(),
        };
        let basic = self.basic.as_ref().filter(|name| is_basic_of(name, path)).map(|name| path.with_file_name(name));
        Ok(Line { standing, best: self.best, basic, going: Some(going) })
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
        state.set_slots(resume::slots(&self.rule, saved, network));
        state
    }
}
