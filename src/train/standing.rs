//! Where a line of stages stands: all that an epoch leaves to the next one.

use std::path::PathBuf;

use super::center::Centers;
use super::comparison::Progress;
use super::error::TrainError;
use super::meter::Totals;
use super::model::Start;
use super::optimizer::OptimizerState;
use crate::checkpoint::keras_history::History;
use crate::event::{BinResult, Level};

/// Where a line of stages stands between two of them; what a branch starts from.
#[derive(Debug)]
pub struct Standing {
    /// The network between stages; each stage takes it, gives it its head, and puts it back.
    pub(super) start: Option<Start>,
    /// The optimiser, once a stage has made one.
    pub(super) optimizer: Option<OptimizerState>,
    /// The centers of the last stage that had a center loss.
    pub(super) centers: Option<Centers>,
    /// Global epochs done: bottleneck-only stages do not count.
    pub epoch: u32,
    /// Epochs of all kinds done, those before this run included: what the data's order and the dropout are drawn by.
    pub drawn: u32,
    /// The values of every epoch.
    pub history: History,
    /// The newest figures of every bin.
    pub figures: Vec<BinResult>,
    /// Mean loss and accuracy of the newest epoch.
    pub newest: Option<(f64, Option<f64>)>,
}

impl Standing {
    /// The beginning, after `epoch` epochs of an earlier run.
    pub const fn new(start: Start, epoch: u32, history: History) -> Self {
        Self {
            start: Some(start),
            optimizer: None,
            centers: None,
            epoch,
            drawn: epoch,
            history,
            figures: Vec::new(),
            newest: None,
        }
    }

    /// A copy that shares nothing with this one.
    #[must_use]
    pub fn copy(&self) -> Self {
        Self {
            start: self.start.clone(),
            optimizer: self.optimizer.as_ref().map(OptimizerState::copy),
            centers: self.centers.as_ref().map(Centers::copy),
            epoch: self.epoch,
            drawn: self.drawn,
            history: self.history.clone(),
            figures: self.figures.clone(),
            newest: self.newest,
        }
    }

    /// The network.
    ///
    /// # Errors
    /// A stage that failed took it along.
    pub fn start(&self) -> Result<&Start, TrainError> {
        self.start.as_ref().ok_or_else(|| TrainError::new("the network is gone"))
    }

    /// What is worth saying about where the network came from; once.
    pub fn take_notes(&mut self) -> Vec<(Level, String)> {
        self.start.as_mut().map(|start| std::mem::take(&mut start.notes)).unwrap_or_default()
    }

    /// Takes in new figures; a bin without any keeps its last ones.
    pub fn remember(&mut self, results: Vec<BinResult>) {
        for result in results.into_iter().filter(|result| result.accuracy.is_finite()) {
            match self.figures.iter_mut().find(|known| known.bin == result.bin) {
                Some(known) => *known = result,
                None => self.figures.push(result),
            }
        }
    }

    /// The newest accuracy of a bin, an earlier run's where this one has none.
    pub fn accuracy(&self, bin: &str) -> f64 {
        let known = self.figures.iter().find(|result| result.bin == bin).map(|result| result.accuracy);
        known.or_else(|| self.history.last(bin)).unwrap_or(0.0)
    }
}

/// A line of stages at its beginning, or where it was interrupted.
#[derive(Debug)]
pub struct Line {
    /// Where it stands.
    pub standing: Standing,
    /// The accuracy that the last bin must pass for a new best basic model.
    pub best: f64,
    /// The best basic model so far.
    pub basic: Option<PathBuf>,
    /// Where it goes on; none at its beginning.
    pub going: Option<Going>,
}

impl Line {
    /// A line at its beginning.
    pub const fn new(standing: Standing, best: f64) -> Self {
        Self { standing, best, basic: None, going: None }
    }
}

/// Where a line of stages goes on.
#[derive(Debug)]
pub struct Going {
    /// Index of the stage.
    pub stage: usize,
    /// Its epochs that have ended.
    pub stage_epochs: u32,
    /// Position in the history of the newest epoch: the one that goes on, or the one that ended last.
    pub index: u32,
    /// What was reached.
    pub progress: Progress,
    /// How far the epoch is that goes on; none between two epochs.
    pub within: Option<Within>,
}

/// How far an epoch is.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Within {
    /// Batches of its order that were taken, empty ones included.
    pub batches: usize,
    /// Steps taken.
    pub steps: u64,
    /// Their figures.
    pub totals: Totals,
}
