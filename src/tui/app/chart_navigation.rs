//! Looking around in the charts: axes, smoothing, zoom, the crosshair.

use crate::tui::action::{ChartAction, Effect};
use crate::tui::charts::options::{ChartOptions, STRENGTHS, Window};
use crate::tui::charts::x_axis::{Axis, Scale};

use super::App;

/// How much one step of the zoom leaves of the window.
const ZOOM: f64 = 0.7;

/// Share of the window that one step moves it by.
const PAN: f64 = 0.2;

/// Steps of the crosshair from edge to edge.
const CROSS: f64 = 160.0;

impl App {
    /// Changes how the charts are drawn.
    pub(super) fn chart(&mut self, action: ChartAction) -> Vec<Effect> {
        let charts = &mut self.view.charts;
        match action {
            ChartAction::NextXAxis => self.change_axis(),
            ChartAction::ToggleLogY => {
                charts.log_y = !charts.log_y;
                charts.y = None;
            }
            ChartAction::ToggleSmoothing => charts.smooth = !charts.smooth,
            ChartAction::SmoothLess => self.smooth(false),
            ChartAction::SmoothMore => self.smooth(true),
            ChartAction::ToggleOutliers => charts.ignore_outliers = !charts.ignore_outliers,
            ChartAction::ToggleStage => {
                charts.stage_only = !charts.stage_only;
                (charts.window, charts.y) = (None, None);
            }
            ChartAction::ZoomIn => self.zoom(ZOOM, None),
            ChartAction::ZoomOut => self.zoom(1.0 / ZOOM, None),
            ChartAction::ResetZoom => (charts.window, charts.y) = (None, None),
            ChartAction::PanLeft => self.pan(-PAN),
            ChartAction::PanRight => self.pan(PAN),
            ChartAction::ToggleFollow => self.follow(),
            ChartAction::ToggleCrosshair => {
                let cross = if charts.cross.is_some() { None } else { self.span().map(|(_, to)| to) };
                self.view.charts.cross = cross;
            }
            ChartAction::MoveCrosshair(by) => self.move_cross(f64::from(by)),
        }
        Vec::new()
    }

    /// First and last x of the charts on screen.
    pub(in crate::tui) fn span(&self) -> Option<(f64, f64)> {
        let (run, _) = self.on_screen()?;
        let charts = &self.view.charts;
        Some(charts.span(&Scale::new(charts.axis, &run.state)))
    }

    /// First and last x that there is anything at.
    fn whole(&self) -> Option<(f64, f64)> {
        let (run, _) = self.on_screen()?;
        Some(Scale::new(self.view.charts.axis, &run.state).whole(false))
    }

    /// The next axis; window and crosshair stay at the same steps.
    fn change_axis(&mut self) {
        let charts = self.view.charts;
        let to = charts.axis.next();
        let Some((run, _)) = self.on_screen() else {
            self.view.charts.axis = to;
            return;
        };
        let from = Scale::new(charts.axis, &run.state);
        let moved = |x: f64| from.on(to).x(from.steps(x));
        let span = charts.span(&from);
        let window = charts.window.map(|window| {
            let (first, last) = (moved(span.0), moved(span.1));
            Window { from: first, to: last.max(first + to.narrowest()), follow: window.follow }
        });
        let cross = charts.cross.map(moved);
        self.view.charts = ChartOptions { axis: to, window, cross, ..charts };
    }

    fn smooth(&mut self, more: bool) {
        let charts = &mut self.view.charts;
        // The first key of either kind brings the smoothing back.
        if charts.smooth {
            let next = if more { charts.strength + 1 } else { charts.strength.saturating_sub(1) };
            charts.strength = next.min(STRENGTHS.len() - 1);
        }
        charts.smooth = true;
        let strength = STRENGTHS[charts.strength];
        if let Some(run) = &mut self.live {
            run.smooth(strength);
        }
        if let Some((_, Ok(run))) = &mut self.history.opened {
            run.smooth(strength);
        }
    }

    /// Shows `factor` times as much of the x axis, around `around` or the crosshair or the end.
    pub(super) fn zoom(&mut self, factor: f64, around: Option<f64>) {
        let (Some((from, to)), Some(whole)) = (self.span(), self.whole()) else { return };
        let charts = &self.view.charts;
        let at_end = charts.window.is_none_or(|window| window.follow);
        let middle = if at_end { to } else { f64::midpoint(from, to) };
        let around = around.or(charts.cross).unwrap_or(middle).clamp(from, to);
        let width = (to - from) * factor;
        if factor < 1.0 && width < charts.axis.narrowest().min(to - from) {
            return;
        }
        let first = around - (around - from) * factor;
        if width >= whole.1 - whole.0 {
            self.view.charts.window = None;
            return;
        }
        // The end stays in view while the window reaches it.
        let follow = at_end && (around - to).abs() <= (to - from) * 1e-9;
        self.show_window(first, first + width, follow);
    }

    /// Moves the window by a share of its width.
    pub(super) fn pan(&mut self, share: f64) {
        let Some((from, to)) = self.span() else { return };
        let by = (to - from) * share;
        self.show_window(from + by, to + by, false);
    }

    /// Shows a part of the x axis, as far as there is anything; a window at the end moves with it.
    pub(super) fn show_window(&mut self, from: f64, to: f64, follow: bool) {
        let Some(whole) = self.whole() else { return };
        let width = (to - from).max(self.view.charts.axis.narrowest()).min(whole.1 - whole.0);
        let first = from.clamp(whole.0, (whole.1 - width).max(whole.0));
        let at_end = first + width >= whole.1 - width * 1e-9 && to > from;
        self.view.charts.window = Some(Window { from: first, to: first + width, follow: follow || at_end });
    }

    /// Keeps the end in view, or lets the window rest where it is. The whole run becomes its newest tenth.
    fn follow(&mut self) {
        let (Some((from, to)), Some(whole)) = (self.span(), self.whole()) else { return };
        let charts = &mut self.view.charts;
        charts.window = Some(match charts.window {
            Some(Window { follow: true, .. }) => Window { from, to, follow: false },
            Some(_) => Window { from: whole.1 - (to - from), to: whole.1, follow: true },
            None => {
                let width = ((to - from) / 10.0).max(charts.axis.narrowest());
                Window { from: whole.1 - width, to: whole.1, follow: true }
            }
        });
        charts.y = None;
    }

    /// Moves the crosshair; the window goes with it when it would leave.
    fn move_cross(&mut self, by: f64) {
        let (Some((from, to)), Some(whole)) = (self.span(), self.whole()) else { return };
        let charts = &self.view.charts;
        let Some(cross) = charts.cross else {
            self.view.charts.cross = Some(to);
            return;
        };
        // Steps and epochs are counted one by one.
        let step = (to - from) / CROSS;
        let step = if charts.axis == Axis::Time { step.max(0.1) } else { step.max(1.0).round() };
        let snapped = if charts.axis == Axis::Time { cross } else { cross.round() };
        let x = (snapped + by * step).clamp(whole.0, whole.1);
        self.view.charts.cross = Some(x);
        if x < from || x > to {
            let shift = if x < from { x - from } else { x - to };
            self.show_window(from + shift, to + shift, false);
        }
    }
}
