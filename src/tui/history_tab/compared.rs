//! The runs that are compared: their curves, figures, colours and letters.

use crate::run::history::figures::Figures;
use crate::run::state::{BinState, RunState};

/// Most runs that are compared at a time: what a reader tells apart.
pub(in crate::tui) const MOST_COMPARED: usize = 8;

/// A run that is compared, reduced to what is drawn of it.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::tui) struct Compared {
    pub(in crate::tui) id: String,
    pub(in crate::tui) name: String,
    /// Its colour and letter, which it keeps while it is compared.
    pub(in crate::tui) slot: usize,
    /// How many epochs the list said it had when it was read.
    pub(super) epochs: u32,
    pub(in crate::tui) curves: Option<Result<Curves, String>>,
}

/// The curves and figures of a compared run, over the epochs.
#[derive(Debug, Clone, PartialEq, Default)]
pub(in crate::tui) struct Curves {
    pub(in crate::tui) loss: Vec<(f64, f64)>,
    pub(in crate::tui) bins: Vec<(String, Vec<(f64, f64)>)>,
    pub(in crate::tui) figures: Figures,
}

impl Curves {
    /// Of a run's state.
    pub(in crate::tui) fn of(state: &RunState) -> Self {
        let bin = |bin: &BinState| {
            (bin.name.clone(), bin.results.iter().map(|(at, result)| (f64::from(*at), result.accuracy)).collect())
        };
        Self {
            loss: state.epochs.iter().map(|row| (f64::from(row.index), row.loss)).collect(),
            bins: state.bins.iter().map(bin).collect(),
            figures: Figures::of(state),
        }
    }
}
