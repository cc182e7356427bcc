//! The framed window over the panes that dialogs are drawn in.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;
use ratatui::widgets::{Clear, Widget};

use super::{PaneFrame, framed};
use crate::tui::theme::Styles;

/// An empty framed window over whatever was there; gives the area within.
pub(super) fn window(area: Rect, buffer: &mut Buffer, styles: &Styles, title: Vec<Span<'_>>) -> Rect {
    let area = area.intersection(buffer.area);
    Clear.render(area, buffer);
    framed(area, buffer, styles, PaneFrame { sides: true, focused: true }, title)
}
