//! The panes: a file each, a function `render` each, that draws a part of the state into a rectangle.
//!
//! A pane reads a [`Scene`] and writes cells; it keeps nothing. Any rectangle is fine, an empty one included.

pub(super) mod bin_view;
pub(super) mod branches;
pub(super) mod charts;
pub(super) mod compared_runs;
pub(super) mod dialog;
pub(super) mod evaluation;
pub(super) mod footer;
pub(super) mod header;
pub(super) mod help;
pub(super) mod history_tab;
pub(super) mod log;
pub(super) mod machine;
pub(super) mod prompt;
pub(super) mod result;
pub(super) mod schedule_diff;
pub(super) mod sparkline;
pub(super) mod stages;
pub(super) mod status;
pub(super) mod warnings;
mod window;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Widget};

use super::app::App;
use super::format::{cut, width};
use super::shown_run::ShownRun;
use super::theme::Styles;

/// What a pane of a run draws from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scene<'a> {
    pub(super) app: &'a App,
    pub(super) run: &'a ShownRun,
    pub(super) styles: &'a Styles,
    /// Whether the run is trained in this process.
    pub(super) live: bool,
}

/// How a pane is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PaneFrame {
    /// All sides, or a title line only.
    pub(super) sides: bool,
    pub(super) focused: bool,
}

/// The area within the frame of a pane.
pub(super) fn inside(area: Rect, sides: bool) -> Rect {
    let inner = Block::new().borders(borders(sides)).inner(area);
    if sides && inner.width > 4 { Rect { x: inner.x + 1, width: inner.width - 2, ..inner } } else { inner }
}

const fn borders(sides: bool) -> Borders {
    if sides { Borders::ALL } else { Borders::TOP }
}

/// Draws a frame with a title and gives the area within.
pub(super) fn framed(area: Rect, buffer: &mut Buffer, styles: &Styles, frame: PaneFrame, title: Vec<Span<'_>>) -> Rect {
    let area = area.intersection(buffer.area);
    if area.is_empty() {
        return area;
    }
    let style = if frame.focused { styles.border_focused } else { styles.border };
    let mut spans = vec![Span::raw(" ")];
    spans.extend(title);
    spans.push(Span::raw(" "));
    let room = usize::from(area.width).saturating_sub(4);
    let block = Block::new()
        .borders(borders(frame.sides))
        .border_set(styles.border_set)
        .border_style(style)
        .title(Line::from(fitted(spans, room, styles.glyphs.ellipsis)));
    block.render(area, buffer);
    inside(area, frame.sides)
}

/// The spans cut to `room` columns.
pub(super) fn fitted(spans: Vec<Span<'_>>, room: usize, ellipsis: char) -> Vec<Span<'_>> {
    let mut left = room;
    let mut kept = Vec::with_capacity(spans.len());
    for span in spans {
        let columns = width(&span.content);
        if columns <= left {
            left -= columns;
            kept.push(span);
        } else {
            kept.push(Span::styled(cut(&span.content, left, ellipsis), span.style));
            break;
        }
    }
    kept
}

/// Writes spans on one row of `area`, cut to its width.
pub(super) fn put(buffer: &mut Buffer, area: Rect, row: u16, spans: Vec<Span<'_>>, styles: &Styles) {
    if row >= area.height || area.width == 0 {
        return;
    }
    let line = Line::from(fitted(spans, usize::from(area.width), styles.glyphs.ellipsis));
    buffer.set_line(area.x, area.y + row, &line, area.width);
}

/// Text in exactly `columns`, left-aligned.
pub(super) fn left(text: &str, columns: usize, styles: &Styles) -> String {
    let text = cut(text, columns, styles.glyphs.ellipsis);
    let missing = columns - width(&text).min(columns);
    text + &" ".repeat(missing)
}

/// Text in exactly `columns`, right-aligned.
pub(super) fn right(text: &str, columns: usize, styles: &Styles) -> String {
    let text = cut(text, columns, styles.glyphs.ellipsis);
    " ".repeat(columns - width(&text).min(columns)) + &text
}

/// A bar of `columns` as two spans.
pub(super) fn bar(columns: usize, share: f64, styles: &Styles) -> [Span<'static>; 2] {
    let (full, rest) = styles.bar_text(columns, share);
    [Span::styled(full, styles.bar), Span::styled(rest, styles.dim)]
}
