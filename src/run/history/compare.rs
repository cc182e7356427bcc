//! Runs side by side: their figures against a baseline's, and their schedules line by line.

use similar::{ChangeTag, TextDiff};

use crate::run::state::RunState;

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
        let best = |bin: &crate::run::state::BinState| {
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

/// What becomes of a line from the first schedule to the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is in both.
    Same,
    /// Only the first has it.
    Removed,
    /// Only the second has it.
    Added,
}

/// The lines of two texts: changed ones with `context` lines around them, and an empty [`Change::Same`] line where
/// others are left out. Nothing when they are equal.
pub fn lines(first: &str, second: &str, context: usize) -> Vec<(Change, String)> {
    let diff = TextDiff::from_lines(first, second);
    let mut found = Vec::new();
    for (at, group) in diff.grouped_ops(context).iter().enumerate() {
        if at > 0 {
            found.push((Change::Same, String::new()));
        }
        for change in group.iter().flat_map(|operation| diff.iter_changes(operation)) {
            let kind = match change.tag() {
                ChangeTag::Equal => Change::Same,
                ChangeTag::Delete => Change::Removed,
                ChangeTag::Insert => Change::Added,
            };
            found.push((kind, change.value().trim_end_matches(['\n', '\r']).to_owned()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use Change::{Added, Removed, Same};

    #[test]
    fn schedules_differ_where_they_do() {
        let keys: Vec<String> = (0..20).map(|line| format!("key{line}: {line}\n")).collect();
        let text = |rate: &str| keys.concat() + rate;
        assert!(lines(&text("lr: 1\n"), &text("lr: 1\n"), 2).is_empty());
        let found = lines(&text("lr: 1\n"), &text("lr: 2\n"), 1);
        let wanted = [(Same, "key19: 19"), (Removed, "lr: 1"), (Added, "lr: 2")];
        assert_eq!(found, wanted.map(|(change, line)| (change, line.to_owned())));
    }

    #[test]
    fn figures_of_an_empty_run_are_none() {
        assert_eq!(Figures::of(&RunState::default()), Figures::default());
    }
}
