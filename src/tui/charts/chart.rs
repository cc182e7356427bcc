//! What a chart shows: curves in data coordinates, bands, marks, the crosshair. `render` draws it.

use ratatui::layout::Rect;
use ratatui::style::Color;

/// What the x axis counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::tui) enum Unit {
    /// Steps or epochs.
    #[default]
    Count,
    /// Seconds since the training began.
    Seconds,
}

/// How a curve is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tui) enum Stroke {
    /// A line.
    Line,
    /// Raw values behind another curve.
    Ghost,
    /// A line with a mark at every point.
    Marked,
    /// The same in dashes: the second of several curves without colour.
    Dashed,
    /// The same in dots: the third.
    Dotted,
}

/// One curve; its points ascend in x.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::tui) struct Curve {
    pub(in crate::tui) x: Vec<f64>,
    pub(in crate::tui) y: Vec<f64>,
    pub(in crate::tui) color: Color,
    pub(in crate::tui) stroke: Stroke,
}

/// A point that deserves its value beside it.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::tui) struct Best {
    pub(in crate::tui) x: f64,
    pub(in crate::tui) y: f64,
    pub(in crate::tui) text: String,
    pub(in crate::tui) color: Color,
}

/// The crosshair's place, and where the curves are there.
#[derive(Debug, Clone, PartialEq, Default)]
pub(in crate::tui) struct Cross {
    pub(in crate::tui) x: f64,
    /// The y of every curve with its colour.
    pub(in crate::tui) points: Vec<(f64, Color)>,
}

/// A chart.
#[derive(Debug, Clone, PartialEq, Default)]
pub(in crate::tui) struct Chart {
    pub(in crate::tui) curves: Vec<Curve>,
    /// Where bands begin, ascending, and their names: the stages.
    pub(in crate::tui) bands: Vec<(f64, String)>,
    /// First and last x.
    pub(in crate::tui) x: (f64, f64),
    /// What x counts.
    pub(in crate::tui) unit: Unit,
    /// Lowest and highest y; those of the curves unless given.
    pub(in crate::tui) y: Option<(f64, f64)>,
    /// Logarithmic y axis.
    pub(in crate::tui) log_y: bool,
    /// The y axis leaves out the few wildest raw values.
    pub(in crate::tui) ignore_outliers: bool,
    pub(in crate::tui) best: Vec<Best>,
    /// Where values are missing that should be numbers.
    pub(in crate::tui) not_finite: Vec<f64>,
    pub(in crate::tui) cross: Option<Cross>,
    /// Cells that are being chosen with the mouse.
    pub(in crate::tui) selection: Option<Rect>,
    /// What to say while there is nothing to draw.
    pub(in crate::tui) empty: &'static str,
}
