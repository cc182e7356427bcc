//! The losses: what a batch's head output and labels cost, as the reference computes it.
//!
//! No one-hot labels anywhere: the label's column is gathered, changed and scattered back, so that memory stays at one
//! copy of the logits. Values and gradients are finite for every cosine in [-1, 1].

use tch::{Kind, Tensor};

use crate::schedule::Loss;

/// The mean loss of a batch, a scalar that can be differentiated.
///
/// `output` is what [`Network::head_output`](crate::nn::Network::head_output) returns: (B, C) logits for softmax heads,
/// (B, C) cosines for arcface heads, (B, E) embeddings for triplets. `labels` (B) are classes.
pub fn mean_loss(loss: &Loss, output: &Tensor, labels: &Tensor) -> Tensor {
    match *loss {
        Loss::Softmax { label_smoothing } => cross_entropy(output, labels, label_smoothing),
        Loss::ScaleSoftmax { scale } => cross_entropy(&(output.softmax(-1, None) * scale), labels, 0.0),
        Loss::MarginSoftmax { power, scale } => margin_softmax(output, labels, power, scale),
        Loss::Arcface { margin1, margin2, margin3, scale } => {
            cross_entropy(&(arcface(output, labels, [margin1, margin2, margin3]) * scale), labels, 0.0)
        }
        Loss::BatchHardTriplet { alpha } => batch_hard_triplet(output, labels, alpha),
        Loss::BatchAllTriplet { alpha } => batch_all_triplet(output, labels, alpha),
    }
}

/// Share of the batch whose largest output is the label's, a scalar on the device; none for losses without classes.
pub fn accuracy(loss: &Loss, output: &Tensor, labels: &Tensor) -> Option<Tensor> {
    match loss {
        Loss::BatchHardTriplet { .. } | Loss::BatchAllTriplet { .. } => None,
        _ => Some(output.detach().argmax(-1, false).eq_tensor(labels).to_kind(Kind::Float).mean(Kind::Float)),
    }
}

fn cross_entropy(logits: &Tensor, labels: &Tensor, label_smoothing: f64) -> Tensor {
    logits.cross_entropy_loss::<Tensor>(labels, None, tch::Reduction::Mean, -100, label_smoothing)
}

/// The label's probability `p` becomes `(p^power + scale * p) / 2`; Keras then renormalises the row and clips at 1e-7.
fn margin_softmax(logits: &Tensor, labels: &Tensor, power: f64, scale: f64) -> Tensor {
    let p = logits.log_softmax(-1, None).gather(1, &labels.unsqueeze(1), false).exp();
    let changed = (p.pow_tensor_scalar(power) + &p * scale) / 2.0;
    let row: Tensor = &changed + 1.0 - p;
    let kept = changed / row;
    -kept.clamp(1e-7, 1.0 - 1e-7).log().mean(Kind::Float)
}

/// Cosines with ArcFace's margins (Deng et al. 2019) at the label's column: `cos(m1 * theta + m2) - m3`, and beyond
/// `pi` the mirror of it, as the reference's `arcface_loss` has it.
fn arcface(cosines: &Tensor, labels: &Tensor, [margin1, margin2, margin3]: [f64; 3]) -> Tensor {
    let columns = labels.unsqueeze(1);
    let cosine = cosines.gather(1, &columns, false).clamp(-1.0, 1.0);
    // The angle by its tangent: the clamp keeps the gradient finite where the sine is 0.
    let sine = (-(&cosine * &cosine) + 1.0).clamp_min(1e-12).sqrt();
    let angle = sine.atan2(&cosine);
    let changed = (angle * margin1 + margin2).cos() - margin3;
    let mirrored = -&changed - 2.0 * (1.0 + margin3);
    let border = ((std::f64::consts::PI - margin2) / margin1).cos();
    let target = changed.where_self(&cosine.gt(border), &mirrored);
    cosines.scatter(1, &columns, &target)
}

/// Cosine similarities of all pairs of a batch, and which pairs are of one class (an anchor with itself too).
fn similarities(embeddings: &Tensor, labels: &Tensor) -> (Tensor, Tensor) {
    let square = (embeddings * embeddings).sum_dim_intlist([1i64].as_slice(), true, None);
    let unit = embeddings * square.clamp_min(1e-12).rsqrt();
    let same = labels.unsqueeze(0).eq_tensor(&labels.unsqueeze(1));
    (unit.matmul(&unit.tr()), same)
}

fn batch_hard_triplet(embeddings: &Tensor, labels: &Tensor, alpha: f64) -> Tensor {
    let (similarity, same) = similarities(embeddings, labels);
    let positive = similarity.masked_fill(&same.logical_not(), f64::INFINITY).amin([1i64].as_slice(), false);
    let negative = similarity.masked_fill(&same, f64::NEG_INFINITY).amax([1i64].as_slice(), false);
    (negative - positive + alpha).clamp_min(0.0).mean(Kind::Float)
}

fn batch_all_triplet(embeddings: &Tensor, labels: &Tensor, alpha: f64) -> Tensor {
    let (similarity, same) = similarities(embeddings, labels);
    let kind = similarity.kind();
    let row = [1i64];
    let same_share = same.to_kind(kind);
    let positives = ((-&similarity + 1.0) * &same_share).sum_dim_intlist(row.as_slice(), false, None)
        / same_share.sum_dim_intlist(row.as_slice(), false, None);
    let hardest = similarity.masked_fill(&same.logical_not(), f64::INFINITY).amin(row.as_slice(), true);
    let close = (hardest - &similarity).lt(alpha).logical_and(&same.logical_not()).to_kind(kind);
    let negatives = (&similarity * &close).sum_dim_intlist(row.as_slice(), false, None)
        / (close.sum_dim_intlist(row.as_slice(), false, None) + 1.0);
    (positives + negatives).mean(Kind::Float)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use tch::Device;

    use super::*;

    const ARCFACE: Loss = Loss::Arcface { margin1: 1.0, margin2: 0.5, margin3: 0.0, scale: 64.0 };

    fn rows(value: &Value) -> Tensor {
        let rows: Vec<Vec<f32>> = value
            .as_array()
            .expect("rows")
            .iter()
            .map(|row| row.as_array().expect("a row").iter().map(|x| x.as_f64().expect("a number") as f32).collect())
            .collect();
        let width = rows[0].len() as i64;
        Tensor::from_slice(&rows.concat()).view([-1, width])
    }

    fn gradient(loss: &Loss, output: &Tensor, labels: &Tensor) -> (f64, Tensor) {
        let output = output.detach().set_requires_grad(true);
        let value = mean_loss(loss, &output, labels);
        value.backward();
        (value.double_value(&[]), output.grad())
    }

    #[test]
    fn gradients_are_finite_on_the_whole_range_of_cosines() {
        let cosines: Vec<f32> = (0..=2000).map(|i| i as f32 / 1000.0 - 1.0).chain([1.0 - 6e-8, -1.0 + 6e-8]).collect();
        let count = cosines.len() as i64;
        let output = Tensor::from_slice(&cosines).view([-1, 1]).repeat([1, 3]);
        let labels = Tensor::zeros([count], (Kind::Int64, Device::Cpu));
        for (margin1, margin2, margin3) in [(1.0, 0.5, 0.0), (0.9, 0.4, 0.15), (1.0, 0.0, 0.35)] {
            let (value, gradient) =
                gradient(&Loss::Arcface { margin1, margin2, margin3, scale: 64.0 }, &output, &labels);
            assert!(value.is_finite());
            assert_eq!(i64::try_from(gradient.isfinite().all()).expect("a flag"), 1);
        }
    }

    #[test]
    fn the_margin_is_on_the_labels_column_only() {
        let output = Tensor::from_slice(&[0.5f32, 0.2, -0.1, 0.3]).view([2, 2]);
        let labels = Tensor::from_slice(&[0i64, 1]);
        let changed = arcface(&output, &labels, [1.0, 0.5, 0.0]);
        let wanted = (0.5f64.acos() + 0.5).cos();
        assert!((changed.double_value(&[0, 0]) - wanted).abs() < 1e-6);
        assert!((changed.double_value(&[0, 1]) - 0.2).abs() < 1e-7);
        assert!((changed.double_value(&[1, 0]) + 0.1).abs() < 1e-7);
    }

    #[test]
    fn accuracy_counts_the_largest_output() {
        let output = Tensor::from_slice(&[0.5f32, 0.2, -0.1, 0.3]).view([2, 2]);
        let share = accuracy(&ARCFACE, &output, &Tensor::from_slice(&[0i64, 0])).expect("has classes");
        assert!((share.double_value(&[]) - 0.5).abs() < 1e-9);
        assert!(accuracy(&Loss::BatchHardTriplet { alpha: 0.35 }, &output, &Tensor::from_slice(&[0i64, 0])).is_none());
    }

    /// The values and gradients that the reference's own code gave (`cases/losses.json`, where it lies).
    #[test]
    fn agrees_with_the_reference() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/cases/losses.json");
        let Ok(text) = std::fs::read_to_string(path) else { return };
        let file: Value = serde_json::from_str(&text).expect("JSON");
        let mut compared = 0;
        for case in file["cases"].as_array().expect("cases") {
            let name = case["loss"].as_str().expect("a name");
            let config = &case["config"];
            let set = |key: &str, default: f64| config[key].as_f64().unwrap_or(default);
            let loss = match name {
                "categorical_crossentropy(from_logits)" => Loss::Softmax { label_smoothing: 0.0 },
                "categorical_crossentropy(from_logits,label_smoothing=0.1)" => Loss::Softmax { label_smoothing: 0.1 },
                "ArcfaceLoss" | "arcface_loss" => Loss::Arcface {
                    margin1: set("margin1", 1.0),
                    margin2: set("margin2", 0.5),
                    margin3: set("margin3", 0.0),
                    scale: set("scale", 64.0),
                },
                "margin_softmax" if case["note"] == "power=3 scale=0.2" => {
                    Loss::MarginSoftmax { power: 3.0, scale: 0.2 }
                }
                "margin_softmax" => Loss::MarginSoftmax { power: 2.0, scale: 0.4 },
                "scale_softmax" if case["note"].as_str().is_some_and(|note| note.contains("probabilities")) => {
                    Loss::ScaleSoftmax { scale: 64.0 }
                }
                "batch_hard_triplet_loss" => Loss::BatchHardTriplet { alpha: 0.35 },
                "batch_all_triplet_loss" => Loss::BatchAllTriplet { alpha: 0.35 },
                _ => continue,
            };
            // The reference is not finite at |cosine| = 1 and beyond; ours is, and is tested above.
            let note = case["note"].as_str().unwrap_or_default();
            if note.contains("cos_pm1_exact") || note.contains("cos_above_1") || note.contains("cos_just_below_1") {
                continue;
            }
            let mut output = rows(&case["y_pred"]);
            let probabilities = matches!(loss, Loss::MarginSoftmax { .. } | Loss::ScaleSoftmax { .. });
            if probabilities {
                output = output.log();
            }
            let labels = if case["y_true"][0].is_array() {
                rows(&case["y_true"]).argmax(-1, false)
            } else {
                let labels = case["y_true"].as_array().expect("labels").iter();
                let labels: Vec<i64> = labels.map(|x| x.as_f64().expect("a number") as i64).collect();
                Tensor::from_slice(&labels)
            };
            let (value, gradient) = gradient(&loss, &output, &labels);
            let wanted = case["mean"].as_f64().expect("a mean");
            assert!((value - wanted).abs() <= 1e-4 * wanted.abs().max(1.0), "{name} ({note}): {value}, not {wanted}");
            if !probabilities {
                let wanted = rows(&case["grad_of_mean_wrt_y_pred"]);
                let error = (&gradient - &wanted).norm().double_value(&[]) / wanted.norm().double_value(&[]).max(1e-6);
                assert!(error < 1e-3, "{name} ({note}): gradient off by {error}");
            }
            compared += 1;
        }
        assert!(compared >= 14, "only {compared} cases were compared");
    }
}
