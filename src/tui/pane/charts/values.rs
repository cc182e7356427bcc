//! What the charts' values are called and how they are written, and where a bin's figures lie on the x axis.

use crate::run::state::{BinState, RunState};
use crate::tui::charts::x_axis::Scale;
use crate::tui::format;
use crate::tui::layout::Pane;

/// A chart's name.
pub(super) const fn name(pane: Pane) -> &'static str {
    match pane {
        Pane::Accuracy => "accuracy",
        Pane::Bins => "bins",
        Pane::Thresholds => "thresholds",
        Pane::LearningRate => "learning rate",
        Pane::GradientNorm => "gradient norm",
        Pane::Speed => "images/s",
        _ => "loss",
    }
}

/// A value in the form its chart's values have.
pub(super) fn written(pane: Pane, value: f64) -> String {
    match pane {
        Pane::Accuracy | Pane::Bins | Pane::Thresholds => format::accuracy(value),
        Pane::LearningRate => format::learning_rate(value),
        Pane::Speed => format::rate(value),
        _ => format::loss(value),
    }
}

/// Where a bin's figures lie on the axis.
pub(super) fn place(bin: &BinState, at: usize, scale: &Scale<'_>, state: &RunState) -> Option<f64> {
    let (index, _) = bin.results.get(at)?;
    // The epoch's own row comes after its evaluation.
    let steps = state.epoch_at(*index).map_or_else(|| state.total_steps(), |row| row.total_steps);
    Some(scale.x(steps as f64))
}

/// Where all the figures of a bin lie on the axis, with their places in its list.
pub(super) fn results<'a>(
    bin: &'a BinState,
    scale: &'a Scale<'_>,
    state: &'a RunState,
) -> impl Iterator<Item = (f64, usize)> + 'a {
    (0..bin.results.len()).filter_map(move |at| Some((place(bin, at, scale, state)?, at)))
}
