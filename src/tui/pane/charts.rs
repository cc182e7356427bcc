//! The curves of a run: loss, training accuracy, the bins' accuracies and thresholds, learning rate, gradient norm, speed.

mod figure;
mod values;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Span;

use crate::run::state::{CurrentEpoch, RunState};
use crate::tui::charts::options::{ChartOptions, STRENGTHS};
use crate::tui::charts::x_axis::Axis;
use crate::tui::charts::{Geometry, letter};
use crate::tui::format;
use crate::tui::layout::Pane;
use crate::tui::shown_run::ShownRun;
use crate::tui::theme::Styles;

use figure::Figure;
use values::{name, written};

/// Draws the chart `pane`.
pub(in crate::tui) fn render(
    pane: Pane,
    area: Rect,
    buffer: &mut Buffer,
    run: &ShownRun,
    options: &ChartOptions,
    styles: &Styles,
) {
    Figure::new(pane, run, options, styles).chart(area.width).render(area, buffer, styles);
}

/// Where the parts of the chart `pane` lie when it is drawn into `area`.
pub(in crate::tui) fn geometry(
    pane: Pane,
    area: Rect,
    run: &ShownRun,
    options: &ChartOptions,
    styles: &Styles,
) -> Option<Geometry> {
    Figure::new(pane, run, options, styles).chart(area.width).geometry(area)
}

/// The title of a chart: its name, the values at the crosshair or else the newest ones, and what is shown.
pub(in crate::tui) fn title(pane: Pane, run: &ShownRun, options: &ChartOptions, styles: &Styles) -> Vec<Span<'static>> {
    let mut spans = Vec::new();
    if let Some(number) = pane.number() {
        spans.push(Span::styled(format!("{number} "), styles.dim));
    }
    spans.push(Span::styled(name(pane), styles.title));
    let figure = Figure::new(pane, run, options, styles);
    if matches!(pane, Pane::Bins | Pane::Thresholds) {
        spans.extend(legend(pane, &figure, &run.state, options, styles));
    } else if let Some(x) = options.cross {
        // A loss may really be NaN; elsewhere nothing is known there.
        let known = |value: &f64| value.is_finite() || pane == Pane::Loss;
        let Some(value) = figure.at(x).into_iter().next().filter(known) else {
            spans.push(Span::styled(" -", styles.dim));
            return spans;
        };
        spans.push(Span::styled(format!(" {}", written(pane, value)), styles.active));
        if let Some(raw) = figure.raw_at(x) {
            spans.push(Span::styled(format!("  raw {}", written(pane, raw)), styles.dim));
        }
    } else if let Some(value) = newest(pane, run) {
        spans.push(Span::styled(format!(" {}", written(pane, value)), styles.active));
    }
    let shown = shown(pane, run, options);
    if !shown.is_empty() {
        spans.push(Span::styled(format!("  {shown}"), styles.dim));
    }
    spans
}

/// What is shown, in a few words.
fn shown(pane: Pane, run: &ShownRun, options: &ChartOptions) -> String {
    let mut words = Vec::new();
    if options.cross.is_none() {
        words.push(options.axis.name().to_owned());
    }
    let smoothed = matches!(pane, Pane::Loss | Pane::Accuracy | Pane::GradientNorm | Pane::Speed);
    if smoothed && options.axis != Axis::Epochs || matches!(pane, Pane::GradientNorm | Pane::Speed) {
        words.push(if options.smooth { format!("~{}", STRENGTHS[options.strength]) } else { "raw".to_owned() });
    }
    if options.log_y && figure::has_log(pane) {
        words.push("log".to_owned());
    }
    if options.ignore_outliers && options.smooth && smoothed {
        words.push("no outliers".to_owned());
    }
    match options.window {
        Some(window) if window.follow => words.push("following".to_owned()),
        Some(_) => words.push("zoomed".to_owned()),
        None if options.stage_only && run.state.stage_steps.len() > 1 => words.push("this stage".to_owned()),
        None => {}
    }
    words.join(", ")
}

/// The bins' names with their strokes, and their values at the crosshair.
fn legend(
    pane: Pane,
    figure: &Figure<'_>,
    state: &RunState,
    options: &ChartOptions,
    styles: &Styles,
) -> Vec<Span<'static>> {
    let values = options.cross.map(|x| figure.at(x));
    let mut spans = Vec::new();
    for (at, bin) in state.bins.iter().enumerate() {
        let color = styles.series[at % styles.series.len()];
        let (swatch, style) = if styles.has_color() {
            (styles.glyphs.strokes[0], Style::new().fg(color))
        } else {
            (styles.glyphs.strokes[at % 3], styles.text)
        };
        let swatch = if styles.glyphs.unicode { swatch.to_owned() } else { letter(at).to_string() };
        spans.push(Span::styled(format!("  {swatch} "), style));
        spans.push(Span::styled(format::cut(&bin.name, 24, styles.glyphs.ellipsis), styles.text));
        let value = values.as_ref().and_then(|values| values.get(at).copied());
        if let Some(value) = value.filter(|value| value.is_finite()) {
            spans.push(Span::styled(format!(" {}", written(pane, value)), styles.active));
        }
    }
    spans
}

/// The newest value of a chart with one curve.
fn newest(pane: Pane, run: &ShownRun) -> Option<f64> {
    let state = &run.state;
    let last = |values: &[f32]| values.last().map(|value| f64::from(*value)).filter(|value| value.is_finite());
    match pane {
        Pane::Loss => epoch_or(run.loss.latest(), state, |row| Some(row.loss), CurrentEpoch::loss),
        Pane::Accuracy => epoch_or(run.accuracy.latest(), state, |row| row.accuracy, CurrentEpoch::accuracy),
        Pane::LearningRate => last(&state.timeline.learning_rate),
        Pane::GradientNorm => run.gradient_norm.latest(),
        Pane::Speed => run.speed.latest(),
        _ => None,
    }
}

/// The newest smoothed value while a run is trained, the last epoch's mean once it has ended.
fn epoch_or(
    latest: Option<f64>,
    state: &RunState,
    of_row: fn(&crate::run::state::EpochRow) -> Option<f64>,
    of_now: fn(&CurrentEpoch) -> Option<f64>,
) -> Option<f64> {
    let row = || state.epochs.last().and_then(of_row);
    if state.is_ended() {
        return row().or(latest);
    }
    latest.or_else(|| state.current.as_ref().and_then(of_now)).or_else(row)
}
