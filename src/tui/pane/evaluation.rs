//! The bins in numbers: newest accuracy, its change, the best one and its epoch, threshold, ten folds.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Span;

use crate::run::state::{BinState, RunState};
use crate::tui::format::{self, width};
use crate::tui::theme::Styles;
use crate::tui::watched::Watched;

use super::{bar, left, put, right};

/// The columns, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Bin,
    Accuracy,
    Change,
    Best,
    Epoch,
    Threshold,
    Folds,
}

/// What is given up first on a narrow screen.
const GIVEN_UP: [Column; 5] = [Column::Folds, Column::Threshold, Column::Change, Column::Epoch, Column::Accuracy];

const ALL: [Column; 7] =
    [Column::Bin, Column::Accuracy, Column::Change, Column::Best, Column::Epoch, Column::Threshold, Column::Folds];

impl Column {
    const fn head(self) -> &'static str {
        match self {
            Self::Bin => "bin",
            Self::Accuracy => "accuracy",
            Self::Change => "change",
            Self::Best => "best",
            Self::Epoch => "epoch",
            Self::Threshold => "threshold",
            Self::Folds => "10-fold",
        }
    }

    const fn width(self, name: usize) -> usize {
        match self {
            Self::Bin => name,
            Self::Accuracy | Self::Change => 8,
            Self::Best => 6,
            Self::Epoch => 5,
            Self::Threshold => 9,
            Self::Folds => 16,
        }
    }
}

pub(in crate::tui) fn render(area: Rect, buffer: &mut Buffer, run: &Watched, styles: &Styles) {
    let state = &run.state;
    if state.bins.is_empty() {
        let text = if state.header.is_some() {
            "the schedule names no bins: nothing is evaluated"
        } else {
            "the bins are not known yet"
        };
        put(buffer, area, 0, vec![Span::styled(text, styles.dim)], styles);
        return;
    }
    let room = usize::from(area.width);
    let (columns, name, gap) = fitting(state, room);
    let space = " ".repeat(gap);
    let mut head = Vec::new();
    for (at, column) in columns.iter().enumerate() {
        let text = column.head();
        let cell = if at == 0 { left(text, name, styles) } else { right(text, column.width(name), styles) };
        head.push(Span::styled(format!("{}{cell}", if at == 0 { "" } else { &space }), styles.dim));
    }
    put(buffer, area, 0, head, styles);
    // With more bins than lines, the last ones stay: the very last one decides which model is best.
    let lines = usize::from(area.height).saturating_sub(1);
    let first = state.bins.len().saturating_sub(lines);
    for (row, bin) in state.bins[first..].iter().enumerate() {
        let mut spans = Vec::new();
        for (at, column) in columns.iter().enumerate() {
            if at > 0 {
                spans.push(Span::raw(space.clone()));
            }
            spans.extend(cell(*column, column.width(name), bin, state, styles));
        }
        put(buffer, area, row as u16 + 1, spans, styles);
    }
}

/// The columns that fit, the width of the names, and the gap between columns.
fn fitting(state: &RunState, room: usize) -> (Vec<Column>, usize, usize) {
    let name = state.bins.iter().map(|bin| width(&bin.name)).max().unwrap_or(3).clamp(6, 18);
    let mut columns = ALL.to_vec();
    let total = |columns: &[Column], name: usize, gap: usize| {
        columns.iter().map(|column| column.width(name) + gap).sum::<usize>().saturating_sub(gap)
    };
    for unwanted in GIVEN_UP {
        if total(&columns, name.min(10), 1) <= room {
            break;
        }
        columns.retain(|column| *column != unwanted);
    }
    let spare = |name: usize, gap: usize| total(&columns, name, gap) <= room;
    let gap = if spare(name, 2) { 2 } else { 1 };
    let name = if spare(name, gap) { name } else { name.min(10) };
    (columns, name, gap)
}

fn cell(column: Column, columns: usize, bin: &BinState, state: &RunState, styles: &Styles) -> Vec<Span<'static>> {
    let newest = bin.last();
    let dash = || (right("-", columns, styles), styles.dim);
    let number =
        |value: Option<String>, style: Style| value.map_or_else(dash, |text| (right(&text, columns, styles), style));
    let (text, style) = match column {
        Column::Bin => {
            let style = if bin.progress.is_some() { styles.active } else { styles.text };
            (left(&bin.name, columns, styles), style)
        }
        Column::Accuracy => {
            let best = bin.best.is_some_and(|best| best + 1 == bin.results.len());
            number(
                newest.map(|result| format::accuracy(result.accuracy)),
                if best { styles.good } else { styles.strong },
            )
        }
        Column::Change => {
            let (text, style) = change(bin, columns, styles).unwrap_or_else(dash);
            (text, if bin.progress.is_some() { styles.dim } else { style })
        }
        Column::Best => number(bin.best().map(|(_, result)| format::accuracy(result.accuracy)), styles.text),
        Column::Epoch => number(bin.best().map(|(index, _)| epoch_name(state, *index)), styles.text),
        Column::Threshold => number(newest.map(|result| format!("{:.4}", result.threshold)), styles.text),
        Column::Folds => {
            if let Some((done, total)) = bin.progress {
                let share = done as f64 / total.max(1) as f64;
                let mut spans = bar(columns - 5, share, styles).to_vec();
                spans.push(Span::styled(right(&format::percent(share), 5, styles), styles.active));
                return spans;
            }
            let folds = newest.and_then(|result| result.fold_mean.zip(result.fold_deviation));
            let text = folds.map(|(mean, deviation)| {
                format!("{} {} {deviation:.4}", format::accuracy(mean), styles.glyphs.plus_minus)
            });
            number(text, styles.text)
        }
    };
    vec![Span::styled(text, style)]
}

/// The change against the result before, with its direction as a mark.
fn change(bin: &BinState, columns: usize, styles: &Styles) -> Option<(String, Style)> {
    let mut newest = bin.results.iter().rev().map(|(_, result)| result.accuracy);
    let difference = newest.next()? - newest.next()?;
    if !difference.is_finite() {
        return None;
    }
    let (mark, style) = match format!("{difference:.4}").as_str() {
        "0.0000" | "-0.0000" => (" ", styles.dim),
        text if text.starts_with('-') => (styles.glyphs.down, styles.warning),
        _ => (styles.glyphs.up, styles.good),
    };
    Some((right(&format!("{mark}{:.4}", difference.abs()), columns, styles), style))
}

/// The epoch's number as the reference prints it, from its position in the history.
pub(in crate::tui) fn epoch_name(state: &RunState, index: u32) -> String {
    let row = state.epochs.iter().rev().find(|row| row.index == index).map(|row| row.epoch);
    let now = state.current.as_ref().filter(|now| now.index == index).map(|now| now.epoch);
    row.or(now).unwrap_or(index).to_string()
}
