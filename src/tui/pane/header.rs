//! The first line: tabs, what is requested of the engine, the run's name and where it stands.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Span;

use crate::event::{Outcome, Saved, StopKind};
use crate::run::state::{Phase, RunState};
use crate::tui::action::Tab;
use crate::tui::app::App;
use crate::tui::format::width;
use crate::tui::options::Role;
use crate::tui::theme::Styles;
use crate::tui::view::Request;

use super::{put, warnings};

/// The names of the tabs.
const TRAINING: &str = " training ";
const HISTORY: &str = " history ";

/// The tab whose name lies at a column of the first line.
pub(in crate::tui) fn tab_at(column: u16) -> Option<Tab> {
    let training = width(TRAINING) as u16;
    match column {
        at if at < training => Some(Tab::Training),
        at if at > training && at <= training + width(HISTORY) as u16 => Some(Tab::History),
        _ => None,
    }
}

/// A run's phase as one word, and its style.
pub(in crate::tui) fn phase_word(state: &RunState, goes_on: bool, styles: &Styles) -> (&'static str, Style) {
    match &state.phase {
        Phase::Ended(Outcome::Completed) => ("FINISHED", styles.good),
        Phase::Ended(Outcome::Stopped) => ("STOPPED", styles.warning),
        Phase::Ended(Outcome::Failed { .. }) => ("FAILED", styles.bad),
        _ if !goes_on => ("INTERRUPTED", styles.bad),
        _ if state.stop == Some(StopKind::Now) => ("STOPPING", styles.warning),
        Phase::Paused => ("PAUSED", styles.warning),
        _ if state.stop.is_some() => ("STOPPING", styles.warning),
        Phase::Preparing => ("PREPARING", styles.active),
        Phase::Training => ("TRAINING", styles.active),
        Phase::Evaluating => ("EVALUATING", styles.active),
    }
}

/// What is requested of the engine and has not happened yet, in a sentence.
pub(in crate::tui) fn notice(app: &App) -> Option<String> {
    let state = app.live.as_ref().map(|run| &run.state).filter(|state| !state.is_ended())?;
    let epoch =
        state.current.as_ref().map_or_else(|| "the first epoch".to_owned(), |now| format!("epoch {}", now.epoch));
    let then = if app.view.quit_when_ended { ", then quitting" } else { "" };
    match (app.view.request, state.stop) {
        (Some(Request::Stop(StopKind::AfterEpoch)), _) => Some(format!("stop after {epoch} requested{then}")),
        (Some(Request::Stop(StopKind::Now)), _) => Some(format!("stop requested{then}")),
        (Some(Request::Withdraw), _) => Some("cancelling the stop requested".to_owned()),
        (Some(Request::Pause), _) => Some("pause requested".to_owned()),
        (Some(Request::Resume), _) => Some("resume requested".to_owned()),
        (Some(Request::Evaluate), _) => Some("evaluation requested".to_owned()),
        (Some(Request::Save), _) => Some("save requested".to_owned()),
        (Some(Request::Rate(factor)), _) => Some(format!("learning rate times {factor} requested")),
        (None, Some(StopKind::AfterEpoch)) if app.view.interrupts > 0 => {
            Some(format!("stopping after {epoch} - Ctrl-C again stops now"))
        }
        (None, Some(StopKind::AfterEpoch)) if then.is_empty() => Some(format!("stopping after {epoch} - n to cancel")),
        (None, Some(StopKind::AfterEpoch)) => Some(format!("stopping after {epoch}{then} - n to cancel")),
        (None, Some(StopKind::Now)) => Some(format!("stopping now{then}")),
        (None, None) if state.phase == Phase::Paused && app.view.waits => {
            Some("request waits for the paused evaluation - p to resume".to_owned())
        }
        (None, None) if state.phase == Phase::Paused => Some("paused - p to resume".to_owned()),
        (None, None) => None,
    }
}

/// The branch that is trained, after a space; nothing where there is none.
fn branch(state: &RunState) -> String {
    let Some(comparison) = &state.comparison else { return String::new() };
    let Some(branch) = comparison.current else { return String::new() };
    format!(" branch {}/{} {}", branch + 1, comparison.total(), comparison.name(branch))
}

pub(in crate::tui) fn render(area: Rect, buffer: &mut Buffer, app: &App, styles: &Styles) {
    let tab = |tab: Tab, text: &'static str| {
        Span::styled(text, if app.view.tab == tab { styles.selected } else { styles.dim })
    };
    let mut spans = vec![tab(Tab::Training, TRAINING), Span::raw(" "), tab(Tab::History, HISTORY)];
    let used: usize = spans.iter().map(|span| width(&span.content)).sum();
    let mut end = Vec::new();
    let told = app.view.notice.as_ref().map(|notice| {
        let room = usize::from(area.width).saturating_sub(used + 2);
        super::cut(notice, room, styles.glyphs.ellipsis)
    });
    if let Some(told) = told {
        end.push(Span::styled(told, styles.strong));
        end.push(Span::raw(" "));
    } else if let Some(run) = &app.live {
        let (word, style) = phase_word(&run.state, true, styles);
        let role = match app.role {
            Role::Trainer => "",
            Role::Attached => "attached ",
            Role::Watching => "watching ",
        };
        let notice = notice(app).unwrap_or_default();
        let free = usize::from(area.width).saturating_sub(used + width(word) + 4);
        // A request matters more.
        let role = if width(role) + width(&notice) + 2 > free { "" } else { role };
        let mut room = free - width(role);
        if !notice.is_empty() {
            room = room.saturating_sub(width(&notice) + 2);
            end.push(Span::styled(notice, styles.warning));
            end.push(Span::raw("  "));
        }
        // Nothing matters more than that.
        let files = run.state.unsaved.iter().find(|unsaved| unsaved.of == Saved::Files);
        let unsaved = files.or(run.state.unsaved.first()).map(|unsaved| format!("{} ", unsaved.sentence()));
        if let Some(unsaved) = unsaved {
            let text = super::cut(&unsaved, room.saturating_sub(2), styles.glyphs.ellipsis);
            room = room.saturating_sub(width(&text) + 2);
            end.push(Span::styled(text, styles.bad));
            end.push(Span::raw("  "));
        }
        if let Some(count) = warnings::count(&run.state).filter(|count| width(count) + 6 <= room) {
            room -= width(&count) + 6;
            end.push(Span::styled(count, styles.warning));
            end.push(Span::styled(" (!)  ", styles.dim));
        }
        if let Some(header) = run.state.whole_header() {
            let branch = branch(&run.state);
            let full = format!("{}{branch} {} {}", header.name, styles.glyphs.dot, header.model);
            let short = format!("{}{branch}", header.name);
            let name = [full, short, branch.trim_start().to_owned(), header.name.clone()]
                .into_iter()
                .filter(|text| !text.is_empty())
                .find(|text| width(text) <= room);
            if let Some(name) = name {
                end.push(Span::styled(name, styles.strong));
                end.push(Span::raw("  "));
            }
        }
        end.push(Span::styled(role, styles.dim));
        end.push(Span::styled(word, style));
        end.push(Span::raw(" "));
    }
    let taken: usize = end.iter().map(|span| width(&span.content)).sum();
    let gap = usize::from(area.width).saturating_sub(used + taken);
    spans.push(Span::raw(" ".repeat(gap.max(1))));
    spans.extend(end);
    put(buffer, area, 0, spans, styles);
}
