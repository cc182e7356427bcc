//! The dialogs that ask: quit, stop now, delete, train again, the learning rate.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;

use crate::event::{RATE_SCALES, StopKind};
use crate::tui::app::App;
use crate::tui::format;
use crate::tui::keymap::{Scope, key_names};
use crate::tui::layout::centred;
use crate::tui::options::Role;
use crate::tui::theme::Styles;

use super::window::window;
use super::{left, put};

/// The quit dialog.
pub(in crate::tui) fn quit(area: Rect, buffer: &mut Buffer, app: &App, styles: &Styles) {
    let lines = situation(app);
    let more = u16::from(app.role == Role::Attached);
    let shape = centred(area, 58, lines.len() as u16 + 8 + more);
    let inner = window(shape, buffer, styles, vec![Span::styled("quit?", styles.title)]);
    let mut row = 0;
    for line in lines {
        put(buffer, inner, row, vec![Span::styled(line, styles.text)], styles);
        row += 1;
    }
    row += 1;
    let attached = app.role == Role::Attached;
    let own = app.keys.in_scope(Scope::Detach).filter(|_| attached);
    for binding in own.chain(app.keys.in_scope(Scope::Quit)) {
        let spans = vec![
            Span::styled(left(&key_names(binding), 8, styles), styles.key),
            Span::styled(binding.help, styles.text),
        ];
        put(buffer, inner, row, spans, styles);
        row += 1;
    }
    let last = match app.role {
        Role::Trainer => "Ctrl-C again stops now; a third time quits at once",
        Role::Attached | Role::Watching => "Ctrl-C again quits; training continues",
    };
    put(buffer, inner, row + 1, vec![Span::styled(last, styles.dim)], styles);
}

/// Whether a past run goes to the trash.
pub(in crate::tui) fn delete(area: Rect, buffer: &mut Buffer, app: &App, styles: &Styles) {
    let Some(run) = app.history.chosen() else { return };
    let lines = [
        format!("`{}` is moved to the folder `.trash` beside it.", run.id),
        "Its checkpoints stay where they are.".to_owned(),
    ];
    question(area, buffer, app, styles, ("delete?", Scope::Delete), &lines);
}

/// How a past run's schedule is trained.
pub(in crate::tui) fn train(area: Rect, buffer: &mut Buffer, app: &App, styles: &Styles) {
    let Some(run) = app.history.chosen() else { return };
    let lines = match app.history.whole_of(run) {
        None => vec![format!("This trains the schedule saved with `{}`.", run.id)],
        Some(whole) => vec![
            format!("This is a branch of `{}`.", whole.id),
            format!("All {} branches of that run are trained.", whole.branches.len()),
        ],
    };
    question(area, buffer, app, styles, ("train again?", Scope::Train), &lines);
}

/// Whether to stop at once.
pub(in crate::tui) fn stop_now(area: Rect, buffer: &mut Buffer, app: &App, styles: &Styles) {
    let mut lines = situation(app);
    lines.truncate(1);
    lines.push(if app.waits_for_disk() {
        GIVES_UP.to_owned()
    } else {
        "The current model is saved to a separate file.".to_owned()
    });
    question(area, buffer, app, styles, ("stop now?", Scope::StopNow), &lines);
}

/// The prompt for the learning rate.
pub(in crate::tui) fn rate(area: Rect, buffer: &mut Buffer, app: &App, styles: &Styles) {
    let now = app.rate_scale();
    let current = app.live_state().and_then(|state| state.current.as_ref()).map(|now| now.learning_rate);
    let planned = current.map(|current| current / now);
    let cursor = if styles.glyphs.unicode { "▏" } else { "_" };
    let mut lines = vec![match planned {
        Some(planned) => format!("The schedule's rate is {}, now multiplied by {now}.", format::learning_rate(planned)),
        None => format!("The schedule's rates are now multiplied by {now}."),
    }];
    lines.push(format!("times  {}{cursor}", app.view.rate.text));
    lines.push(match (app.typed_rate(), planned) {
        (Some(factor), Some(planned)) => format!("gives  {}", format::learning_rate(planned * factor)),
        (Some(_), None) => String::new(),
        (None, _) => format!("enter a number from {:e} to {:e}", RATE_SCALES.start(), RATE_SCALES.end()),
    });
    question(area, buffer, app, styles, ("learning rate", Scope::LearningRate), &lines);
}

/// Lines, and the keys of a scope with what they do.
fn question(
    area: Rect,
    buffer: &mut Buffer,
    app: &App,
    styles: &Styles,
    (title, scope): (&'static str, Scope),
    lines: &[String],
) {
    let bindings: Vec<_> = app.keys.in_scope(scope).collect();
    let shape = centred(area, 68, (lines.len() + bindings.len()) as u16 + 3);
    let inner = window(shape, buffer, styles, vec![Span::styled(title, styles.title)]);
    for (row, line) in lines.iter().enumerate() {
        put(buffer, inner, row as u16, vec![Span::styled(line.clone(), styles.text)], styles);
    }
    for (row, binding) in bindings.into_iter().enumerate() {
        let spans = vec![
            Span::styled(left(&key_names(binding), 10, styles), styles.key),
            Span::styled(binding.help, styles.text),
        ];
        put(buffer, inner, (lines.len() + 1 + row) as u16, spans, styles);
    }
}

/// Of a run that stops now and waits for a disk.
const GIVES_UP: &str = "It waits for the disk; stopping again gives up.";

/// What quitting means right now.
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
        lines.push(format!("{branches} more branches will not be trained."));
    }
    lines.push(match app.wanted_stop() {
        Some(StopKind::AfterEpoch) => "It stops after this epoch, as requested.".to_owned(),
        Some(StopKind::Now) if app.waits_for_disk() => GIVES_UP.to_owned(),
        Some(StopKind::Now) => "It is stopping now, as requested.".to_owned(),
        None => "Stopping now saves a separate checkpoint.".to_owned(),
    });
    lines
}
