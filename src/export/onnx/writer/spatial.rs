//! Convolutions, pooling, padding: what works on height and width.

use super::super::proto::AttributeProto;
use super::{Writer, int, ints, sizes, word};
use crate::export::lower::{Op, OpKind, Pads};
use crate::graph::Array;

pub(super) fn write(writer: &mut Writer<'_>, op: &Op) {
    let x = writer.input(op, 0);
    match &op.kind {
        OpKind::Conv { kernel, bias, strides, pads, dilation, groups } => {
            let [height, width, inputs, outputs] = kernel.shape[..] else { return };
            let data = transpose(kernel, [3, 2, 0, 1]);
            let mut names = vec![x, writer.numbers(op, "kernel", &[outputs, inputs, height, width], &data)];
            names.extend(bias.as_ref().map(|bias| writer.numbers(op, "bias", &[outputs], bias)));
            let attributes = vec![
                sizes("kernel_shape", &[height, width]),
                sizes("strides", strides),
                edges(*pads),
                sizes("dilations", dilation),
                int("group", *groups as i64),
            ];
            writer.last(op, "Conv", &names, attributes);
        }
        OpKind::Depthwise { kernel, bias, strides, pads, dilation } => {
            let [height, width, channels, multiplier] = kernel.shape[..] else { return };
            let outputs = channels * multiplier;
            let data = transpose(kernel, [2, 3, 0, 1]);
            let mut names = vec![x, writer.numbers(op, "kernel", &[outputs, 1, height, width], &data)];
            names.extend(bias.as_ref().map(|bias| writer.numbers(op, "bias", &[outputs], bias)));
            let attributes = vec![
                sizes("kernel_shape", &[height, width]),
                sizes("strides", strides),
                edges(*pads),
                sizes("dilations", dilation),
                int("group", channels as i64),
            ];
            writer.last(op, "Conv", &names, attributes);
        }
        OpKind::GlobalAverage { keepdims } => {
            writer.last(op, "ReduceMean", &[x], vec![ints("axes", &[2, 3]), int("keepdims", i64::from(*keepdims))]);
        }
        OpKind::GlobalMax { keepdims } => {
            writer.last(op, "ReduceMax", &[x], vec![ints("axes", &[2, 3]), int("keepdims", i64::from(*keepdims))]);
        }
        OpKind::MaxPool { kernel, strides, pads } => {
            let attributes = vec![sizes("kernel_shape", kernel), sizes("strides", strides), edges(*pads)];
            writer.last(op, "MaxPool", &[x], attributes);
        }
        OpKind::AveragePool { kernel, strides, pads } => {
            let attributes = vec![
                sizes("kernel_shape", kernel),
                sizes("strides", strides),
                edges(*pads),
                int("count_include_pad", 0),
            ];
            writer.last(op, "AveragePool", &[x], attributes);
        }
        OpKind::Pad { pads } => pad(writer, op, x, *pads),
        OpKind::Crop { edges: Pads { top, left, .. } } => {
            let shape = writer.lowered.output_shape(op).clone();
            let starts = writer.integers(op, "starts", &[*top as i64, *left as i64]);
            let ends = writer.integers(op, "ends", &[(top + shape[0]) as i64, (left + shape[1]) as i64]);
            let axes = writer.integers(op, "axes", &[2, 3]);
            writer.last(op, "Slice", &[x, starts, ends, axes], vec![]);
        }
        OpKind::Upsample { factors: [height, width], bilinear } => {
            let scales = writer.numbers(op, "scales", &[4], &[1.0, 1.0, *height as f32, *width as f32]);
            let attributes = if *bilinear {
                vec![word("mode", "linear"), word("coordinate_transformation_mode", "half_pixel")]
            } else {
                vec![
                    word("mode", "nearest"),
                    word("coordinate_transformation_mode", "asymmetric"),
                    word("nearest_mode", "floor"),
                ]
            };
            writer.last(op, "Resize", &[x, String::new(), scales], attributes);
        }
        // The caller sends nothing else here; a value that nothing makes fails the check of the file.
        _ => {}
    }
}

/// Zeros around a map. Before a pooling, one more row is put below and cut off again: onnxruntime up to 1.23 and
/// onnx-simplifier make zero padding the pooling's own, which would ignore it.
fn pad(writer: &mut Writer<'_>, op: &Op, x: String, pads: Pads) {
    let pooled = |other: &&Op| matches!(other.kind, OpKind::MaxPool { .. } | OpKind::AveragePool { .. });
    let pools = writer.lowered.ops.iter().filter(pooled).any(|other| other.inputs.contains(&op.output));
    let Pads { top, bottom, left, right } = pads;
    let below = bottom + usize::from(pools);
    let pads = writer.integers(op, "pads", &[0, 0, top, left, 0, 0, below, right].map(|size| size as i64));
    let mode = vec![word("mode", "constant")];
    if !pools {
        return writer.last(op, "Pad", &[x, pads], mode);
    }
    let padded = writer.step(op, "padded", "Pad", &[x, pads], mode);
    let rows = writer.lowered.output_shape(op)[0];
    let bounds = [("starts", 0), ("ends", rows as i64), ("axes", 2)];
    let mut inputs = vec![padded];
    inputs.extend(bounds.map(|(what, value)| writer.integers(op, what, &[value])));
    writer.last(op, "Slice", &inputs, vec![]);
}

/// ONNX lists all beginnings, then all ends.
fn edges(pads: Pads) -> AttributeProto {
    sizes("pads", &[pads.top, pads.left, pads.bottom, pads.right])
}

/// The numbers with the axes in another order: `order` has, for each axis of the result, the axis of the array.
fn transpose(array: &Array, order: [usize; 4]) -> Vec<f32> {
    let shape = &array.shape;
    let strides = [shape[1] * shape[2] * shape[3], shape[2] * shape[3], shape[3], 1];
    let [a, b, c, d] = order;
    let mut data = Vec::with_capacity(array.data.len());
    for i in 0..shape[a] {
        for j in 0..shape[b] {
            for k in 0..shape[c] {
                let from = i * strides[a] + j * strides[b] + k * strides[c];
                data.extend((0..shape[d]).map(|l| array.data[from + l * strides[d]]));
            }
        }
    }
    data
}
