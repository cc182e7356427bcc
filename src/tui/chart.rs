//! Line charts: curves in data coordinates become axes, dots and marks in a ratatui buffer.
//!
//! The panes hand over curves that are thin enough to draw (see `series`). NaN is a gap. Any area is fine; a tiny one stays
//! empty. No plotting crate draws them: raw curves must lie behind smoothed ones, and marks, bands and the crosshair between
//! and over them.
//!
//! | file | what it does |
//! |---|---|
//! | `axis` | ranges, ticks and their labels |
//! | `raster` | lines to dots, dots to braille or letters |
//! | `marks` | stages, best points, missing numbers, the crosshair, the selection |

mod axis;
mod marks;
mod raster;
#[cfg(test)]
mod tests;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Color;

use super::format::{cut, width};
use super::theme::Styles;

pub(super) use axis::Unit;
use raster::Canvas;
pub(super) use raster::letter;

/// How a curve is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stroke {
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
pub(super) struct Curve {
    pub(super) x: Vec<f64>,
    pub(super) y: Vec<f64>,
    pub(super) color: Color,
    pub(super) stroke: Stroke,
}

/// A point that deserves its value beside it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Best {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) text: String,
    pub(super) color: Color,
}

/// The crosshair's place, and where the curves are there.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Cross {
    pub(super) x: f64,
    /// The y of every curve with its colour.
    pub(super) points: Vec<(f64, Color)>,
}

/// A chart.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Chart {
    pub(super) curves: Vec<Curve>,
    /// Where bands begin, ascending, and their names: the stages.
    pub(super) bands: Vec<(f64, String)>,
    /// First and last x.
    pub(super) x: (f64, f64),
    /// What x counts.
    pub(super) unit: Unit,
    /// Lowest and highest y; those of the curves unless given.
    pub(super) y: Option<(f64, f64)>,
    /// Logarithmic y axis.
    pub(super) log_y: bool,
    /// The y axis leaves out the few wildest raw values.
    pub(super) calm: bool,
    pub(super) best: Vec<Best>,
    /// Where values are missing that should be numbers.
    pub(super) strange: Vec<f64>,
    pub(super) cross: Option<Cross>,
    /// Cells that are being chosen with the mouse.
    pub(super) selection: Option<Rect>,
    /// What to say while there is nothing to draw.
    pub(super) empty: &'static str,
}

/// Smallest area in which a chart says anything.
const SMALLEST: (u16, u16) = (14, 4);

/// Height from which on the names of stages have a row of their own.
const ROOMY: u16 = 8;

/// Where a chart's parts lie, and what its cells stand for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Geometry {
    /// The whole chart.
    area: Rect,
    /// The cells of the curves.
    pub(super) panel: Rect,
    pub(super) x: (f64, f64),
    /// On a logarithmic axis: of the exponents.
    y: (f64, f64),
    log_y: bool,
}

impl Geometry {
    /// The x in the middle of a column.
    pub(super) fn x_at(&self, column: u16) -> f64 {
        let share = (f64::from(column) - f64::from(self.panel.x) + 0.5) / f64::from(self.panel.width.max(1));
        self.x.0 + (self.x.1 - self.x.0) * share.clamp(0.0, 1.0)
    }

    /// The x at a column's left edge.
    pub(super) fn x_edge(&self, column: u16) -> f64 {
        let share = (f64::from(column) - f64::from(self.panel.x)) / f64::from(self.panel.width.max(1));
        self.x.0 + (self.x.1 - self.x.0) * share.clamp(0.0, 1.0)
    }

    /// The y at a row's upper edge.
    pub(super) fn y_edge(&self, row: u16) -> f64 {
        let share = (f64::from(row) - f64::from(self.panel.y)) / f64::from(self.panel.height.max(1));
        let y = self.y.1 - (self.y.1 - self.y.0) * share.clamp(0.0, 1.0);
        if self.log_y { 10_f64.powf(y) } else { y }
    }

    /// The column of an x within the window.
    fn column(&self, x: f64) -> Option<u16> {
        let share = (x - self.x.0) / (self.x.1 - self.x.0);
        let column = (share * f64::from(self.panel.width)).floor();
        ((0.0..=1.0).contains(&share)).then(|| self.panel.x + (column as u16).min(self.panel.width - 1))
    }

    /// The row of a value within the axis.
    fn row(&self, value: f64) -> Option<u16> {
        let share = (self.y.1 - self.height(value)) / (self.y.1 - self.y.0);
        let row = (share * f64::from(self.panel.height)).floor();
        ((0.0..=1.0).contains(&share)).then(|| self.panel.y + (row as u16).min(self.panel.height - 1))
    }

    /// A value on the axis, NaN where it has no place on it.
    fn height(&self, value: f64) -> f64 {
        axis::height(value, self.log_y)
    }
}

impl Chart {
    /// Draws into `area`.
    pub(super) fn render(&self, area: Rect, buffer: &mut Buffer, styles: &Styles) {
        let area = area.intersection(buffer.area);
        if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
            return;
        }
        let Some(geometry) = self.geometry(area) else {
            let row = area.y + area.height / 2;
            let text = cut(self.empty, usize::from(area.width), styles.glyphs.ellipsis);
            let column = area.x + (area.width - width(&text) as u16) / 2;
            buffer.set_string(column, row, text, styles.dim);
            return;
        };
        axis::draw(&geometry, self.unit, buffer, styles);
        marks::bands(self, &geometry, buffer, styles);
        let mut canvas = Canvas::new(geometry.panel.width, geometry.panel.height, styles.glyphs.unicode);
        // Raw values first: a cell has one colour for all of its dots, and theirs give way.
        let ghosts = |curve: &&Curve| curve.stroke == Stroke::Ghost;
        self.curves.iter().filter(ghosts).for_each(|curve| canvas.curve(curve, 0, &geometry));
        let lines = self.curves.iter().filter(|curve| !ghosts(curve));
        lines.enumerate().for_each(|(number, curve)| canvas.curve(curve, number, &geometry));
        canvas.put(geometry.panel, buffer, styles);
        marks::strange(self, &geometry, buffer, styles);
        marks::best(self, &geometry, buffer, styles);
        marks::cross(self, &geometry, buffer, styles);
        marks::selection(self, &geometry, buffer, styles);
    }

    /// Where everything lies in `area`; none when there is nothing to draw, or no room.
    pub(super) fn geometry(&self, area: Rect) -> Option<Geometry> {
        if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
            return None;
        }
        let x = if self.x.1 > self.x.0 { self.x } else { (self.x.0, self.x.0 + 1.0) };
        let y = axis::range(self, x)?;
        let strip = u16::from(self.bands.len() > 1 && area.height >= ROOMY);
        let rows = area.height - strip - 2;
        let gutter = axis::gutter(y, self.log_y, rows).min(area.width / 2);
        let panel = Rect::new(area.x + gutter + 1, area.y + strip, area.width - gutter - 1, rows);
        Some(Geometry { area, panel, x, y, log_y: self.log_y })
    }
}
