//! What a history of runs looks like from outside: plain rows, and a source that lists and opens them.
//!
//! The front end draws these and knows nothing of folders; the run room reads the folders and knows nothing of
//! screens.

use std::io;
use std::path::PathBuf;

use super::schedule_diff::Change;
use crate::event::Outcome;
use crate::run::state::RunState;

/// What a user notes of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Marks {
    /// Short words to find it by; without blanks, each once.
    pub tags: Vec<String>,
    /// A text.
    pub note: String,
}

/// One run as a row of a list: what can be told without folding its whole journal on screen.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PastRun {
    /// Identifies the run: its folder's name.
    pub id: String,
    /// When it began, in seconds since the Unix epoch.
    pub started: f64,
    /// The schedule's name.
    pub name: String,
    /// The network.
    pub model: String,
    /// The losses of its stages, each once, in order.
    pub losses: Vec<String>,
    /// The names of its branches.
    pub branches: Vec<String>,
    /// Epochs that ended.
    pub epochs: u32,
    /// Epochs that were planned.
    pub planned: u32,
    /// How it ended; none while it runs, and none for a run that was killed.
    pub outcome: Option<Outcome>,
    /// Whether its process is still alive.
    pub live: bool,
    /// The best accuracy of each bin, 0 to 1, in the schedule's order.
    pub best: Vec<(String, f64)>,
    /// Mean loss of the last epoch.
    pub loss: Option<f64>,
    /// What the user noted of it.
    pub marks: Marks,
    /// The journal, or the bare `_hist.json`, that [`HistorySource::open`] reads.
    pub journal: PathBuf,
    /// Whether nothing but a `_hist.json` is left of it, or ever was.
    pub bare: bool,
}

impl PastRun {
    /// How it stands, in a word: `finished`, `stopped`, `failed`, `training` or `interrupted`.
    pub const fn state(&self) -> &'static str {
        match &self.outcome {
            Some(Outcome::Completed) => "finished",
            Some(Outcome::Stopped) => "stopped",
            Some(Outcome::Failed { .. }) => "failed",
            None if self.live => "training",
            None => "interrupted",
        }
    }

    /// The text of its schedule as it was trained; none for a bare history.
    pub fn schedule(&self) -> Option<PathBuf> {
        (!self.bare).then(|| self.journal.with_file_name("schedule.yaml"))
    }
}

/// Where past runs come from. A source that can only list and open them refuses the rest.
pub trait HistorySource: Send {
    /// All runs, the newest first.
    fn list(&mut self) -> Vec<PastRun>;

    /// The whole state of one of them.
    ///
    /// # Errors
    /// Its journal cannot be read.
    fn open(&mut self, run: &PastRun) -> io::Result<RunState>;

    /// Keeps tags and a note for a run.
    ///
    /// # Errors
    /// They cannot be written; those before stay.
    fn mark(&mut self, _run: &PastRun, _marks: &Marks) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Moves a run to the trash and says where it lies then. Checkpoints stay where they are.
    ///
    /// # Errors
    /// It is being trained, or cannot be moved; it is whole where it was then.
    fn discard(&mut self, _run: &PastRun) -> io::Result<PathBuf> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// The lines in which the schedules of two runs differ.
    ///
    /// # Errors
    /// One of them has no schedule, or it cannot be read.
    fn difference(&mut self, _first: &PastRun, _second: &PastRun) -> io::Result<Vec<(Change, String)>> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
