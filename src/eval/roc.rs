//! What a set of pairs says of every threshold: shares of pairs accepted wrongly (FAR) and rightly (TAR).
//!
//! A pair is accepted when its similarity lies above the threshold, as in the reference's search for one. Sorting takes
//! `n log n` steps, everything else is one pass or a binary search.

/// Similarities of a set's pairs, each kind in ascending order.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores {
    positives: Vec<f64>,
    negatives: Vec<f64>,
}

/// A threshold that keeps to a false accept rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Operating {
    /// The rate that was asked for, above 0 and below 1.
    pub wanted: f64,
    /// The cosine similarity above which a pair is accepted: the smallest that keeps to the rate.
    pub threshold: f64,
    /// Share of the pairs of one person that is accepted, 0 to 1.
    pub tar: f64,
    /// Pairs of two persons that are accepted.
    pub false_accepts: usize,
}

/// A point of the curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RocPoint {
    /// The similarity above which pairs are accepted.
    pub threshold: f64,
    /// Share of the pairs of two persons that is accepted.
    pub far: f64,
    /// Share of the pairs of one person that is accepted.
    pub tar: f64,
}

impl Scores {
    /// Sorts the similarities of pairs; `same` says which pairs show one person.
    pub fn new(similarities: &[f64], same: &[bool]) -> Self {
        let pick = |wanted: bool| {
            let chosen = similarities.iter().zip(same).filter(|(_, same)| **same == wanted);
            let mut chosen: Vec<f64> = chosen.map(|(similarity, _)| *similarity).collect();
            chosen.sort_unstable_by(f64::total_cmp);
            chosen
        };
        Self { positives: pick(true), negatives: pick(false) }
    }

    /// Pairs of one person.
    pub const fn positives(&self) -> usize {
        self.positives.len()
    }

    /// Pairs of two persons.
    pub const fn negatives(&self) -> usize {
        self.negatives.len()
    }

    /// The threshold for a false accept rate `far` and what it accepts. None when there is no pair of one person, or so
    /// few of two that not one may be accepted: a rate of 1e-3 needs a thousand of them.
    pub fn tar_at_far(&self, far: f64) -> Option<Operating> {
        let all = self.negatives.len();
        // Rates are decimal fractions: 0.29 of 100 pairs are 29, although their product lies a rounding error below.
        let allowed = (far * all as f64 * (1.0 + 1e-12)).floor() as usize;
        if self.positives.is_empty() || allowed == 0 || allowed >= all {
            return None;
        }
        let threshold = self.negatives[all - 1 - allowed];
        let false_accepts = above(&self.negatives, threshold);
        let tar = above(&self.positives, threshold) as f64 / self.positives.len() as f64;
        Some(Operating { wanted: far, threshold, tar, false_accepts })
    }

    /// The curve, from the threshold that accepts no pair of two persons to the one that accepts all pairs: a point
    /// for each similarity of a pair of two persons. Empty when one of the kinds is missing.
    pub fn roc(&self) -> Vec<RocPoint> {
        let (positives, negatives) = (self.positives.len(), self.negatives.len());
        if positives == 0 || negatives == 0 {
            return Vec::new();
        }
        let (mut accepted, mut points): (usize, Vec<RocPoint>) = (0, Vec::new());
        for (at, threshold) in self.negatives.iter().enumerate().rev() {
            while accepted < positives && self.positives[positives - 1 - accepted] > *threshold {
                accepted += 1;
            }
            // The first of equals from above is the last in order: what lies above it is what comes after it.
            if points.last().is_none_or(|last| last.threshold > *threshold) {
                let far = (negatives - 1 - at) as f64 / negatives as f64;
                points.push(RocPoint { threshold: *threshold, far, tar: accepted as f64 / positives as f64 });
            }
        }
        points.push(RocPoint { threshold: -1.0, far: 1.0, tar: 1.0 });
        points
    }
}

/// How many of ascending values lie above one.
fn above(values: &[f64], threshold: f64) -> usize {
    values.len() - values.partition_point(|value| *value <= threshold)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scores(positives: &[f64], negatives: &[f64]) -> Scores {
        let same: Vec<bool> = (0..positives.len() + negatives.len()).map(|at| at < positives.len()).collect();
        Scores::new(&[positives, negatives].concat(), &same)
    }

    #[test]
    fn a_rate_gives_the_smallest_threshold_that_keeps_to_it() {
        let negatives: Vec<f64> = (0..10).map(|at| f64::from(at) / 10.0).collect();
        let scores = scores(&[0.95, 0.85, 0.75, 0.05], &negatives);
        let at = scores.tar_at_far(0.1).expect("ten are enough");
        assert_eq!((at.threshold, at.tar, at.false_accepts), (0.8, 0.5, 1));
        let at = scores.tar_at_far(0.29).expect("two may pass");
        assert_eq!((at.threshold, at.tar, at.false_accepts), (0.7, 0.75, 2));
        assert_eq!(scores.tar_at_far(0.01), None);
    }

    #[test]
    fn equal_similarities_are_accepted_together_or_not_at_all() {
        let scores = scores(&[0.5, 0.6], &[0.5, 0.5, 0.5, 0.1]);
        let at = scores.tar_at_far(0.5).expect("two may pass");
        assert_eq!((at.threshold, at.tar, at.false_accepts), (0.5, 0.5, 0));
        let curve: Vec<(f64, f64)> = scores.roc().iter().map(|point| (point.far, point.tar)).collect();
        assert_eq!(curve, [(0.0, 0.5), (0.75, 1.0), (1.0, 1.0)]);
    }

    #[test]
    fn a_decimal_rate_is_not_rounded_down() {
        let negatives: Vec<f64> = (0..100).map(f64::from).collect();
        assert_eq!(scores(&[200.0], &negatives).tar_at_far(0.29).expect("enough").false_accepts, 29);
    }

    #[test]
    fn one_kind_alone_has_no_curve() {
        assert_eq!(scores(&[0.5], &[]).roc(), []);
        assert_eq!(scores(&[], &[0.5; 20]).tar_at_far(0.1), None);
    }

    proptest! {
        #[test]
        fn the_curve_and_the_rates_are_what_counting_gives(
            positives in prop::collection::vec((-20i8..20).prop_map(|v| f64::from(v) / 20.0), 1..40),
            negatives in prop::collection::vec((-20i8..20).prop_map(|v| f64::from(v) / 20.0), 1..40),
            far in 0.01f64..0.9,
        ) {
            let scores = scores(&positives, &negatives);
            let share = |values: &[f64], threshold: f64| {
                values.iter().filter(|value| **value > threshold).count() as f64 / values.len() as f64
            };
            let curve = scores.roc();
            for point in &curve[..curve.len() - 1] {
                prop_assert_eq!((point.far, point.tar), (share(&negatives, point.threshold), share(&positives, point.threshold)));
            }
            prop_assert!(curve.windows(2).all(|pair| pair[0].far < pair[1].far && pair[0].tar <= pair[1].tar));
            if let Some(at) = scores.tar_at_far(far) {
                prop_assert!(share(&negatives, at.threshold) <= far + 1e-9);
                prop_assert!((at.tar - share(&positives, at.threshold)).abs() < 1e-12);
                // No smaller similarity of two persons keeps to it.
                let lower = negatives.iter().filter(|value| **value < at.threshold);
                prop_assert!(lower.clone().all(|value| share(&negatives, *value) > far));
            }
        }
    }
}
