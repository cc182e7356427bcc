//! The schedule: the YAML file a user writes, checked into a [`Schedule`] in which nothing is left open that the
//! engine needs.
//!
//! Two phases, so that every mistake is found before training and points at its line: `file` holds spanned types that
//! say exactly what was written and where; `check` turns them into the types of this page. On the way:
//!
//! ```text
//! text, --set ──tree──▶ Node ──overrides──▶ Node ──file──▶ ScheduleFile ──check──▶ Schedule, warnings
//!                                                  (expand: ${VAR})        (loss, optimizer: tables)
//! ```
//!
//! Relative paths in a schedule are relative to the folder the program is started from, as the reference has it.
//! Names of fields, losses and optimisers may be written in any case, with `_`, with `-` or without.

mod branches;
mod call;
mod center;
mod check;
mod expand;
mod file;
mod loss;
mod model;
mod names;
mod optimizer;
mod overrides;
mod params;
mod paths;
mod problem;
mod range;
mod reader;
mod recovery;
mod settings;
mod snapshot;
mod source;
mod tree;
mod vocabulary;

use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

pub use loss::{CenterLoss, Loss};
pub use model::backbones;
pub use optimizer::{Clip, Method, Optimizer};
pub use paths::check_paths;
pub use problem::{Problem, ScheduleError};
pub use settings::{Change, changes};
pub use vocabulary::{Word, vocabulary};

use problem::Problems;
use source::Sources;

/// A schedule that was read, with what is worth saying about it.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What to train.
    pub schedule: Schedule,
    /// What is allowed but probably not what was meant, in the order of the file. Diagnostics of severity `Warning`.
    pub warnings: Vec<Problem>,
    /// Where the paths were written, for [`check_paths`].
    places: paths::Places,
}

/// A thing that a schedule names and that can only be judged with files at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// `model.file`.
    Model,
    /// `model.embedding`, or the file where that is not given.
    Embedding,
    /// A number of classes: an index into [`Loaded::classes`].
    Classes(usize),
}

impl Loaded {
    /// The numbers of classes that the schedule says the training set has: `data.classes`, and `num_classes` of losses.
    pub fn classes(&self) -> impl Iterator<Item = u64> {
        self.places.classes.iter().map(|said| said.value)
    }

    /// An error that points at the line where the schedule names `place`: what was found, what was expected (beside
    /// the underlined text) and how to get on.
    pub fn error_at(
        &self,
        place: Place,
        message: impl Into<String>,
        label: impl Into<String>,
        help: impl Into<String>,
    ) -> Problem {
        self.places.error(place, message.into(), label.into(), help.into())
    }
}

/// Reads and checks the schedule at `path`, with `overrides` (`data.train=/mnt/faces`, `stages.0.epochs=2`; the values
/// are YAML) put over what the file says, the later over the earlier. Variables come from the environment.
///
/// Whether the paths exist is a question of its own: [`check_paths`].
///
/// # Errors
/// [`ScheduleError::Read`] when the file cannot be read, else every mistake in it at once.
pub fn load(path: &Path, overrides: &[String]) -> Result<Loaded, ScheduleError> {
    let text = read(path).map_err(|source| ScheduleError::read(path, source))?;
    parse(&path.to_string_lossy(), &text, overrides, &|name| std::env::var(name).ok())
}

/// The text of a file, or a little more than a schedule may have of it.
fn read(path: &Path) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    fs_err::File::open(path)?.take(LONGEST as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > LONGEST {
        return Ok(String::from_utf8_lossy(&bytes).into_owned());
    }
    String::from_utf8(bytes).map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidData, error))
}

/// Bytes of a schedule: its tree takes some two hundred times as much.
const LONGEST: usize = 64 << 10;
/// Bytes of a line of a schedule.
const LONGEST_LINE: usize = 16 << 10;

/// As [`load`], from text; `source_name` stands in messages and gives the default name, `env` answers for variables.
///
/// # Errors
/// Every mistake in the text and in the overrides, at once.
pub fn parse(
    source_name: &str,
    text: &str,
    overrides: &[String],
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Loaded, ScheduleError> {
    let long_line = text.lines().position(|line| line.len() > LONGEST_LINE);
    let what = match long_line {
        _ if text.len() > LONGEST => {
            Some(format!("it has more than {LONGEST} bytes; expected a schedule, of a few thousand"))
        }
        Some(line) => {
            Some(format!("line {} has more than {LONGEST_LINE} bytes; expected a schedule's short lines", line + 1))
        }
        None => None,
    };
    if let Some(what) = what {
        // The message shows nothing of the text: no terminal has room for it.
        let nothing = Sources::new(source_name, "", &[]);
        let mut problems = Problems::new(&nothing);
        problems.error(source::Span { source: 0, start: 0, len: 0 }, what, "", None);
        return Err(ScheduleError::invalid(source_name, problems.errors));
    }
    let sources = Sources::new(source_name, text, overrides);
    let mut problems = Problems::new(&sources);
    let Some(mut root) = tree::parse(&sources, &mut problems) else {
        return Err(ScheduleError::invalid(source_name, problems.errors));
    };
    overrides::apply(&mut root, &sources, &mut problems);
    let mut reader = reader::Reader::new(&sources, env, problems);
    let file = file::ScheduleFile::read(&root, &mut reader);
    let checked = check::check(source_name, &file, &mut reader);
    let Problems { errors, warnings, .. } = reader.problems;
    match checked {
        Some((schedule, places)) if errors.is_empty() => Ok(Loaded { schedule, warnings, places }),
        _ => Err(ScheduleError::invalid(source_name, errors)),
    }
}

/// A commented schedule that teaches the format: `schedules/demo.yaml`.
pub const fn template() -> &'static str {
    include_str!("../schedules/demo.yaml")
}

/// A checked schedule: everything a run needs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Schedule {
    /// The file it was read from.
    pub path: PathBuf,
    /// The run's name: the stem of its checkpoints.
    pub name: String,
    /// Where the network comes from.
    pub model: ModelSource,
    /// What it is trained and evaluated on.
    pub data: Data,
    /// Images a step (triplet stages derive their own from it).
    pub batch_size: u64,
    /// Whether that was `auto`: found when the run begins.
    #[serde(skip)]
    pub auto_batch: bool,
    /// Seed of everything random: weights, order, augmentation, dropout.
    pub seed: u64,
    /// Learning rate by epoch.
    pub learning_rate: LearningRate,
    /// Epochs that an earlier run has already done: shifts the numbering and the learning rate.
    pub initial_epoch: u32,
    /// Number format of activations and products.
    pub precision: Precision,
    /// Where to compute.
    pub device: DeviceChoice,
    /// Folder of the checkpoints; `checkpoints` beside the place the program is started from, unless given.
    pub checkpoints: PathBuf,
    /// Folder of the runs' journals; `runs` unless given.
    pub runs: PathBuf,
    /// What to train, in order; with branches it may be empty.
    pub stages: Vec<Stage>,
    /// Alternatives that each start from the state the stages leave.
    pub branches: Vec<Branch>,
    /// How often the state of the run is kept besides the ends of epochs.
    pub snapshot: Snapshot,
    /// What is done when the loss is no number any more.
    pub recovery: Recovery,
}

/// What is done when the loss is no number any more: the run goes back to its newest state.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Recovery {
    /// How often in a line of stages; 0 ends the run the first time.
    pub attempts: u32,
    /// What the learning rate is multiplied by each time.
    pub rate: f64,
    /// Batches that are left out: the one whose loss is no number, and those before it.
    pub skip: u64,
}

impl Recovery {
    /// Unless a schedule says otherwise. The batch before is left out too, since it made the weights that gave the loss.
    pub const DEFAULT: Self = Self { attempts: 3, rate: 0.5, skip: 2 };
}

/// How often the whole state of a run is kept within an epoch. Whichever comes first counts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Snapshot {
    /// After so many minutes; none by time.
    pub minutes: Option<f64>,
    /// After so many steps; none by steps.
    pub steps: Option<u64>,
}

impl Snapshot {
    /// Unless a schedule says otherwise.
    pub const DEFAULT: Self = Self { minutes: Some(5.0), steps: None };
}

/// An alternative: stages of their own, from the state that all branches of a schedule share.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Branch {
    /// Its name, the end of its files' stem; no two branches have the same.
    pub name: String,
    /// What to train, in order; at least one.
    pub stages: Vec<Stage>,
}

/// Where a run's network comes from.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelSource {
    /// Built from scratch.
    Backbone(Backbone),
    /// Continued from a saved file.
    File {
        /// A basic model, or a whole model with its head.
        path: PathBuf,
        /// The layer whose output is the embedding, when the file holds a whole model.
        embedding: Option<EmbeddingLayer>,
        /// Whether the file's optimiser goes on; the reference's `compile`.
        compile: bool,
    },
}

/// How a file's embedding layer is named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EmbeddingLayer {
    /// By the layer's name.
    Name(String),
    /// By its position, from the end when negative (the reference's `basic_model=-2`).
    Index(i64),
}

/// A network to build.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Backbone {
    /// A name of the backbone table: `mobilefacenet`.
    pub kind: String,
    /// Length of the embedding.
    pub embedding_size: u64,
    /// Share of the features dropped before the embedding, 0 to below 1.
    pub dropout: f64,
    /// Width multiplier: 1 is the published network.
    pub width: f64,
    /// Factor of the sum of squares of every kernel, added to the loss; 0 adds none.
    pub weight_decay: f64,
    /// A file of weights it starts from, found by the layers' names.
    pub pretrained: Option<PathBuf>,
}

impl Backbone {
    /// The published network, from scratch and without dropout.
    pub fn new(kind: impl Into<String>, embedding_size: u64) -> Self {
        Self { kind: kind.into(), embedding_size, dropout: 0.0, width: 1.0, weight_decay: 0.0, pretrained: None }
    }
}

/// What a run reads.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Data {
    /// The training sets, at least one, in order: folders of folders of images, or records.
    pub train: Vec<TrainSet>,
    /// Evaluation bins, in order; the last one decides which basic model is best.
    pub bins: Vec<PathBuf>,
    /// The reference's `random_status`, 0 to 3.
    pub augment: u8,
    /// Threads that decode images; none means all cores but one.
    pub workers: Option<usize>,
    /// Share of unreadable images above which the run stops, 0 to 1; 0.01 unless given.
    pub most_bad: f64,
}

/// A training set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TrainSet {
    /// A folder of class folders, a folder with `train.rec`, or a `.rec` file.
    pub path: PathBuf,
    /// How its classes go with those of the sets before it.
    pub labels: Labels,
}

/// How the classes of a training set go with those of the sets before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Labels {
    /// All of them are new.
    #[default]
    Offset,
    /// Those whose name (the folder's, or the number) is known are the same class; the others are new.
    Merge,
}

/// The learning rate of a global epoch `e`, counted from 0: `base` while `e < hold`, then
/// `base * exp(decay * (hold - e))`, as the reference's scheduler has it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LearningRate {
    /// The rate of the first epochs.
    pub base: f64,
    /// How fast it falls; the reference's 0.05.
    pub decay: f64,
    /// Epochs it is held; the reference's 10.
    pub hold: u32,
}

impl LearningRate {
    /// The rate of the global epoch `epoch`, counted from 0.
    pub fn at(&self, epoch: u32) -> f64 {
        if epoch < self.hold {
            self.base
        } else {
            self.base * (self.decay * (f64::from(self.hold) - f64::from(epoch))).exp()
        }
    }
}

/// Number format of activations and matrix products; weights, statistics and losses stay in fp32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// bf16 on a GPU, fp32 on the CPU.
    Auto,
    /// 32-bit floats.
    Fp32,
    /// bfloat16 activations and products.
    Bf16,
}

/// Where to compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceChoice {
    /// The first GPU when there is one, else the CPU.
    Auto,
    /// The CPU.
    Cpu,
    /// A GPU by number; an error when it is not there.
    Cuda(usize),
}

/// One stage of the schedule.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stage {
    /// What it is called, when the schedule says so.
    pub name: Option<String>,
    /// What is minimised.
    pub loss: Loss,
    /// Which head the loss needs.
    pub head: HeadKind,
    /// The center loss: added to `loss`, or `loss` itself when that is [`Loss::Center`].
    pub center: Option<CenterLoss>,
    /// How; none keeps the optimiser of the stage before, with its state.
    pub optimizer: Option<Optimizer>,
    /// How long; at least 1.
    pub epochs: u32,
    /// Train the head only: the basic model is frozen, its batch norms in inference mode.
    pub bottleneck_only: bool,
    /// Images a step; the schedule's unless given.
    pub batch_size: u64,
    /// Whether that was `auto`: found when the run begins.
    #[serde(skip)]
    pub auto_batch: bool,
    /// Learning rate by global epoch; what the stage leaves open is the schedule's.
    pub learning_rate: LearningRate,
    /// The reference's `random_status`, 0 to 3; the schedule's unless given.
    pub augment: u8,
    /// Share of the classes that take part in a step, the batch's own always; none where all do.
    pub sample: Option<f64>,
}

/// What a loss works on, the reference's `type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HeadKind {
    /// A dense layer with softmax.
    Softmax,
    /// Cosines to l2-normalised class centres.
    Arcface,
    /// No head: the embedding itself.
    Triplet,
}
