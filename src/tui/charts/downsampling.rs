//! Downsampling: curves of any number of points on screens of a few hundred columns.
//!
//! A run may have millions of steps. A [`Pyramid`] keeps the lowest and highest value of every block of points, of blocks
//! of blocks and so on, and grows as points arrive. A chart asks for as many buckets as it has dots; each costs a few
//! dozen operations however many points lie in it, and no spike is lost. The points themselves stay where they are.

/// Points of a block, and blocks of a block.
const FAN: usize = 16;

/// Most places of NaN and infinity that are remembered.
const MOST_NOT_FINITE: usize = 4096;

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
    /// Where values are NaN or infinite.
    not_finite: Vec<usize>,
}

impl Pyramid {
    /// Takes in what `values` holds beyond what was seen.
    pub(super) fn follow(&mut self, values: &[f32]) {
        for value in values.get(self.seen..).unwrap_or_default() {
            self.any |= value.is_finite();
            if !value.is_finite() && self.not_finite.len() < MOST_NOT_FINITE {
                self.not_finite.push(self.seen);
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

    /// Where the values at `from..to` are NaN or infinite.
    pub(super) fn not_finite(&self, from: usize, to: usize) -> &[usize] {
        let start = self.not_finite.partition_point(|at| *at < from);
        let end = self.not_finite.partition_point(|at| *at < to);
        &self.not_finite[start..end.max(start)]
    }
}

/// Values with their pyramid, ready to be drawn.
#[derive(Debug, Clone, Copy)]
pub(in crate::tui) struct Trace<'a> {
    values: &'a [f32],
    pyramid: &'a Pyramid,
}

impl<'a> Trace<'a> {
    /// `values` is the list that the pyramid followed.
    pub(super) const fn new(values: &'a [f32], pyramid: &'a Pyramid) -> Self {
        Self { values, pyramid }
    }
}

/// A curve's points; NaN is a gap.
pub(in crate::tui) type Points = (Vec<f64>, Vec<f64>);

impl Trace<'_> {
    /// The value at a place.
    pub(in crate::tui) fn value(&self, at: usize) -> Option<f64> {
        self.values.get(at).map(|value| f64::from(*value))
    }

    /// A polyline that looks like all the points between two x, drawn on `buckets` columns: of each bucket the first, the
    /// lowest, the highest and the last value. `x` gives the x of a place, ascending, and `place` the first place at or
    /// after an x. One point on each side beyond lets the line leave the screen. It is cut at each of `breaks`.
    pub(in crate::tui) fn reduce(
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
    }
}
