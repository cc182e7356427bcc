//! How charts are drawn: which x axis, which part of it, smoothed or raw. The same for all charts, so that they can be
//! compared.

use ratatui::layout::Rect;

use super::x_axis::{Axis, Scale};
use crate::tui::layout::Pane;

/// The part of the x axis that was chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::tui) struct Window {
    pub(in crate::tui) from: f64,
    pub(in crate::tui) to: f64,
    /// It moves with the end of the run.
    pub(in crate::tui) follow: bool,
}

/// How charts are drawn; the same for all of them, so that they can be compared.
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "switches of their own")]
pub(in crate::tui) struct ChartOptions {
    pub(in crate::tui) axis: Axis,
    /// Logarithmic y axis of loss, learning rate and gradient norm.
    pub(in crate::tui) log_y: bool,
    /// Smoothed curves, the raw ones behind them.
    pub(in crate::tui) smooth: bool,
    /// Index into [`STRENGTHS`].
    pub(in crate::tui) strength: usize,
    /// Only the newest stage.
    pub(in crate::tui) stage_only: bool,
    /// The y axes leave out the few wildest raw values.
    pub(in crate::tui) ignore_outliers: bool,
    /// The whole run, or its newest stage, unless given.
    pub(in crate::tui) window: Option<Window>,
    /// The part of one chart's y axis that was chosen.
    pub(in crate::tui) y: Option<(Pane, (f64, f64))>,
    /// Where the crosshair stands, on the x axis.
    pub(in crate::tui) cross: Option<f64>,
    /// The cells of a chart that are being chosen with the mouse.
    pub(in crate::tui) selection: Option<(Pane, Rect)>,
}

/// Weight of the past in the smoothed curves unless another was chosen: about the mean of the last fifty steps.
pub(in crate::tui) const STRENGTH: f64 = 0.98;

/// Weights of the past in a smoothed curve; each about twice as smooth as the one before.
pub(in crate::tui) const STRENGTHS: [f64; 10] = [0.3, 0.6, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999];

impl Default for ChartOptions {
    fn default() -> Self {
        Self {
            axis: Axis::Steps,
            log_y: false,
            smooth: true,
            strength: STRENGTHS.iter().position(|strength| *strength >= STRENGTH).unwrap_or(0),
            stage_only: false,
            ignore_outliers: false,
            window: None,
            y: None,
            cross: None,
            selection: None,
        }
    }
}

impl ChartOptions {
    /// First and last x that are shown of a run.
    pub(in crate::tui) fn span(&self, scale: &Scale<'_>) -> (f64, f64) {
        let whole = scale.whole(self.stage_only);
        match self.window {
            Some(Window { from, to, follow: true }) => (whole.1 - (to - from), whole.1),
            Some(Window { from, to, follow: false }) => (from, to),
            None => whole,
        }
    }
}
