//! The curves of a run: loss, training accuracy, and the bins.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::text::Span;

use crate::run::state::{CurrentEpoch, EpochRow, RunState};
use crate::tui::chart::{Chart, Curve, Stroke};
use crate::tui::digest::StepDigest;
use crate::tui::format;
use crate::tui::theme::Styles;
use crate::tui::view::{Axis, ChartOptions};
use crate::tui::watched::Watched;

use super::Scene;

/// The loss.
pub(in crate::tui) fn loss(area: Rect, buffer: &mut Buffer, run: &Watched, options: ChartOptions, styles: &Styles) {
    let state = &run.state;
    let now = state.current.as_ref().and_then(CurrentEpoch::loss);
    let figure = Figure { digest: &run.loss, epoch: |row| Some(row.loss), now };
    let mut chart = figure.chart(state, options, styles, styles.series[0]);
    chart.log_y = options.log_y;
    chart.render(area, buffer, styles);
}

/// The training accuracy.
pub(in crate::tui) fn accuracy(area: Rect, buffer: &mut Buffer, scene: &Scene<'_>) {
    let state = &scene.run.state;
    let now = state.current.as_ref().and_then(CurrentEpoch::accuracy);
    let curve = Figure { digest: &scene.run.accuracy, epoch: |row| row.accuracy, now };
    let mut chart = curve.chart(state, scene.app.view.charts, scene.styles, scene.styles.series[2]);
    if state.total_steps() > 0 {
        chart.empty = "this loss has no accuracy";
    }
    chart.render(area, buffer, scene.styles);
}

/// Every bin's accuracy over the epochs.
pub(in crate::tui) fn bins(area: Rect, buffer: &mut Buffer, run: &Watched, options: ChartOptions, styles: &Styles) {
    let state = &run.state;
    let scale = Window::of(state, options);
    let at = |index: u32| scale.epoch_at(state, index);
    let curves = state.bins.iter().enumerate().map(|(at_bin, bin)| {
        let (x, y) = bin.results.iter().map(|(index, result)| (at(*index), result.accuracy)).unzip();
        Curve { x, y, color: styles.series[at_bin % styles.series.len()], stroke: stroke(at_bin, styles) }
    });
    let curves = curves.map(|curve| scale.clip(curve)).collect();
    let empty = if state.header.is_some() && state.bins.is_empty() {
        "the schedule names no bins"
    } else {
        "no bin was evaluated yet"
    };
    let chart = Chart { curves, borders: scale.borders(state), x: scale.x, log_y: false, empty };
    chart.render(area, buffer, styles);
}

/// The title of the bins' chart: its legend.
pub(in crate::tui) fn bins_title(state: &RunState, styles: &Styles) -> Vec<Span<'static>> {
    let mut spans = vec![Span::styled("bins", styles.title)];
    for (at, bin) in state.bins.iter().enumerate() {
        let style =
            if styles.has_color() { Style::new().fg(styles.series[at % styles.series.len()]) } else { styles.text };
        let swatch = if styles.has_color() { styles.glyphs.strokes[0] } else { styles.glyphs.strokes[at % 3] };
        spans.push(Span::styled(format!("  {swatch} "), style));
        spans.push(Span::styled(bin.name.clone(), styles.text));
    }
    spans
}

/// The title of the loss chart: the newest values.
pub(in crate::tui) fn loss_title(scene: &Scene<'_>) -> Vec<Span<'static>> {
    let state = &scene.run.state;
    let value = newest(&scene.run.loss, state, |row| Some(row.loss), CurrentEpoch::loss);
    let suffix = if scene.app.view.charts.log_y { "log" } else { "" };
    title("loss", value.map(format::loss), suffix, scene)
}

/// The title of the accuracy chart.
pub(in crate::tui) fn accuracy_title(scene: &Scene<'_>) -> Vec<Span<'static>> {
    let state = &scene.run.state;
    let value = newest(&scene.run.accuracy, state, |row| row.accuracy, CurrentEpoch::accuracy);
    title("accuracy", value.map(format::accuracy), "", scene)
}

fn title(name: &str, value: Option<String>, suffix: &str, scene: &Scene<'_>) -> Vec<Span<'static>> {
    let styles = scene.styles;
    let options = scene.app.view.charts;
    let mut spans = vec![Span::styled(name.to_owned(), styles.title)];
    if let Some(value) = value {
        spans.push(Span::styled(format!(" {value}"), styles.active));
    }
    let axis = match (options.axis, options.smooth) {
        (Axis::Steps, true) => "steps",
        (Axis::Steps, false) => "steps, raw",
        (Axis::Epochs, _) => "epochs",
    };
    let span = if options.stage_only { ", this stage" } else { "" };
    let suffix = if suffix.is_empty() { String::new() } else { format!(", {suffix}") };
    spans.push(Span::styled(format!("  {axis}{span}{suffix}"), styles.dim));
    spans
}

/// The mean of the epoch that is running, or else of the last one that has a value.
fn newest(
    digest: &StepDigest,
    state: &RunState,
    of_row: fn(&EpochRow) -> Option<f64>,
    of_now: fn(&CurrentEpoch) -> Option<f64>,
) -> Option<f64> {
    if state.is_ended() {
        return state.epochs.last().and_then(of_row).or_else(|| digest.latest());
    }
    digest.latest().or_else(|| state.current.as_ref().and_then(of_now)).or_else(|| state.epochs.last().and_then(of_row))
}

/// Without colour, bins are told apart by their strokes.
fn stroke(at: usize, styles: &Styles) -> Stroke {
    match (styles.has_color(), at % 3) {
        (true, _) | (false, 0) => Stroke::Marked,
        (false, 1) => Stroke::Dashed,
        (false, _) => Stroke::Dotted,
    }
}

/// One figure of the training that has a value a step and a value an epoch.
struct Figure<'a> {
    digest: &'a StepDigest,
    epoch: fn(&EpochRow) -> Option<f64>,
    /// Mean of the running epoch.
    now: Option<f64>,
}

impl Figure<'_> {
    fn chart(&self, state: &RunState, options: ChartOptions, styles: &Styles, color: Color) -> Chart {
        let scale = Window::of(state, options);
        let curves = match options.axis {
            Axis::Steps => self.over_steps(scale.steps, options.smooth, styles, color),
            Axis::Epochs => vec![scale.clip(self.over_epochs(state, color))],
        };
        Chart { curves, borders: scale.borders(state), x: scale.x, log_y: false, empty: "no steps yet" }
    }

    fn over_steps(&self, steps: (u64, u64), smooth: bool, styles: &Styles, color: Color) -> Vec<Curve> {
        if self.digest.is_empty() {
            return Vec::new();
        }
        let (x, y) = self.digest.raw(steps);
        if !smooth {
            return vec![Curve { x, y, color, stroke: Stroke::Line }];
        }
        let raw = Curve { x, y, color: styles.ghost, stroke: Stroke::Ghost };
        let (x, y) = self.digest.smooth(steps);
        vec![raw, Curve { x, y, color, stroke: Stroke::Line }]
    }

    /// One point an epoch, and the running epoch's mean so far; a line breaks where a stage ends.
    fn over_epochs(&self, state: &RunState, color: Color) -> Curve {
        let mut points: Vec<(f64, f64)> = Vec::new();
        let mut stage = None;
        let mut put = |of: usize, x: f64, y: Option<f64>| {
            if stage.is_some_and(|stage| stage != of) {
                points.push((x, f64::NAN));
            }
            stage = Some(of);
            points.push((x, y.unwrap_or(f64::NAN)));
        };
        for row in &state.epochs {
            put(row.stage, f64::from(row.index), (self.epoch)(row));
        }
        let running = state
            .current
            .as_ref()
            .filter(|now| !state.is_ended() && state.epochs.last().is_none_or(|last| last.index < now.index));
        if let Some(now) = running.filter(|_| self.now.is_some()) {
            put(now.stage, f64::from(now.index), self.now);
        }
        let (x, y) = points.into_iter().unzip();
        Curve { x, y, color, stroke: Stroke::Marked }
    }
}

/// The part of the x axis that is shown.
struct Window {
    axis: Axis,
    /// First and last x.
    x: (f64, f64),
    /// The steps in it: after the first, up to the last.
    steps: (u64, u64),
}

impl Window {
    fn of(state: &RunState, options: ChartOptions) -> Self {
        let total = state.total_steps();
        let from_stage = state.stage_steps.last().filter(|_| options.stage_only);
        let first_step = from_stage.map_or(0, |(_, start)| *start);
        let x = match options.axis {
            // At least a few steps wide, so that the first points do not jump about.
            Axis::Steps => (first_step as f64, (total as f64).max(first_step as f64 + 10.0)),
            Axis::Epochs => {
                let newest = state.current.as_ref().map_or(1, |now| now.index).max(2);
                let first = from_stage.and_then(|(stage, _)| first_epoch(state, *stage)).unwrap_or(1);
                (f64::from(first), f64::from(newest.max(first + 1)))
            }
        };
        Self { axis: options.axis, x, steps: (first_step, total.max(first_step)) }
    }

    /// Where an epoch of the history lies.
    fn epoch_at(&self, state: &RunState, index: u32) -> f64 {
        match self.axis {
            Axis::Epochs => f64::from(index),
            Axis::Steps => {
                let row = state.epochs.iter().rev().find(|row| row.index == index);
                row.map_or_else(|| state.total_steps() as f64, |row| row.total_steps as f64)
            }
        }
    }

    fn borders(&self, state: &RunState) -> Vec<(f64, String)> {
        let name = |stage: usize| {
            state.header.as_ref().and_then(|header| header.stages.get(stage)).map_or_else(String::new, |plan| {
                if plan.bottleneck_only { format!("{} head", plan.loss) } else { plan.loss.clone() }
            })
        };
        let all = state.stage_steps.iter().filter_map(|(stage, start)| {
            let x = match self.axis {
                Axis::Steps => *start as f64,
                Axis::Epochs => first_epoch(state, *stage).map(|epoch| f64::from(epoch) - 0.5)?,
            };
            Some((x, name(*stage)))
        });
        // Of the stages that began before the first x, the newest is the one that is shown.
        let mut borders: Vec<(f64, String)> = all.collect();
        let hidden = borders.iter().filter(|(x, _)| *x <= self.x.0).count().saturating_sub(1);
        borders.drain(..hidden);
        borders
    }

    /// The curve without the points beside the window.
    fn clip(&self, mut curve: Curve) -> Curve {
        let (x, y) = (std::mem::take(&mut curve.x), std::mem::take(&mut curve.y));
        (curve.x, curve.y) = x.into_iter().zip(y).filter(|(x, _)| *x >= self.x.0 && *x <= self.x.1).unzip();
        curve
    }
}

/// The position in the history of a stage's first epoch.
fn first_epoch(state: &RunState, stage: usize) -> Option<u32> {
    let done = state.epochs.iter().find(|row| row.stage == stage).map(|row| row.index);
    done.or_else(|| state.current.as_ref().filter(|now| now.stage == stage).map(|now| now.index))
}
