//! A growing list of values as a curve: raw and smoothed, both ready for any window at any width.

use super::downsampling::{Pyramid, Trace};
use super::smoothing::Smoothed;

/// A list of values with its pyramid, and smoothed.
#[derive(Debug, Clone, PartialEq, Default)]
pub(in crate::tui) struct Series {
    pyramid: Pyramid,
    smoothed: Smoothed,
}

impl Series {
    /// Takes in what is new.
    pub(in crate::tui) fn follow(&mut self, values: &[f32], breaks: &[usize], strength: f64) {
        self.pyramid.follow(values);
        self.smoothed.follow(values, breaks, strength);
    }

    /// Whether no value is finite.
    pub(in crate::tui) const fn is_empty(&self) -> bool {
        self.pyramid.is_empty()
    }

    /// The newest smoothed value.
    pub(in crate::tui) fn latest(&self) -> Option<f64> {
        self.smoothed.latest()
    }

    /// Where the values at `from..to` are NaN or infinite.
    pub(in crate::tui) fn not_finite(&self, from: usize, to: usize) -> &[usize] {
        self.pyramid.not_finite(from, to)
    }

    /// The values as they are; `values` is the list that was followed.
    pub(in crate::tui) const fn raw<'a>(&'a self, values: &'a [f32]) -> Trace<'a> {
        Trace::new(values, &self.pyramid)
    }

    /// The smoothed values.
    pub(in crate::tui) fn smooth(&self) -> Trace<'_> {
        self.smoothed.trace()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tui::charts::downsampling::Points;

    fn series(values: &[f32], strength: f64) -> Series {
        let mut series = Series::default();
        series.follow(values, &[], strength);
        series
    }

    fn points(trace: &Trace<'_>, window: (f64, f64), buckets: usize, breaks: &[usize]) -> Points {
        trace.reduce(window, buckets, breaks, |at| at as f64 + 1.0, |x| (x - 1.0).ceil().max(0.0) as usize)
    }

    #[test]
    fn a_million_points_become_a_few_and_the_spike_stays() {
        let mut values = vec![1.0_f32; 1_000_000];
        values[123_456] = 99.0;
        let series = series(&values, 0.9);
        let (x, y) = points(&series.raw(&values), (0.0, 1e6), 400, &[]);
        assert!(x.len() <= 4 * 400 + 4 && x.is_sorted());
        assert!(y.iter().any(|value| (value - 99.0).abs() < 1e-6));
    }

    #[test]
    fn few_points_are_drawn_as_they_are() {
        let values = [3.0, 1.0, f32::NAN, 2.0];
        let series = series(&values, 0.0);
        let (x, y) = points(&series.raw(&values), (1.0, 4.0), 100, &[]);
        assert_eq!(x, [1.0, 2.0, 3.0, 4.0]);
        assert!(y[2].is_nan() && y[..2] == [3.0, 1.0] && y[3..] == [2.0]);
        assert_eq!(series.pyramid.not_finite(0, 4), [2]);
        // A window has one more point on either side.
        assert_eq!(points(&series.raw(&values), (1.5, 1.9), 10, &[]).0, [1.0, 2.0, 3.0]);
    }

    #[test]
    fn a_break_cuts_the_line_and_starts_a_new_average() {
        let values: Vec<f32> = std::iter::repeat_n(2.0, 500).chain(std::iter::repeat_n(30.0, 10)).collect();
        let mut series = Series::default();
        series.follow(&values, &[0, 500], 0.98);
        assert!((series.latest().expect("a value") - 30.0).abs() < 1e-3);
        for buckets in [3, 40, 1000] {
            let (_, y) = points(&series.smooth(), (1.0, 510.0), buckets, &[0, 500]);
            assert_eq!(y.iter().filter(|value| value.is_nan()).count(), 1, "{buckets} buckets");
        }
    }

    #[test]
    fn the_average_is_tensorboards() {
        // Its own example: last = last * w + (1 - w) * value, divided by 1 - w^n.
        let values = [1.0_f32, 2.0, 4.0, 8.0];
        let series = series(&values, 0.6);
        let mut last = 0.0;
        for (at, value) in values.iter().enumerate() {
            last = last * 0.6 + 0.4 * f64::from(*value);
            let wanted = last / (1.0 - 0.6_f64.powi(at as i32 + 1));
            assert!((series.smooth().value(at).expect("a value") - wanted).abs() < 1e-6);
        }
    }

    #[test]
    fn another_strength_begins_anew() {
        let values: Vec<f32> = (0..1000).map(|at| (at as f32 * 0.1).sin()).collect();
        let mut changed = series(&values, 0.9);
        changed.follow(&values, &[], 0.5);
        assert_eq!(changed, series(&values, 0.5));
    }

    proptest! {
        #[test]
        fn any_window_keeps_its_extremes(
            count in 0_usize..3000, from in -10.0_f64..3000.0, width in 0.0_f64..3000.0, buckets in 0_usize..300,
            cuts in prop::collection::btree_set(0_usize..3000, 0..5),
        ) {
            let values: Vec<f32> = (0..count).map(|at| ((at * 7919) % 1009) as f32).collect();
            let series = series(&values, 0.0);
            let cuts: Vec<usize> = cuts.into_iter().collect();
            let (x, y) = points(&series.raw(&values), (from, from + width), buckets, &cuts);
            prop_assert_eq!(x.len(), y.len());
            prop_assert!(x.is_sorted());
            let inside = |at: &usize| { let x = *at as f64 + 1.0; x >= from && x < from + width };
            let highest = (0..count).filter(inside).map(|at| f64::from(values[at])).reduce(f64::max);
            if let (Some(highest), true) = (highest, width > 0.0) {
                prop_assert!(y.iter().copied().filter(|y| y.is_finite()).fold(f64::MIN, f64::max) >= highest);
            }
        }
    }
}
