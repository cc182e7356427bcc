//! What the engine says and hears: the one stream of [`Event`]s that everything about a run is folded from, and the
//! [`Command`]s that travel the other way.
//!
//! This is the lowest room of the crate: plain data, no tensors, no widgets, no files. An event that is written to
//! the journal is a [`Record`]: the event and the moment it happened. The JSON is stable: fields are only ever added,
//! and a reader skips events it does not know ([`Event::Unknown`]).
//!
//! # Grammar
//!
//! ```text
//! journal  = process+                         one for each process that trained the run; a killed one has no `finished`
//! process  = [run_started | continued]        none when it failed before; from the second process on `continued`
//!            [line] [comparison] [finished]
//! line     = stage*
//! stage    = stage_started epoch* [stage_ended]                not ended by a stop or a failure
//! epoch    = epoch_started (steps | bin_checked)* bin_evaluated* [epoch_ended]
//! comparison = bin_evaluated* [start_evaluated] branch* [branches_compared]
//! branch   = branch_started [run_started] [line] branch_ended  a line of its own, with a header of its own
//! ```
//!
//! - Stages count from 0; epochs (`index`) from 1, through all stages of a line; steps from 1 in each epoch. A `steps` event
//!   holds the losses of the steps since the one before it.
//! - `bin_evaluated` has the `index` of its epoch, or 0 for the starting point of branches. A stage that trains the head alone
//!   has none. `bin_checked` is an evaluation between two steps, on request.
//! - `continued` takes back everything beyond its point: after it the line stands where its `index` and `step` say, so that
//!   neither the stage nor an epoch with steps is started again. It comes first in a process that resumes a run, and
//!   within a process before `recovered` and `learning_rate_scaled`, when a loss became NaN. A reader of a journal leaves
//!   out what was taken back ([`journal::push`](crate::run::journal::push)).
//! - A branch's own journal holds what lies between `branch_started` and `branch_ended`, and ends with `finished`.
//! - `checkpoint_written` follows its cause: for the model, the best basic model, the history and the centers the
//!   `epoch_ended` of its `index`; for a snapshot or a model between two epochs the `steps` that it holds. So the journal is never behind the files.
//! - At any time before `finished`: `preparing` (before the first step), `evaluating` (before a bin's figures),
//!   `details_written`, `machine`, `bad_image`, `log`, `saving_failed` and `saving_restored`, and the answers to commands:
//!   `stop_requested`, `stop_withdrawn`, `paused`, `resumed`, `evaluation_requested`, `save_requested`, `learning_rate_scaled`.
//! - Nothing follows `finished`, except from a disk that did not answer until then, and `continued` of another process.

mod command;
mod finite;
mod finite_list;
mod finite_option;
#[cfg(test)]
pub mod grammar;
mod machine;
mod outcome;
mod plan;
mod record;

use serde::{Deserialize, Serialize};

pub use self::command::{Command, RATE_SCALES, StopKind};
pub use self::machine::{GpuSample, MachineSample};
pub use self::outcome::Outcome;
pub use self::plan::{BinResult, BranchPlan, BranchRow, LeftOut, Rate, RunHeader, StagePlan};

/// One line of the journal: an event and when it happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Record {
    /// Seconds since the Unix epoch, to the millisecond.
    pub at: f64,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// Which kind of file a checkpoint is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckpointKind {
    /// The whole model with its head and optimiser: `<name>.h5`.
    Model,
    /// The best basic model of the last bin: `<name>_basic_<bin>_epoch_<n>_<acc>.h5`.
    Basic,
    /// The history: `<name>_hist.json`.
    History,
    /// The centers of the center loss: `<name>_centers.npy`.
    Centers,
    /// The comparison of branches: `<name>_branches.json`.
    Branches,
    /// The whole state of the run within an epoch: `<name>_snapshot_a.h5` and `_b.h5`, one after the other.
    Snapshot,
    /// The whole model between two epochs, saved on request or at an immediate stop: `<name>_at_epoch_<n>_step_<s>.h5`.
    Extra,
}

/// A run resumes from a state on disk. In a journal it takes back everything that was recorded beyond that state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Continuation {
    /// The facts of the whole run, as they are now.
    pub header: RunHeader,
    /// Where it resumes; what the journal holds beyond is superseded.
    pub point: Point,
    /// The file that held the state.
    pub path: String,
}

/// A place in a run: after so many branches, within one or not, and in its line of stages after a step of an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Point {
    /// Branches that have ended.
    pub branches: usize,
    /// Whether the branch that follows them has begun.
    pub within: bool,
    /// Position in the history of the epoch that resumes or begins, from 1; 0 where nothing of the line counts.
    pub index: u32,
    /// Steps of it that count; with 0 it has not begun.
    pub step: u64,
}

/// What of a run is written by itself, and can fail by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Saved {
    /// Checkpoints and the history.
    Files,
    /// The journal.
    Journal,
}

/// How loud a log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Something worth knowing.
    Info,
    /// Something worth looking at.
    Warning,
    /// Something that went wrong.
    Error,
}

/// Everything the engine says. Epochs and steps are counted from 1, stages from 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Something before the first step takes time: `listing images`, `building the network`.
    Preparing {
        /// What is being done.
        what: String,
        /// How far it is.
        done: u64,
        /// Out of how much; 0 when unknown.
        total: u64,
    },
    /// The run begins.
    RunStarted(Box<RunHeader>),
    /// A stage begins.
    StageStarted {
        /// Index of the stage.
        stage: usize,
        /// Its optimiser, by name, also when it is kept from the stage before.
        optimizer: String,
    },
    /// An epoch begins.
    EpochStarted {
        /// Index of the stage.
        stage: usize,
        /// The epoch's number as the reference prints it (a bottleneck-only stage counts its own from 1).
        epoch: u32,
        /// Position in the history, from 1: every epoch of every stage counts.
        index: u32,
        /// Steps this epoch has.
        steps: u64,
        /// Learning rate of the epoch.
        learning_rate: f64,
    },
    /// Steps were taken since the last such event (some dozens of them, so that nothing is synchronised a step).
    Steps {
        /// Position of the epoch in the history, from 1.
        index: u32,
        /// Last step taken, counted within the epoch.
        step: u64,
        /// Loss of each step since the last event.
        #[serde(with = "finite_list")]
        loss: Vec<f32>,
        /// Accuracy of each step since the last event; empty where the loss has none (triplet).
        #[serde(with = "finite_list")]
        accuracy: Vec<f32>,
        /// Images a second since the last event, waiting included.
        images_per_second: f64,
        /// Share of the time since the last event that the engine waited for data, 0 to 1.
        waited: f64,
        /// Resident memory of the process (CPU) or memory held on the device (GPU), in bytes.
        memory: u64,
        /// Length of the newest step's gradient over all weights that are trained, before it is clipped; none in journals
        /// of versions that did not say, and where nothing is trained.
        #[serde(default, with = "finite_option", skip_serializing_if = "Option::is_none")]
        gradient_norm: Option<f64>,
    },
    /// A bin is being embedded.
    Evaluating {
        /// Its name.
        bin: String,
        /// Images done.
        done: u64,
        /// Images in all.
        total: u64,
    },
    /// A bin was evaluated.
    BinEvaluated {
        /// Position of the epoch in the history, from 1.
        index: u32,
        /// The figures.
        #[serde(flatten)]
        result: BinResult,
    },
    /// A bin was evaluated between two steps, on request: no figure of the epoch.
    BinChecked {
        /// Position of the epoch in the history, from 1.
        index: u32,
        /// Steps of the epoch that were taken before.
        step: u64,
        /// The figures.
        #[serde(flatten)]
        result: BinResult,
    },
    /// What lies behind a bin's newest figures was written beside the journal: scores, curve, hardest pairs.
    DetailsWritten {
        /// The bin's name.
        bin: String,
        /// Position of the epoch in the history, from 1.
        index: u32,
        /// Whether they are the details of the best accuracy so far too.
        best: bool,
    },
    /// An epoch ended, evaluation included.
    EpochEnded {
        /// Index of the stage.
        stage: usize,
        /// The epoch's number as the reference prints it.
        epoch: u32,
        /// Position in the history, from 1.
        index: u32,
        /// Mean loss of the epoch.
        #[serde(with = "finite")]
        loss: f64,
        /// Mean training accuracy; none for triplet losses.
        accuracy: Option<f64>,
        /// Learning rate of the epoch.
        learning_rate: f64,
        /// Seconds of training, evaluation not counted.
        seconds: f64,
        /// Images a second over the epoch, evaluation not counted.
        images_per_second: f64,
        /// Share of the training time spent waiting for data, 0 to 1.
        waited: f64,
    },
    /// A file was written, synced and renamed into place.
    CheckpointWritten {
        /// What it is.
        kind: CheckpointKind,
        /// Where it lies.
        path: String,
        /// Position of the epoch in the history, from 1.
        index: u32,
        /// Its size.
        bytes: u64,
        /// Seconds it took, beside the training.
        seconds: f64,
    },
    /// Something of the run could not be written. It is kept in memory and tried again; training continues.
    SavingFailed {
        /// What.
        of: Saved,
        /// Where it was to go.
        path: String,
        /// Position of the epoch in the history, from 1; 0 where none is meant.
        index: u32,
        /// What the system says.
        reason: String,
    },
    /// What could not be written is written.
    SavingRestored {
        /// What.
        of: Saved,
    },
    /// A stage ended.
    StageEnded {
        /// Index of the stage.
        stage: usize,
    },
    /// The state that all branches start from, evaluated.
    StartEvaluated {
        /// Its line of the table.
        #[serde(flatten)]
        row: BranchRow,
    },
    /// A branch begins: what follows up to its end is a run of its own, with its own [`Event::RunStarted`].
    BranchStarted {
        /// Index of the branch.
        branch: usize,
        /// Its name.
        name: String,
        /// Identifies its run and names its folder.
        run_id: String,
    },
    /// A branch ended, its files written.
    BranchEnded {
        /// Index of the branch.
        branch: usize,
        /// Its line of the table.
        #[serde(flatten)]
        row: BranchRow,
    },
    /// The branches that were trained, side by side.
    BranchesCompared {
        /// The starting point, when it could be evaluated.
        start: Option<BranchRow>,
        /// The branches that ended, in order.
        branches: Vec<BranchRow>,
    },
    /// A stop was asked for; it takes effect at the next border of its kind.
    StopRequested {
        /// At which border.
        kind: StopKind,
    },
    /// The gentle stop was taken back.
    StopWithdrawn,
    /// Training holds between two steps.
    Paused,
    /// Training continues.
    Resumed,
    /// The loss became NaN or infinite: the run goes back to the state that [`Event::Continued`] names before.
    Recovered {
        /// What happened.
        reason: String,
        /// How often that was in this line of stages, this time included.
        attempt: u32,
        /// How often is allowed.
        attempts: u32,
        /// Batches that are left out from now on.
        skipped: u64,
    },
    /// A run that was interrupted resumes, in another process. What was recorded beyond its point is superseded.
    Continued(Box<Continuation>),
    /// An evaluation between two steps was asked for; [`Event::BinChecked`] gives its figures.
    EvaluationRequested,
    /// A checkpoint between two steps was asked for; [`Event::CheckpointWritten`] tells of it.
    SaveRequested,
    /// From the next step on every learning rate is multiplied by this, until it is changed again.
    LearningRateScaled {
        /// The multiplier; 1 is the schedule's own rate.
        factor: f64,
    },
    /// How busy the machine is; every few seconds.
    Machine(Box<MachineSample>),
    /// Images that could not be read were skipped.
    BadImage {
        /// The file.
        path: String,
        /// Why it could not be read.
        reason: String,
        /// How many there have been in all.
        count: u64,
    },
    /// A line for the log.
    Log {
        /// How loud.
        level: Level,
        /// The sentence.
        message: String,
    },
    /// The run ended.
    Finished {
        /// How.
        #[serde(flatten)]
        outcome: Outcome,
        /// Seconds since the run started.
        seconds: f64,
    },
    /// An event of a newer facetui.
    #[serde(other)]
    Unknown,
}

#[cfg(test)]
mod tests;
