//! The window that dialogs are drawn in, and the question whether to leave.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;
use ratatui::widgets::{Clear, Widget};

use crate::event::StopKind;
use crate::tui::Role;
use crate::tui::app::App;
use crate::tui::keymap::{Scope, in_scope, names};
use crate::tui::layout::centred;
use crate::tui::theme::Styles;

use super::{Frame, framed, left, put};

/// An empty framed window over whatever was there; gives the area within.
pub(in crate::tui) fn window(area: Rect, buffer: &mut Buffer, styles: &Styles, title: Vec<Span<'_>>) -> Rect {
    let area = area.intersection(buffer.area);
    Clear.render(area, buffer);
    framed(area, buffer, styles, Frame { sides: true, focused: true }, title)
}

/// The quit dialog.
pub(in crate::tui) fn quit(area: Rect, buffer: &mut Buffer, app: &App, styles: &Styles) {
    let lines = situation(app);
    let more = u16::from(app.role == Role::Attached);
    let shape = centred(area, 58, lines.len() as u16 + 8 + more);
    let inner = window(shape, buffer, styles, vec![Span::styled("leave?", styles.title)]);
    let mut row = 0;
    for line in lines {
        put(buffer, inner, row, vec![Span::styled(line, styles.text)], styles);
        row += 1;
    }
    row += 1;
    let attached = app.role == Role::Attached;
    for binding in in_scope(Scope::Detach).filter(|_| attached).chain(in_scope(Scope::Quit)) {
        let spans =
            vec![Span::styled(left(&names(binding), 8, styles), styles.key), Span::styled(binding.help, styles.text)];
        put(buffer, inner, row, spans, styles);
        row += 1;
    }
    let last = match app.role {
        Role::Trainer => "Ctrl-C again stops now; once more leaves at once",
        Role::Attached | Role::Watching => "Ctrl-C again leaves; the run goes on",
    };
    put(buffer, inner, row + 1, vec![Span::styled(last, styles.dim)], styles);
}

/// What leaving means right now.
fn situation(app: &App) -> Vec<String> {
    let Some(run) = &app.live else { return Vec::new() };
    let mut lines = vec![match (&run.state.header, &run.state.current) {
        (Some(header), Some(now)) => {
            format!("`{}` is in epoch {}, step {} of {}.", header.name, now.epoch, now.step, now.steps)
        }
        _ => "The run is being prepared.".to_owned(),
    }];
    let branches = run.state.comparison.as_ref().map_or(0, |comparison| comparison.to_come().count());
    if branches > 0 {
        lines.push(format!("{branches} of its branches have not begun, and will not."));
    }
    lines.push(match app.wanted_stop() {
        Some(StopKind::AfterEpoch) => "It will stop after this epoch, as you asked.".to_owned(),
        Some(StopKind::Now) => "It is stopping now, as you asked.".to_owned(),
        None => "Stopped now, it leaves a checkpoint of its own.".to_owned(),
    });
    lines
}
