//! The state of training in memory: all that an epoch leaves to the next one.

use crate::checkpoint::keras_history::History;
use crate::event::{BinResult, Level};
use crate::train::error::TrainError;
use crate::train::loss::center::Centers;
use crate::train::model::Start;
use crate::train::optim::optimizer::OptimizerState;

/// The state of training between two stages; what a branch starts from.
#[derive(Debug)]
pub struct TrainState {
    /// The network between stages; each stage takes it, gives it its head, and puts it back.
    pub(in crate::train) start: Option<Start>,
    /// The optimiser, once a stage has made one.
    pub(in crate::train) optimizer: Option<OptimizerState>,
    /// The centers of the last stage that had a center loss.
    pub(in crate::train) centers: Option<Centers>,
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

impl TrainState {
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
