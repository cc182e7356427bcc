//! The help overlay: the keymap, by where its keys work.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;

use crate::tui::app::App;
use crate::tui::keymap::{Scope, in_scope, names};
use crate::tui::layout::centred;
use crate::tui::theme::Styles;

use super::dialog::window;
use super::{left, put};

/// The parts of the help.
const PARTS: [(&str, Scope); 6] = [
    ("while a run is trained", Scope::Live),
    ("charts and panes", Scope::Run),
    ("history", Scope::History),
    ("everywhere", Scope::Everywhere),
    ("always", Scope::Always),
    ("when asked whether to leave", Scope::Quit),
];

/// One line: a heading, or keys and what they do.
enum Row {
    Heading(&'static str),
    Keys(String, &'static str),
    Blank,
}

fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (at, (heading, scope)) in PARTS.into_iter().enumerate() {
        if at > 0 {
            rows.push(Row::Blank);
        }
        rows.push(Row::Heading(heading));
        let explained = in_scope(scope).filter(|binding| !binding.help.is_empty());
        rows.extend(explained.map(|binding| Row::Keys(names(binding), binding.help)));
    }
    rows
}

/// Lines the help has.
pub(in crate::tui) fn lines() -> usize {
    rows().len()
}

pub(in crate::tui) fn render(area: Rect, buffer: &mut Buffer, app: &App, styles: &Styles) {
    let rows = rows();
    let shape = centred(area, 72, rows.len() as u16 + 2);
    let visible = usize::from(shape.height.saturating_sub(2));
    let first = app.view.help_scroll.min(rows.len().saturating_sub(visible));
    let more = rows.len() - (first + visible).min(rows.len());
    let title = if more > 0 || first > 0 {
        format!("keys - {} to scroll, Esc to close", styles.glyphs.arrows)
    } else {
        "keys - Esc to close".to_owned()
    };
    let inner = window(shape, buffer, styles, vec![Span::styled(title, styles.title)]);
    for (at, row) in rows.into_iter().skip(first).take(visible).enumerate() {
        let spans = match row {
            Row::Heading(text) => vec![Span::styled(text, styles.strong)],
            Row::Keys(keys, text) => vec![
                Span::styled(format!("  {}", left(&keys, 16, styles)), styles.key),
                Span::styled(text, styles.text),
            ],
            Row::Blank => continue,
        };
        put(buffer, inner, at as u16, spans, styles);
    }
}
