//! The summary at the end of a run: how it ended, the best accuracies, where the files lie.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Span;

use crate::event::{CheckpointKind, Outcome};
use crate::report::branch_table::Column;
use crate::run::state::branches::{BranchComparison, remark};
use crate::run::state::{Phase, RunState};
use crate::tui::format::{self, cut_front, width, wrap};
use crate::tui::layout::centred;
use crate::tui::theme::Styles;

use super::evaluation::epoch_name;
use super::window::window;
use super::{left, put, right};

/// One line of the summary.
type Row = Vec<Span<'static>>;

pub(in crate::tui) fn render(area: Rect, buffer: &mut Buffer, state: &RunState, styles: &Styles) {
    let Phase::Ended(outcome) = &state.phase else { return };
    let columns = 72.min(area.width.saturating_sub(4));
    let text_width = usize::from(columns.saturating_sub(4));
    let (title, style) = match outcome {
        Outcome::Completed => ("finished", styles.good),
        Outcome::Stopped => ("stopped, as you asked", styles.warning),
        Outcome::Failed { .. } => ("failed", styles.bad),
    };
    let rows = rows(state, outcome, text_width, styles);
    let shape = centred(area, columns, rows.len() as u16 + 2);
    let inner = window(shape, buffer, styles, vec![Span::styled(title, style)]);
    // What does not fit is cut from the middle: the keys at the end must stay.
    let room = usize::from(inner.height);
    let skipped = rows.len().saturating_sub(room);
    let keep = room.saturating_sub(2);
    for (at, row) in rows.into_iter().enumerate() {
        let line = if at < keep || skipped == 0 {
            at
        } else if at >= keep + skipped {
            at - skipped
        } else {
            continue;
        };
        put(buffer, inner, line as u16, row, styles);
    }
}

fn rows(state: &RunState, outcome: &Outcome, columns: usize, styles: &Styles) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let say = |text: &str, style: Style, rows: &mut Vec<Row>| {
        rows.extend(wrap(text, columns).into_iter().map(|line| vec![Span::styled(line, style)]));
    };
    if let Outcome::Failed { error, help } = outcome {
        say(error, styles.bad, &mut rows);
        if let Some(help) = help {
            rows.push(Vec::new());
            say(&format!("help: {help}"), styles.strong, &mut rows);
        }
        rows.push(Vec::new());
    }
    let seconds = state.updated - state.started.unwrap_or(state.updated);
    let what = state.whole_header().map_or("the run", |header| header.name.as_str());
    let sentence = format!(
        "`{what}`: {} of {} epochs in {}",
        state.done_epochs(),
        state.planned_epochs(),
        format::duration(seconds)
    );
    say(&sentence, styles.strong, &mut rows);
    if let Some(comparison) = &state.comparison {
        let failed = comparison.rows.iter().flatten().filter_map(|row| Some((&row.name, remark(row)?)));
        for (name, remark) in failed {
            say(&format!("branch `{name}` {remark}"), styles.warning, &mut rows);
        }
        let left: Vec<&str> = comparison.to_come().map(|branch| comparison.name(branch)).collect();
        if !left.is_empty() {
            say(&format!("not started: {}", left.join(", ")), styles.warning, &mut rows);
        }
        rows.push(Vec::new());
        rows.extend(table(comparison, columns, styles));
    } else if let Some(last) = state.epochs.last() {
        let accuracy =
            last.accuracy.map_or_else(String::new, |value| format!(", accuracy {}", format::accuracy(value)));
        say(&format!("last epoch: loss {}{accuracy}", format::loss(last.loss)), styles.text, &mut rows);
    }
    let bins = if state.comparison.is_some() { &[][..] } else { &state.bins };
    let name = bins.iter().map(|bin| width(&bin.name)).max().unwrap_or(0);
    if bins.iter().any(|bin| bin.best().is_some()) {
        rows.push(Vec::new());
        rows.push(vec![Span::styled("best accuracies", styles.dim)]);
    }
    for bin in bins {
        let Some((index, best)) = bin.best() else { continue };
        let when = format!("  at epoch {}, threshold {:.4}", epoch_name(state, *index), best.threshold);
        rows.push(vec![
            Span::styled(format!("  {}  ", left(&bin.name, name, styles)), styles.text),
            Span::styled(format::accuracy(best.accuracy), styles.good),
            Span::styled(when, styles.dim),
        ]);
    }
    rows.extend(files(state, columns, styles));
    rows.push(Vec::new());
    if state.comparison.is_some() {
        rows.push(vec![Span::styled("Esc b", styles.key), Span::styled(" table of branches", styles.dim)]);
    }
    rows.push(vec![
        Span::styled("q", styles.key),
        Span::styled(" quit   ", styles.dim),
        Span::styled("Esc", styles.key),
        Span::styled(" back to the run", styles.dim),
    ]);
    rows
}

/// The branches in short: loss and the last bin's accuracy.
fn table(comparison: &BranchComparison, columns: usize, styles: &Styles) -> Vec<Row> {
    let bin = comparison.whole.bins.last().cloned();
    let shown = [Some(Column::Loss), Some(Column::Accuracy), bin.map(Column::Bin), Some(Column::Step)];
    let shown: Vec<Column> = shown.into_iter().flatten().collect();
    let room = columns.saturating_sub(11 * shown.len() + 2);
    let line = |name: &str, cell: &dyn Fn(&Column) -> String, style: Style| {
        let mut row = vec![Span::styled(format!("  {}", left(name, room.min(28), styles)), style)];
        row.extend(shown.iter().map(|column| Span::styled(format!(" {}", right(&cell(column), 10, styles)), style)));
        row
    };
    let mut rows = vec![line("branch", &Column::head, styles.dim)];
    let lines = comparison.lines();
    rows.extend(lines.map(|row| line(&Column::Name.cell(row), &|column| column.cell(row), styles.text)));
    rows
}

/// The newest file of each kind.
fn files(state: &RunState, columns: usize, styles: &Styles) -> Vec<Row> {
    let kinds = [
        (CheckpointKind::Branches, "table"),
        (CheckpointKind::Basic, "best model"),
        (CheckpointKind::Model, "whole model"),
        (CheckpointKind::Centers, "centers"),
        (CheckpointKind::History, "history"),
    ];
    // Of a comparison's files only the table is the whole run's; the others are each branch's.
    let compared = state.comparison.is_some();
    let kinds = kinds.into_iter().filter(|(kind, _)| !compared || *kind == CheckpointKind::Branches);
    let mut rows: Vec<Row> = Vec::new();
    for (kind, name) in kinds {
        let Some(file) = state.checkpoints.iter().rev().find(|file| file.kind == kind) else { continue };
        if rows.is_empty() {
            rows.push(Vec::new());
            rows.push(vec![Span::styled("files", styles.dim)]);
        }
        let path = cut_front(&file.path, columns.saturating_sub(15), styles.glyphs.ellipsis);
        rows.push(vec![
            Span::styled(format!("  {}  ", left(name, 11, styles)), styles.dim),
            Span::styled(path, styles.text),
        ]);
    }
    rows
}
