//! What a history of runs looks like from outside: plain rows, and a source that lists and opens them.
//!
//! The front end draws these and knows nothing of folders; the run room reads the folders and knows nothing of
//! screens.

use std::io;
use std::path::PathBuf;

use crate::event::Outcome;
use crate::run::state::RunState;

/// One run as a row of a list: what can be told without folding its whole journal on screen.
#[derive(Debug, Clone, PartialEq)]
pub struct PastRun {
    /// Identifies the run: its folder's name.
    pub id: String,
    /// When it began, in seconds since the Unix epoch.
    pub started: f64,
    /// The schedule's name.
    pub name: String,
    /// The network.
    pub model: String,
    /// Epochs that ended.
    pub epochs: u32,
    /// Epochs that were planned.
    pub planned: u32,
    /// How it ended; none while it runs, and none for a run that was killed.
    pub outcome: Option<Outcome>,
    /// Whether its process is still at work.
    pub live: bool,
    /// The best accuracy of each bin, 0 to 1, in the schedule's order.
    pub best: Vec<(String, f64)>,
    /// The journal that [`HistorySource::open`] reads.
    pub journal: PathBuf,
}

/// Where past runs come from.
pub trait HistorySource: Send {
    /// All runs, the newest first.
    fn list(&mut self) -> Vec<PastRun>;

    /// The whole state of one of them.
    fn open(&mut self, run: &PastRun) -> io::Result<RunState>;
}
