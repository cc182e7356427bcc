//! Curves of any number of points on screens of a few hundred columns.
//!
//! A run may have millions of steps. A [`Pyramid`] keeps the lowest and highest value of every block of points, of blocks
//! of blocks and so on, and grows as points arrive. A chart asks for as many buckets as it has dots; each costs a few
//! dozen operations however many points lie in it, and no spike is lost. The points themselves stay where they are.

/// Points of a block, and blocks of a block.
const FAN: usize = 16;

/// Most places without a number that are remembered.
const STRANGE: usize = 4096;

/// Points of a bucket that are drawn one by one.
const FEW: usize = 4;

/// Lowest and highest finite value; NaN where there is none.
type Extremes = (f32, f32);

const NOTHING: Extremes = (f32::NAN, f32::NAN);

/// `f32::min` and `max` prefer a number to none.
const fn joined(left: Extremes, right: Extremes) -> Extremes {
    (left.0.min(right.0), left.1.max(right.1))
}

const fn alone(value: f32) -> Extremes {
    if value.is_finite() { (value, value) } else { NOTHING }
}

/// The extremes of a growing list of values, at every level of detail.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Pyramid {
    /// Whole blocks, of [`FAN`] points, then of [`FAN`] of those, and so on.
    levels: Vec<Vec<Extremes>>,
    /// Values seen.
    seen: usize,
    /// Whether any was finite.
    any: bool,
    /// Where values are no numbers.
    strange: Vec<usize>,
}

impl Pyramid {
    /// Takes in what `values` holds beyond what was seen.
    pub(super) fn follow(&mut self, values: &[f32]) {
        for value in values.get(self.seen..).unwrap_or_default() {
            self.any |= value.is_finite();
            if !value.is_finite() && self.strange.len() < STRANGE {
                self.strange.push(self.seen);
            }
            self.seen += 1;
            let mut size = FAN;
            let mut level = 0;
            while self.seen.is_multiple_of(size) {
                let block = if level == 0 {
                    values[self.seen - FAN..self.seen].iter().map(|value| alone(*value)).fold(NOTHING, joined)
                } else {
                    let below = &self.levels[level - 1];
                    below[below.len() - FAN..].iter().copied().fold(NOTHING, joined)
                };
                if level == self.levels.len() {
                    self.levels.push(Vec::new());
                }
                self.levels[level].push(block);
                level += 1;
                size *= FAN;
            }
        }
    }

    /// Whether there is nothing to draw.
    pub(super) const fn is_empty(&self) -> bool {
        !self.any
    }

    /// The extremes of the values at `from..to`, which must have been seen; `values` is the list that was followed.
    pub(super) fn extremes(&self, values: &[f32], from: usize, to: usize) -> Option<(f32, f32)> {
        let to = to.min(self.seen).min(values.len());
        let found = if from < to { self.gather(values, None, from, to) } else { NOTHING };
        (!found.0.is_nan()).then_some(found)
    }

    /// The extremes of `from..to` counted in blocks of `level`, or in values.
    fn gather(&self, values: &[f32], level: Option<usize>, from: usize, to: usize) -> Extremes {
        let flat = |from: usize, to: usize| match level {
            None => values[from..to].iter().map(|value| alone(*value)).fold(NOTHING, joined),
            Some(level) => self.levels[level][from..to].iter().copied().fold(NOTHING, joined),
        };
        let above = level.map_or(0, |level| level + 1);
        let (first, last) = (from.div_ceil(FAN), to / FAN);
        if first >= last || above >= self.levels.len() {
            return flat(from, to);
        }
        let inner = self.gather(values, Some(above), first, last);
        joined(joined(flat(from, first * FAN), inner), flat(last * FAN, to))
    }

    /// Where the values at `from..to` are no numbers.
    pub(super) fn strange(&self, from: usize, to: usize) -> &[usize] {
        let start = self.strange.partition_point(|at| *at < from);
        let end = self.strange.partition_point(|at| *at < to);
        &self.strange[start..end.max(start)]
    }
}

/// An exponential moving average that begins without bias, as `TensorBoard`'s.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Smoothed {
    /// The average after each value; NaN where the value was no number.
    values: Vec<f32>,
    pyramid: Pyramid,
    /// Weight of the past, 0 to below 1.
    strength: f64,
    /// Weighted sum, and the share of the weights that it has gathered.
    sum: f64,
    gathered: f64,
}

impl Smoothed {
    /// Takes in what `values` holds beyond what was seen; the average begins anew at each of `breaks`, ascending.
    pub(super) fn follow(&mut self, values: &[f32], breaks: &[usize], strength: f64) {
        if (strength - self.strength).abs() > f64::EPSILON {
            *self = Self { strength, ..Self::default() };
        }
        let start = self.values.len();
        let mut breaks = breaks[breaks.partition_point(|at| *at < start)..].iter().peekable();
        for (at, value) in values.iter().enumerate().skip(start) {
            if breaks.next_if(|next| **next <= at).is_some() {
                while breaks.next_if(|next| **next <= at).is_some() {}
                (self.sum, self.gathered) = (0.0, 0.0);
            }
            let smooth = if value.is_finite() {
                self.sum = self.sum * strength + f64::from(*value) * (1.0 - strength);
                self.gathered = self.gathered * strength + (1.0 - strength);
                (self.sum / self.gathered) as f32
            } else {
                f32::NAN
            };
            self.values.push(smooth);
        }
        self.pyramid.follow(&self.values);
    }

    /// The newest average.
    pub(super) fn latest(&self) -> Option<f64> {
        self.values.last().map(|value| f64::from(*value)).filter(|value| value.is_finite())
    }
}

/// A list of values with its pyramid, and smoothed.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Series {
    pyramid: Pyramid,
    smoothed: Smoothed,
}

impl Series {
    /// Takes in what is new.
    pub(super) fn follow(&mut self, values: &[f32], breaks: &[usize], strength: f64) {
        self.pyramid.follow(values);
        self.smoothed.follow(values, breaks, strength);
    }

    /// Whether no value is a number.
    pub(super) const fn is_empty(&self) -> bool {
        self.pyramid.is_empty()
    }

    /// The newest smoothed value.
    pub(super) fn latest(&self) -> Option<f64> {
        self.smoothed.latest()
    }

    /// Where the values at `from..to` are no numbers.
    pub(super) fn strange(&self, from: usize, to: usize) -> &[usize] {
        self.pyramid.strange(from, to)
    }

    /// The values as they are; `values` is the list that was followed.
    pub(super) const fn raw<'a>(&'a self, values: &'a [f32]) -> Trace<'a> {
        Trace { values, pyramid: &self.pyramid }
    }

    /// The smoothed values.
    pub(super) fn smooth(&self) -> Trace<'_> {
        Trace { values: &self.smoothed.values, pyramid: &self.smoothed.pyramid }
    }
}

/// Values with their pyramid, ready to be drawn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trace<'a> {
    values: &'a [f32],
    pyramid: &'a Pyramid,
}

/// A curve's points; NaN is a gap.
pub(super) type Points = (Vec<f64>, Vec<f64>);

impl Trace<'_> {
    /// The value at a place.
    pub(super) fn value(&self, at: usize) -> Option<f64> {
        self.values.get(at).map(|value| f64::from(*value))
    }

    /// A polyline that looks like all the points between two x, drawn on `buckets` columns: of each bucket the first, the
    /// lowest, the highest and the last value. `x` gives the x of a place, ascending, and `place` the first place at or
    /// after an x. One point on each side beyond lets the line leave the screen. It is cut at each of `breaks`.
    pub(super) fn reduce(
        &self,
        window: (f64, f64),
        buckets: usize,
        breaks: &[usize],
        x: impl Fn(usize) -> f64,
        place: impl Fn(f64) -> usize,
    ) -> Points {
        let count = self.values.len().min(self.pyramid.seen);
        let mut points = (Vec::new(), Vec::new());
        let buckets = buckets.max(1);
        let width = (window.1 - window.0) / buckets as f64;
        if count == 0 || !width.is_finite() || width <= 0.0 {
            return points;
        }
        let first = place(window.0).min(count).saturating_sub(1);
        let mut breaks = breaks[breaks.partition_point(|at| *at <= first)..].iter().copied().peekable();
        let mut from = first;
        for bucket in 1..=buckets {
            let last = bucket == buckets;
            let edge = if last { window.1 } else { window.0 + width * bucket as f64 };
            let to = place(edge).max(from).min(count);
            let to = if last { (to + 2).min(count) } else { to };
            while let Some(cut) = breaks.next_if(|at| *at < to) {
                self.bucket(from, cut.max(from), &x, &mut points);
                points.0.push(x(cut.min(count - 1)));
                points.1.push(f64::NAN);
                from = cut.max(from);
            }
            self.bucket(from, to, &x, &mut points);
            from = to;
        }
        points
    }

    fn bucket(&self, from: usize, to: usize, x: &impl Fn(usize) -> f64, points: &mut Points) {
        let mut put = |at: f64, value: f32| {
            points.0.push(at);
            points.1.push(if value.is_finite() { f64::from(value) } else { f64::NAN });
        };
        if to - from <= FEW {
            (from..to).for_each(|at| put(x(at), self.values[at]));
            return;
        }
        let middle = x(from + (to - from) / 2);
        let Some((low, high)) = self.pyramid.extremes(self.values, from, to) else { return put(middle, f32::NAN) };
        // A single value that is missing at an edge does not cut the line.
        for (at, value) in
            [(x(from), self.values[from]), (middle, low), (middle, high), (x(to - 1), self.values[to - 1])]
        {
            if value.is_finite() {
                put(at, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
        assert_eq!(series.pyramid.strange(0, 4), [2]);
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
        fn the_pyramid_knows_every_range(
            values in prop::collection::vec(prop_oneof![9 => -10_f32..10.0, 1 => Just(f32::NAN)], 0..1500),
            from in 0_usize..1500, length in 0_usize..1500, pieces in 1_usize..50,
        ) {
            let mut pyramid = Pyramid::default();
            for end in (0..values.len()).step_by(pieces).chain([values.len()]) {
                pyramid.follow(&values[..end]);
            }
            let to = (from + length).min(values.len());
            let finite = values.get(from..to).unwrap_or_default().iter().copied().filter(|value| value.is_finite());
            let wanted = finite.clone().reduce(f32::min).zip(finite.reduce(f32::max));
            prop_assert_eq!(pyramid.extremes(&values, from, to), wanted);
        }

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
