//! The warnings in full: what is the matter, since when, and what to do; those that are over at the end.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;

use crate::run::lints::Warning;
use crate::run::state::RunState;
use crate::tui::app::App;
use crate::tui::format::{time_of_day, wrap};
use crate::tui::layout::centred;
use crate::tui::theme::Styles;

use super::put;
use super::window::window;

/// Widest the window gets.
const WIDEST: u16 = 92;

/// How many there are, in words; none where there are none.
pub(in crate::tui) fn count(state: &RunState) -> Option<String> {
    match state.warnings.active().count() {
        0 => None,
        1 => Some("1 warning".to_owned()),
        count => Some(format!("{count} warnings")),
    }
}

/// The rows that they take in `columns`.
fn rows(app: &App, state: &RunState, columns: usize, styles: &Styles) -> Vec<Vec<Span<'static>>> {
    let all = state.warnings.all();
    if all.is_empty() {
        return vec![vec![Span::styled("no warnings", styles.good)]];
    }
    let mut rows = Vec::new();
    let active = all.iter().filter(|warning| warning.active);
    for warning in active.chain(all.iter().filter(|warning| !warning.active)) {
        if !rows.is_empty() {
            rows.push(Vec::new());
        }
        rows.push(vec![
            Span::styled(warning.kind.name(), if warning.active { styles.warning } else { styles.dim }),
            Span::styled(when(warning, app), styles.dim),
        ]);
        let text = format!("{}.", warning.finding.sentence);
        let style = if warning.active { styles.text } else { styles.dim };
        rows.extend(wrap(&text, columns).into_iter().map(|line| vec![Span::styled(line, style)]));
        if warning.active {
            let advice = wrap(&format!("{}.", capital(warning.finding.advice)), columns);
            rows.extend(advice.into_iter().map(|line| vec![Span::styled(line, styles.active)]));
        }
    }
    rows
}

/// Since when, or that it is over, and how often it came.
fn when(warning: &Warning, app: &App) -> String {
    let since = if warning.active { "since" } else { "over, began" };
    let epoch = warning.epoch.map_or_else(String::new, |epoch| format!(", epoch {epoch}"));
    let times = if warning.times > 1 { format!(", {} times", warning.times) } else { String::new() };
    format!("  {since} {}{epoch}{times}", time_of_day(warning.at, &app.zone))
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().collect::<String>() + letters.as_str())
}

pub(in crate::tui) fn render(area: Rect, buffer: &mut Buffer, app: &App, state: &RunState, styles: &Styles) {
    let width = WIDEST.min(area.width);
    let rows = rows(app, state, usize::from(width.saturating_sub(4)), styles);
    let shape = centred(area, width, u16::try_from(rows.len() + 2).unwrap_or(u16::MAX));
    let visible = usize::from(shape.height.saturating_sub(2));
    let first = app.view.help_scroll.min(rows.len().saturating_sub(visible));
    let more = rows.len() > visible;
    let title = if more { format!("warnings - {} to scroll", styles.glyphs.arrows) } else { "warnings".to_owned() };
    let inner = window(shape, buffer, styles, vec![Span::styled(title, styles.title)]);
    for (row, spans) in rows.into_iter().skip(first).take(visible).enumerate() {
        put(buffer, inner, row as u16, spans, styles);
    }
}
