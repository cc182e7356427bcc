//! Where the parts of a chart lie on the screen, and what its cells stand for: data to cells, and back for the mouse.

use ratatui::layout::Rect;

/// The largest value that an axis reaches: its width must be a number too.
const LARGEST: f64 = 1e150;

/// A value's place on the axis: the exponent on a logarithmic one; NaN where it has none.
pub(super) fn height(value: f64, log_y: bool) -> f64 {
    match (value.is_finite(), log_y) {
        (true, false) => value.clamp(-LARGEST, LARGEST),
        (true, true) if value > 0.0 => value.log10(),
        _ => f64::NAN,
    }
}

/// Where a chart's parts lie, and what its cells stand for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::tui) struct Geometry {
    /// The whole chart.
    pub(super) area: Rect,
    /// The cells of the curves.
    pub(in crate::tui) panel: Rect,
    pub(in crate::tui) x: (f64, f64),
    /// On a logarithmic axis: of the exponents.
    pub(super) y: (f64, f64),
    pub(super) log_y: bool,
}

impl Geometry {
    /// The x in the middle of a column.
    pub(in crate::tui) fn x_at(&self, column: u16) -> f64 {
        let share = (f64::from(column) - f64::from(self.panel.x) + 0.5) / f64::from(self.panel.width.max(1));
        self.x.0 + (self.x.1 - self.x.0) * share.clamp(0.0, 1.0)
    }

    /// The x at a column's left edge.
    pub(in crate::tui) fn x_edge(&self, column: u16) -> f64 {
        let share = (f64::from(column) - f64::from(self.panel.x)) / f64::from(self.panel.width.max(1));
        self.x.0 + (self.x.1 - self.x.0) * share.clamp(0.0, 1.0)
    }

    /// The y at a row's upper edge.
    pub(in crate::tui) fn y_edge(&self, row: u16) -> f64 {
        let share = (f64::from(row) - f64::from(self.panel.y)) / f64::from(self.panel.height.max(1));
        let y = self.y.1 - (self.y.1 - self.y.0) * share.clamp(0.0, 1.0);
        if self.log_y { 10_f64.powf(y) } else { y }
    }

    /// The column of an x within the window.
    pub(super) fn column(&self, x: f64) -> Option<u16> {
        let share = (x - self.x.0) / (self.x.1 - self.x.0);
        let column = (share * f64::from(self.panel.width)).floor();
        ((0.0..=1.0).contains(&share)).then(|| self.panel.x + (column as u16).min(self.panel.width - 1))
    }

    /// The row of a value within the axis.
    pub(super) fn row(&self, value: f64) -> Option<u16> {
        let share = (self.y.1 - self.height(value)) / (self.y.1 - self.y.0);
        let row = (share * f64::from(self.panel.height)).floor();
        ((0.0..=1.0).contains(&share)).then(|| self.panel.y + (row as u16).min(self.panel.height - 1))
    }

    /// A value on the axis, NaN where it has no place on it.
    pub(super) fn height(&self, value: f64) -> f64 {
        height(value, self.log_y)
    }
}
