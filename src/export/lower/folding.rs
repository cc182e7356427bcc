//! What makes the list of operations shorter without changing its result: batch norms folded, padding absorbed, the
//! unused dropped. Folding is done in fp64.

use super::lowered::Lowered;
use super::ops::{Op, OpKind, Pads};
use crate::graph::Array;
use crate::graph::layer::Activation;

pub(super) fn run(lowered: &mut Lowered) {
    absorb_padding(lowered);
    fold_affine(lowered);
    drop_unused(lowered);
}

/// The operation that makes each value.
fn producers(lowered: &Lowered) -> Vec<Option<usize>> {
    let mut producers = vec![None; lowered.values.len()];
    lowered.ops.iter().enumerate().for_each(|(at, op)| producers[op.output] = Some(at));
    producers
}

/// Zero padding before a convolution becomes the convolution's own: both put zeros outside. Pooling does not.
fn absorb_padding(lowered: &mut Lowered) {
    let producers = producers(lowered);
    for at in 0..lowered.ops.len() {
        let mut input = lowered.ops[at].inputs[0];
        let mut absorbed = Pads::NONE;
        while let Some(Op { kind: OpKind::Pad { pads }, inputs, .. }) = producers[input].map(|op| &lowered.ops[op]) {
            absorbed = absorbed.plus(*pads);
            input = inputs[0];
        }
        let op = &mut lowered.ops[at];
        if let OpKind::Conv { pads, .. } | OpKind::Depthwise { pads, .. } = &mut op.kind {
            *pads = pads.plus(absorbed);
            op.inputs[0] = input;
        }
    }
}

/// An affine map after a convolution or dense layer that nothing else uses becomes part of its weights.
fn fold_affine(lowered: &mut Lowered) {
    let mut producers = producers(lowered);
    let uses = lowered.uses();
    let mut keep = vec![true; lowered.ops.len()];
    for (at, kept) in keep.iter_mut().enumerate() {
        let Op { kind: OpKind::Affine { scale, offset }, inputs, output, .. } = &lowered.ops[at] else { continue };
        let (input, output) = (inputs[0], *output);
        let Some(before) = producers[input].filter(|_| uses[input] == 1) else { continue };
        let channels = lowered.values[output].shape.last().copied().unwrap_or(1);
        let (scale, offset) = (scale.clone(), offset.clone());
        if fold(&mut lowered.ops[before].kind, channels, &scale, &offset) {
            lowered.ops[before].output = output;
            producers[output] = Some(before);
            *kept = false;
        }
    }
    retain(lowered, keep);
}

/// Puts `scale` and `offset` of the output's channels into the weights; false where there are none.
fn fold(kind: &mut OpKind, channels: usize, scale: &[f32], offset: &[f32]) -> bool {
    let (OpKind::Conv { kernel, bias, .. } | OpKind::Depthwise { kernel, bias, .. } | OpKind::Dense { kernel, bias }) =
        kind
    else {
        return false;
    };
    let of = |values: &[f32], channel: usize| f64::from(if values.len() == 1 { values[0] } else { values[channel] });
    // The output channel runs fastest; of a depthwise kernel it is its last two axes.
    for (at, weight) in kernel.data.iter_mut().enumerate() {
        *weight = (f64::from(*weight) * of(scale, at % channels)) as f32;
    }
    let old = bias.take().unwrap_or_else(|| vec![0.0; channels]);
    let new = old.iter().enumerate().map(|(at, bias)| (f64::from(*bias) * of(scale, at) + of(offset, at)) as f32);
    *bias = Some(new.collect());
    true
}

fn drop_unused(lowered: &mut Lowered) {
    let mut needed = vec![false; lowered.values.len()];
    needed[lowered.output] = true;
    let mut keep = vec![false; lowered.ops.len()];
    for (at, op) in lowered.ops.iter().enumerate().rev() {
        if needed[op.output] {
            keep[at] = true;
            op.inputs.iter().for_each(|input| needed[*input] = true);
        }
    }
    retain(lowered, keep);
}

fn retain(lowered: &mut Lowered, keep: Vec<bool>) {
    let mut keep = keep.into_iter();
    lowered.ops.retain(|_| keep.next().unwrap_or(true));
}

/// A batch norm with its moving statistics: `gamma * (x - mean) / sqrt(variance + epsilon) + beta`.
pub(super) fn batch_norm(arrays: &[Array], epsilon: f64, scale: bool, center: bool) -> OpKind {
    let [.., mean, variance] = arrays else { return OpKind::Identity };
    let one = |array: Option<&Array>, at: usize, none: f64| array.map_or(none, |array| f64::from(array.data[at]));
    let gamma = arrays.first().filter(|_| scale);
    let beta = arrays.get(usize::from(scale)).filter(|_| center);
    let (mut scales, mut offsets) = (Vec::new(), Vec::new());
    for at in 0..mean.data.len() {
        let factor = one(gamma, at, 1.0) / (f64::from(variance.data[at]) + epsilon).sqrt();
        scales.push(factor as f32);
        offsets.push((one(beta, at, 0.0) - f64::from(mean.data[at]) * factor) as f32);
    }
    OpKind::Affine { scale: scales, offset: offsets }
}

pub(super) fn rescaling(scale: &[f64], offset: &[f64]) -> OpKind {
    let [scale, offset] = [scale, offset].map(|values| values.iter().map(|value| *value as f32).collect());
    OpKind::Affine { scale, offset }
}

/// The simplest operation for Keras's `ReLU` layer.
pub(super) fn relu(max: Option<f64>, slope: f64, threshold: f64) -> OpKind {
    match (max, slope, threshold) {
        (None, 0.0, 0.0) => OpKind::Activation(Activation::Relu),
        (Some(6.0), 0.0, 0.0) => OpKind::Activation(Activation::Relu6),
        (None, slope, 0.0) => OpKind::Activation(Activation::LeakyRelu(slope)),
        _ => OpKind::Relu { max, slope, threshold },
    }
}

/// The columns of a matrix, each divided by its length, as TensorFlow's `l2_normalize` does along axis 0.
pub(super) fn unit_columns(matrix: &Array) -> Array {
    let columns = matrix.shape.last().copied().unwrap_or(1).max(1);
    let mut squares = vec![0.0f64; columns];
    for (at, value) in matrix.data.iter().enumerate() {
        squares[at % columns] += f64::from(*value).powi(2);
    }
    let of = |at: usize, value: &f32| (f64::from(*value) / squares[at % columns].max(1e-12).sqrt()) as f32;
    let data = matrix.data.iter().enumerate().map(|(at, value)| of(at, value)).collect();
    Array { shape: matrix.shape.clone(), data }
}
