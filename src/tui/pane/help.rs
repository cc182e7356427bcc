//! The help overlay: what every key does.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;

use crate::tui::app::App;
use crate::tui::keymap::help::{HelpLine, help_lines};
use crate::tui::layout::centred;
use crate::tui::theme::Styles;

use super::window::window;
use super::{left, put};

pub(in crate::tui) fn render(area: Rect, buffer: &mut Buffer, app: &App, styles: &Styles) {
    let lines = help_lines(&app.keys);
    let shape = centred(area, 72, lines.len() as u16 + 2);
    let visible = usize::from(shape.height.saturating_sub(2));
    let first = app.view.help_scroll.min(lines.len().saturating_sub(visible));
    let more = lines.len() - (first + visible).min(lines.len());
    let title = if more > 0 || first > 0 {
        format!("keys - {} to scroll, Esc to close", styles.glyphs.arrows)
    } else {
        "keys - Esc to close".to_owned()
    };
    let inner = window(shape, buffer, styles, vec![Span::styled(title, styles.title)]);
    for (at, line) in lines.into_iter().skip(first).take(visible).enumerate() {
        let spans = match line {
            HelpLine::Heading(text) => vec![Span::styled(text, styles.strong)],
            HelpLine::Keys(keys, text) => vec![
                Span::styled(format!("  {}", left(&keys, 16, styles)), styles.key),
                Span::styled(text, styles.text),
            ],
            HelpLine::Blank => continue,
        };
        put(buffer, inner, at as u16, spans, styles);
    }
}
