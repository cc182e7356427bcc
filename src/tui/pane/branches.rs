//! The branches of a run side by side: those that ended with their figures, the one that is trained, those to come.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Span;

use crate::event::{BranchRow, Outcome};
use crate::report::branch_table::Column;
use crate::run::state::branches::{BranchComparison, remark};
use crate::run::state::{CurrentEpoch, RunState};
use crate::tui::format::{percent, width};
use crate::tui::layout::centred;
use crate::tui::theme::Styles;

use super::{left, put, right, window};

/// Widest name of a branch.
const LONGEST_NAME: usize = 26;
/// Widest headings of a bin's accuracy and of its threshold.
const LONGEST_HEADS: (usize, usize) = (10, 14);

/// The title: how many there are and which is trained.
pub(in crate::tui) fn title(state: &RunState, styles: &Styles) -> Vec<Span<'static>> {
    let mut spans = vec![Span::styled("branches", styles.title)];
    if let Some(comparison) = &state.comparison {
        let ended = comparison.rows.iter().flatten().count();
        spans.push(Span::styled(format!("  {ended} of {} ended", comparison.total()), styles.dim));
    }
    spans
}

/// The table in a window over the panes, as wide as it needs.
pub(in crate::tui) fn window(area: Rect, buffer: &mut Buffer, state: &RunState, styles: &Styles) {
    let Some(comparison) = &state.comparison else { return };
    let lines = lines(comparison, state, styles);
    let all = Column::all(comparison);
    let wanted = total(&all, &widths(&all, &lines)) + 2;
    let columns = (wanted as u16 + 4).min(area.width);
    let shape = centred(area, columns, lines.len() as u16 + 3);
    let inner = window::window(shape, buffer, styles, title(state, styles));
    render(inner, buffer, state, styles);
}

/// The table, as many of its columns as fit.
pub(in crate::tui) fn render(area: Rect, buffer: &mut Buffer, state: &RunState, styles: &Styles) {
    let Some(comparison) = &state.comparison else { return };
    let lines = lines(comparison, state, styles);
    let room = usize::from(area.width).saturating_sub(2);
    let (columns, widths) = fitting(Column::all(comparison), &lines, room);
    let mut head = vec![Span::raw("  ")];
    head.extend(cells(&columns, &widths, Column::head, styles.dim, styles));
    put(buffer, area, 0, head, styles);
    // With more branches than lines, the running one stays in view, the ones before it too.
    let shown = usize::from(area.height).saturating_sub(1);
    let now = lines.iter().position(|line| line.running).unwrap_or(lines.len().saturating_sub(1));
    let first = (now + 2).saturating_sub(shown).min(lines.len().saturating_sub(shown));
    for (row, line) in lines.iter().skip(first).take(shown).enumerate() {
        let mut spans = vec![Span::styled(format!("{} ", line.mark), line.mark_style)];
        // What is said takes the room of figures that are not there.
        let filled = columns.iter().rposition(|column| !line.cell(column).is_empty()).map_or(0, |last| last + 1);
        let shown = if line.note.is_empty() { columns.len() } else { filled };
        spans.extend(cells(&columns[..shown], &widths, |column| line.cell(column), line.style, styles));
        if !line.note.is_empty() {
            spans.push(Span::styled(format!("  {}", line.note), line.mark_style));
        }
        put(buffer, area, row as u16 + 1, spans, styles);
    }
}

/// One line of the table.
struct Line {
    mark: &'static str,
    mark_style: Style,
    style: Style,
    row: BranchRow,
    /// What is said behind the figures.
    note: String,
    running: bool,
}

impl Line {
    fn cell(&self, column: &Column) -> String {
        match column {
            // A branch without an outcome is no starting point here.
            Column::Name if self.running || self.row.epoch == 0 => self.row.name.clone(),
            column => column.cell(&self.row),
        }
    }
}

fn lines(comparison: &BranchComparison, state: &RunState, styles: &Styles) -> Vec<Line> {
    let glyphs = styles.glyphs;
    let blank = |name: &str| BranchRow {
        name: name.to_owned(),
        epoch: 0,
        loss: None,
        accuracy: None,
        bins: Vec::new(),
        seconds: 0.0,
        steps: 0,
        outcome: None,
    };
    let start = comparison.start.iter().map(|row| Line {
        mark: " ",
        mark_style: styles.dim,
        style: styles.text,
        row: row.clone(),
        note: String::new(),
        running: false,
    });
    let branches = comparison.rows.iter().enumerate().map(|(at, row)| match row {
        Some(row) => {
            let (mark, mark_style) = match row.outcome {
                Some(Outcome::Failed { .. }) => (glyphs.failed, styles.bad),
                Some(Outcome::Stopped) => (glyphs.halted, styles.warning),
                _ => (glyphs.done, styles.good),
            };
            let note = remark(row).unwrap_or_default();
            Line { mark, mark_style, style: styles.text, row: row.clone(), note, running: false }
        }
        None if comparison.current == Some(at) && !state.is_ended() => {
            let now = state.current.as_ref();
            let row = BranchRow {
                loss: now.and_then(CurrentEpoch::loss),
                accuracy: now.and_then(CurrentEpoch::accuracy),
                ..blank(comparison.name(at))
            };
            let done = now.map_or(0.0, |now| now.step as f64 / now.steps.max(1) as f64);
            let epoch = now.map_or_else(String::new, |now| format!("epoch {}, {}", now.epoch, percent(done)));
            let (mark, mark_style) = (glyphs.current, styles.active);
            Line { mark, mark_style, style: styles.strong, row, note: epoch, running: true }
        }
        None => Line {
            mark: glyphs.to_come,
            mark_style: styles.dim,
            style: styles.dim,
            row: blank(comparison.name(at)),
            note: String::new(),
            running: false,
        },
    });
    start.chain(branches).collect()
}

fn widths(columns: &[Column], lines: &[Line]) -> Vec<usize> {
    let widest = |column: &Column| {
        let cells = lines.iter().map(|line| width(&line.cell(column))).max().unwrap_or(0);
        let (head, most) = match column {
            Column::Name => (width(&column.head()), LONGEST_NAME),
            Column::Bin(_) => (width(&column.head()).min(LONGEST_HEADS.0), usize::MAX),
            Column::Threshold(_) => (width(&column.head()).min(LONGEST_HEADS.1), usize::MAX),
            _ => (width(&column.head()), usize::MAX),
        };
        cells.max(head).min(most)
    };
    columns.iter().map(widest).collect()
}

fn total(columns: &[Column], widths: &[usize]) -> usize {
    widths.iter().sum::<usize>() + 2 * columns.len().saturating_sub(1)
}

/// The columns that fit. The name, the loss and the last bin's accuracy stay longest.
fn fitting(mut columns: Vec<Column>, lines: &[Line], room: usize) -> (Vec<Column>, Vec<usize>) {
    let last = columns.iter().rposition(|column| matches!(column, Column::Bin(_))).map(|at| columns[at].clone());
    let rank = |column: &Column| match column {
        Column::Threshold(_) => 5,
        Column::Time => 4,
        Column::Step => 3,
        Column::Accuracy => 2,
        Column::Bin(_) if Some(column) != last.as_ref() => 1,
        _ => 0,
    };
    loop {
        let widths = widths(&columns, lines);
        let first = columns.iter().map(rank).max().unwrap_or(0);
        if total(&columns, &widths) <= room || first == 0 {
            return (columns, widths);
        }
        if let Some(at) = columns.iter().position(|column| rank(column) == first) {
            columns.remove(at);
        }
    }
}

fn cells(
    columns: &[Column],
    widths: &[usize],
    text: impl Fn(&Column) -> String,
    style: Style,
    styles: &Styles,
) -> Vec<Span<'static>> {
    let cells = columns.iter().zip(widths).map(|(column, width)| match column {
        Column::Name => Span::styled(left(&text(column), *width, styles), style),
        _ => Span::styled(format!("  {}", right(&text(column), *width, styles)), style),
    });
    cells.collect()
}
