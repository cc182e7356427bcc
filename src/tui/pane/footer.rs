//! The last line: the keys that work now, drawn from the keymap, and what is pending.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;

use crate::event::Outcome;
use crate::run::state::Phase;
use crate::tui::action::{Action, ChartAction, HistoryAction, Tab};
use crate::tui::app::App;
use crate::tui::format::width;
use crate::tui::keymap::{Binding, Scope, key_name};
use crate::tui::theme::Styles;
use crate::tui::view::Dialog;

use super::put;

pub(in crate::tui) fn render(area: Rect, buffer: &mut Buffer, app: &App, styles: &Styles) {
    let mut spans = Vec::new();
    let mut used = 0;
    if let Some(text) = sentence(app) {
        used += width(&text);
        spans.push(Span::styled(text, styles.warning));
    }
    let scopes = app.scopes();
    for binding in app.keys.bindings().filter(|binding| scopes.contains(&binding.scope)) {
        let Some(label) = label(binding, app) else { continue };
        let key = key_name(binding.keys[0]);
        let gap = if used > 0 { 2 } else { 0 };
        let columns = gap + width(&key) + 1 + width(&label);
        if used + columns > usize::from(area.width) {
            break;
        }
        used += columns;
        spans.push(Span::raw(" ".repeat(gap)));
        spans.push(Span::styled(key, styles.key));
        spans.push(Span::raw(" "));
        spans.push(Span::styled(label.into_owned(), styles.dim));
    }
    put(buffer, area, 0, spans, styles);
}

/// What a waiting user should know first.
fn sentence(app: &App) -> Option<String> {
    if app.view.dialog == Some(Dialog::Quit) {
        return None;
    }
    let state = &app.live.as_ref()?.state;
    match &state.phase {
        Phase::Ended(Outcome::Completed) => Some("finished - press q to quit".to_owned()),
        Phase::Ended(Outcome::Stopped) => Some("stopped - press q to quit".to_owned()),
        Phase::Ended(Outcome::Failed { .. }) => Some("failed - press q to quit".to_owned()),
        _ => None,
    }
}

/// A binding's footer text, which says what the key would do now.
fn label(binding: &Binding, app: &App) -> Option<Cow<'static, str>> {
    let fixed = binding.footer?;
    let charts = app.view.charts;
    let state = app.live.as_ref().map(|run| &run.state);
    let text = match binding.action {
        Action::ToggleStop if app.wanted_stop().is_some() => "cancel stop",
        Action::ToggleStop => "stop after epoch",
        Action::TogglePause if state.is_some_and(|state| state.phase == Phase::Paused) => "resume",
        Action::Chart(ChartAction::NextXAxis) => charts.axis.next().name(),
        Action::History(HistoryAction::Attach) if !app.history.chosen().is_some_and(|run| run.live) => return None,
        Action::Branches if app.compared().is_none() => return None,
        Action::Warnings if app.on_screen().is_none_or(|(run, _)| run.state.warnings.all().is_empty()) => {
            return None;
        }
        Action::Machine if app.on_screen().is_none_or(|(run, _)| run.state.machine.is_empty()) => return None,
        // Enter says it where the table has the focus.
        Action::OpenBin if binding.scope == Scope::Run && (app.chooses_bins() || app.chosen_bin().is_none()) => {
            return None;
        }
        Action::ToggleBest if app.view.open_bin.as_ref().is_some_and(|bin_view| bin_view.best) => "newest",
        Action::Chart(ChartAction::ToggleLogY) if charts.log_y => "linear",
        Action::Chart(ChartAction::ToggleSmoothing) if charts.smooth => "raw",
        Action::ZoomPane if app.view.zoomed => "unzoom",
        // Only where there is something to go back from.
        Action::Close if app.view.dialog.is_none() => {
            let past = app.view.tab == Tab::History && app.history.full;
            let charts = charts.cross.is_some() || charts.window.is_some() || charts.y.is_some();
            let deep = app.view.zoomed || app.view.open_bin.is_some();
            (past || deep || app.view.log_scroll > 0 || charts).then_some("back")?
        }
        // The sentence at the left says it already.
        Action::Quit if !app.training() && app.live.is_some() => return None,
        _ => fixed,
    };
    Some(Cow::Borrowed(text))
}
