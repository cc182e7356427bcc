//! The losses: what a batch's head output and labels cost, as the reference computes it.
//!
//! No one-hot labels anywhere: the label's column is gathered, changed and scattered back, so that memory stays at one
//! or two copies of the logits. Values and gradients are finite for every cosine in [-1, 1] and slightly beyond.

use tch::{Kind, Tensor};

use super::error::TrainError;
use crate::schedule::Loss;

/// The least squared sine that a slope is divided by: just below that of the fp32 number next to 1.
const LEAST_SQUARED_SINE: f64 = 1e-7;

/// The mean loss of a batch, a scalar that can be differentiated.
///
/// `output` is what [`Network::head_output`](crate::nn::Network::head_output) returns: (B, C) logits for softmax heads,
/// (B, C) cosines for arcface heads, (B, E) embeddings for triplets; of any floating-point kind, computed with in fp32.
/// `labels` (B) are classes below C: see [`check_labels`]. The center loss works on the embedding, not on an output, and
/// is 0 here: [`Centers`](super::center::Centers) has it.
pub fn mean_loss(loss: &Loss, output: &Tensor, labels: &Tensor) -> Tensor {
    let output = &output.to_kind(Kind::Float);
    match *loss {
        Loss::Softmax { label_smoothing } => cross_entropy(output, labels, label_smoothing),
        Loss::ScaleSoftmax { scale } => scale_softmax(&output.softmax(-1, None), labels, scale),
        Loss::MarginSoftmax { power, scale } => margin_softmax(output, labels, power, scale),
        Loss::Arcface { margin1, margin2, margin3, scale } => {
            arcface(output, labels, [margin1, margin2, margin3], scale, Beyond::Mirrored)
        }
        Loss::Arcface2 { margin1, margin2, margin3, scale } => {
            arcface(output, labels, [margin1, margin2, margin3], scale, Beyond::Unchanged)
        }
        Loss::BatchHardTriplet { alpha } => batch_hard_triplet(output, labels, alpha),
        Loss::BatchAllTriplet { alpha } => batch_all_triplet(output, labels, alpha),
        Loss::Center(_) => Tensor::zeros([], (Kind::Float, output.device())),
    }
}

/// Share of the batch whose largest output is the label's, a scalar on the device; none for losses without classes.
pub fn accuracy(loss: &Loss, output: &Tensor, labels: &Tensor) -> Option<Tensor> {
    match loss {
        Loss::BatchHardTriplet { .. } | Loss::BatchAllTriplet { .. } => None,
        _ => Some(output.detach().argmax(-1, false).eq_tensor(labels).to_kind(Kind::Float).mean(Kind::Float)),
    }
}

/// Refuses labels that are no class of the network, on the host, before they reach a kernel that would index with them.
///
/// # Errors
/// A label below 0, or `classes` or above.
pub fn check_labels(labels: &[i64], classes: usize) -> Result<(), TrainError> {
    match labels.iter().find(|label| usize::try_from(**label).map_or(true, |label| label >= classes)) {
        None => Ok(()),
        Some(label) => Err(TrainError::new(format!(
            "a batch holds the label {label}, but the network knows the classes 0 to {}",
            classes.saturating_sub(1)
        ))
        .with_help("the data set changed under the run: start it anew, so that its classes are counted again")),
    }
}

fn cross_entropy(logits: &Tensor, labels: &Tensor, label_smoothing: f64) -> Tensor {
    logits.cross_entropy_loss::<Tensor>(labels, None, tch::Reduction::Mean, -100, label_smoothing)
}

/// The head's output `p` times `scale`, taken for logits.
fn scale_softmax(p: &Tensor, labels: &Tensor, scale: f64) -> Tensor {
    cross_entropy(&(p * scale), labels, 0.0)
}

/// The label's probability `p` becomes `(p^power + scale * p) / 2`; Keras then renormalises the row and clips at 1e-7.
fn margin_softmax(logits: &Tensor, labels: &Tensor, power: f64, scale: f64) -> Tensor {
    let p = logits.log_softmax(-1, None).gather(1, &labels.unsqueeze(1), false).exp();
    let changed = (p.pow_tensor_scalar(power) + &p * scale) / 2.0;
    let row: Tensor = &changed + 1.0 - p;
    let kept = changed / row;
    -kept.clamp(1e-7, 1.0 - 1e-7).log().mean(Kind::Float)
}

/// What ArcFace does where the angle with its margin is beyond `pi`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beyond {
    /// The mirror of the changed cosine: the reference's `arcface_loss`.
    Mirrored,
    /// The cosine as it was, here and wherever the margins would raise it: the reference's `arcface_loss_2`.
    Unchanged,
}

/// Cross-entropy of `scale * cosines` with the margins at the label's column.
fn arcface(cosines: &Tensor, labels: &Tensor, margins: [f64; 3], scale: f64, beyond: Beyond) -> Tensor {
    let columns = labels.unsqueeze(1);
    let target = with_margins(&cosines.gather(1, &columns, false), margins, beyond) * scale;
    // The product is a tensor of its own that nothing else needs: it takes the target's column in place.
    let logits = (cosines * scale).scatter_(1, &columns, &target);
    cross_entropy(&logits, labels, 0.0)
}

/// Cosines with ArcFace's margins (Deng et al. 2019), `cos(m1 * theta + m2) - m3`, of any shape.
///
/// The slope is computed beside the value, because that of the arc cosine is infinite at 1 and -1: there, and beyond,
/// it is that of the nearest fp32 number inside.
fn with_margins(cosines: &Tensor, [margin1, margin2, margin3]: [f64; 3], beyond: Beyond) -> Tensor {
    let (value, slope) = tch::no_grad(|| {
        let cosine = cosines.clamp(-1.0, 1.0);
        let changed = (cosine.acos() * margin1 + margin2).cos() - margin3;
        let sine = (-(&cosine * &cosine) + 1.0).clamp_min(LEAST_SQUARED_SINE).sqrt();
        let slope = (sine.atan2(&cosine) * margin1 + margin2).sin() * margin1 / sine;
        match beyond {
            Beyond::Mirrored => {
                let within = cosine.gt(((std::f64::consts::PI - margin2) / margin1).cos());
                let mirrored = -&changed - 2.0 * (1.0 + margin3);
                (changed.where_self(&within, &mirrored), slope.where_self(&within, &-&slope))
            }
            Beyond::Unchanged => {
                // Beyond 1 the reference's angle is no number, which is below nothing.
                let lower = changed.lt_tensor(&cosine).logical_and(&cosine.eq_tensor(cosines));
                (changed.where_self(&lower, cosines), slope.where_self(&lower, &slope.ones_like()))
            }
        }
    });
    value + (cosines - cosines.detach()) * slope
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
mod tests;
