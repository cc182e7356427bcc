//! Sorting the history: by which column, and which run comes first.

use std::cmp::Ordering;

use crate::run::history::PastRun;

/// What the list is sorted by.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::tui) enum SortBy {
    /// The moment it began.
    #[default]
    Started,
    Name,
    Model,
    State,
    Epochs,
    Loss,
    /// The best accuracy of the bin of this name.
    Bin(String),
}

impl SortBy {
    /// Which of two runs comes first.
    pub(super) fn compare(&self, a: &PastRun, b: &PastRun) -> Ordering {
        let best = |run: &PastRun, bin: &str| run.best.iter().find(|(name, _)| name == bin).map(|(_, best)| *best);
        match self {
            Self::Started => Ordering::Equal,
            Self::Name => a.name.cmp(&b.name),
            Self::Model => a.model.cmp(&b.model),
            Self::State => a.state().cmp(b.state()),
            Self::Epochs => b.epochs.cmp(&a.epochs),
            Self::Loss => missing_last(a.loss, b.loss, f64::total_cmp),
            Self::Bin(bin) => missing_last(best(a, bin), best(b, bin), |a, b| b.total_cmp(a)),
        }
    }

    /// The next column that runs can be sorted by.
    pub(super) fn next(&self, runs: &[PastRun]) -> Self {
        let mut order = vec![Self::Started, Self::Name, Self::Model, Self::State, Self::Epochs, Self::Loss];
        for (bin, _) in runs.iter().flat_map(|run| &run.best) {
            let by = Self::Bin(bin.clone());
            if !order.contains(&by) {
                order.push(by);
            }
        }
        let at = order.iter().position(|by| by == self).map_or(0, |at| (at + 1) % order.len());
        order.swap_remove(at)
    }
}

/// Values in order, missing, NaN and infinite ones last.
fn missing_last(a: Option<f64>, b: Option<f64>, order: impl Fn(&f64, &f64) -> Ordering) -> Ordering {
    let finite = |value: Option<f64>| value.filter(|value| value.is_finite());
    match (finite(a), finite(b)) {
        (Some(a), Some(b)) => order(&a, &b),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    }
}
