//! The figures of a bin: the reference's accuracy and threshold, and the 10-fold accuracy that everyone else reports.

use super::similarity::{MetricsError, PairSimilarities};

/// Folds of the cross-validation.
const FOLDS: usize = 10;
/// Thresholds on the squared distance: 0 to below 4 by 0.01.
const STEPS: u32 = 400;

/// What a bin's embeddings are worth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    /// Share of pairs told right at the threshold, 0 to 1.
    pub accuracy: f64,
    /// The cosine similarity above which a pair is called the same.
    pub threshold: f64,
    /// Mean accuracy over the folds; none when there are fewer pairs than folds.
    pub fold_mean: Option<f64>,
    /// Their standard deviation.
    pub fold_deviation: Option<f64>,
    /// Number of pairs.
    pub pairs: usize,
}

/// The figures of raw embeddings, row-major (2N, E), whose rows 2i and 2i + 1 are pair i.
///
/// # Errors
/// A value that is not finite, or no pairs at all.
pub fn figures(embeddings: &[f32], same: &[bool]) -> Result<Figures, MetricsError> {
    let pairs: Vec<[u32; 2]> = (0..same.len() as u32).map(|pair| [2 * pair, 2 * pair + 1]).collect();
    figures_of_pairs(embeddings, &pairs, same)
}

/// The figures of raw embeddings, row-major (rows, E), of which each pair names two; every row is in a pair.
///
/// # Errors
/// A value that is not finite, or no pairs at all.
pub fn figures_of_pairs(embeddings: &[f32], pairs: &[[u32; 2]], same: &[bool]) -> Result<Figures, MetricsError> {
    Ok(PairSimilarities::new(embeddings, pairs)?.figures(same))
}

impl PairSimilarities {
    /// The figures, given which pairs show one person.
    pub fn figures(&self, same: &[bool]) -> Figures {
        let Self { similarities, distances } = self;
        let (accuracy, threshold) = best_threshold(similarities, same);
        let folds = fold_accuracies(distances, same);
        let mean = folds.as_ref().map(|folds| folds.iter().sum::<f64>() / FOLDS as f64);
        let deviation = folds
            .zip(mean)
            .map(|(folds, mean)| (folds.iter().map(|fold| (fold - mean).powi(2)).sum::<f64>() / FOLDS as f64).sqrt());
        Figures { accuracy, threshold, fold_mean: mean, fold_deviation: deviation, pairs: same.len() }
    }
}

/// The reference's search: among the highest tenth of the negatives' similarities (all, when there are fewer than ten),
/// the first that tells most pairs right as a threshold.
fn best_threshold(similarities: &[f64], same: &[bool]) -> (f64, f64) {
    let pick = |wanted: bool| {
        let chosen = similarities.iter().zip(same).filter(|(_, same)| **same == wanted);
        let mut chosen: Vec<f64> = chosen.map(|(similarity, _)| *similarity).collect();
        chosen.sort_by(f64::total_cmp);
        chosen
    };
    let (positives, negatives) = (pick(true), pick(false));
    let tenth = negatives.len() / 10;
    let candidates = if tenth == 0 { &negatives[..] } else { &negatives[negatives.len() - tenth..] };
    let mut best = (0, f64::NAN);
    for value in candidates {
        let accepted = positives.len() - positives.partition_point(|positive| positive <= value);
        let refused = negatives.partition_point(|negative| negative <= value);
        if accepted + refused > best.0 || best.1.is_nan() {
            best = (accepted + refused, *value);
        }
    }
    if candidates.is_empty() {
        // Only pairs of one person: every threshold below them all is right.
        return (1.0, positives.first().copied().unwrap_or(0.0));
    }
    (best.0 as f64 / similarities.len() as f64, best.1)
}

/// Accuracy of each of ten contiguous folds at the threshold that is best on the other nine (the first of equals).
fn fold_accuracies(distances: &[f64], same: &[bool]) -> Option<Vec<f64>> {
    let pairs = distances.len();
    if pairs < FOLDS {
        return None;
    }
    let bounds: Vec<usize> = (0..=FOLDS).map(|fold| fold * (pairs / FOLDS) + fold.min(pairs % FOLDS)).collect();
    // right[t][fold]: pairs of the fold told right when distances below t * 0.01 are called the same. A pair is told in one
    // way up to a step and in the other from there on: the steps are counted where they change, then summed up.
    let steps: Vec<f64> = (0..STEPS).map(|step| f64::from(step) * 0.01).collect();
    let mut changes = vec![[0i64; FOLDS]; STEPS as usize + 1];
    for fold in 0..FOLDS {
        for pair in bounds[fold]..bounds[fold + 1] {
            let first = steps.partition_point(|step| *step <= distances[pair]);
            let gain = if same[pair] { 1 } else { -1 };
            changes[0][fold] += i64::from(!same[pair]);
            changes[first][fold] += gain;
        }
    }
    let mut sums = [0i64; FOLDS];
    let right: Vec<[i64; FOLDS]> = changes[..STEPS as usize]
        .iter()
        .map(|row| {
            for (sum, change) in sums.iter_mut().zip(row) {
                *sum += change;
            }
            sums
        })
        .collect();
    let size = |fold: usize| (bounds[fold + 1] - bounds[fold]) as f64;
    let accuracies = (0..FOLDS).map(|fold| {
        let elsewhere = |row: &[i64; FOLDS]| row.iter().sum::<i64>() - row[fold];
        let mut best = 0;
        for step in 1..right.len() {
            if elsewhere(&right[step]) > elsewhere(&right[best]) {
                best = step;
            }
        }
        right[best][fold] as f64 / size(fold)
    });
    Some(accuracies.collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Pairs on a circle, at these angles in degrees.
    fn pairs(angles: &[f32]) -> Vec<f32> {
        angles.iter().flat_map(|angle| [1.0, 0.0, angle.to_radians().cos(), angle.to_radians().sin()]).collect()
    }

    #[test]
    fn a_clear_bin_is_all_right() {
        let embeddings = pairs(&[10.0, 20.0, 80.0, 100.0]);
        let figures = figures(&embeddings, &[true, true, false, false]).expect("figures");
        assert!((figures.accuracy - 1.0).abs() < 1e-12);
        assert!((figures.threshold - 80f64.to_radians().cos()).abs() < 1e-6);
        assert_eq!(figures.fold_mean, None);
    }

    #[test]
    fn scale_does_not_matter_and_not_a_number_is_named() {
        let mut embeddings = pairs(&[10.0, 20.0, 80.0, 100.0]);
        let same = [true, false, true, false];
        let before = figures(&embeddings, &same).expect("figures");
        for value in &mut embeddings {
            *value *= 7.0;
        }
        assert!((figures(&embeddings, &same).expect("figures").threshold - before.threshold).abs() < 1e-6);
        embeddings[6] = f32::NAN;
        assert_eq!(figures(&embeddings, &same), Err(MetricsError::NotFinite(3)));
    }

    #[test]
    fn rows_that_pairs_share_count_for_each() {
        let embeddings = pairs(&[10.0, 80.0]);
        let shared = figures_of_pairs(&embeddings, &[[0, 1], [2, 3], [0, 1]], &[true, false, true]).expect("figures");
        let spread = [&embeddings[..], &embeddings[..4]].concat();
        assert_eq!(Ok(shared), figures(&spread, &[true, false, true]));
    }

    /// Every threshold tried on every pair, as the definition has it.
    fn folds_by_trial(distances: &[f64], same: &[bool]) -> Vec<f64> {
        let pairs = distances.len();
        let bounds: Vec<usize> = (0..=FOLDS).map(|fold| fold * (pairs / FOLDS) + fold.min(pairs % FOLDS)).collect();
        let right = |step: u32, pairs: &[usize]| {
            let told = |pair: &&usize| (distances[**pair] < f64::from(step) * 0.01) == same[**pair];
            pairs.iter().filter(told).count()
        };
        let fold = |fold: usize| {
            let inside: Vec<usize> = (bounds[fold]..bounds[fold + 1]).collect();
            let outside: Vec<usize> = (0..pairs).filter(|pair| !inside.contains(pair)).collect();
            let best = (0..STEPS).rev().max_by_key(|step| right(*step, &outside)).unwrap_or(0);
            right(best, &inside) as f64 / inside.len() as f64
        };
        (0..FOLDS).map(fold).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20))]

        /// Distances on the steps themselves, below the first and above the last among them.
        #[test]
        fn folds_are_what_trying_every_threshold_gives(
            pairs in prop::collection::vec((prop_oneof![0f64..4.2, (0u32..410).prop_map(|step| f64::from(step) * 0.01)], any::<bool>()), 10..60),
        ) {
            let (distances, same): (Vec<f64>, Vec<bool>) = pairs.into_iter().unzip();
            prop_assert_eq!(fold_accuracies(&distances, &same), Some(folds_by_trial(&distances, &same)));
        }
    }

    #[test]
    fn an_embedding_of_zeros_is_at_distance_1() {
        // Ten pairs of a zero row and another: 1 apart, which is below every threshold from 1.01 on.
        let embeddings = [0.0f32, 0.0, 3.0, 4.0].repeat(10);
        let figures = figures(&embeddings, &[true; 10]).expect("figures");
        assert_eq!((figures.threshold, figures.fold_mean), (0.0, Some(1.0)));
    }

    #[test]
    fn a_bin_of_one_kind_gives_the_figures_that_exist() {
        let embeddings = pairs(&[10.0; 20]);
        let figures = figures(&embeddings, &[true; 20]).expect("figures");
        assert!((figures.accuracy - 1.0).abs() < 1e-12 && figures.threshold.is_finite());
    }
}
