//! TFLite's operators on libtorch: runs a model as its file says. It stands in where no TFLite is at hand, and it shows the
//! range of every tensor to the calibration.
//!
//! int8 tensors are kept as the numbers they stand for, rounded and bounded as int8 is: the same arithmetic as the
//! runtime's up to the rounding of its fixed-point factors.

use tch::{Device, Kind as Number, Tensor};

use super::int8::scales::Quantization;
use super::model::{Model, Operator};
use super::op::{Fused, Op, Sliding};
use super::tensor::{Kind, TensorId};
use crate::graph::shape::same_padding;

/// A model whose constants are laid out.
pub(super) struct Interpreter<'a> {
    model: &'a Model,
    constants: Vec<Option<Tensor>>,
    /// For each operator, the tensors that nothing needs after it.
    released: Vec<Vec<TensorId>>,
}

impl<'a> Interpreter<'a> {
    /// Lays a model's constants out.
    pub(super) fn new(model: &'a Model) -> Self {
        let mut last_use = vec![0; model.tensors.len()];
        for (at, operator) in model.operators.iter().enumerate() {
            operator.inputs.iter().for_each(|input| last_use[*input] = at);
        }
        let mut released = vec![Vec::new(); model.operators.len()];
        for (id, at) in last_use.into_iter().enumerate() {
            if id != model.output && !released.is_empty() {
                released[at].push(id);
            }
        }
        Self { model, constants: model.tensors.iter().map(constant).collect(), released }
    }

    /// The output for images (B, ...) of the input's axes; bytes as numbers. `observe` sees what each operator makes, and
    /// the input.
    pub(super) fn run(&self, images: &Tensor, observe: &mut dyn FnMut(TensorId, &Tensor)) -> Tensor {
        let mut values: Vec<Option<Tensor>> = (0..self.model.tensors.len()).map(|_| None).collect();
        let images = images.to_kind(Number::Float);
        let input = match &self.model.tensors[self.model.input].quantization {
            // Bytes that stand for numbers.
            Some(Quantization { scales, zero_point, .. }) => (images - *zero_point as f64) * f64::from(scales[0]),
            None => images,
        };
        observe(self.model.input, &input);
        values[self.model.input] = Some(input);
        for (operator, released) in self.model.operators.iter().zip(&self.released) {
            let inputs: Vec<&Tensor> =
                operator.inputs.iter().filter_map(|id| values[*id].as_ref().or(self.constants[*id].as_ref())).collect();
            let result = self.snapped(operator, self.apply(operator, &inputs));
            observe(operator.output, &result);
            values[operator.output] = Some(result);
            for id in released {
                values[*id] = None;
            }
        }
        values.swap_remove(self.model.output).unwrap_or_default()
    }

    /// A result as its tensor can hold it.
    fn snapped(&self, operator: &Operator, result: Tensor) -> Tensor {
        let tensor = &self.model.tensors[operator.output];
        match &tensor.quantization {
            Some(Quantization { scales, zero_point, .. }) if tensor.kind == Kind::Int8 => {
                let (scale, zero) = (f64::from(scales[0]), *zero_point as f64);
                ((result / scale).round() + zero).clamp(-128.0, 127.0).g_sub_scalar(zero) * scale
            }
            _ => result,
        }
    }

    fn apply(&self, operator: &Operator, inputs: &[&Tensor]) -> Tensor {
        let x = inputs[0];
        let ints = |place: usize| {
            let id = operator.inputs.get(place).copied().unwrap_or(0);
            let ints = self.model.tensors[id].ints().unwrap_or_default();
            ints.into_iter().map(i64::from).collect::<Vec<i64>>()
        };
        match operator.op {
            Op::Add(fused) => finish(fused, x + inputs[1]),
            Op::Sub(fused) => finish(fused, x - inputs[1]),
            Op::Mul(fused) => finish(fused, x * inputs[1]),
            Op::Div(fused) => finish(fused, x / inputs[1]),
            Op::Maximum => x.maximum(inputs[1]),
            Op::Minimum => x.minimum(inputs[1]),
            Op::Conv2d(at) => {
                let kernel = inputs[1].permute([0, 3, 1, 2]);
                convolve(x, &kernel, inputs[2], &at, x.size()[3] / kernel.size()[1])
            }
            Op::DepthwiseConv2d(at, _) => {
                let kernel = inputs[1].permute([3, 0, 1, 2]);
                convolve(x, &kernel, inputs[2], &at, x.size()[3])
            }
            Op::FullyConnected(fused, keep) => {
                let columns = inputs[1].size()[1];
                let rows = if keep { x.shallow_clone() } else { x.reshape([-1, columns]) };
                finish(fused, rows.matmul(&inputs[1].transpose(0, 1)) + inputs[2])
            }
            Op::AveragePool2d(at, kernel) => {
                let pool = |x: &Tensor| {
                    let [kernel, strides] = [kernel, at.strides].map(|pair| pair.map(i64::from));
                    x.avg_pool2d(kernel, strides, [0, 0], false, true, None)
                };
                let map = nchw(x);
                let inside = Tensor::ones([1, 1, map.size()[2], map.size()[3]], (map.kind(), map.device()));
                let [map, inside] = [map, inside].map(|map| pool(&padded(&map, &at, kernel, 0.0)));
                nhwc(&(map / inside))
            }
            Op::MaxPool2d(at, kernel) => {
                let [sizes, strides] = [kernel, at.strides].map(|pair| pair.map(i64::from));
                let map = padded(&nchw(x), &at, kernel, f64::NEG_INFINITY);
                nhwc(&map.max_pool2d(sizes, strides, [0, 0], [1, 1], false))
            }
            Op::Mean(keep) => x.mean_dim(ints(1).as_slice(), keep, None),
            Op::ReduceMax(keep) => x.amax(ints(1).as_slice(), keep),
            Op::Reshape => x.reshape(ints(1).as_slice()),
            Op::Transpose => x.permute(ints(1).as_slice()),
            Op::Concatenation(axis) => Tensor::cat(inputs, i64::from(axis)),
            Op::Pad => {
                // libtorch wants the last axis first.
                let zeros: Vec<i64> = ints(1).chunks(2).rev().flatten().copied().collect();
                x.constant_pad_nd(zeros.as_slice())
            }
            Op::StridedSlice(begin_mask, end_mask) => {
                let (begin, end, strides) = (ints(1), ints(2), ints(3));
                (0..begin.len()).fold(x.shallow_clone(), |x, axis| {
                    let set = |mask: i32, at: i64| (mask >> axis & 1 == 0).then_some(at);
                    x.slice(axis as i64, set(begin_mask, begin[axis]), set(end_mask, end[axis]), strides[axis])
                })
            }
            Op::ReverseV2 => x.flip(ints(1).as_slice()),
            Op::ResizeBilinear => nhwc(&nchw(x).upsample_bilinear2d(ints(1).as_slice(), false, None, None)),
            Op::ResizeNearest => nhwc(&nchw(x).upsample_nearest2d(ints(1).as_slice(), None, None)),
            Op::Relu => x.relu(),
            Op::Relu6 => x.clamp(0.0, 6.0),
            Op::LeakyRelu(slope) => x.clamp_min(0.0) + x.clamp_max(0.0) * f64::from(slope),
            Op::Prelu => x.clamp_min(0.0) + x.clamp_max(0.0) * inputs[1],
            Op::Elu => x.elu(),
            Op::Logistic => x.sigmoid(),
            Op::Tanh => x.tanh(),
            Op::HardSwish => x.hardswish(),
            Op::Gelu(approximate) => x.gelu(if approximate { "tanh" } else { "none" }),
            Op::Softmax => x.softmax(-1, None),
            Op::Exp => x.exp(),
            Op::Log => x.log(),
            Op::Abs => x.abs(),
            Op::Rsqrt => x.rsqrt(),
            Op::SquaredDifference => (x - inputs[1]).square(),
            Op::Greater => x.gt_tensor(inputs[1]).to_kind(Number::Float),
            Op::L2Normalization => {
                let length = x.square().sum_dim_intlist([-1i64].as_slice(), true, None).sqrt();
                x / length.clamp_min(1e-6)
            }
            Op::Cast(..) | Op::Quantize | Op::Dequantize => x.shallow_clone(),
        }
    }
}

/// The numbers that a constant's elements stand for; shapes and axes stay with the model.
fn constant(tensor: &super::tensor::Tensor) -> Option<Tensor> {
    let data = tensor.data.as_ref()?;
    let values: Vec<f32> = match tensor.kind {
        Kind::Float32 => tensor.floats()?,
        Kind::Float16 => {
            data.chunks_exact(2).map(|two| super::fp16::to_f32(u16::from_le_bytes([two[0], two[1]]))).collect()
        }
        Kind::Int32 => tensor.ints()?.into_iter().map(|value| value as f32).collect(),
        Kind::Int8 => data.iter().map(|byte| f32::from(byte.cast_signed())).collect(),
        Kind::Uint8 | Kind::Bool => data.iter().map(|byte| f32::from(*byte)).collect(),
    };
    let shape: Vec<i64> = tensor.shape.iter().map(|size| i64::from(*size)).collect();
    let values = Tensor::from_slice(&values).reshape(shape.as_slice());
    let Some(Quantization { scales, zero_point, axis }) = &tensor.quantization else { return Some(values) };
    let mut along = vec![1; shape.len()];
    along[*axis as usize] = scales.len() as i64;
    let scales = Tensor::from_slice(scales).reshape(along.as_slice()).to_device(Device::Cpu);
    Some((values - *zero_point as f64) * scales)
}

fn finish(fused: Fused, result: Tensor) -> Tensor {
    match fused {
        Fused::None => result,
        Fused::Relu => result.relu(),
        Fused::Relu6 => result.clamp(0.0, 6.0),
    }
}

fn nchw(x: &Tensor) -> Tensor {
    x.permute([0, 3, 1, 2])
}

fn nhwc(x: &Tensor) -> Tensor {
    x.permute([0, 2, 3, 1])
}

/// A map (B, C, H, W) with `SAME` padding written out.
fn padded(x: &Tensor, at: &Sliding, kernel: [i32; 2], value: f64) -> Tensor {
    if !at.same {
        return x.shallow_clone();
    }
    let size = x.size();
    let [(top, bottom), (left, right)] = [0, 1].map(|axis| {
        let of = |pair: [i32; 2]| pair[axis].max(1) as usize;
        let (before, after) = same_padding(size[axis + 2] as usize, of(kernel), of(at.strides), of(at.dilation));
        (before as i64, after as i64)
    });
    x.f_pad([left, right, top, bottom], "constant", value).unwrap_or_else(|error| panic!("padding failed: {error}"))
}

/// A convolution of a map (B, H, W, C) with a kernel (out, in, H, W).
fn convolve(x: &Tensor, kernel: &Tensor, bias: &Tensor, at: &Sliding, groups: i64) -> Tensor {
    let size = kernel.size();
    let map = padded(&nchw(x), at, [size[2] as i32, size[3] as i32], 0.0);
    let [strides, dilation] = [at.strides, at.dilation].map(|pair| pair.map(i64::from));
    finish(at.fused, nhwc(&map.conv2d(kernel, Some(bias), strides, [0, 0], dilation, groups)))
}
