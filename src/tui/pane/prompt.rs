//! The line in which text is typed, in the place of the footer, and above it the commands that fit.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;

use crate::tui::app::App;
use crate::tui::app::text_input::{Purpose, TextInput};
use crate::tui::format::{cut, width};
use crate::tui::theme::Styles;

use super::window::window;
use super::{left, put};

/// Most commands that are shown at a time.
const OFFERED: usize = 12;

/// Draws the prompt into the last line; `body` is what lies above it.
pub(in crate::tui) fn render(line: Rect, body: Rect, buffer: &mut Buffer, app: &App, styles: &Styles) {
    let Some(prompt) = &app.view.prompt else { return };
    let (before, after) = prompt.halves();
    let label = format!("{}: ", prompt.purpose.label());
    let mut hint = hint(prompt, app);
    // What is typed has half of the line at least.
    hint.0 = cut(&hint.0, usize::from(line.width) / 2, styles.glyphs.ellipsis);
    // The end of a long text is what is being typed.
    let room = usize::from(line.width).saturating_sub(width(&label) + width(&hint.0) + 4);
    let mut shown = before;
    while width(&shown) > room && !shown.is_empty() {
        shown.remove(0);
    }
    let mut rest = after.chars();
    let under = rest.next().map_or_else(|| " ".to_owned(), String::from);
    let mut spans = vec![
        Span::styled(label, styles.key),
        Span::styled(shown, styles.text),
        Span::styled(under, styles.selected),
        Span::styled(rest.collect::<String>(), styles.text),
    ];
    spans.push(Span::styled(format!("  {}", hint.0), if hint.1 { styles.warning } else { styles.dim }));
    put(buffer, line, 0, spans, styles);
    if prompt.purpose == Purpose::Command {
        commands(body, buffer, app, styles);
    }
}

/// What helps with the text, and whether something is wrong with it.
fn hint(prompt: &TextInput, app: &App) -> (String, bool) {
    match prompt.purpose {
        Purpose::Filter => match &app.history.filter_error {
            Some(error) => (error.clone(), true),
            None => (format!("{} of {} runs", app.history.runs.len(), app.history.total()), false),
        },
        Purpose::Tags => ("words; Enter saves, Esc cancels".to_owned(), false),
        Purpose::Note => ("Enter saves, Esc cancels".to_owned(), false),
        Purpose::Command => ("Enter runs it, Esc cancels".to_owned(), false),
    }
}

/// The commands that fit, over the bottom of the panes.
fn commands(body: Rect, buffer: &mut Buffer, app: &App, styles: &Styles) {
    let commands = app.commands();
    let visible = commands.len().clamp(1, OFFERED);
    let height = (visible as u16 + 2).min(body.height);
    let area = Rect { y: body.bottom().saturating_sub(height), height, width: body.width.min(90), ..body };
    let inner = window(area, buffer, styles, vec![Span::styled("commands", styles.title)]);
    if commands.is_empty() {
        put(buffer, inner, 0, vec![Span::styled("no such command here", styles.dim)], styles);
        return;
    }
    let rows = usize::from(inner.height);
    let first = (app.view.offered + 1).saturating_sub(rows);
    for (row, (at, (_, keys, help))) in commands.iter().enumerate().skip(first).take(rows).enumerate() {
        let style = if at == app.view.offered { styles.selected } else { styles.text };
        let text = left(help, usize::from(inner.width).saturating_sub(16), styles);
        let spans = vec![Span::styled(left(keys, 16, styles), styles.key), Span::styled(text, style)];
        put(buffer, inner, row as u16, spans, styles);
    }
}
