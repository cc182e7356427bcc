//! Element-wise functions, combinations and layer normalisation out of TFLite's operators.

use super::super::super::lower::Combination;
use super::super::op::{Fused, Op};
use super::super::tensor::{Kind, TensorId};
use super::Builder;
use crate::graph::layer::Activation;

/// Klambauer et al. 2017.
const SELU_ALPHA: f64 = 1.673_263_242_354_377_2;
/// Klambauer et al. 2017.
const SELU_SCALE: f64 = 1.050_700_987_355_480_5;

impl Builder<'_> {
    /// The result of a unary or binary operator with a tensor's shape.
    fn step(&mut self, op: Op, inputs: Vec<TensorId>, like: TensorId, name: String) -> TensorId {
        let output = self.like(like, name);
        self.model.operator(op, inputs, output)
    }

    /// A constant for the last axis: one number, or one a place.
    fn channels(&mut self, name: String, values: &[f32]) -> TensorId {
        self.model.floats(name, vec![values.len() as i32], values)
    }

    /// An operator of a tensor and a number.
    fn with(&mut self, op: Op, x: TensorId, number: f64, name: &str) -> TensorId {
        let constant = self.channels(format!("{name}/number"), &[number as f32]);
        self.step(op, vec![x, constant], x, name.to_owned())
    }

    /// `x * scale + offset`.
    pub(super) fn affine(&mut self, name: &str, x: TensorId, y: TensorId, scale: &[f32], offset: &[f32]) {
        let none = |values: &[f32], nothing: f32| values.iter().all(|value| value.to_bits() == nothing.to_bits());
        let (scales, offsets) = (!none(scale, 1.0), !none(offset, 0.0));
        let mut last = x;
        if scales || !offsets {
            let factor = self.channels(format!("{name}/scale"), scale);
            let output = if offsets { self.like(x, format!("{name}/scaled")) } else { y };
            last = self.model.operator(Op::Mul(Fused::None), vec![x, factor], output);
        }
        if offsets {
            let summand = self.channels(format!("{name}/offset"), offset);
            self.model.operator(Op::Add(Fused::None), vec![last, summand], y);
        }
    }

    pub(super) fn combine(&mut self, name: &str, inputs: &[TensorId], y: TensorId, how: Combination, fused: Fused) {
        let op = |fused: Fused| match how {
            Combination::Add | Combination::Average => Op::Add(fused),
            Combination::Multiply => Op::Mul(fused),
            Combination::Subtract => Op::Sub(fused),
            Combination::Maximum => Op::Maximum,
            Combination::Minimum => Op::Minimum,
        };
        let average = how == Combination::Average;
        let (mut last, count) = (inputs[0], inputs.len());
        for (place, input) in inputs.iter().enumerate().skip(1) {
            let end = place + 1 == count && !average;
            let output = if end { y } else { self.stretched(last, *input, format!("{name}/{place}")) };
            last = self.model.operator(op(if end { fused } else { Fused::None }), vec![last, *input], output);
        }
        if average {
            let share = self.channels(format!("{name}/share"), &[(1.0 / count as f64) as f32]);
            self.model.operator(Op::Mul(Fused::None), vec![last, share], y);
        }
    }

    /// A result of the shape that two inputs stretch to.
    fn stretched(&mut self, one: TensorId, other: TensorId, name: String) -> TensorId {
        let (one, other) = (&self.model.tensors[one], &self.model.tensors[other]);
        let widest = |one: &[i32], other: &[i32]| one.iter().zip(other).map(|(a, b)| *a.max(b)).collect::<Vec<i32>>();
        let shape = widest(&one.shape, &other.shape);
        let mut signature = shape.clone();
        signature[0] = -1;
        self.model.flow(name, Kind::Float32, shape, signature)
    }

    /// An activation; never linear.
    pub(super) fn activation(&mut self, name: &str, x: TensorId, y: TensorId, activation: Activation) {
        let part = |part: &str| format!("{name}/{part}");
        let (add, mul) = (Op::Add(Fused::None), Op::Mul(Fused::None));
        let one = match activation {
            Activation::Relu => Op::Relu,
            Activation::Relu6 => Op::Relu6,
            Activation::LeakyRelu(slope) => Op::LeakyRelu(slope as f32),
            Activation::Elu(1.0) => Op::Elu,
            Activation::Exponential => Op::Exp,
            Activation::Sigmoid => Op::Logistic,
            Activation::HardSwish => Op::HardSwish,
            Activation::Tanh => Op::Tanh,
            Activation::Gelu => Op::Gelu(false),
            Activation::GeluTanh => Op::Gelu(true),
            Activation::Softmax => Op::Softmax,
            Activation::Elu(alpha) => return self.elu(name, x, y, 1.0, alpha),
            Activation::Selu => return self.elu(name, x, y, SELU_SCALE, SELU_SCALE * SELU_ALPHA),
            Activation::Softplus => return self.softplus(name, x, y),
            Activation::Softsign => {
                let length = self.step(Op::Abs, vec![x], x, part("abs"));
                let length = self.with(add, length, 1.0, &part("length"));
                self.model.operator(Op::Div(Fused::None), vec![x, length], y);
                return;
            }
            Activation::HardSigmoid => {
                let line = self.with(mul, x, 0.2, &part("slope"));
                let line = self.with(add, line, 0.5, &part("line"));
                let line = self.with(Op::Minimum, line, 1.0, &part("below"));
                let zero = self.channels(part("zero"), &[0.0]);
                self.model.operator(Op::Maximum, vec![line, zero], y);
                return;
            }
            Activation::HardSigmoid6 => {
                let line = self.with(Op::Add(Fused::Relu6), x, 3.0, &part("line"));
                let sixth = self.channels(part("sixth"), &[1.0 / 6.0]);
                self.model.operator(mul, vec![line, sixth], y);
                return;
            }
            Activation::Swish => {
                let share = self.step(Op::Logistic, vec![x], x, part("share"));
                self.model.operator(mul, vec![x, share], y);
                return;
            }
            Activation::Mish => {
                let plus = self.like(x, part("softplus"));
                self.softplus(&part("softplus"), x, plus);
                let share = self.step(Op::Tanh, vec![plus], x, part("share"));
                self.model.operator(mul, vec![x, share], y);
                return;
            }
            Activation::Linear => return self.reshape(name, x, y),
        };
        self.model.operator(one, vec![x], y);
    }

    /// `above * max(x, 0) + below * (exp(min(x, 0)) - 1)`.
    fn elu(&mut self, name: &str, x: TensorId, y: TensorId, above: f64, below: f64) {
        let part = |part: &str| format!("{name}/{part}");
        let positive = self.step(Op::Relu, vec![x], x, part("positive"));
        let positive = self.with(Op::Mul(Fused::None), positive, above, &part("above"));
        let negative = self.with(Op::Minimum, x, 0.0, &part("negative"));
        let negative = self.step(Op::Elu, vec![negative], x, part("elu"));
        let negative = self.with(Op::Mul(Fused::None), negative, below, &part("below"));
        self.model.operator(Op::Add(Fused::None), vec![positive, negative], y);
    }

    /// `max(x, 0) + ln(1 + exp(-|x|))`, which overflows nowhere.
    fn softplus(&mut self, name: &str, x: TensorId, y: TensorId) {
        let part = |part: &str| format!("{name}/{part}");
        let positive = self.step(Op::Relu, vec![x], x, part("positive"));
        let last = self.step(Op::Abs, vec![x], x, part("abs"));
        let last = self.with(Op::Mul(Fused::None), last, -1.0, &part("negative"));
        let last = self.step(Op::Exp, vec![last], x, part("exp"));
        let last = self.with(Op::Add(Fused::None), last, 1.0, &part("plus"));
        let last = self.step(Op::Log, vec![last], x, part("log"));
        self.model.operator(Op::Add(Fused::None), vec![positive, last], y);
    }

    /// Keras's `ReLU` with a threshold, a slope or another bound than 6.
    pub(super) fn relu(&mut self, name: &str, x: TensorId, y: TensorId, max: Option<f64>, slope: f64, threshold: f64) {
        let part = |part: &str| format!("{name}/{part}");
        let mul = Op::Mul(Fused::None);
        let mut above = if threshold == 0.0 {
            self.step(Op::Relu, vec![x], x, part("positive"))
        } else {
            let constant = self.channels(part("threshold"), &[threshold as f32]);
            let (shape, signature) = {
                let like = &self.model.tensors[x];
                (like.shape.clone(), like.signature.clone().unwrap_or_default())
            };
            let truth = self.model.flow(part("greater"), Kind::Bool, shape, signature);
            self.model.operator(Op::Greater, vec![x, constant], truth);
            let one = self.step(Op::Cast(Kind::Bool, Kind::Float32), vec![truth], x, part("one"));
            self.step(mul, vec![x, one], x, part("above"))
        };
        if let Some(max) = max {
            above = self.with(Op::Minimum, above, max, &part("bounded"));
            above = self.step(Op::Relu, vec![above], x, part("clipped"));
        }
        if slope == 0.0 {
            // What the last operator makes is the result itself.
            self.model.tensors.pop();
            self.model.operators.last_mut().into_iter().for_each(|last| last.output = y);
            return;
        }
        let below = self.with(Op::Minimum, x, threshold, &part("below"));
        let below = self.with(Op::Add(Fused::None), below, -threshold, &part("beneath"));
        let below = self.with(mul, below, slope, &part("slope"));
        self.model.operator(Op::Add(Fused::None), vec![above, below], y);
    }

    pub(super) fn layer_norm(
        &mut self,
        name: &str,
        x: TensorId,
        y: TensorId,
        epsilon: f64,
        gamma: Option<&[f32]>,
        beta: Option<&[f32]>,
    ) {
        let part = |part: &str| format!("{name}/{part}");
        let (add, mul) = (Op::Add(Fused::None), Op::Mul(Fused::None));
        let shape = self.model.tensors[x].shape.clone();
        let axes = self.model.ints(part("axes"), vec![1], &[shape.len() as i32 - 1]);
        let mean_of = |builder: &mut Self, x: TensorId, name: String| {
            let mut shape = shape.clone();
            shape.pop();
            shape.push(1);
            let mut signature = shape.clone();
            signature[0] = -1;
            let mean = builder.model.flow(name, Kind::Float32, shape, signature);
            builder.model.operator(Op::Mean(true), vec![x, axes], mean)
        };
        let mean = mean_of(self, x, part("mean"));
        let squares = self.step(Op::SquaredDifference, vec![x, mean], x, part("squares"));
        let variance = mean_of(self, squares, part("variance"));
        let variance = self.with(add, variance, epsilon, &part("positive"));
        let share = self.step(Op::Rsqrt, vec![variance], variance, part("share"));
        let centred = self.step(Op::Sub(Fused::None), vec![x, mean], x, part("centred"));
        let plain = gamma.is_none() && beta.is_none();
        let output = if plain { y } else { self.like(x, part("normal")) };
        let normal = self.model.operator(mul, vec![centred, share], output);
        if !plain {
            self.affine(name, normal, y, gamma.unwrap_or(&[1.0]), beta.unwrap_or(&[0.0]));
        }
    }
}
