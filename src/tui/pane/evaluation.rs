//! The bins in numbers: newest accuracy, its change, the best one and its epoch, threshold and its drift, ten folds, TAR
//! at low FAR, and how the accuracy went. Where a line is too short for all of it, each bin has a second one.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Span;

use crate::event::{BinResult, Rate};
use crate::run::state::{BinState, RunState};
use crate::tui::format::{self, width};
use crate::tui::shown_run::ShownRun;
use crate::tui::theme::Styles;

use super::sparkline::{range, spark};
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
    Drift,
    Folds,
    /// The rate of this place in the results.
    Tar(usize),
    Trend,
}

/// What is given up first on a narrow screen.
const GIVEN_UP: [Column; 9] = [
    Column::Tar(1),
    Column::Trend,
    Column::Drift,
    Column::Tar(0),
    Column::Folds,
    Column::Threshold,
    Column::Change,
    Column::Epoch,
    Column::Accuracy,
];

const ALL: [Column; 11] = [
    Column::Bin,
    Column::Accuracy,
    Column::Change,
    Column::Best,
    Column::Epoch,
    Column::Threshold,
    Column::Drift,
    Column::Folds,
    Column::Tar(0),
    Column::Tar(1),
    Column::Trend,
];

impl Column {
    fn head(self, state: &RunState) -> String {
        match self {
            Self::Bin => "bin",
            Self::Accuracy => "accuracy",
            Self::Change => "change",
            Self::Best => "best",
            Self::Epoch => "epoch",
            Self::Threshold => "threshold",
            Self::Drift => "drift",
            Self::Folds => "10-fold",
            Self::Tar(place) => return rate(state, place).map_or_else(String::new, |far| format!("TAR@{far:.0e}")),
            Self::Trend => "trend",
        }
        .to_owned()
    }

    const fn width(self, name: usize) -> usize {
        match self {
            Self::Bin => name,
            Self::Accuracy | Self::Change | Self::Drift | Self::Tar(_) => 8,
            Self::Best => 6,
            Self::Epoch => 5,
            Self::Threshold => 9,
            Self::Folds => 16,
            Self::Trend => 12,
        }
    }
}

/// The false accept rate that the bins tell in this place.
fn rate(state: &RunState, place: usize) -> Option<f64> {
    let told = state.bins.iter().filter_map(BinState::last).find_map(|result| result.rates.get(place));
    told.map(|rate| rate.far)
}

/// What the pane shows of one run.
pub(in crate::tui) fn render(area: Rect, buffer: &mut Buffer, run: &ShownRun, styles: &Styles) {
    chosen(area, buffer, run, None, styles);
}

/// The same, with the mark of a chosen bin.
pub(in crate::tui) fn chosen(
    area: Rect,
    buffer: &mut Buffer,
    run: &ShownRun,
    selected: Option<usize>,
    styles: &Styles,
) {
    let state = &run.state;
    if state.bins.is_empty() {
        let text = if state.header.is_some() {
            "the schedule has no bins: nothing is evaluated"
        } else {
            "bins not known yet"
        };
        put(buffer, area, 0, vec![Span::styled(text, styles.dim)], styles);
        return;
    }
    let room = usize::from(area.width);
    let (columns, name, gap) = fitting(state, room);
    let space = " ".repeat(gap);
    let mut head = Vec::new();
    for (at, column) in columns.iter().enumerate() {
        let text = column.head(state);
        let cell = if at == 0 { left(&text, name, styles) } else { right(&text, column.width(name), styles) };
        head.push(Span::styled(format!("{}{cell}", if at == 0 { "" } else { &space }), styles.dim));
    }
    put(buffer, area, 0, head, styles);
    let lines = usize::from(area.height).saturating_sub(1);
    // A second line where there is room for one each, and something was left out.
    let each = if lines >= 2 * state.bins.len() && !columns.contains(&Column::Trend) { 2 } else { 1 };
    // With more bins than lines, the last ones stay (the very last one decides which model is best), or the chosen one.
    let fit = lines / each;
    let last = state.bins.len().saturating_sub(fit);
    let first = selected.map_or(last, |selected| last.min(selected));
    for (row, bin) in state.bins[first..].iter().take(fit).enumerate() {
        let mut spans = Vec::new();
        for (at, column) in columns.iter().enumerate() {
            if at > 0 {
                spans.push(Span::raw(space.clone()));
            }
            spans.extend(cell(*column, column.width(name), bin, state, styles));
        }
        if selected == Some(first + row) {
            spans[0].style = styles.selected;
        }
        let row = (row * each) as u16 + 1;
        put(buffer, area, row, spans, styles);
        if each == 2 {
            put(buffer, area, row + 1, second_line(bin, state, &columns, name, styles), styles);
        }
    }
}

/// The columns that fit, the width of the names, and the gap between columns.
fn fitting(state: &RunState, room: usize) -> (Vec<Column>, usize, usize) {
    let name = state.bins.iter().map(|bin| width(&bin.name)).max().unwrap_or(3).clamp(6, 18);
    let mut columns = ALL.to_vec();
    // Journals of older versions have no rates.
    columns.retain(|column| !matches!(column, Column::Tar(place) if rate(state, *place).is_none()));
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

/// What the columns left out: how the accuracy went, what was looked at between two epochs, TAR, drift.
fn second_line(
    bin: &BinState,
    state: &RunState,
    columns: &[Column],
    name: usize,
    styles: &Styles,
) -> Vec<Span<'static>> {
    let mut spans = vec![Span::styled(trend(bin, name + 9, styles), styles.bar), Span::raw("  ")];
    let mut parts = Vec::new();
    if let Some(between) = between(bin, state) {
        parts.push(between);
    }
    if let Some(result) = bin.last() {
        let rates: Vec<&Rate> = (0..)
            .zip(&result.rates)
            .filter(|(at, _)| !columns.contains(&Column::Tar(*at)))
            .map(|(_, rate)| rate)
            .collect();
        if !rates.is_empty() && rates.iter().all(|rate| rate.tar.is_none()) {
            parts.push("too few pairs for TAR".to_owned());
        } else {
            parts.extend(rates.iter().map(|rate| match rate.tar {
                Some(tar) => format!("TAR {} at {:.0e}", format::accuracy(tar), rate.far),
                None => format!("too few pairs for {:.0e}", rate.far),
            }));
        }
    }
    if !columns.contains(&Column::Drift)
        && let Some(drift) = difference(bin, |result| result.threshold)
    {
        let mark = if drift < 0.0 { styles.glyphs.down } else { styles.glyphs.up };
        parts.push(format!("drift {mark}{:.4}", drift.abs()));
    }
    spans.push(Span::styled(parts.join("  "), styles.dim));
    spans
}

/// The figures that were asked for between two steps, unless the epoch's own have come since.
fn between(bin: &BinState, state: &RunState) -> Option<String> {
    let (index, step, result) = bin.checked.as_ref()?;
    let newer = bin.results.last().is_none_or(|(last, _)| last < index);
    let epoch = epoch_name(state, *index);
    newer.then(|| format!("{} in epoch {epoch}, step {step}", format::accuracy(result.accuracy)))
}

/// How the accuracy went, in so many columns.
fn trend(bin: &BinState, columns: usize, styles: &Styles) -> String {
    let values = || bin.results.iter().map(|(_, result)| result.accuracy);
    spark(values(), columns, range(values()), styles)
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
        Column::Threshold => {
            let threshold = newest.map(|result| result.threshold).filter(|threshold| threshold.is_finite());
            number(threshold.map(|threshold| format!("{threshold:.4}")), styles.text)
        }
        Column::Drift => {
            let drift = difference(bin, |result| result.threshold).map(|drift| {
                let mark = if drift < 0.0 { styles.glyphs.down } else { styles.glyphs.up };
                format!("{mark}{:.4}", drift.abs())
            });
            number(drift, styles.text)
        }
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
        Column::Tar(place) => match newest.and_then(|result| result.rates.get(place)) {
            Some(Rate { tar: Some(tar), .. }) => number(Some(format::accuracy(*tar)), styles.text),
            Some(Rate { tar: None, .. }) => (right("too few", columns, styles), styles.dim),
            None => dash(),
        },
        Column::Trend => (trend(bin, columns, styles), styles.bar),
    };
    vec![Span::styled(text, style)]
}

/// A figure's change against the result before.
fn difference(bin: &BinState, figure: fn(&BinResult) -> f64) -> Option<f64> {
    let mut newest = bin.results.iter().rev().map(|(_, result)| figure(result));
    let difference = newest.next()? - newest.next()?;
    difference.is_finite().then_some(difference)
}

/// The change against the result before, with its direction as a mark.
fn change(bin: &BinState, columns: usize, styles: &Styles) -> Option<(String, Style)> {
    let difference = difference(bin, |result| result.accuracy)?;
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
