//! Element-wise functions in ONNX's words.

use super::{Writer, float, int, last_axis};
use crate::export::lower::Op;
use crate::graph::layer::Activation;

pub(super) fn write(writer: &mut Writer<'_>, op: &Op, activation: Activation) {
    let x = writer.input(op, 0);
    let (kind, attributes) = match activation {
        Activation::Linear => ("Identity", vec![]),
        Activation::Relu => ("Relu", vec![]),
        Activation::Relu6 => return clip(writer, op, x, Some(6.0)),
        Activation::LeakyRelu(slope) => ("LeakyRelu", vec![float("alpha", slope)]),
        Activation::Elu(alpha) => ("Elu", vec![float("alpha", alpha)]),
        Activation::Selu => ("Selu", vec![]),
        Activation::Softplus => ("Softplus", vec![]),
        Activation::Softsign => ("Softsign", vec![]),
        Activation::Exponential => ("Exp", vec![]),
        Activation::Sigmoid => ("Sigmoid", vec![]),
        Activation::HardSigmoid => ("HardSigmoid", vec![float("alpha", 0.2), float("beta", 0.5)]),
        Activation::HardSigmoid6 => ("HardSigmoid", vec![float("alpha", 1.0 / 6.0), float("beta", 0.5)]),
        Activation::HardSwish => ("HardSwish", vec![]),
        Activation::Tanh => ("Tanh", vec![]),
        Activation::Softmax => {
            let rank = writer.lowered.input_shape(op).len();
            ("Softmax", vec![int("axis", last_axis(rank))])
        }
        Activation::Swish => {
            let gate = writer.step(op, "gate", "Sigmoid", std::slice::from_ref(&x), vec![]);
            return writer.last(op, "Mul", &[x, gate], vec![]);
        }
        Activation::Mish => {
            let soft = writer.step(op, "softplus", "Softplus", std::slice::from_ref(&x), vec![]);
            let gate = writer.step(op, "gate", "Tanh", &[soft], vec![]);
            return writer.last(op, "Mul", &[x, gate], vec![]);
        }
        Activation::Gelu => {
            let root = writer.scalar(op, "root", std::f64::consts::FRAC_1_SQRT_2);
            let scaled = writer.step(op, "scaled", "Mul", &[x.clone(), root], vec![]);
            let gate = writer.step(op, "erf", "Erf", &[scaled], vec![]);
            return half_gate(writer, op, x, gate);
        }
        Activation::GeluTanh => {
            let [cubic, root] = [("cubic", 0.044_715), ("root", (2.0 / std::f64::consts::PI).sqrt())]
                .map(|(what, value)| writer.scalar(op, what, value));
            let square = writer.step(op, "square", "Mul", &[x.clone(), x.clone()], vec![]);
            let cube = writer.step(op, "cube", "Mul", &[square, x.clone()], vec![]);
            let bent = writer.step(op, "bent", "Mul", &[cube, cubic], vec![]);
            let sum = writer.step(op, "sum", "Add", &[x.clone(), bent], vec![]);
            let scaled = writer.step(op, "scaled", "Mul", &[sum, root], vec![]);
            let gate = writer.step(op, "tanh", "Tanh", &[scaled], vec![]);
            return half_gate(writer, op, x, gate);
        }
    };
    writer.last(op, kind, &[x], attributes);
}

/// `x * (1 + gate) / 2`.
fn half_gate(writer: &mut Writer<'_>, op: &Op, x: String, gate: String) {
    let one = writer.scalar(op, "one", 1.0);
    let half = writer.scalar(op, "half", 0.5);
    let raised = writer.step(op, "raised", "Add", &[gate, one], vec![]);
    let product = writer.step(op, "product", "Mul", &[x, raised], vec![]);
    writer.last(op, "Mul", &[product, half], vec![]);
}

/// `min(max(x, 0), most)`.
fn clip(writer: &mut Writer<'_>, op: &Op, x: String, most: Option<f64>) {
    let Some(most) = most else { return writer.last(op, "Relu", &[x], vec![]) };
    let (least, most) = (writer.scalar(op, "least", 0.0), writer.scalar(op, "most", most));
    writer.last(op, "Clip", &[x, least, most], vec![]);
}

/// Keras's `ReLU` layer with all its settings.
pub(super) fn relu(writer: &mut Writer<'_>, op: &Op, max: Option<f64>, slope: f64, threshold: f64) {
    let x = writer.input(op, 0);
    if threshold == 0.0 && slope == 0.0 {
        return clip(writer, op, x, max);
    }
    let mut above = x.clone();
    let level = writer.scalar(op, "threshold", threshold);
    let zero = writer.scalar(op, "zero", 0.0);
    if threshold != 0.0 {
        let mask = writer.step(op, "mask", "Greater", &[x.clone(), level.clone()], vec![]);
        above = writer.step(op, "kept", "Where", &[mask, x.clone(), zero.clone()], vec![]);
    }
    let bounded = match max {
        Some(max) => {
            let most = writer.scalar(op, "most", max);
            writer.step(op, "bounded", "Clip", &[above, zero, most], vec![])
        }
        None if threshold == 0.0 => writer.step(op, "bounded", "Relu", &[above], vec![]),
        None => above,
    };
    let below = writer.step(op, "distance", "Sub", &[level, x], vec![]);
    let below = writer.step(op, "below", "Relu", &[below], vec![]);
    let slope = writer.scalar(op, "slope", slope);
    let below = writer.step(op, "slanted", "Mul", &[below, slope], vec![]);
    writer.last(op, "Sub", &[bounded, below], vec![]);
}
