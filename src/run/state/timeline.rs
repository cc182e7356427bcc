//! When each step was taken, and what was measured from report to report.
//!
//! Columns of numbers, so that a week of reports stays small and a chart reads one of them without the others.

/// What the reports of a run said, in order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Timeline {
    /// Steps taken in all at moments whose time is known, ascending; an epoch's beginning repeats the count before it.
    clock_steps: Vec<u64>,
    /// Those moments, in seconds since the Unix epoch.
    clock_times: Vec<f64>,
    /// Steps taken in all at each report.
    pub steps: Vec<u64>,
    /// Images a second since the report before.
    pub images_per_second: Vec<f32>,
    /// Length of the newest gradient before clipping; NaN where it was not measured.
    pub gradient_norm: Vec<f32>,
    /// Learning rate.
    pub learning_rate: Vec<f32>,
}

impl Timeline {
    /// An epoch begins.
    pub(super) fn begin(&mut self, steps: u64, at: f64) {
        self.clock_steps.push(steps);
        self.clock_times.push(at);
    }

    /// A report arrives.
    pub(super) fn report(
        &mut self,
        steps: u64,
        at: f64,
        images_per_second: f64,
        gradient_norm: Option<f64>,
        rate: f64,
    ) {
        self.begin(steps, at);
        self.steps.push(steps);
        self.images_per_second.push(images_per_second as f32);
        self.gradient_norm.push(gradient_norm.map_or(f32::NAN, |norm| norm as f32));
        self.learning_rate.push(rate as f32);
    }

    /// Forgets what came after a number of steps.
    pub(super) fn take_back(&mut self, steps: u64) {
        let clock = self.clock_steps.partition_point(|known| *known <= steps);
        self.clock_steps.truncate(clock);
        self.clock_times.truncate(clock);
        let reports = self.steps.partition_point(|known| *known <= steps);
        self.steps.truncate(reports);
        self.images_per_second.truncate(reports);
        self.gradient_norm.truncate(reports);
        self.learning_rate.truncate(reports);
    }

    /// When a number of steps had been taken, in seconds since the Unix epoch; none before the first epoch began.
    pub fn time_of(&self, steps: f64) -> Option<f64> {
        let after = self.clock_steps.partition_point(|known| (*known as f64) < steps);
        let before = after.checked_sub(1);
        let point = |at: usize| Some((*self.clock_steps.get(at)? as f64, *self.clock_times.get(at)?));
        match (before.and_then(point), point(after)) {
            (Some((low, start)), Some((high, end))) => Some(between((low, high), (start, end), steps)),
            (None, Some((_, at))) | (Some((_, at)), None) => Some(at),
            (None, None) => None,
        }
    }

    /// How many steps had been taken at a moment; fractions of a step between two.
    pub fn steps_at(&self, time: f64) -> f64 {
        let after = self.clock_times.partition_point(|known| *known <= time);
        let point = |at: usize| Some((*self.clock_times.get(at)?, *self.clock_steps.get(at)? as f64));
        match (after.checked_sub(1).and_then(point), point(after)) {
            (Some(low), Some(high)) => between((low.0, high.0), (low.1, high.1), time),
            (Some((_, steps)), None) => steps,
            _ => 0.0,
        }
    }
}

/// The place in `to` of `value`'s place in `from`.
fn between(from: (f64, f64), to: (f64, f64), value: f64) -> f64 {
    let width = from.1 - from.0;
    if width > 0.0 { to.0 + (to.1 - to.0) * ((value - from.0) / width).clamp(0.0, 1.0) } else { to.1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_and_times_lead_to_each_other() {
        let mut timeline = Timeline::default();
        assert_eq!((timeline.time_of(3.0), timeline.steps_at(3.0)), (None, 0.0));
        timeline.begin(0, 100.0);
        timeline.report(10, 110.0, 1.0, Some(2.0), 0.1);
        // An evaluation of half a minute.
        timeline.begin(10, 140.0);
        timeline.report(20, 150.0, 1.0, None, 0.1);
        for (steps, time) in [(0.0, 100.0), (5.0, 105.0), (10.0, 110.0), (15.0, 145.0), (20.0, 150.0)] {
            assert_eq!(timeline.time_of(steps), Some(time));
            assert!((timeline.steps_at(time) - steps).abs() < 1e-9);
        }
        assert!((timeline.steps_at(125.0) - 10.0).abs() < 1e-9, "no step is taken meanwhile");
        assert_eq!((timeline.time_of(99.0), timeline.steps_at(999.0)), (Some(150.0), 20.0));
        assert!(timeline.gradient_norm[1].is_nan());
        timeline.take_back(15);
        assert_eq!((timeline.steps.len(), timeline.time_of(20.0)), (1, Some(140.0)));
        timeline.report(15, 145.0, 1.0, None, 0.1);
        assert_eq!(timeline.steps, [10, 15]);
    }
}
