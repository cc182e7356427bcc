//! The figures of a bin: the reference's accuracy and threshold, and the 10-fold accuracy that everyone else reports.

use thiserror::Error;

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

/// Embeddings that give no figures.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MetricsError {
    /// Not a number.
    #[error("the embedding of image {0} is not finite")]
    NotFinite(usize),
    /// No pairs.
    #[error("there are no pairs")]
    Empty,
}

/// The figures of raw embeddings, row-major (2N, E), whose rows 2i and 2i + 1 are pair i.
///
/// # Errors
/// A value that is not finite, or no pairs at all.
pub fn figures(embeddings: &[f32], same: &[bool]) -> Result<Figures, MetricsError> {
    if same.is_empty() {
        return Err(MetricsError::Empty);
    }
    let length = embeddings.len() / (2 * same.len());
    let mut similarities = Vec::with_capacity(same.len());
    for (pair, rows) in embeddings.chunks_exact(2 * length).enumerate() {
        let (a, b) = rows.split_at(length);
        similarities.push(cosine(a, b));
        if rows.iter().any(|value| !value.is_finite()) {
            let image = usize::from(a.iter().all(|value| value.is_finite()));
            return Err(MetricsError::NotFinite(2 * pair + image));
        }
    }
    let (accuracy, threshold) = best_threshold(&similarities, same);
    let folds = fold_accuracies(&similarities, same);
    let mean = folds.as_ref().map(|folds| folds.iter().sum::<f64>() / FOLDS as f64);
    let deviation = folds
        .zip(mean)
        .map(|(folds, mean)| (folds.iter().map(|fold| (fold - mean).powi(2)).sum::<f64>() / FOLDS as f64).sqrt());
    Ok(Figures { accuracy, threshold, fold_mean: mean, fold_deviation: deviation, pairs: same.len() })
}

/// Cosine of two raw embeddings; 0 where one is all zeros.
fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
    let norm = (dot(a, a) * dot(b, b)).sqrt();
    if norm > 0.0 { dot(a, b) / norm } else { 0.0 }
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
fn fold_accuracies(similarities: &[f64], same: &[bool]) -> Option<Vec<f64>> {
    let pairs = similarities.len();
    if pairs < FOLDS {
        return None;
    }
    let bounds: Vec<usize> = (0..=FOLDS).map(|fold| fold * (pairs / FOLDS) + fold.min(pairs % FOLDS)).collect();
    // right[t][fold]: pairs of the fold told right when distances below t * 0.01 are called the same.
    let mut right = vec![[0u32; FOLDS]; STEPS as usize];
    for fold in 0..FOLDS {
        for pair in bounds[fold]..bounds[fold + 1] {
            let distance = 2.0 - 2.0 * similarities[pair];
            for (step, row) in right.iter_mut().enumerate() {
                row[fold] += u32::from((distance < step as f64 * 0.01) == same[pair]);
            }
        }
    }
    let size = |fold: usize| (bounds[fold + 1] - bounds[fold]) as f64;
    let accuracies = (0..FOLDS).map(|fold| {
        let elsewhere = |row: &[u32; FOLDS]| row.iter().sum::<u32>() - row[fold];
        let mut best = 0;
        for step in 1..right.len() {
            if elsewhere(&right[step]) > elsewhere(&right[best]) {
                best = step;
            }
        }
        f64::from(right[best][fold]) / size(fold)
    });
    Some(accuracies.collect())
}

#[cfg(test)]
mod tests {
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
    fn a_bin_of_one_kind_gives_the_figures_that_exist() {
        let embeddings = pairs(&[10.0; 20]);
        let figures = figures(&embeddings, &[true; 20]).expect("figures");
        assert!((figures.accuracy - 1.0).abs() < 1e-12 && figures.threshold.is_finite());
    }

    /// The reference's own figures (`cases/eval.json`, where it lies).
    #[test]
    fn agrees_with_the_reference() {
        let cases = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/cases");
        let Ok(text) = std::fs::read_to_string(format!("{cases}/eval.json")) else { return };
        let file: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let arrays = tch::Tensor::read_npz(format!("{cases}/eval.npz")).expect("an npz");
        let array = |name: String| {
            let found = arrays.iter().find(|(known, _)| *known == name);
            found.expect("is there").1.to_kind(tch::Kind::Float).flatten(0, -1)
        };
        for case in file["cases"].as_array().expect("cases") {
            let name = case["name"].as_str().expect("a name");
            let embeddings = Vec::<f32>::try_from(array(format!("{name}__emb"))).expect("numbers");
            let same = Vec::<f32>::try_from(array(format!("{name}__issame"))).expect("flags");
            let same: Vec<bool> = same.iter().map(|flag| *flag > 0.5).collect();
            let ours = figures(&embeddings, &same).expect("figures");
            let wanted = |path: &str| case.pointer(path).and_then(serde_json::Value::as_f64).expect("a number");
            assert!((ours.accuracy - wanted("/callback/max_acc")).abs() < 1e-9, "{name}: {ours:?}");
            assert!((ours.threshold - wanted("/callback/acc_thresh")).abs() < 1e-6, "{name}: {ours:?}");
            if let Some(mean) = case.pointer("/evaluate/mean").and_then(serde_json::Value::as_f64) {
                assert!((ours.fold_mean.expect("folds") - mean).abs() < 1e-9, "{name}: {ours:?}");
                assert!(
                    (ours.fold_deviation.expect("folds") - wanted("/evaluate/std")).abs() < 1e-9,
                    "{name}: {ours:?}"
                );
            }
        }
    }
}
