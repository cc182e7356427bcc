//! The x axes of a run: steps, epochs and time lead to each other by the number of steps that were taken.

use crate::run::state::RunState;

/// What the x axis of the charts shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::tui) enum Axis {
    /// Optimiser steps.
    #[default]
    Steps,
    /// Epochs of the history; an epoch ends at its number.
    Epochs,
    /// Seconds since the first epoch began.
    Time,
}

impl Axis {
    /// The axis after this one.
    pub(in crate::tui) const fn next(self) -> Self {
        match self {
            Self::Steps => Self::Epochs,
            Self::Epochs => Self::Time,
            Self::Time => Self::Steps,
        }
    }

    /// Its name.
    pub(in crate::tui) const fn name(self) -> &'static str {
        match self {
            Self::Steps => "steps",
            Self::Epochs => "epochs",
            Self::Time => "time",
        }
    }

    /// The narrowest window that is of any use.
    pub(in crate::tui) const fn narrowest(self) -> f64 {
        match self {
            Self::Steps => 10.0,
            Self::Epochs => 1.0,
            Self::Time => 2.0,
        }
    }
}

/// An axis of a certain run.
#[derive(Debug, Clone, Copy)]
pub(in crate::tui) struct Scale<'a> {
    pub(in crate::tui) axis: Axis,
    state: &'a RunState,
}

impl<'a> Scale<'a> {
    pub(in crate::tui) const fn new(axis: Axis, state: &'a RunState) -> Self {
        Self { axis, state }
    }

    /// The same run on another axis.
    pub(in crate::tui) const fn on(self, axis: Axis) -> Self {
        Self { axis, ..self }
    }

    /// Where a number of steps taken lies.
    pub(in crate::tui) fn x(&self, steps: f64) -> f64 {
        match self.axis {
            Axis::Steps => steps,
            Axis::Epochs => {
                let rows = &self.state.epochs;
                let at = rows.partition_point(|row| (row.total_steps as f64) < steps);
                let before = at.checked_sub(1).map_or(0.0, |before| rows[before].total_steps as f64);
                let (end, index) = match rows.get(at) {
                    Some(row) => (row.total_steps as f64, f64::from(row.index)),
                    None => self.running(before, rows.last().map_or(0, |row| row.index)),
                };
                let share = if end > before { ((steps - before) / (end - before)).clamp(0.0, 1.0) } else { 0.0 };
                index - 1.0 + share
            }
            Axis::Time => self.state.timeline.time_of(steps).map_or(0.0, |at| at - self.origin()),
        }
    }

    /// How many steps had been taken at an x.
    pub(in crate::tui) fn steps(&self, x: f64) -> f64 {
        match self.axis {
            Axis::Steps => x,
            Axis::Epochs => {
                let rows = &self.state.epochs;
                let at = rows.partition_point(|row| f64::from(row.index) < x);
                let before = at.checked_sub(1).map_or(0.0, |before| rows[before].total_steps as f64);
                let (end, index) = match rows.get(at) {
                    Some(row) => (row.total_steps as f64, f64::from(row.index)),
                    None => self.running(before, rows.last().map_or(0, |row| row.index)),
                };
                before + (end - before) * (x - (index - 1.0)).clamp(0.0, 1.0)
            }
            Axis::Time => self.state.timeline.steps_at(x + self.origin()),
        }
    }

    /// The running epoch's last step, counted from the run's first, and its number.
    fn running(&self, before: f64, ended: u32) -> (f64, f64) {
        let planned = self.state.current.as_ref().map_or(0, |now| now.steps) as f64;
        let end = (before + planned).max(self.state.total_steps() as f64);
        (end, f64::from(ended) + 1.0)
    }

    fn origin(&self) -> f64 {
        self.state.timeline.time_of(0.0).or(self.state.started).unwrap_or_default()
    }

    /// The x of the newest that is known.
    fn end(&self) -> f64 {
        match self.axis {
            Axis::Time => (self.state.updated - self.origin()).max(0.0),
            _ => self.x(self.state.total_steps() as f64),
        }
    }

    /// First and last x of the run, or of its newest stage; never of no width.
    pub(in crate::tui) fn whole(&self, stage_only: bool) -> (f64, f64) {
        let start = self.state.stage_steps.last().filter(|_| stage_only).map_or(0, |(_, start)| *start);
        let first = self.x(start as f64);
        // A stage begins where the one before ends, which on the axis of time may be a while before.
        (first, self.end().max(first + self.axis.narrowest()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::testing::Script;

    #[test]
    fn steps_epochs_and_times_agree() {
        let state = Script::new().start().stage(0).whole_epoch().epoch().whole_epoch().epoch().steps(150).state();
        for axis in [Axis::Steps, Axis::Epochs, Axis::Time] {
            let scale = Scale::new(axis, &state);
            for steps in [0.0, 10.0, 299.0, 300.0, 450.0, 600.0, 750.0] {
                let back = scale.steps(scale.x(steps));
                assert!((back - steps).abs() < 1e-6, "{axis:?}: {steps} came back as {back}");
            }
            let (first, last) = scale.whole(false);
            assert!(first < last && scale.x(750.0) <= last);
        }
        let epochs = Scale::new(Axis::Epochs, &state);
        assert!((epochs.x(300.0) - 1.0).abs() < 1e-9 && (epochs.x(750.0) - 2.5).abs() < 1e-9);
    }

    #[test]
    fn nothing_known_is_no_trouble() {
        let state = RunState::default();
        for axis in [Axis::Steps, Axis::Epochs, Axis::Time] {
            let (first, last) = Scale::new(axis, &state).whole(true);
            assert!(last > first && first.abs() < 1e-9);
        }
    }
}
