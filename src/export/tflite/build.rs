//! Plain operations into TFLite's operators, in fp32: layouts of weights, padding, and what TFLite has no operator for
//! put together from what it has ([`functions`]).

mod functions;

use std::collections::HashMap;

use super::super::lower::{Combination, InputKind, Layout, LowerError, Lowered, Number, OpKind, Pads, ValueId};
use super::model::Model;
use super::op::{Fused, Op, Sliding};
use super::tensor::{Kind, TensorId};
use crate::graph::Array;
use crate::graph::layer::Activation;
use crate::graph::shape::same_padding;

/// Axes that TFLite's operators take, the batch included.
const MOST_AXES: usize = 5;

/// A model in fp32 and what the next steps want to know of it.
pub(super) struct Built {
    pub(super) model: Model,
    /// The images in -1 to 1: the input itself, or what becomes of its bytes.
    pub(super) images: TensorId,
    /// For each operator, the operation it is of.
    pub(super) operations: Vec<usize>,
}

/// Builds the model of a network.
///
/// # Errors
/// An operation that TFLite cannot express, with the layer's name.
pub(super) fn build(lowered: &Lowered) -> Result<Built, LowerError> {
    let mut builder = Builder {
        lowered,
        model: Model::default(),
        tensors: vec![None; lowered.values.len()],
        fused: fusions(lowered),
        images: 0,
    };
    builder.input();
    // What makes numbers of the images belongs to no operation.
    let mut operations = vec![usize::MAX; builder.model.operators.len()];
    for at in 0..lowered.ops.len() {
        builder.operation(at).map_err(|reason| {
            let op = &lowered.ops[at];
            LowerError::Layer { layer: op.name.clone(), class: op.class, reason }
        })?;
        operations.resize(builder.model.operators.len(), at);
    }
    let output = builder.tensor_of(lowered.output);
    let Builder { mut model, images, .. } = builder;
    model.output = output;
    Ok(Built { model, images, operations })
}

/// Operations whose activation runs inside them, by position: the function and the value that it makes. The positions of
/// the activations themselves have none.
fn fusions(lowered: &Lowered) -> Vec<Option<(Fused, Option<ValueId>)>> {
    let uses = lowered.uses();
    let mut producers: HashMap<ValueId, usize> = HashMap::new();
    let mut fused = vec![None; lowered.ops.len()];
    for (at, op) in lowered.ops.iter().enumerate() {
        producers.insert(op.output, at);
        let function = match &op.kind {
            OpKind::Activation(Activation::Relu) => Fused::Relu,
            OpKind::Activation(Activation::Relu6) => Fused::Relu6,
            _ => continue,
        };
        let input = op.inputs[0];
        let Some(&before) = producers.get(&input).filter(|_| uses[input] == 1) else { continue };
        let takes = matches!(
            &lowered.ops[before].kind,
            OpKind::Conv { .. } | OpKind::Depthwise { .. } | OpKind::Dense { .. } | OpKind::Combine(Combination::Add)
        );
        if takes {
            fused[before] = Some((function, Some(op.output)));
            fused[at] = Some((function, None));
        }
    }
    fused
}

struct Builder<'a> {
    lowered: &'a Lowered,
    model: Model,
    /// The tensor of each value.
    tensors: Vec<Option<TensorId>>,
    fused: Vec<Option<(Fused, Option<ValueId>)>>,
    images: TensorId,
}

/// Where a convolution's window lies and what it makes.
struct Place {
    strides: [usize; 2],
    dilation: [usize; 2],
    kernel: [usize; 2],
    pads: Pads,
}

impl Builder<'_> {
    fn tensor_of(&self, value: ValueId) -> TensorId {
        self.tensors[value].unwrap_or(self.model.input)
    }

    /// A result in fp32 of a shape without the batch, which holds the input's batch `copies` times.
    fn flow(&mut self, name: &str, shape: &[usize], copies: usize) -> TensorId {
        let with = |batch: i32| std::iter::once(batch).chain(shape.iter().map(|size| *size as i32)).collect();
        self.model.flow(name, Kind::Float32, with(copies as i32), with(-1))
    }

    /// The result of an operator between two of an operation, shaped like another tensor.
    fn like(&mut self, tensor: TensorId, name: String) -> TensorId {
        let like = &self.model.tensors[tensor];
        let (shape, signature) = (like.shape.clone(), like.signature.clone().unwrap_or_default());
        self.model.flow(name, Kind::Float32, shape, signature)
    }

    fn input(&mut self) {
        let value = &self.lowered.values[self.lowered.input];
        let kind = if value.number == Number::Uint8 { Kind::Uint8 } else { Kind::Float32 };
        let mut shape: Vec<i32> = value.shape.iter().map(|size| *size as i32).collect();
        if let ([height, width, channels], Layout::Nchw) = (&shape[..], self.lowered.options.layout) {
            shape = vec![*channels, *height, *width];
        }
        let with = |batch: i32| std::iter::once(batch).chain(shape.iter().copied()).collect::<Vec<i32>>();
        let input = self.model.flow(value.name.clone(), kind, with(1), with(-1));
        self.model.input = input;
        let mut first = input;
        if self.lowered.options.input == InputKind::Uint8 {
            // To numbers first: TFLite transposes those everywhere.
            let cast = self.like(input, format!("{}/cast", value.name));
            first = self.model.operator(Op::Cast(Kind::Uint8, Kind::Float32), vec![input], cast);
        }
        if self.lowered.options.layout == Layout::Nchw && shape.len() == 3 {
            let axes = self.model.ints(format!("{}/axes", value.name), vec![4], &[0, 2, 3, 1]);
            let output = self.flow(&format!("{}/nhwc", value.name), &value.shape, 1);
            first = self.model.operator(Op::Transpose, vec![first, axes], output);
        }
        self.tensors[self.lowered.input] = Some(first);
        self.images = first;
    }

    /// Adds the operators of an operation; the result's tensor has the name of its value.
    fn operation(&mut self, at: usize) -> Result<(), String> {
        let lowered = self.lowered;
        let op = &lowered.ops[at];
        let fused = match self.fused[at] {
            Some((_, None)) => return Ok(()),
            Some((function, Some(value))) => (function, value),
            None => (Fused::None, op.output),
        };
        let result = &lowered.values[fused.1];
        let (name, shape) = (&*result.name, &result.shape);
        let widest = op.inputs.iter().chain([&op.output]).map(|value| lowered.values[*value].shape.len() + 1).max();
        if widest.is_some_and(|axes| axes > MOST_AXES) {
            return Err(format!("TFLite's operators take at most {MOST_AXES} axes, the batch included"));
        }
        let inputs: Vec<TensorId> = op.inputs.iter().map(|value| self.tensor_of(*value)).collect();
        let x = inputs[0];
        let from = &lowered.values[op.inputs[0]].shape;
        if matches!(op.kind, OpKind::Identity) && fused.1 != lowered.output {
            self.tensors[fused.1] = Some(x);
            return Ok(());
        }
        let y = self.flow(name, shape, result.copies);
        self.tensors[fused.1] = Some(y);
        match &op.kind {
            OpKind::Identity | OpKind::Reshape => self.reshape(name, x, y),
            OpKind::FromBytes => {
                self.affine(name, x, y, &[2.0 / 255.0], &[-1.0]);
                self.images = y;
            }
            OpKind::MirrorBatch => {
                let axes = self.model.ints(format!("{name}/axes"), vec![1], &[2]);
                let mirrored = self.like(x, format!("{name}/mirrored"));
                self.model.operator(Op::ReverseV2, vec![x, axes], mirrored);
                self.model.operator(Op::Concatenation(0), vec![x, mirrored], y);
            }
            OpKind::MeanHalves => self.mean_halves(name, x, y),
            OpKind::Conv { kernel, bias, strides, pads, dilation, groups: _ } => {
                let &[height, width, inputs, outputs] = &kernel.shape[..] else { return Err("no kernel".to_owned()) };
                let place = Place { strides: *strides, dilation: *dilation, kernel: [height, width], pads: *pads };
                let rows = moved_last_first(kernel);
                let shape = [outputs, height, width, inputs].map(|size| size as i32).to_vec();
                let kernel = self.model.floats(format!("{name}/kernel"), shape, &rows);
                let bias = self.bias(name, bias.as_deref(), outputs);
                let (x, same) = self.padded(name, x, from, &place);
                let at = sliding(&place, same, fused.0);
                self.model.operator(Op::Conv2d(at), vec![x, kernel, bias], y);
            }
            OpKind::Depthwise { kernel, bias, strides, pads, dilation } => {
                let &[height, width, inputs, multiplier] = &kernel.shape[..] else {
                    return Err("no kernel".to_owned());
                };
                let place = Place { strides: *strides, dilation: *dilation, kernel: [height, width], pads: *pads };
                let shape = [1, height, width, inputs * multiplier].map(|size| size as i32).to_vec();
                let kernel = self.model.floats(format!("{name}/kernel"), shape, &kernel.data);
                let bias = self.bias(name, bias.as_deref(), inputs * multiplier);
                let (x, same) = self.padded(name, x, from, &place);
                let at = sliding(&place, same, fused.0);
                self.model.operator(Op::DepthwiseConv2d(at, multiplier as i32), vec![x, kernel, bias], y);
            }
            OpKind::Dense { kernel, bias } => {
                let &[inputs, outputs] = &kernel.shape[..] else { return Err("no kernel".to_owned()) };
                let shape = vec![outputs as i32, inputs as i32];
                let kernel = self.model.floats(format!("{name}/kernel"), shape, &moved_last_first(kernel));
                let bias = self.bias(name, bias.as_deref(), outputs);
                self.model.operator(Op::FullyConnected(fused.0, from.len() > 1), vec![x, kernel, bias], y);
            }
            OpKind::Affine { scale, offset } => self.affine(name, x, y, scale, offset),
            OpKind::LayerNorm { epsilon, gamma, beta } => {
                self.layer_norm(name, x, y, *epsilon, gamma.as_deref(), beta.as_deref());
            }
            OpKind::Unit => {
                self.model.operator(Op::L2Normalization, vec![x], y);
            }
            OpKind::PRelu { alpha } => {
                let shape = alpha.shape.iter().map(|size| *size as i32).collect();
                let alpha = self.model.floats(format!("{name}/alpha"), shape, &alpha.data);
                self.model.operator(Op::Prelu, vec![x, alpha], y);
            }
            OpKind::Activation(activation) => self.activation(name, x, y, *activation),
            OpKind::Relu { max, slope, threshold } => self.relu(name, x, y, *max, *slope, *threshold),
            OpKind::Combine(combination) => self.combine(name, &inputs, y, *combination, fused.0),
            OpKind::Concat { axis } => {
                self.model.operator(Op::Concatenation(*axis as i32 + 1), inputs, y);
            }
            OpKind::Transpose { axes } => {
                let axes: Vec<i32> = std::iter::once(0).chain(axes.iter().map(|axis| *axis as i32 + 1)).collect();
                let axes = self.model.ints(format!("{name}/axes"), vec![axes.len() as i32], &axes);
                self.model.operator(Op::Transpose, vec![x, axes], y);
            }
            OpKind::GlobalAverage { keepdims } | OpKind::GlobalMax { keepdims } => {
                let axes = self.model.ints(format!("{name}/axes"), vec![2], &[1, 2]);
                let mean = matches!(op.kind, OpKind::GlobalAverage { .. });
                let op = if mean { Op::Mean(*keepdims) } else { Op::ReduceMax(*keepdims) };
                self.model.operator(op, vec![x, axes], y);
            }
            OpKind::MaxPool { kernel, strides, pads } | OpKind::AveragePool { kernel, strides, pads } => {
                let place = Place { strides: *strides, dilation: [1; 2], kernel: *kernel, pads: *pads };
                let Some(same) = padding(from, &place) else {
                    return Err(format!("TFLite's pooling cannot be padded by {pads:?}"));
                };
                let (at, kernel) = (sliding(&place, same, Fused::None), kernel.map(|size| size as i32));
                let max = matches!(op.kind, OpKind::MaxPool { .. });
                self.model.operator(
                    if max { Op::MaxPool2d(at, kernel) } else { Op::AveragePool2d(at, kernel) },
                    vec![x],
                    y,
                );
            }
            OpKind::Pad { pads } => {
                self.pad(name, x, pads, y);
            }
            OpKind::Crop { edges } => {
                let end = |size: usize, edge: usize| (size - edge) as i32;
                let begin = [0, edges.top as i32, edges.left as i32, 0];
                let end = [0, end(from[0], edges.bottom), end(from[1], edges.right), 0];
                let lists = [("begin", begin), ("end", end), ("strides", [1; 4])];
                let lists = lists.map(|(list, values)| self.model.ints(format!("{name}/{list}"), vec![4], &values));
                let inputs = std::iter::once(x).chain(lists).collect();
                self.model.operator(Op::StridedSlice(0b1001, 0b1001), inputs, y);
            }
            OpKind::Upsample { bilinear, .. } => {
                let size = [shape[0] as i32, shape[1] as i32];
                let size = self.model.ints(format!("{name}/size"), vec![2], &size);
                let op = if *bilinear { Op::ResizeBilinear } else { Op::ResizeNearest };
                self.model.operator(op, vec![x, size], y);
            }
        }
        Ok(())
    }

    fn bias(&mut self, name: &str, bias: Option<&[f32]>, outputs: usize) -> TensorId {
        let zeros = vec![0.0; outputs];
        self.model.floats(format!("{name}/bias"), vec![outputs as i32], bias.unwrap_or(&zeros))
    }

    /// The map a window slides over, and whether `SAME` pads it: an operator of its own pads where that does not.
    fn padded(&mut self, name: &str, x: TensorId, from: &[usize], place: &Place) -> (TensorId, bool) {
        if let Some(same) = padding(from, place) {
            return (x, same);
        }
        let Pads { top, bottom, left, right } = place.pads;
        let shape = [from[0] + top + bottom, from[1] + left + right, from[2]];
        let copies = self.model.tensors[x].shape[0] as usize;
        let y = self.flow(&format!("{name}/padded"), &shape, copies);
        (self.pad(name, x, &place.pads, y), false)
    }

    fn pad(&mut self, name: &str, x: TensorId, pads: &Pads, y: TensorId) -> TensorId {
        let zeros = [0, 0, pads.top, pads.bottom, pads.left, pads.right, 0, 0].map(|size| size as i32);
        let zeros = self.model.ints(format!("{name}/zeros"), vec![4, 2], &zeros);
        self.model.operator(Op::Pad, vec![x, zeros], y)
    }

    fn reshape(&mut self, name: &str, x: TensorId, y: TensorId) {
        let shape = self.model.tensors[y].signature.clone().unwrap_or_default();
        let shape = self.model.ints(format!("{name}/shape"), vec![shape.len() as i32], &shape);
        self.model.operator(Op::Reshape, vec![x, shape], y);
    }

    /// (2 B, ...) as (2, B, ...), whose mean over the first axis it is.
    fn mean_halves(&mut self, name: &str, x: TensorId, y: TensorId) {
        let result = self.model.tensors[y].clone();
        let two = |shape: Vec<i32>| std::iter::once(2).chain(shape).collect();
        let signature = two(result.signature.unwrap_or_default());
        let halves = self.model.flow(format!("{name}/halves"), Kind::Float32, two(result.shape), signature);
        self.reshape(&format!("{name}/halves"), x, halves);
        let axes = self.model.ints(format!("{name}/axes"), vec![1], &[0]);
        self.model.operator(Op::Mean(false), vec![halves, axes], y);
    }
}

/// Whether `SAME` pads as wanted, or nothing does; none where neither is so.
fn padding(from: &[usize], place: &Place) -> Option<bool> {
    if place.pads.is_none() {
        return Some(false);
    }
    let same = |axis: usize| same_padding(from[axis], place.kernel[axis], place.strides[axis], place.dilation[axis]);
    let Pads { top, bottom, left, right } = place.pads;
    (same(0) == (top, bottom) && same(1) == (left, right)).then_some(true)
}

fn sliding(place: &Place, same: bool, fused: Fused) -> Sliding {
    let [strides, dilation] = [place.strides, place.dilation].map(|pair| pair.map(|size| size as i32));
    Sliding { strides, dilation, same, fused }
}

/// The elements with the last axis moved to the front.
fn moved_last_first(array: &Array) -> Vec<f32> {
    let columns = array.shape.last().copied().unwrap_or(1).max(1);
    let rows = array.data.len() / columns;
    (0..columns).flat_map(|column| (0..rows).map(move |row| array.data[row * columns + column])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_axis_moves_to_the_front() {
        let array = Array { shape: vec![2, 3], data: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0] };
        assert_eq!(moved_last_first(&array), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    }

    #[test]
    fn only_tensorflows_own_padding_is_same() {
        let pads = |top, bottom, left, right| Pads { top, bottom, left, right };
        let place = |pads| Place { strides: [2; 2], dilation: [1; 2], kernel: [3; 2], pads };
        assert_eq!(padding(&[112, 112, 3], &place(pads(0, 1, 0, 1))), Some(true));
        assert_eq!(padding(&[112, 112, 3], &place(pads(1, 0, 1, 0))), None);
        assert_eq!(padding(&[112, 112, 3], &place(Pads::NONE)), Some(false));
    }
}
