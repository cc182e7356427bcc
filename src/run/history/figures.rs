//! The figures of a run: what is compared with those of a baseline.

use crate::run::state::{BinState, RunState};

/// A line of the table: a run's figures.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Figures {
    /// Finished epochs.
    pub epochs: u32,
    /// Mean loss of the last epoch.
    pub loss: Option<f64>,
    /// Mean training accuracy of the last epoch that has one, 0 to 1.
    pub accuracy: Option<f64>,
    /// Best accuracy of each bin, 0 to 1, with its threshold and the position of its epoch.
    pub bins: Vec<(String, f64, f64, u32)>,
    /// Median images a second over the epochs.
    pub images_per_second: Option<f64>,
    /// Seconds of training and evaluation in all.
    pub seconds: f64,
}

impl Figures {
    /// The figures of a run.
    pub fn of(state: &RunState) -> Self {
        let mut speeds: Vec<f64> =
            state.epochs.iter().map(|row| row.images_per_second).filter(|speed| *speed > 0.0).collect();
        speeds.sort_by(f64::total_cmp);
        let best = |bin: &BinState| {
            bin.best().map(|(index, result)| (bin.name.clone(), result.accuracy, result.threshold, *index))
        };
        Self {
            epochs: state.done_epochs(),
            loss: state.epochs.last().map(|row| row.loss),
            accuracy: state.epochs.iter().rev().find_map(|row| row.accuracy),
            bins: state.bins.iter().filter_map(best).collect(),
            images_per_second: speeds.get(speeds.len() / 2).copied(),
            seconds: state.updated - state.started.unwrap_or(state.updated),
        }
    }

    /// The best accuracy of a bin.
    pub fn bin(&self, name: &str) -> Option<f64> {
        self.bins.iter().find(|(known, ..)| known == name).map(|(_, accuracy, ..)| *accuracy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_an_empty_run_are_none() {
        assert_eq!(Figures::of(&RunState::default()), Figures::default());
    }
}
