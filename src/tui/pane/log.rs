//! The log: the newest lines at the bottom, wrapped, only as many of them as fit.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Span;

use crate::event::Level;
use crate::run::state::LogLine;
use crate::tui::format::{time_of_day, width, wrap};
use crate::tui::theme::Styles;

use super::{Scene, put};

/// The pane's title, which says when it does not follow.
pub(in crate::tui) fn title(scene: &Scene<'_>) -> Vec<Span<'static>> {
    let mut spans = vec![Span::styled("log", scene.styles.title)];
    let below = scene.app.view.log_scroll;
    if below > 0 {
        spans.push(Span::styled(format!("  {below} newer below, End to follow"), scene.styles.warning));
    }
    spans
}

pub(in crate::tui) fn render(area: Rect, buffer: &mut Buffer, scene: &Scene<'_>) {
    let styles = scene.styles;
    let log = &scene.run.state.log;
    if log.is_empty() {
        put(buffer, area, 0, vec![Span::styled("no log lines yet", styles.dim)], styles);
        return;
    }
    let height = usize::from(area.height);
    let newest = log.len().saturating_sub(scene.app.view.log_scroll).max(1);
    // From the newest line upwards, until the pane is full: a long log costs no more than a short one.
    let mut rows: Vec<Vec<Span<'static>>> = Vec::with_capacity(height);
    for line in log.iter().take(newest).rev() {
        if rows.len() >= height {
            break;
        }
        let mut wrapped = wrapped(line, usize::from(area.width), scene);
        while let (Some(row), true) = (wrapped.pop(), rows.len() < height) {
            rows.push(row);
        }
    }
    // A log shorter than the pane starts at its top.
    let rows = rows.into_iter().rev();
    for (row, spans) in rows.enumerate() {
        put(buffer, area, row as u16, spans, styles);
    }
}

/// A line in rows: the time, then the sentence, further rows indented under it.
fn wrapped(line: &LogLine, columns: usize, scene: &Scene<'_>) -> Vec<Vec<Span<'static>>> {
    let styles = scene.styles;
    let time = time_of_day(line.at, &scene.app.zone);
    let indent = width(&time) + 1;
    let (word, style) = level(line.level, styles);
    // The one letter of facetui's own sentences that ASCII lacks.
    let message = line.message.replace(char::is_control, " ").replace('±', styles.glyphs.plus_minus);
    let text = format!("{word}{message}");
    let rows = wrap(&text, columns.saturating_sub(indent).max(1));
    rows.into_iter()
        .enumerate()
        .map(|(at, text)| {
            let margin = if at == 0 { format!("{time} ") } else { " ".repeat(indent) };
            vec![Span::styled(margin, styles.dim), Span::styled(text, style)]
        })
        .collect()
}

/// A level's word and style; information has no word.
const fn level(level: Level, styles: &Styles) -> (&'static str, Style) {
    match level {
        Level::Info => ("", styles.text),
        Level::Warning => ("warning: ", styles.warning),
        Level::Error => ("error: ", styles.bad),
    }
}
