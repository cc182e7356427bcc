//! Where the training is, how fast it goes and how long it will take.

mod eta;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;

use crate::run::state::{Phase, RunState};
use crate::tui::format;
use crate::tui::theme::Styles;

use super::{Scene, bar, left, put, right};
use eta::eta;

/// Share of the time waiting for data from which on it is worth a look.
const SLOW_DATA: f64 = 0.2;

pub(in crate::tui) fn render(area: Rect, buffer: &mut Buffer, scene: &Scene<'_>) {
    let styles = scene.styles;
    let state = &scene.run.state;
    let eta = eta(state);
    let columns = usize::from(area.width);
    put(buffer, area, 0, first_line(state, columns, styles), styles);
    // The run's bar needs a line that a compact screen has not.
    let mut row = 1;
    if area.height >= 6 {
        let share = format::percent(eta.share);
        let done = state.done_epochs();
        let text = format!("run {done} of {} epochs", state.planned_epochs());
        put(buffer, area, 1, bar_line(&text, &share, eta.share, columns, styles), styles);
        row = if area.height >= 8 { 3 } else { 2 };
    }
    let facts = facts(scene);
    // Two facts a line, one where a line is short.
    let abreast = if columns >= 34 { 2 } else { 1 };
    let half = if abreast == 2 { columns.saturating_sub(1) / 2 } else { columns };
    let label = 11.min(half / 2 + 2);
    for (at, (name, value, warn)) in facts.iter().enumerate() {
        let line = row + (at / abreast) as u16;
        let x = if at % abreast == 0 { 0 } else { half + 1 };
        let style = if *warn { styles.warning } else { styles.text };
        let spans = vec![
            Span::styled(left(name, label, styles), styles.dim),
            Span::styled(left(value, half.saturating_sub(label), styles), style),
        ];
        if line < area.height {
            let cell = Rect { x: area.x + x as u16, width: area.width.saturating_sub(x as u16), ..area };
            put(buffer, cell, line, spans, styles);
        }
    }
    let line = row + facts.len().div_ceil(abreast) as u16;
    let known = state.header.as_ref().filter(|header| !header.device.is_empty());
    if let (Some(header), true) = (known, line < area.height) {
        let value = format!("{}, {}", header.device, header.precision);
        let spans = vec![Span::styled(left("device", label, styles), styles.dim), Span::styled(value, styles.text)];
        put(buffer, area, line, spans, styles);
    }
}

/// What is being done right now, with a bar.
fn first_line(state: &RunState, columns: usize, styles: &Styles) -> Vec<Span<'static>> {
    if let Some((what, done, total)) = &state.preparing {
        let share = if *total > 0 { *done as f64 / *total as f64 } else { 0.0 };
        let count = match total {
            0 if *done == 0 => String::new(),
            0 => format::grouped(*done),
            _ => format!("{}/{}", format::short_count(*done), format::short_count(*total)),
        };
        return bar_line(what, &count, share, columns, styles);
    }
    if state.phase == Phase::Evaluating
        && let Some(bin) = state.bins.iter().find(|bin| bin.progress.is_some())
    {
        let (done, total) = bin.progress.unwrap_or_default();
        let share = done as f64 / total.max(1) as f64;
        return bar_line(&format!("evaluating {}", bin.name), &format!("{done}/{total}"), share, columns, styles);
    }
    let Some(now) = &state.current else {
        return vec![Span::styled("waiting for the first step", styles.dim)];
    };
    let share = now.step as f64 / now.steps.max(1) as f64;
    bar_line(&format!("epoch {}", now.epoch), &format!("{}/{}", now.step, now.steps), share, columns, styles)
}

/// `text [bar] count`, where the bar takes what is left.
fn bar_line(text: &str, count: &str, share: f64, columns: usize, styles: &Styles) -> Vec<Span<'static>> {
    let used = format::width(text) + format::width(count) + 2;
    let room = columns.saturating_sub(used);
    let mut spans = vec![Span::styled(format!("{text} "), styles.strong)];
    if room >= 4 {
        spans.extend(bar(room, share, styles));
    }
    spans.push(Span::styled(format!(" {}", right(count, format::width(count), styles)), styles.text));
    spans
}

/// The facts in reading order, two a line; the flag asks for attention.
fn facts(scene: &Scene<'_>) -> Vec<(&'static str, String, bool)> {
    let state = &scene.run.state;
    let left = eta(state);
    let known = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), format::duration);
    let elsewhere = || scene.app.history.chosen().is_some_and(|run| run.live);
    let ended = state.is_ended() || !(scene.live || elsewhere());
    let end = if ended { state.updated } else { scene.app.now };
    let stepped = state.total_steps() > 0;
    let mut rate =
        state.current.as_ref().map_or_else(|| "-".to_owned(), |now| format::learning_rate(now.learning_rate));
    let scale = state.rate_scale.filter(|scale| (scale - 1.0).abs() > 1e-12);
    if let Some(scale) = scale {
        rate = format!("{rate} x{scale}");
    }
    let wait = if stepped { format::percent(state.waited) } else { "-".to_owned() };
    let memory = if state.memory > 0 { format::bytes(state.memory) } else { "-".to_owned() };
    vec![
        ("images/s", format::rate(state.images_per_second), false),
        ("data wait", wait, stepped && state.waited >= SLOW_DATA),
        ("epoch left", if ended { "-".to_owned() } else { known(left.epoch) }, false),
        ("run left", if ended { "-".to_owned() } else { known(left.run) }, false),
        ("learn rate", rate, scale.is_some()),
        ("elapsed", format::duration(end - state.started.unwrap_or(end)), false),
        ("memory", memory, false),
        ("bad images", format::grouped(state.bad_images), state.bad_images > 0),
    ]
}
