//! Each operation in ONNX's words: all but the functions ([`activations`]) and what slides over maps
//! ([`spatial`]).

use super::{TO_NCHW, TO_NHWC, Writer, axis, dims, float, int, ints, last_axis};
use super::{activations, spatial};
use crate::export::lower::{Combination, Op, OpKind};
use crate::graph::Array;

/// Writes one operation. ONNX has something for each.
pub fn write(writer: &mut Writer<'_>, op: &Op) {
    let x = [writer.input(op, 0)];
    let rank = writer.lowered.input_shape(op).len();
    match &op.kind {
        OpKind::Identity => writer.last(op, "Identity", &x, vec![]),
        OpKind::FromBytes => {
            let cast =
                writer.step(op, "cast", "Cast", &x, vec![int("to", i64::from(super::super::proto::number::FLOAT))]);
            affine(writer, op, cast, &[2.0 / 255.0], &[-1.0]);
        }
        OpKind::MirrorBatch => {
            let parameters = [("starts", -1), ("ends", i64::MIN), ("axes", 3), ("steps", -1)];
            let mut inputs = x.to_vec();
            inputs.extend(parameters.map(|(what, value)| writer.integers(op, what, &[value])));
            let mirrored = writer.step(op, "mirrored", "Slice", &inputs, vec![]);
            let [images] = x;
            writer.last(op, "Concat", &[images, mirrored], vec![int("axis", 0)]);
        }
        OpKind::MeanHalves => {
            let mut halves = vec![2, -1];
            halves.extend(dims(writer.lowered.output_shape(op)));
            let shape = writer.integers(op, "shape", &halves);
            let [x] = x;
            let halves = writer.step(op, "halves", "Reshape", &[x, shape], vec![]);
            writer.last(op, "ReduceMean", &[halves], vec![ints("axes", &[0]), int("keepdims", 0)]);
        }
        OpKind::Dense { kernel, bias } => dense(writer, op, kernel, bias.as_deref()),
        OpKind::Affine { scale, offset } => {
            let [x] = x;
            affine(writer, op, x, scale, offset);
        }
        OpKind::LayerNorm { epsilon, gamma, beta } => {
            layer_norm(writer, op, *epsilon, gamma.as_deref(), beta.as_deref());
        }
        OpKind::Unit => unit(writer, op),
        OpKind::PRelu { alpha } => {
            let alpha = if rank == 3 { channels_first(alpha) } else { alpha.clone() };
            let slope = writer.numbers(op, "slope", &alpha.shape, &alpha.data);
            let [x] = x;
            writer.last(op, "PRelu", &[x, slope], vec![]);
        }
        OpKind::Activation(activation) => activations::write(writer, op, *activation),
        OpKind::Relu { max, slope, threshold } => activations::relu(writer, op, *max, *slope, *threshold),
        OpKind::Combine(how) => combine(writer, op, *how),
        OpKind::Concat { axis: at } => {
            let inputs = writer.inputs(op);
            writer.last(op, "Concat", &inputs, vec![int("axis", axis(rank, *at))]);
        }
        OpKind::Reshape => reshape(writer, op),
        OpKind::Transpose { axes } => {
            let mut order = vec![0; axes.len() + 1];
            for (to, from) in axes.iter().enumerate() {
                order[axis(rank, to) as usize] = axis(rank, *from);
            }
            writer.last(op, "Transpose", &x, vec![ints("perm", &order)]);
        }
        OpKind::Conv { .. }
        | OpKind::Depthwise { .. }
        | OpKind::GlobalAverage { .. }
        | OpKind::GlobalMax { .. }
        | OpKind::MaxPool { .. }
        | OpKind::AveragePool { .. }
        | OpKind::Pad { .. }
        | OpKind::Crop { .. }
        | OpKind::Upsample { .. } => spatial::write(writer, op),
    }
}

/// A channel's numbers shaped so that they stretch over a value of `rank` axes.
fn channel_shape(rank: usize, count: usize) -> Vec<usize> {
    match (rank, count) {
        (_, 1) => vec![],
        (3, count) => vec![count, 1, 1],
        (_, count) => vec![count],
    }
}

fn affine(writer: &mut Writer<'_>, op: &Op, mut x: String, scale: &[f32], offset: &[f32]) {
    let rank = writer.lowered.output_shape(op).len();
    let adds = offset.iter().any(|value| *value != 0.0);
    if scale.iter().any(|value| value.to_bits() != 1f32.to_bits()) || !adds {
        let scale = writer.numbers(op, "scale", &channel_shape(rank, scale.len()), scale);
        if !adds {
            return writer.last(op, "Mul", &[x, scale], vec![]);
        }
        x = writer.step(op, "scaled", "Mul", &[x, scale], vec![]);
    }
    let offset = writer.numbers(op, "offset", &channel_shape(rank, offset.len()), offset);
    writer.last(op, "Add", &[x, offset], vec![]);
}

/// (H, W, C) as (C, H, W).
fn channels_first(array: &Array) -> Array {
    let [height, width, channels] = array.shape[..] else { return array.clone() };
    let places = height * width;
    let data = (0..array.data.len()).map(|at| array.data[at % places * channels + at / places]).collect();
    Array { shape: vec![channels, height, width], data }
}

fn dense(writer: &mut Writer<'_>, op: &Op, kernel: &Array, bias: Option<&[f32]>) {
    let [length, units] = kernel.shape[..] else { return };
    let x = writer.input(op, 0);
    let rank = writer.lowered.input_shape(op).len();
    let mut inputs = vec![x];
    if rank == 3 {
        // A 1x1 convolution does the same to each place of a map.
        let data: Vec<f32> = (0..kernel.data.len()).map(|at| kernel.data[at % length * units + at / length]).collect();
        inputs.push(writer.numbers(op, "kernel", &[units, length, 1, 1], &data));
        inputs.extend(bias.map(|bias| writer.numbers(op, "bias", &[units], bias)));
        return writer.last(op, "Conv", &inputs, vec![ints("kernel_shape", &[1, 1])]);
    }
    let data = match writer.channels_first.get(&op.inputs[0]) {
        Some([height, width, channels]) => {
            let places = height * width;
            let row = |at: usize| (at % places) * channels + at / places;
            (0..length).flat_map(|at| kernel.data[row(at) * units..][..units].iter().copied()).collect()
        }
        None => kernel.data.clone(),
    };
    inputs.push(writer.numbers(op, "kernel", &[length, units], &data));
    let bias = bias.map(|bias| writer.numbers(op, "bias", &[units], bias));
    match (rank, bias) {
        (1, bias) => {
            inputs.extend(bias);
            writer.last(op, "Gemm", &inputs, vec![]);
        }
        (_, None) => writer.last(op, "MatMul", &inputs, vec![]),
        (_, Some(bias)) => {
            let product = writer.step(op, "product", "MatMul", &inputs, vec![]);
            writer.last(op, "Add", &[product, bias], vec![]);
        }
    }
}

fn layer_norm(writer: &mut Writer<'_>, op: &Op, epsilon: f64, gamma: Option<&[f32]>, beta: Option<&[f32]>) {
    let shape = writer.lowered.output_shape(op).clone();
    let length = shape.last().copied().unwrap_or(1);
    let ones = vec![1.0; length];
    let gamma = writer.numbers(op, "gamma", &[length], gamma.unwrap_or(&ones));
    let beta = beta.map(|beta| writer.numbers(op, "beta", &[length], beta));
    let mut inputs = vec![writer.input(op, 0), gamma];
    inputs.extend(beta);
    let attributes = vec![int("axis", -1), float("epsilon", epsilon)];
    if shape.len() != 3 {
        return writer.last(op, "LayerNormalization", &inputs, attributes);
    }
    inputs[0] = writer.step(op, "nhwc", "Transpose", &inputs[..1], vec![ints("perm", &TO_NHWC)]);
    let normal = writer.step(op, "normalized", "LayerNormalization", &inputs, attributes);
    writer.last(op, "Transpose", &[normal], vec![ints("perm", &TO_NCHW)]);
}

fn unit(writer: &mut Writer<'_>, op: &Op) {
    let x = writer.input(op, 0);
    let rank = writer.lowered.input_shape(op).len();
    let square = writer.step(op, "square", "Mul", &[x.clone(), x.clone()], vec![]);
    let axes = writer.integers(op, "axes", &[last_axis(rank)]);
    let sum = writer.step(op, "sum", "ReduceSum", &[square, axes], vec![int("keepdims", 1)]);
    let least = writer.scalar(op, "least", 1e-12);
    let bounded = writer.step(op, "bounded", "Max", &[sum, least], vec![]);
    let length = writer.step(op, "length", "Sqrt", &[bounded], vec![]);
    writer.last(op, "Div", &[x, length], vec![]);
}

fn combine(writer: &mut Writer<'_>, op: &Op, how: Combination) {
    let inputs = writer.inputs(op);
    let pairwise = match how {
        Combination::Average => return writer.last(op, "Mean", &inputs, vec![]),
        Combination::Maximum => return writer.last(op, "Max", &inputs, vec![]),
        Combination::Minimum => return writer.last(op, "Min", &inputs, vec![]),
        Combination::Add => "Add",
        Combination::Multiply => "Mul",
        Combination::Subtract => "Sub",
    };
    let [first, between @ .., last] = &inputs[..] else { return };
    let mut result = first.clone();
    for input in between {
        result = writer.step(op, "part", pairwise, &[result, input.clone()], vec![]);
    }
    writer.last(op, pairwise, &[result, last.clone()], vec![]);
}

/// Whether the numbers of a value lie in the same order channels-first and channels-last.
fn any_order(shape: &[usize]) -> bool {
    if let [height, width, channels] = shape { *channels == 1 || height * width == 1 } else { true }
}

fn reshape(writer: &mut Writer<'_>, op: &Op) {
    let mut x = writer.input(op, 0);
    let from = writer.lowered.input_shape(op).clone();
    let to = writer.lowered.output_shape(op).clone();
    let target = |shape: Vec<i64>| std::iter::once(-1).chain(shape).collect::<Vec<i64>>();
    if !any_order(&from) {
        if let ([height, width, channels], [_]) = (&from[..], &to[..])
            && writer.only_dense(op.output)
        {
            writer.channels_first.insert(op.output, [*height, *width, *channels]);
        } else {
            x = writer.step(op, "nhwc", "Transpose", &[x], vec![ints("perm", &TO_NHWC)]);
        }
    }
    if any_order(&to) {
        let shape = writer.integers(op, "shape", &target(dims(&to)));
        return writer.last(op, "Reshape", &[x, shape], vec![]);
    }
    let shape = writer.integers(op, "shape", &target(to.iter().map(|size| *size as i64).collect()));
    let reshaped = writer.step(op, "reshaped", "Reshape", &[x, shape], vec![]);
    writer.last(op, "Transpose", &[reshaped], vec![ints("perm", &TO_NCHW)]);
}
