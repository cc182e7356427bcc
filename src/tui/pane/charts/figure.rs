//! A chart's content from a run: which curves, on which axes, with which marks.

use ratatui::style::Color;

use super::values::{place, results, written};
use crate::run::state::{BinState, CurrentEpoch, EpochRow, RunState};
use crate::tui::charts::downsampling::Trace;
use crate::tui::charts::options::ChartOptions;
use crate::tui::charts::series::Series;
use crate::tui::charts::x_axis::{Axis, Scale};
use crate::tui::charts::{Best, Chart, Cross, Curve, Stroke, Unit};
use crate::tui::layout::Pane;
use crate::tui::shown_run::ShownRun;
use crate::tui::theme::Styles;

/// Whether a chart's y axis can be logarithmic.
pub(super) const fn has_log(pane: Pane) -> bool {
    matches!(pane, Pane::Loss | Pane::LearningRate | Pane::GradientNorm)
}

/// What an epoch's row has of a chart, and the running epoch's mean.
type Means = (fn(&EpochRow) -> Option<f64>, Option<f64>);

/// A curve of many points: where it lies and how it is counted.
#[derive(Clone, Copy)]
struct Dense<'a> {
    series: &'a Series,
    values: &'a [f32],
    /// Over the reports instead of the steps.
    reports: bool,
}

/// What a chart is made of.
pub(super) struct Figure<'a> {
    pane: Pane,
    run: &'a ShownRun,
    options: &'a ChartOptions,
    styles: &'a Styles,
    scale: Scale<'a>,
    window: (f64, f64),
}

impl<'a> Figure<'a> {
    pub(super) fn new(pane: Pane, run: &'a ShownRun, options: &'a ChartOptions, styles: &'a Styles) -> Self {
        let scale = Scale::new(options.axis, &run.state);
        Self { pane, run, options, styles, scale, window: options.span(&scale) }
    }

    const fn state(&self) -> &'a RunState {
        &self.run.state
    }

    fn color(&self) -> Color {
        let series = &self.styles.series;
        match self.pane {
            Pane::Accuracy => series[2],
            Pane::LearningRate => series[3],
            Pane::GradientNorm => series[1],
            Pane::Speed => series[4],
            _ => series[0],
        }
    }

    /// The chart for an area of so many columns.
    pub(super) fn chart(&self, columns: u16) -> Chart {
        // As many buckets as a braille row has dots.
        let buckets = usize::from(columns) * 2;
        let curves = match self.dense() {
            Some(dense) => self.over_steps(dense, buckets),
            None => self.bins().collect(),
        };
        let cross = self.options.cross.map(|x| {
            let colors = curves.iter().filter(|curve| curve.stroke != Stroke::Ghost).map(|curve| curve.color);
            Cross { x, points: self.at(x).into_iter().zip(colors).collect() }
        });
        let y = self.options.y.filter(|(pane, _)| *pane == self.pane).map(|(_, y)| y);
        let selection = self.options.selection.filter(|(pane, _)| *pane == self.pane).map(|(_, area)| area);
        Chart {
            curves,
            bands: self.bands(),
            x: self.window,
            unit: if self.options.axis == Axis::Time { Unit::Seconds } else { Unit::Count },
            y,
            log_y: self.options.log_y && has_log(self.pane),
            ignore_outliers: self.options.ignore_outliers && self.options.smooth,
            best: self.best(),
            not_finite: self.not_finite(buckets),
            cross,
            selection,
            empty: self.empty(),
        }
    }

    /// What to say while there is nothing to draw.
    fn empty(&self) -> &'static str {
        let state = self.state();
        let (stepped, zoomed) = (state.total_steps() > 0, self.options.window.is_some());
        match self.pane {
            Pane::Bins | Pane::Thresholds if state.header.is_some() && state.bins.is_empty() => {
                "the schedule has no bins"
            }
            Pane::Bins | Pane::Thresholds if state.bins.iter().all(|bin| bin.results.is_empty()) => {
                "no bin was evaluated yet"
            }
            _ if !stepped && self.pane != Pane::Bins => "no steps yet",
            Pane::Accuracy if self.run.accuracy.is_empty() => "this loss has no accuracy",
            Pane::GradientNorm if self.run.gradient_norm.is_empty() => "no gradient was measured",
            _ if zoomed => "nothing here: `0` resets the zoom",
            Pane::Accuracy => "this loss has no accuracy",
            _ => "nothing to show",
        }
    }

    fn dense(&self) -> Option<Dense<'a>> {
        let (run, state) = (self.run, self.state());
        let of = |series, values, reports| Some(Dense { series, values, reports });
        match self.pane {
            Pane::Loss => of(&run.loss, &state.step_loss, false),
            Pane::Accuracy => of(&run.accuracy, &state.step_accuracy, false),
            Pane::LearningRate => of(&run.learning_rate, &state.timeline.learning_rate, true),
            Pane::GradientNorm => of(&run.gradient_norm, &state.timeline.gradient_norm, true),
            Pane::Speed => of(&run.speed, &state.timeline.images_per_second, true),
            _ => None,
        }
    }

    /// What an epoch's row and the running epoch have of this chart.
    fn by_epoch(&self) -> Option<Means> {
        let now = self.state().current.as_ref();
        match self.pane {
            Pane::Loss => Some((|row| Some(row.loss), now.and_then(CurrentEpoch::loss))),
            Pane::Accuracy => Some((|row| row.accuracy, now.and_then(CurrentEpoch::accuracy))),
            _ => None,
        }
    }

    fn over_steps(&self, dense: Dense<'a>, buckets: usize) -> Vec<Curve> {
        if dense.series.is_empty() {
            return Vec::new();
        }
        let (color, ghost) = (self.color(), self.styles.ghost);
        let curve = |(x, y), color, stroke| Curve { x, y, color, stroke };
        let raw = || self.reduced(dense, &dense.series.raw(dense.values), buckets);
        if let (Axis::Epochs, Some(means)) = (self.options.axis, self.by_epoch()) {
            let mut curves = vec![curve(self.means(means, buckets), color, Stroke::Marked)];
            if self.options.smooth {
                curves.insert(0, curve(raw(), ghost, Stroke::Ghost));
            }
            return curves;
        }
        // A learning rate has no noise.
        if !self.options.smooth || self.pane == Pane::LearningRate {
            return vec![curve(raw(), color, Stroke::Line)];
        }
        let smooth = self.reduced(dense, &dense.series.smooth(), buckets);
        vec![curve(raw(), ghost, Stroke::Ghost), curve(smooth, color, Stroke::Line)]
    }

    fn reduced(&self, dense: Dense<'a>, trace: &Trace<'_>, buckets: usize) -> (Vec<f64>, Vec<f64>) {
        let breaks = self.breaks(dense);
        trace.reduce(self.window, buckets, breaks, |at| self.x_of(dense, at), |x| self.place(dense, x))
    }

    fn breaks(&self, dense: Dense<'a>) -> &'a [usize] {
        if dense.reports { &self.run.report_breaks } else { &self.run.step_breaks }
    }

    /// The x of a place in the list of values.
    fn x_of(&self, dense: Dense<'a>, at: usize) -> f64 {
        let steps = if dense.reports {
            self.state().timeline.steps.get(at).map_or(f64::NAN, |steps| *steps as f64)
        } else {
            at as f64 + 1.0
        };
        self.scale.x(steps)
    }

    /// The first place at or after an x.
    fn place(&self, dense: Dense<'a>, x: f64) -> usize {
        let steps = self.scale.steps(x);
        if dense.reports {
            self.state().timeline.steps.partition_point(|known| (*known as f64) < steps)
        } else {
            (steps - 1.0).ceil().max(0.0) as usize
        }
    }

    /// One point an epoch, and the running epoch's mean so far; the line breaks where a stage ends.
    fn means(&self, (of_row, now): Means, buckets: usize) -> (Vec<f64>, Vec<f64>) {
        let state = self.state();
        let mut points: Vec<(f64, f64)> = Vec::new();
        let mut stage = None;
        let mut put = |of: usize, x: f64, y: Option<f64>| {
            if stage.is_some_and(|stage| stage != of) {
                points.push((x, f64::NAN));
            }
            stage = Some(of);
            points.push((x, y.unwrap_or(f64::NAN)));
        };
        for row in self.visible(&state.epochs, |row| f64::from(row.index)) {
            put(row.stage, f64::from(row.index), of_row(row));
        }
        let last = state.epochs.last();
        let running = state.current.as_ref().filter(|now| {
            let new = last.is_none_or(|last| last.index < now.index);
            !state.is_ended() && new && now.step > 0
        });
        if let (Some(running), Some(_)) = (running, now) {
            put(running.stage, self.scale.x(state.total_steps() as f64), now);
        }
        thinned(points, buckets)
    }

    /// The items within the window, and one on each side; they ascend in x.
    fn visible<'b, T>(&self, items: &'b [T], x: impl Fn(&T) -> f64) -> &'b [T] {
        let first = items.partition_point(|item| x(item) < self.window.0).saturating_sub(1);
        let last = items.partition_point(|item| x(item) <= self.window.1).saturating_add(1);
        &items[first..last.min(items.len()).max(first)]
    }

    fn bin_value(&self, bin: &BinState, at: usize) -> f64 {
        let result = &bin.results[at].1;
        if self.pane == Pane::Thresholds { result.threshold } else { result.accuracy }
    }

    /// A curve for each bin.
    fn bins(&self) -> impl Iterator<Item = Curve> {
        self.state().bins.iter().enumerate().map(|(number, bin)| {
            let all = results(bin, &self.scale, self.state()).map(|(x, at)| (x, self.bin_value(bin, at)));
            let points: Vec<(f64, f64)> = all.collect();
            let points = self.visible(&points, |(x, _)| *x).to_vec();
            let (x, y) = thinned(points, 600);
            // Without colour, bins are told apart by their strokes.
            let stroke = match (self.styles.has_color(), number % 3) {
                (true, _) | (false, 0) => Stroke::Marked,
                (false, 1) => Stroke::Dashed,
                (false, _) => Stroke::Dotted,
            };
            Curve { x, y, color: self.styles.series[number % self.styles.series.len()], stroke }
        })
    }

    /// The stages that can be seen.
    fn bands(&self) -> Vec<(f64, String)> {
        let state = self.state();
        let name = |stage: usize| {
            state.header.as_ref().and_then(|header| header.stages.get(stage)).map_or_else(String::new, |plan| {
                if plan.bottleneck_only { format!("{} head", plan.loss) } else { plan.loss.clone() }
            })
        };
        // The first stage begins with the run, whatever was prepared before.
        let place = |start: u64| if start == 0 { f64::NEG_INFINITY } else { self.scale.x(start as f64) };
        let mut bands: Vec<(f64, String)> =
            state.stage_steps.iter().map(|(stage, start)| (place(*start), name(*stage))).collect();
        // Of the stages that began before the window, the newest is the one that is shown.
        let hidden = bands.iter().filter(|(x, _)| *x <= self.window.0).count().saturating_sub(1);
        bands.drain(..hidden);
        bands.retain(|(x, _)| *x < self.window.1);
        bands
    }

    /// The best points with their values: of every bin; on the axis of epochs of the means too.
    fn best(&self) -> Vec<Best> {
        let state = self.state();
        let inside = |best: &Best| best.x >= self.window.0 && best.x <= self.window.1;
        if self.pane == Pane::Bins {
            let best = state.bins.iter().enumerate().filter_map(|(number, bin)| {
                let at = bin.best?;
                let x = place(bin, at, &self.scale, state)?;
                let y = self.bin_value(bin, at);
                let color = self.styles.series[number % self.styles.series.len()];
                Some(Best { x, y, text: written(self.pane, y), color })
            });
            return best.filter(inside).collect();
        }
        let (Axis::Epochs, Some((of_row, _))) = (self.options.axis, self.by_epoch()) else { return Vec::new() };
        let sign = if self.pane == Pane::Loss { -1.0 } else { 1.0 };
        // The best of the whole run first, then that of each other stage.
        let mut best: Vec<(usize, f64, f64)> = Vec::new();
        for row in &state.epochs {
            let Some(value) = of_row(row).filter(|value| value.is_finite()) else { continue };
            match best.last_mut().filter(|(stage, ..)| *stage == row.stage) {
                Some(known) if value * sign > known.2 * sign => *known = (row.stage, f64::from(row.index), value),
                Some(_) => {}
                None => best.push((row.stage, f64::from(row.index), value)),
            }
        }
        best.sort_by(|a, b| (b.2 * sign).total_cmp(&(a.2 * sign)));
        let color = self.color();
        let best = best.into_iter().map(|(_, x, y)| Best { x, y, text: written(self.pane, y), color });
        best.filter(inside).collect()
    }

    /// Where the loss or the gradient is NaN or infinite; at most a mark a column.
    fn not_finite(&self, columns: usize) -> Vec<f64> {
        if !matches!(self.pane, Pane::Loss | Pane::GradientNorm) {
            return Vec::new();
        }
        let Some(dense) = self.dense() else { return Vec::new() };
        let (from, to) = (self.place(dense, self.window.0), self.place(dense, self.window.1).saturating_add(1));
        // A gradient that was not measured is written as NaN too; infinity is a value of its own.
        let told = |at: &&usize| !dense.reports || dense.values[**at].is_infinite();
        let mut places: Vec<f64> =
            dense.series.not_finite(from, to).iter().filter(told).map(|at| self.x_of(dense, *at)).collect();
        let width = (self.window.1 - self.window.0) / columns.max(1) as f64;
        places.dedup_by(|next, kept| *next - *kept < width);
        places
    }

    /// The value of every line at an x, NaN where it has none.
    pub(super) fn at(&self, x: f64) -> Vec<f64> {
        let state = self.state();
        if let (Axis::Epochs, Some((of_row, now))) = (self.options.axis, self.by_epoch()) {
            let index = x.round().max(1.0) as u32;
            let value = state.epoch_at(index).map_or(now, of_row);
            return vec![value.unwrap_or(f64::NAN)];
        }
        let Some(dense) = self.dense() else {
            return state.bins.iter().map(|bin| self.bin_at(bin, x)).collect();
        };
        let smooth = self.options.smooth && self.pane != Pane::LearningRate;
        let trace = if smooth { dense.series.smooth() } else { dense.series.raw(dense.values) };
        vec![self.nearest(dense, x).and_then(|at| trace.value(at)).unwrap_or(f64::NAN)]
    }

    /// The raw value behind a smoothed one at an x.
    pub(super) fn raw_at(&self, x: f64) -> Option<f64> {
        let hidden = self.options.smooth && self.pane != Pane::LearningRate;
        let means = self.options.axis == Axis::Epochs && self.by_epoch().is_some();
        let dense = self.dense().filter(|_| hidden && !means)?;
        dense.series.raw(dense.values).value(self.nearest(dense, x)?)
    }

    fn nearest(&self, dense: Dense<'a>, x: f64) -> Option<usize> {
        let after = self.place(dense, x);
        let candidates = [after.checked_sub(1), Some(after).filter(|at| *at < dense.values.len())];
        let distance = |at: &usize| (self.x_of(dense, *at) - x).abs();
        candidates.into_iter().flatten().min_by(|a, b| distance(a).total_cmp(&distance(b)))
    }

    fn bin_at(&self, bin: &BinState, x: f64) -> f64 {
        let all = results(bin, &self.scale, self.state());
        let near = all.min_by(|a, b| (a.0 - x).abs().total_cmp(&(b.0 - x).abs()));
        near.map_or(f64::NAN, |(_, at)| self.bin_value(bin, at))
    }
}

/// At most about four points a bucket: neighbours give their lowest and their highest.
fn thinned(points: Vec<(f64, f64)>, buckets: usize) -> (Vec<f64>, Vec<f64>) {
    let most = buckets.max(1) * 4;
    if points.len() <= most {
        return points.into_iter().unzip();
    }
    let size = points.len().div_ceil(buckets.max(1));
    let mut kept = Vec::with_capacity(most);
    for group in points.chunks(size) {
        let finite = || group.iter().filter(|(_, y)| y.is_finite());
        let low = finite().min_by(|a, b| a.1.total_cmp(&b.1));
        let high = finite().max_by(|a, b| a.1.total_cmp(&b.1));
        match low.zip(high) {
            None => kept.push((group[0].0, f64::NAN)),
            Some((low, high)) if low.0 <= high.0 => kept.extend([*low, *high]),
            Some((low, high)) => kept.extend([*high, *low]),
        }
    }
    kept.into_iter().unzip()
}
