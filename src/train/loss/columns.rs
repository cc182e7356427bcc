//! The losses of a head's outputs, computed a range of classes at a time, with gradients of their own.
//!
//! A first pass over the classes keeps the largest logit, the sum of exponentials and the label's output of each sample; a
//! second one computes the outputs again and gives away their gradient. So no more than a range of the (B, C) outputs
//! exists at any moment, whatever C is. Where one range holds all classes, its outputs are kept for the second pass.

use std::ops::Range;

use tch::{Kind, Tensor};

use crate::schedule::Loss;
use crate::train::loss::margin::{Beyond, with_margins};

/// What a label's output is while the others are looked at: so low that it counts nowhere, and finite times any scale.
const ASIDE: f64 = -1e30;

/// A head that computes some classes at a time.
pub trait Columns {
    /// The outputs of classes, (B, n) in fp32: logits before a softmax, or cosines. A tensor of the caller's own.
    fn outputs(&mut self, classes: Range<i64>) -> Tensor;

    /// Takes the gradient of the mean loss by the outputs of classes, and what those were.
    fn take(&mut self, classes: Range<i64>, outputs: Tensor, gradient: Tensor);
}

/// What a batch's outputs cost.
#[derive(Debug)]
pub struct Verdict {
    /// The mean loss, a scalar.
    pub loss: Tensor,
    /// Share of the batch whose label's output is above all others, a scalar.
    pub accuracy: Tensor,
}

/// A pass over the classes.
struct Pass<'a> {
    columns: &'a mut dyn Columns,
    /// (B, 1)
    labels: Tensor,
    classes: i64,
    /// Classes at a time.
    range: i64,
    /// The outputs of all classes, where one range holds them.
    kept: Option<Tensor>,
}

/// What the first pass finds; (B, 1) each.
struct Found {
    /// The label's output.
    target: Tensor,
    /// The largest of the other outputs.
    highest: Tensor,
    /// Sum of the others' `exp(scale * (output - highest))`.
    sum: Tensor,
    /// Sum of the others.
    total: Option<Tensor>,
}

/// The mean loss and the accuracy of a batch; with `learn` the gradient goes to `columns`. `labels` (B) are classes below
/// `classes`: see [`check_labels`](crate::train::loss::check_labels); one that is not makes the loss NaN. `range` classes are computed at a
/// time. Losses of embeddings count as plain softmax.
pub fn judge(
    loss: &Loss,
    columns: &mut dyn Columns,
    labels: &Tensor,
    classes: i64,
    range: i64,
    learn: bool,
) -> Verdict {
    tch::no_grad(|| {
        let range = range.clamp(1, classes.max(1));
        let mut pass = Pass { columns, labels: labels.unsqueeze(1), classes, range, kept: None };
        match *loss {
            Loss::ScaleSoftmax { scale } => scale_softmax(&mut pass, scale, learn),
            Loss::MarginSoftmax { power, scale } => margin_softmax(&mut pass, power, scale, learn),
            Loss::Arcface { margin1, margin2, margin3, scale } => {
                arcface(&mut pass, [margin1, margin2, margin3], scale, Beyond::Mirrored, learn)
            }
            Loss::Arcface2 { margin1, margin2, margin3, scale } => {
                arcface(&mut pass, [margin1, margin2, margin3], scale, Beyond::Unchanged, learn)
            }
            Loss::Softmax { label_smoothing } => softmax(&mut pass, label_smoothing, learn),
            Loss::BatchHardTriplet { .. } | Loss::BatchAllTriplet { .. } | Loss::Center(_) => {
                softmax(&mut pass, 0.0, learn)
            }
        }
    })
}

fn softmax(pass: &mut Pass, smoothing: f64, learn: bool) -> Verdict {
    let found = pass.look(1.0, smoothing > 0.0);
    let (highest, sum, others) = found.with(&found.target, 1.0);
    let even = smoothing / pass.classes as f64;
    let mut loss = &highest + sum.log() - &found.target * (1.0 - smoothing);
    if let Some(total) = &found.total {
        loss -= (total + &found.target) * even;
    }
    if learn {
        let count = pass.count();
        // Of the label: its probability less 1, without the rounding of that difference.
        let target = (-(others / &sum) + (smoothing - even)) / count;
        pass.teach(1.0, &highest, &(sum * count).reciprocal(), -even / count, &target);
    }
    found.verdict(&loss)
}

fn arcface(pass: &mut Pass, margins: [f64; 3], scale: f64, beyond: Beyond, learn: bool) -> Verdict {
    let found = pass.look(scale, false);
    let (changed, slope) = with_margins(&found.target, margins, beyond);
    let (highest, sum, others) = found.with(&changed, scale);
    let loss = (&highest - &changed) * scale + sum.log();
    if learn {
        let count = pass.count();
        let target = others / &sum * slope * (-scale / count);
        pass.teach(scale, &highest, &((sum * count).reciprocal() * scale), 0.0, &target);
    }
    found.verdict(&loss)
}

/// The label's probability `p` becomes `(p^power + scale * p) / 2`; Keras then renormalises the row and clips at 1e-7.
fn margin_softmax(pass: &mut Pass, power: f64, scale: f64, learn: bool) -> Verdict {
    let found = pass.look(1.0, false);
    let (highest, sum, others) = found.with(&found.target, 1.0);
    let p = (&found.target - &highest).exp() / &sum;
    let changed = (p.pow_tensor_scalar(power) + &p * scale) / 2.0;
    let row: Tensor = &changed + 1.0 - &p;
    let kept = &changed / &row;
    let (least, most) = (1e-7, 1.0 - 1e-7);
    let loss = -kept.clamp(least, most).log();
    if learn {
        let count = pass.count();
        let rise = (p.pow_tensor_scalar(power - 1.0) * power + scale) / 2.0;
        // The slope of -log(kept) by p, times p: the factor of every logit's share.
        let slope: Tensor = (&rise / &changed - (&rise - 1.0) / &row) * &p * -1.0;
        let clipped = kept.ge(least).logical_and(&kept.le(most)).to_kind(Kind::Float);
        // A probability of 0 has no slope but is clipped.
        let slope = slope.nan_to_num(0.0, 0.0, 0.0) * clipped / count;
        let target = &slope * (others / &sum);
        pass.teach(1.0, &highest, &(-slope / sum), 0.0, &target);
    }
    found.verdict(&loss)
}

/// Cross-entropy from logits of `scale` times the probabilities.
fn scale_softmax(pass: &mut Pass, scale: f64, learn: bool) -> Verdict {
    let found = pass.look(1.0, false);
    let (highest, sum, _) = found.with(&found.target, 1.0);
    let probability = |outputs: &Tensor| (outputs - &highest).exp_() / &sum;
    let p = probability(&found.target);
    let top = found.highest.maximum(&found.target);
    let top = probability(&top);
    // Of the scaled probabilities: the sum of exponentials, and that of exponentials times probabilities.
    let (mut second, mut weighted) = (sum.zeros_like(), sum.zeros_like());
    for range in pass.ranges() {
        let p = probability(&pass.outputs(&range));
        let mut exponential = ((&p - &top) * scale).exp_();
        second += exponential.sum_dim_intlist([1i64].as_slice(), true, None);
        weighted += exponential.g_mul_(&p).sum_dim_intlist([1i64].as_slice(), true, None);
    }
    let loss = (&top - &p) * scale + second.log();
    if learn {
        let count = pass.count();
        let mean = weighted / &second - &p;
        for range in pass.ranges() {
            let outputs = pass.outputs(&range);
            let q = probability(&outputs);
            let gradient = (((&q - &top) * scale).exp_() / &second - &mean) * q * (scale / count);
            // At the label less its own part.
            let (place, inside) = pass.place(&range);
            let own = gradient.gather(1, &place, false);
            let lower = &own - &p * (scale / count);
            let gradient = { gradient }.scatter_(1, &place, &lower.where_self(&inside, &own));
            pass.columns.take(range, outputs, gradient);
        }
    }
    found.verdict(&loss)
}

impl Found {
    /// The label's changed output among the others: (largest, sum of all exponentials, sum of the others').
    fn with(&self, target: &Tensor, scale: f64) -> (Tensor, Tensor, Tensor) {
        let highest = self.highest.maximum(target);
        let others = &self.sum * ((&self.highest - &highest) * scale).exp_();
        let sum = &others + ((target - &highest) * scale).exp_();
        (highest, sum, others)
    }

    fn verdict(&self, loss: &Tensor) -> Verdict {
        let right = self.target.gt_tensor(&self.highest);
        Verdict { loss: loss.mean(Kind::Float), accuracy: right.to_kind(Kind::Float).mean(Kind::Float) }
    }
}

impl Pass<'_> {
    /// Samples.
    fn count(&self) -> f64 {
        self.labels.size()[0].max(1) as f64
    }

    fn ranges(&self) -> impl Iterator<Item = Range<i64>> + use<> {
        let (classes, range) = (self.classes, self.range);
        (0..classes).step_by(range as usize).map(move |from| from..classes.min(from + range))
    }

    /// The labels' columns within a range, those outside moved to its ends, and which lie inside.
    fn place(&self, range: &Range<i64>) -> (Tensor, Tensor) {
        let place = &self.labels - range.start;
        let inside = place.ge(0).logical_and(&place.lt(range.end - range.start));
        (place.clamp(0, range.end - range.start - 1), inside)
    }

    fn outputs(&mut self, range: &Range<i64>) -> Tensor {
        match &self.kept {
            Some(kept) => kept.shallow_clone(),
            None => self.columns.outputs(range.clone()),
        }
    }

    /// The first pass. `total` asks for the sum of the outputs.
    fn look(&mut self, scale: f64, total: bool) -> Found {
        let options = (Kind::Float, self.labels.device());
        let empty = |value: f64| Tensor::full([self.labels.size()[0], 1], value, options);
        let mut found =
            Found { target: empty(f64::NAN), highest: empty(ASIDE), sum: empty(0.0), total: total.then(|| empty(0.0)) };
        let row = [1i64];
        let whole = self.range == self.classes;
        for range in self.ranges() {
            let mut outputs = self.columns.outputs(range.clone());
            let (place, inside) = self.place(&range);
            let own = outputs.gather(1, &place, false);
            found.target = own.where_self(&inside, &found.target);
            let aside = own.full_like(ASIDE).where_self(&inside, &own);
            let _ = outputs.scatter_(1, &place, &aside);
            let highest = found.highest.maximum(&outputs.amax(row.as_slice(), true));
            if let Some(total) = &mut found.total {
                let zero = own.zeros_like().where_self(&inside, &own);
                let sum = outputs.scatter(1, &place, &zero).sum_dim_intlist(row.as_slice(), true, None);
                *total += sum;
            }
            let away: Tensor = &outputs - &highest;
            let sum = { away }.g_mul_scalar_(scale).exp_().sum_dim_intlist(row.as_slice(), true, None);
            found.sum = found.sum * ((&found.highest - &highest) * scale).exp_() + sum;
            found.highest = highest;
            if whole {
                let _ = outputs.scatter_(1, &place, &own);
                self.kept = Some(outputs);
            }
        }
        found
    }

    /// The second pass: the gradient is `factor * exp(scale * (output - highest)) + even`, and `target` at the label.
    fn teach(&mut self, scale: f64, highest: &Tensor, factor: &Tensor, even: f64, target: &Tensor) {
        for range in self.ranges() {
            let outputs = self.outputs(&range);
            let away: Tensor = &outputs - highest;
            let mut gradient = { away }.g_mul_scalar_(scale).exp_().g_mul_(factor);
            if even != 0.0 {
                let _ = gradient.g_add_scalar_(even);
            }
            let (place, inside) = self.place(&range);
            let own = gradient.gather(1, &place, false);
            let _ = gradient.scatter_(1, &place, &target.where_self(&inside, &own));
            self.kept = None;
            self.columns.take(range, outputs, gradient);
        }
    }
}

/// Outputs that exist whole.
#[derive(Debug)]
pub struct Whole {
    outputs: Tensor,
    /// The gradient by them, once it has been taken.
    pub gradient: Tensor,
}

impl Whole {
    /// Of outputs (B, C) of any floating-point kind.
    pub fn new(outputs: &Tensor) -> Self {
        let outputs = outputs.detach().to_kind(Kind::Float);
        Self { gradient: outputs.zeros_like(), outputs }
    }
}

impl Columns for Whole {
    fn outputs(&mut self, classes: Range<i64>) -> Tensor {
        self.outputs.narrow(1, classes.start, classes.end - classes.start).copy()
    }

    fn take(&mut self, classes: Range<i64>, _: Tensor, gradient: Tensor) {
        self.gradient.narrow(1, classes.start, classes.end - classes.start).copy_(&gradient);
    }
}
