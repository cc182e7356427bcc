//! A head's loss without its logits: products, loss, accuracy and gradients, some classes at a time.
//!
//! Gradients of the weights go straight into the flat gradient; that of the embeddings is a tensor that the basic model's
//! backward pass begins with. Cosines come from products with the rows as they are, scaled afterwards: no normalised copy
//! of the weights exists, and the gradient goes through the normalisation row by row.

use std::ops::Range;

use tch::{Device, Kind, Tensor};

use crate::nn::HeadWeights;
use crate::schedule::Loss;
use crate::train::loss::columns::{Columns, Verdict, judge};

/// Bytes of fp32 outputs that are computed at a time on the CPU: so many that they stay in its caches.
const CPU_OUTPUTS: usize = 4 << 20;
/// On a GPU, whose products want large matrices.
const GPU_OUTPUTS: usize = 256 << 20;
/// Outputs of so many bytes are computed once and kept for the backward pass.
const KEPT_OUTPUTS: usize = 16 << 20;
/// A squared length below this counts as this, as in Keras's `l2_normalize`.
const LEAST_SQUARE: f64 = 1e-12;

/// Classes that are computed at a time, for a batch.
pub fn range(classes: i64, batch: i64, device: Device) -> i64 {
    let row = batch.max(1) as usize * size_of::<f32>();
    if row.saturating_mul(classes as usize) <= KEPT_OUTPUTS {
        return classes;
    }
    let bytes = if device.is_cuda() { GPU_OUTPUTS } else { CPU_OUTPUTS };
    // Whole vectors, at least enough of them for a product to be worth its start.
    ((bytes / row) as i64 / 64 * 64).clamp(256, classes.max(256))
}

/// Where the gradients of a head's weights go.
#[derive(Debug)]
pub struct HeadGradient {
    /// (C, E), contiguous; written, not added to.
    pub rows: Tensor,
    /// (C); written.
    pub bias: Option<Tensor>,
}

/// What a head made of a batch.
#[derive(Debug)]
pub struct Judged {
    /// Loss and accuracy.
    pub verdict: Verdict,
    /// The gradient of the loss by the embeddings, (B, E); zero when nothing was to be learnt.
    pub embeddings: Tensor,
}

/// The loss of embeddings (B, E) under a head. With `learn` also the gradient by the embeddings and, where `gradient` has
/// room for it, by the weights.
pub fn run(
    loss: &Loss,
    head: &HeadWeights,
    embeddings: &Tensor,
    labels: &Tensor,
    gradient: Option<HeadGradient>,
    learn: bool,
) -> Judged {
    let classes = head.rows.size()[0];
    let range = range(classes, embeddings.size()[0], embeddings.device());
    run_by(loss, head, embeddings, labels, gradient, learn, range)
}

/// As [`run`], with the number of classes that are computed at a time.
fn run_by(
    loss: &Loss,
    head: &HeadWeights,
    embeddings: &Tensor,
    labels: &Tensor,
    gradient: Option<HeadGradient>,
    learn: bool,
    range: i64,
) -> Judged {
    tch::no_grad(|| {
        let embeddings = embeddings.detach().to_kind(Kind::Float);
        let (direction, length) = if head.normalized {
            let square = embeddings.square().sum_dim_intlist([1i64].as_slice(), true, None);
            let length = square.clamp_min(LEAST_SQUARE).rsqrt();
            (&embeddings * &length, Some((length, square.gt(LEAST_SQUARE).to_kind(Kind::Float))))
        } else {
            (embeddings, None)
        };
        let mut products = Products {
            cast: head.half.map(|half| direction.to_kind(half)),
            sum: direction.zeros_like(),
            direction,
            head,
            gradient,
            lengths: Vec::new(),
        };
        let verdict = judge(loss, &mut products, labels, head.rows.size()[0], range, learn);
        let Products { sum, direction, .. } = products;
        let embeddings = match length {
            Some((length, above)) => {
                let along = (&sum * &direction).sum_dim_intlist([1i64].as_slice(), true, None) * above;
                (sum - direction * along) * length
            }
            None => sum,
        };
        Judged { verdict, embeddings }
    })
}

/// The products of a head with a batch.
struct Products<'a> {
    head: &'a HeadWeights,
    /// (B, E): the embeddings, of length 1 where the head is normalised.
    direction: Tensor,
    /// The same in the number format of products, where that is another.
    cast: Option<Tensor>,
    /// The gradient by `direction`.
    sum: Tensor,
    gradient: Option<HeadGradient>,
    /// One over the lengths of a range's rows, (n), from the first pass, in order; empty where rows are taken as they are.
    lengths: Vec<(i64, Tensor)>,
}

impl Products<'_> {
    fn rows(&self, classes: &Range<i64>) -> Tensor {
        self.head.rows.narrow(0, classes.start, classes.end - classes.start)
    }

    /// One over the lengths of rows.
    fn length(&mut self, classes: &Range<i64>, rows: &Tensor) -> Tensor {
        if let Ok(at) = self.lengths.binary_search_by_key(&classes.start, |(start, _)| *start) {
            return self.lengths[at].1.shallow_clone();
        }
        let length = rows.norm_scalaropt_dim(2, [1i64].as_slice(), false).clamp_min(LEAST_SQUARE.sqrt()).reciprocal();
        self.lengths.push((classes.start, length.shallow_clone()));
        length
    }
}

impl Columns for Products<'_> {
    fn outputs(&mut self, classes: Range<i64>) -> Tensor {
        let rows = self.rows(&classes);
        let mut outputs = match (&self.cast, self.head.half) {
            (Some(cast), Some(half)) => cast.mm(&rows.to_kind(half).tr()).to_kind(Kind::Float),
            _ => self.direction.mm(&rows.tr()),
        };
        if self.head.normalized {
            let _ = outputs.g_mul_(&self.length(&classes, &rows));
        } else if let Some(bias) = &self.head.bias {
            let _ = outputs.g_add_(&bias.narrow(0, classes.start, classes.end - classes.start));
        }
        outputs
    }

    fn take(&mut self, classes: Range<i64>, outputs: Tensor, mut gradient: Tensor) {
        let rows = self.rows(&classes);
        let count = classes.end - classes.start;
        let mut along = None;
        if self.head.normalized {
            let length = self.length(&classes, &rows);
            // Rows that count as longer than they are have a gradient along themselves too.
            let longer = length.lt(LEAST_SQUARE.sqrt().recip()).to_kind(Kind::Float);
            let turned = { outputs }.g_mul_(&gradient).sum_dim_intlist([0i64].as_slice(), false, None);
            along = Some((turned * &length * &length * longer * -1.0).unsqueeze(1));
            let _ = gradient.g_mul_(&length);
        }
        if let Some(HeadGradient { bias: Some(bias), .. }) = &self.gradient {
            bias.narrow(0, classes.start, count).copy_(&gradient.sum_dim_intlist([0i64].as_slice(), false, None));
        }
        if let (Some(cast), Some(half)) = (&self.cast, self.head.half) {
            let gradient = gradient.to_kind(half);
            self.sum += gradient.mm(&rows.to_kind(half)).to_kind(Kind::Float);
            if let Some(HeadGradient { rows: target, .. }) = &self.gradient {
                target.narrow(0, classes.start, count).copy_(&gradient.tr().mm(cast));
            }
        } else {
            let _ = self.sum.addmm_(&gradient, &rows);
            if let Some(HeadGradient { rows: target, .. }) = &self.gradient {
                let _ = gradient.tr().mm_out(&target.narrow(0, classes.start, count), &self.direction);
            }
        }
        if let (Some(HeadGradient { rows: target, .. }), Some(along)) = (&self.gradient, along) {
            let _ = target.narrow(0, classes.start, count).addcmul_(&rows, &along);
        }
    }
}

#[cfg(test)]
mod tests;
