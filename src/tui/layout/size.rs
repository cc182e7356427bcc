//! How much room a screen has.

use ratatui::layout::Rect;

use super::panes::Pane;

/// The smallest screen that something sensible fits on.
pub(in crate::tui) const SMALLEST: (u16, u16) = (60, 16);

/// How much room there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tui) enum Size {
    /// Below [`SMALLEST`].
    TooSmall,
    /// Title lines only, one chart.
    Small,
    /// Title lines only, two charts.
    Compact,
    /// Framed panes in rows.
    Medium,
    /// Framed panes in two columns.
    Wide,
    /// The same with more room.
    Huge,
}

impl Size {
    /// Whether panes have a frame.
    pub(in crate::tui) const fn framed(self) -> bool {
        matches!(self, Self::Medium | Self::Wide | Self::Huge)
    }

    /// Charts that are on screen at once.
    pub(in crate::tui) const fn charts(self) -> usize {
        match self {
            Self::TooSmall => 0,
            Self::Small => 1,
            Self::Compact => 2,
            Self::Medium => 3,
            Self::Wide | Self::Huge => Pane::CHARTS.len(),
        }
    }

    /// What it is called in the names of borders.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::TooSmall => "none",
            Self::Small => "small",
            Self::Compact => "compact",
            Self::Medium => "medium",
            Self::Wide => "wide",
            Self::Huge => "huge",
        }
    }
}

/// Judges a screen.
pub(in crate::tui) const fn size(area: Rect) -> Size {
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        Size::TooSmall
    } else if area.width >= 220 && area.height >= 66 {
        Size::Huge
    } else if area.width >= 160 && area.height >= 45 {
        Size::Wide
    } else if area.width >= 110 && area.height >= 32 {
        Size::Medium
    } else if area.width >= 80 && area.height >= 24 {
        Size::Compact
    } else {
        Size::Small
    }
}
