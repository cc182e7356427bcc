//! int8: a fp32 model with the ranges of its tensors becomes one of integer operators.
//!
//! As TFLite's int8 kernels want it: activations in int8 with a scale and a zero point a tensor, kernels in int8 with a
//! scale for each output channel and zero point 0, biases in int32 with the product of the input's and the kernel's
//! scales, fixed scales behind softmax and its like, one scale on both sides of what only moves numbers. Operations that
//! have no good integer kernel (divisions, exponentials, layer normalisation) stay in fp32 between a `DEQUANTIZE` and a
//! `QUANTIZE`; the result says which.

pub(super) mod ranges;
pub(super) mod scales;
mod weights;

use std::collections::BTreeSet;

use super::build::Built;
use super::model::{Model, Operator};
use super::op::Op;
use super::tensor::{Kind, Tensor, TensorId};
use scales::Quantization;

/// A byte of an image stands for `(byte - 128) * 2 / 255`: half a step below `(byte - 127.5) * 2 / 255`, which the first
/// convolution's bias makes good.
const BYTE_SCALE: f32 = 2.0 / 255.0;
const BYTE_SHIFT: f64 = 1.0 / 255.0;

/// Images of -1 to 1 in int8. Not 2 / 255: every byte would lie between two integers.
const IMAGE_SCALE: f32 = 1.0 / 127.0;

/// An int8 model.
pub(super) struct Quantized {
    pub(super) model: Model,
    /// Operators that stayed in fp32, by name, each once.
    pub(super) in_float: Vec<String>,
}

/// Makes the int8 model; `ranges` has one for each tensor.
pub(super) fn quantize(built: &Built, ranges: &[(f32, f32)]) -> Quantized {
    let from = &built.model;
    let to = Model { description: from.description.clone(), metadata: from.metadata.clone(), ..Model::default() };
    let none = vec![None; from.tensors.len()];
    let shifted = vec![false; from.tensors.len()];
    let mut quantizer = Quantizer { from, to, ranges, images: built.images, ints: none.clone(), floats: none, shifted };
    quantizer.input();
    let mut in_float = BTreeSet::new();
    let float_operations = float_operations(built);
    let mut preparing = from.tensors[from.input].kind == Kind::Uint8;
    for (operator, operation) in from.operators.iter().zip(&built.operations) {
        if preparing && operator.op != Op::Transpose {
            // The bytes stand for the images already: nothing has to be computed.
            quantizer.ints[operator.output] = quantizer.ints[operator.inputs[0]];
            quantizer.shifted[operator.output] = true;
        } else if float_operations.contains(operation) {
            in_float.insert(operator.op.entry().name.to_owned());
            quantizer.in_float(operator);
        } else {
            quantizer.in_int8(operator);
        }
        preparing &= operator.output != built.images;
    }
    let output = quantizer.float(from.output);
    let mut model = quantizer.to;
    model.output = output;
    Quantized { model, in_float: in_float.into_iter().collect() }
}

/// The operations that stay in fp32: those with an operator of no good integer kernel, and a normalisation of the result,
/// which loses nothing and keeps the embeddings fine.
fn float_operations(built: &Built) -> BTreeSet<usize> {
    let stays = |operator: &Operator| match operator.op {
        Op::L2Normalization => operator.output == built.model.output,
        op => matches!(
            op,
            Op::Div(_) | Op::Exp | Op::Log | Op::Abs | Op::Rsqrt | Op::SquaredDifference | Op::Greater | Op::Cast(..)
        ),
    };
    let operators = built.model.operators.iter().zip(&built.operations);
    operators.filter(|(operator, at)| **at != usize::MAX && stays(operator)).map(|(_, at)| *at).collect()
}

struct Quantizer<'a> {
    from: &'a Model,
    to: Model,
    ranges: &'a [(f32, f32)],
    images: TensorId,
    /// For each tensor of the fp32 model its int8 form, where there is one.
    ints: Vec<Option<TensorId>>,
    /// Its fp32 form.
    floats: Vec<Option<TensorId>>,
    /// Whether its int8 form lies half a byte's step below it.
    shifted: Vec<bool>,
}

impl Quantizer<'_> {
    fn input(&mut self) {
        let mut input = self.from.tensors[self.from.input].clone();
        let bytes = input.kind == Kind::Uint8;
        if bytes {
            input.quantization = Some(Quantization::whole(BYTE_SCALE, 128));
        }
        self.to.input = self.to.tensor(input);
        if bytes {
            let int8 = self.flow(self.from.input, "/int8", Some(Quantization::whole(BYTE_SCALE, 0)));
            self.to.operator(Op::Quantize, vec![self.to.input], int8);
            self.ints[self.from.input] = Some(int8);
            self.shifted[self.from.input] = true;
        } else {
            self.floats[self.from.input] = Some(self.to.input);
        }
    }

    /// A tensor shaped as one of the fp32 model: int8 with a quantisation, otherwise fp32.
    fn flow(&mut self, like: TensorId, suffix: &str, quantization: Option<Quantization>) -> TensorId {
        let Tensor { name, shape, signature, .. } = &self.from.tensors[like];
        let kind = if quantization.is_some() { Kind::Int8 } else { Kind::Float32 };
        let (name, shape, signature) = (format!("{name}{suffix}"), shape.clone(), signature.clone());
        self.to.tensor(Tensor { name, shape, signature, kind, quantization, data: None })
    }

    /// The quantisation of a tensor by its range.
    fn by_range(&self, id: TensorId) -> Quantization {
        if id == self.images || id == self.from.input {
            return Quantization::whole(IMAGE_SCALE, 0);
        }
        let (low, high) = self.ranges[id];
        Quantization::of_range(low, high)
    }

    /// The quantisation that a tensor's int8 form has, or would get.
    fn quantization(&self, id: TensorId) -> Quantization {
        let known = self.ints[id].and_then(|int8| self.to.tensors[int8].quantization.clone());
        known.unwrap_or_else(|| self.by_range(id))
    }

    /// The fp32 form of a tensor.
    fn float(&mut self, id: TensorId) -> TensorId {
        if let Some(float) = self.floats[id] {
            return float;
        }
        let float = match self.ints[id] {
            Some(int8) => {
                // The result keeps its name.
                let last = id == self.from.output;
                if last {
                    self.to.tensors[int8].name.push_str("/int8");
                }
                let float = self.flow(id, if last { "" } else { "/float" }, None);
                self.to.operator(Op::Dequantize, vec![int8], float)
            }
            None => self.to.tensor(self.from.tensors[id].clone()),
        };
        self.floats[id] = Some(float);
        float
    }

    /// The int8 form of a tensor, in a quantisation where one is wanted.
    fn int8(&mut self, id: TensorId, wanted: Option<&Quantization>) -> TensorId {
        if let Some(values) = self.from.tensors[id].floats() {
            return self.constant(id, &values, wanted);
        }
        let quantization = wanted.cloned().unwrap_or_else(|| self.quantization(id));
        match self.ints[id] {
            Some(int8) if self.to.tensors[int8].quantization.as_ref() == Some(&quantization) => int8,
            Some(int8) => {
                let output = self.flow(id, "/requantized", Some(quantization));
                self.to.operator(Op::Quantize, vec![int8], output)
            }
            None => {
                let float = self.float(id);
                let output = self.flow(id, "/int8", Some(quantization));
                self.ints[id] = Some(output);
                self.to.operator(Op::Quantize, vec![float], output)
            }
        }
    }

    /// A fp32 constant in int8.
    fn constant(&mut self, id: TensorId, values: &[f32], wanted: Option<&Quantization>) -> TensorId {
        let least = values.iter().copied().fold(0.0, f32::min);
        let largest = values.iter().copied().fold(0.0, f32::max);
        let quantization = wanted.cloned().unwrap_or_else(|| Quantization::of_range(least, largest));
        let (scale, zero) = (f64::from(quantization.scales[0]), quantization.zero_point as f64);
        let byte = |value: &f32| ((f64::from(*value) / scale).round() + zero).clamp(-128.0, 127.0) as i8;
        let data = Some(values.iter().map(|value| byte(value).cast_unsigned()).collect());
        let Tensor { name, shape, .. } = self.from.tensors[id].clone();
        let (quantization, kind) = (Some(quantization), Kind::Int8);
        self.to.tensor(Tensor { name, shape, signature: None, kind, quantization, data })
    }

    /// An operator as it is, between fp32 tensors.
    fn in_float(&mut self, operator: &Operator) {
        let inputs = operator.inputs.iter().map(|input| self.float(*input)).collect();
        let mut output = self.from.tensors[operator.output].clone();
        output.data = None;
        let output = self.to.tensor(output);
        self.floats[operator.output] = Some(output);
        self.to.operator(operator.op, inputs, output);
    }

    fn in_int8(&mut self, operator: &Operator) {
        let Operator { op, inputs, output } = operator;
        let first = inputs[0];
        let quantization = match op {
            Op::Logistic | Op::Softmax => Quantization::whole(1.0 / 256.0, -128),
            Op::Tanh | Op::L2Normalization => Quantization::whole(1.0 / 128.0, 0),
            // These only move or choose numbers.
            Op::AveragePool2d(..)
            | Op::MaxPool2d(..)
            | Op::ReduceMax(_)
            | Op::Reshape
            | Op::Transpose
            | Op::Pad
            | Op::StridedSlice(..)
            | Op::ReverseV2
            | Op::ResizeBilinear
            | Op::ResizeNearest => self.quantization(first),
            Op::Concatenation(_) | Op::Maximum | Op::Minimum => self.common(inputs),
            _ => self.by_range(*output),
        };
        if matches!(op, Op::Transpose | Op::Pad | Op::ReverseV2 | Op::Concatenation(_)) {
            self.shifted[*output] = inputs.iter().any(|input| self.shifted[*input]);
        }
        match op {
            Op::Conv2d(_) | Op::DepthwiseConv2d(..) => {
                let channels = if matches!(op, Op::Conv2d(_)) { 0 } else { 3 };
                let x = self.int8(first, None);
                let (kernel, bias) = self.weights(inputs, channels, &quantization);
                let y = self.result(*output, quantization);
                self.to.operator(*op, vec![x, kernel, bias], y);
            }
            Op::FullyConnected(fused, _) => self.dense(inputs, *output, *fused, quantization),
            _ => {
                // What is chosen from several must be of one quantisation.
                let one = matches!(op, Op::Concatenation(_) | Op::Maximum | Op::Minimum);
                let wanted = one.then(|| quantization.clone());
                let inputs = inputs.iter().map(|input| match self.from.tensors[*input].kind {
                    Kind::Float32 => self.int8(*input, wanted.as_ref()),
                    _ => self.float(*input),
                });
                let inputs = inputs.collect();
                let y = self.result(*output, quantization);
                self.to.operator(*op, inputs, y);
            }
        }
    }

    /// The int8 result of an operator.
    fn result(&mut self, id: TensorId, quantization: Quantization) -> TensorId {
        let output = self.flow(id, "", Some(quantization));
        self.ints[id] = Some(output);
        output
    }

    /// A quantisation for several inputs: that of the widest range; constants do not count where something else does.
    fn common(&self, inputs: &[TensorId]) -> Quantization {
        let flowing = inputs.iter().filter(|input| self.from.tensors[**input].data.is_none());
        let all: Vec<Quantization> = flowing.map(|input| self.quantization(*input)).collect();
        match &all[..] {
            [first, rest @ ..] if rest.iter().all(|other| other == first) => first.clone(),
            [] => Quantization::of_range(-1.0, 1.0),
            all => {
                let ends = |(low, high): (f32, f32), (other_low, other_high): (f32, f32)| {
                    (low.min(other_low), high.max(other_high))
                };
                let (low, high) = all.iter().map(Quantization::range).fold((0.0, 0.0), ends);
                Quantization::of_range(low, high)
            }
        }
    }
}
