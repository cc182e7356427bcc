//! Two runs' schedules side by side: the lines that differ, and those around them.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;

use crate::run::history::schedule_diff::Change;
use crate::tui::app::App;
use crate::tui::layout::centred;
use crate::tui::theme::Styles;

use super::put;
use super::window::window;

/// Draws the dialog.
pub(in crate::tui) fn render(area: Rect, buffer: &mut Buffer, app: &App, styles: &Styles) {
    let history = &app.history;
    let Some((names, lines)) = &history.schedule_diff else { return };
    let shape = centred(area, 100, area.height);
    let inner = window(shape, buffer, styles, vec![Span::styled(names.clone(), styles.title)]);
    let lines = match lines {
        Ok(lines) if lines.is_empty() => {
            put(buffer, inner, 0, vec![Span::styled("The schedules are the same.", styles.text)], styles);
            return;
        }
        Ok(lines) => lines,
        Err(error) => {
            put(buffer, inner, 0, vec![Span::styled(error.clone(), styles.bad)], styles);
            return;
        }
    };
    let visible = usize::from(inner.height);
    let first = history.schedule_diff_scroll.min(lines.len().saturating_sub(visible));
    for (row, (change, line)) in lines.iter().skip(first).take(visible).enumerate() {
        let (mark, style) = match change {
            Change::Same => (" ", styles.dim),
            Change::Removed => ("-", styles.warning),
            Change::Added => ("+", styles.good),
        };
        put(buffer, inner, row as u16, vec![Span::styled(format!("{mark} {line}"), style)], styles);
    }
}
