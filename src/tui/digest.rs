//! A curve of any number of steps in a bounded number of points, kept up as the steps arrive.
//!
//! A run may have millions of steps and a chart has a few hundred columns. [`StepDigest`] holds at most
//! [`BUCKETS`] buckets of equally many steps, each with its lowest and highest value and the smoothed value at its end;
//! when they are full, neighbours are merged and a bucket holds twice as many steps. Adding a step costs a few
//! operations, drawing costs the same after a minute and after a week, and no spike is lost.

/// Most buckets a digest holds: several for every dot column of the widest chart.
const BUCKETS: usize = 4096;

/// Weight of the past in the exponential moving average: about the mean of the last fifty steps.
const MEMORY: f64 = 0.98;

/// Some neighbouring steps of one stage.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Bucket {
    /// Steps taken in all when the bucket ends.
    end: u64,
    /// Steps in it.
    count: u64,
    low: f32,
    high: f32,
    /// Smoothed value at its end; NaN where no finite value was seen yet.
    smooth: f32,
    /// The stage's number among the stages seen.
    stage: u32,
}

/// A curve's points on the step axis; NaN separates the stages and marks what is missing.
pub(super) type Points = (Vec<f64>, Vec<f64>);

/// The digest of a curve over steps.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct StepDigest {
    buckets: Vec<Bucket>,
    /// Steps a full bucket holds.
    size: u64,
    /// Steps seen.
    seen: u64,
    /// Stages seen.
    stage: u32,
    /// Running average and the weight it has gathered, which takes away the bias of the beginning.
    average: (f64, f64),
    /// Whether any finite value was seen.
    any: bool,
}

impl Default for StepDigest {
    fn default() -> Self {
        Self { buckets: Vec::new(), size: 1, seen: 0, stage: 0, average: (0.0, 0.0), any: false }
    }
}

impl StepDigest {
    /// Takes in what `values` holds beyond what was seen; `stages` are the step counts at which stages began.
    pub(super) fn follow(&mut self, values: &[f32], stages: &[(usize, u64)]) {
        if (values.len() as u64) < self.seen {
            // The run went back.
            *self = Self::default();
        }
        let fresh = values.get(self.seen as usize..).unwrap_or_default();
        for value in fresh {
            let before = stages.iter().filter(|(_, start)| *start <= self.seen).count() as u32;
            if before > self.stage {
                self.stage = before;
                self.average = (0.0, 0.0);
            }
            self.push(*value);
        }
    }

    /// Whether there is nothing to draw.
    pub(super) const fn is_empty(&self) -> bool {
        !self.any
    }

    /// The newest smoothed value.
    pub(super) fn latest(&self) -> Option<f64> {
        self.buckets.last().map(|bucket| f64::from(bucket.smooth)).filter(|value| value.is_finite())
    }

    fn push(&mut self, value: f32) {
        self.seen += 1;
        self.any |= value.is_finite();
        if value.is_finite() {
            let (sum, weight) = self.average;
            self.average = (sum * MEMORY + f64::from(value) * (1.0 - MEMORY), weight * MEMORY + (1.0 - MEMORY));
        }
        let smooth = if value.is_finite() { (self.average.0 / self.average.1) as f32 } else { f32::NAN };
        let fresh = Bucket { end: self.seen, count: 1, low: value, high: value, smooth, stage: self.stage };
        match self.buckets.last_mut() {
            Some(last) if last.count < self.size && last.stage == self.stage => *last = merged(last, &fresh),
            _ => self.buckets.push(fresh),
        }
        if self.buckets.len() > BUCKETS {
            self.halve();
        }
    }

    fn halve(&mut self) {
        self.size *= 2;
        let mut halved: Vec<Bucket> = Vec::with_capacity(BUCKETS);
        for bucket in self.buckets.drain(..) {
            match halved.last_mut() {
                Some(last) if last.count + bucket.count <= self.size && last.stage == bucket.stage => {
                    *last = merged(last, &bucket);
                }
                _ => halved.push(bucket),
            }
        }
        self.buckets = halved;
    }

    /// The smoothed curve between two step counts.
    pub(super) fn smooth(&self, range: (u64, u64)) -> Points {
        self.collect(range, |bucket, at, points| points.push((at, f64::from(bucket.smooth))))
    }

    /// The raw curve between two step counts: the lowest and the highest value of every bucket.
    pub(super) fn raw(&self, range: (u64, u64)) -> Points {
        self.collect(range, |bucket, at, points| {
            points.push((at, f64::from(bucket.low)));
            if bucket.high > bucket.low {
                points.push((at, f64::from(bucket.high)));
            }
        })
    }

    fn collect(&self, (from, to): (u64, u64), put: impl Fn(&Bucket, f64, &mut Vec<(f64, f64)>)) -> Points {
        let first = self.buckets.partition_point(|bucket| bucket.end <= from);
        let mut points = Vec::with_capacity(self.buckets.len() - first + 16);
        let mut stage = None;
        for bucket in self.buckets[first..].iter().take_while(|bucket| bucket.end - bucket.count < to) {
            let at = bucket.end as f64;
            if stage.is_some_and(|stage| stage != bucket.stage) {
                points.push((at, f64::NAN));
            }
            stage = Some(bucket.stage);
            put(bucket, at, &mut points);
        }
        points.into_iter().unzip()
    }
}

/// Two neighbours as one. A value that is missing leaves the other's extremes; a gap at the end stays a gap.
fn merged(left: &Bucket, right: &Bucket) -> Bucket {
    Bucket {
        end: right.end,
        count: left.count + right.count,
        low: left.low.min(right.low),
        high: left.high.max(right.high),
        smooth: right.smooth,
        stage: right.stage,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stays_bounded_and_keeps_the_spike() {
        let mut values = vec![1.0_f32; 200_000];
        values[123_456] = 99.0;
        let mut digest = StepDigest::default();
        digest.follow(&values, &[(0, 0)]);
        assert!(digest.buckets.len() <= BUCKETS);
        assert_eq!(digest.buckets.iter().map(|bucket| bucket.count).sum::<u64>(), 200_000);
        let (_, raw) = digest.raw((0, 200_000));
        assert!(raw.iter().any(|value| (value - 99.0).abs() < 1e-6));
    }

    #[test]
    fn in_pieces_is_the_same_as_at_once() {
        let values: Vec<f32> = (0..10_000).map(|step| (step as f32 * 0.01).sin() + 2.0).collect();
        let stages = [(0, 0), (1, 3000)];
        let mut once = StepDigest::default();
        once.follow(&values, &stages);
        let mut pieces = StepDigest::default();
        for end in (0..=10_000).step_by(37).chain([10_000]) {
            pieces.follow(&values[..end], if end > 3000 { &stages } else { &stages[..1] });
        }
        assert_eq!(once, pieces);
    }

    #[test]
    fn a_new_stage_starts_a_new_average_and_breaks_the_line() {
        let values: Vec<f32> = std::iter::repeat_n(2.0, 500).chain(std::iter::repeat_n(30.0, 10)).collect();
        let mut digest = StepDigest::default();
        digest.follow(&values, &[(0, 0), (1, 500)]);
        assert!((digest.latest().expect("a value") - 30.0).abs() < 1e-3);
        let (_, smooth) = digest.smooth((0, 510));
        assert_eq!(smooth.iter().filter(|value| value.is_nan()).count(), 1);
    }

    #[test]
    fn missing_values_are_gaps() {
        let mut digest = StepDigest::default();
        digest.follow(&[f32::NAN, f32::NAN], &[(0, 0)]);
        assert!(digest.is_empty());
        digest.follow(&[f32::NAN, f32::NAN, 1.0, f32::NAN, 2.0], &[(0, 0)]);
        assert!(!digest.is_empty());
        let (x, y) = digest.smooth((0, 5));
        assert_eq!(x.len(), 5);
        assert!(y[0].is_nan() && y[2].is_finite() && y[3].is_nan() && y[4].is_finite());
    }

    #[test]
    fn a_range_leaves_out_the_rest() {
        let mut digest = StepDigest::default();
        digest.follow(&[1.0, 2.0, 3.0, 4.0], &[(0, 0)]);
        assert_eq!(digest.raw((1, 3)).0, [2.0, 3.0]);
    }
}
