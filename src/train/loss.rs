//! The losses: what a batch's head output or embeddings and labels cost, as the reference computes it.
//!
//! Those of a head's outputs are in [`columns`], a range of classes at a time and with gradients of their own; those of the
//! embeddings are here, differentiated by libtorch. No one-hot labels anywhere. Values and gradients are finite for every
//! cosine in [-1, 1] and slightly beyond.

pub mod center;
pub mod columns;
pub mod head;
mod margin;
pub mod sampled_classes;

use tch::{Kind, Tensor};

use crate::schedule::Loss;
use crate::train::error::TrainError;

/// The mean loss of a batch's embeddings (B, E), a scalar that can be differentiated; none for losses of a head's outputs.
/// The center loss is 0 here: [`Centers`](crate::train::loss::center::Centers) has it.
pub fn of_embeddings(loss: &Loss, embeddings: &Tensor, labels: &Tensor) -> Option<Tensor> {
    let embeddings = &embeddings.to_kind(Kind::Float);
    match *loss {
        Loss::BatchHardTriplet { alpha } => Some(batch_hard_triplet(embeddings, labels, alpha)),
        Loss::BatchAllTriplet { alpha } => Some(batch_all_triplet(embeddings, labels, alpha)),
        Loss::Center(_) => Some(Tensor::zeros([], (Kind::Float, embeddings.device()))),
        _ => None,
    }
}

/// Whether a loss knows classes: all but those of triplets.
pub const fn of_classes(loss: &Loss) -> bool {
    !matches!(loss, Loss::BatchHardTriplet { .. } | Loss::BatchAllTriplet { .. })
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
