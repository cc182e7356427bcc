//! The borders between panes, which the mouse can move.

use std::collections::BTreeMap;

use ratatui::layout::Rect;

/// Borders that were moved: where they lie, as a share of the rectangle they divide.
pub(in crate::tui) type Borders = BTreeMap<String, f32>;

/// A border between two panes, or two groups of them, that the mouse can move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::tui) struct Border {
    /// What it is called in [`Borders`].
    pub(in crate::tui) key: String,
    /// Whether it runs from top to bottom.
    pub(in crate::tui) upright: bool,
    /// The rectangle that it divides.
    pub(in crate::tui) within: Rect,
    /// The first column or row behind it.
    pub(in crate::tui) at: u16,
    /// Whether panes have frames, of which a border then has two.
    pub(super) framed: bool,
}

impl Border {
    /// Whether a cell belongs to it.
    pub(in crate::tui) fn holds(&self, column: u16, row: u16) -> bool {
        let inside = self.within.contains((column, row).into());
        // Without frames the title line is the border, or a gap of two columns.
        let (before, behind) = match (self.framed, self.upright) {
            (true, _) => (1, 1),
            (false, true) => (2, 0),
            (false, false) => (0, 1),
        };
        let here = if self.upright { column } else { row };
        inside && here + before >= self.at && here < self.at + behind
    }

    /// Its share when it is moved to a cell.
    pub(in crate::tui) fn moved(&self, column: u16, row: u16) -> f32 {
        let (place, start, extent) = if self.upright {
            (column, self.within.x, self.within.width)
        } else {
            (row, self.within.y, self.within.height)
        };
        (f32::from(place.saturating_sub(start)) / f32::from(extent.max(1))).clamp(0.0, 1.0)
    }
}
