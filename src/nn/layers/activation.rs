//! Activations and rectifiers.

use tch::Tensor;

use super::axes::channel_axis;
use crate::graph::layer::Activation;

pub(super) fn activate(activation: Activation, x: &Tensor) -> Tensor {
    match activation {
        Activation::Linear => x.shallow_clone(),
        Activation::Relu => x.relu(),
        Activation::Relu6 => x.clamp(0.0, 6.0),
        Activation::LeakyRelu(slope) => relu(x, None, slope, 0.0),
        Activation::Elu(alpha) => elu(x, alpha),
        Activation::Selu => x.selu(),
        Activation::Softplus => x.softplus(),
        Activation::Softsign => x / (x.abs() + 1.0),
        Activation::Exponential => x.exp(),
        Activation::Sigmoid => x.sigmoid(),
        Activation::HardSigmoid => (x * 0.2 + 0.5).clamp(0.0, 1.0),
        Activation::HardSigmoid6 => x.hardsigmoid(),
        Activation::Swish => x.silu(),
        Activation::HardSwish => x.hardswish(),
        Activation::Mish => x.mish(),
        Activation::Tanh => x.tanh(),
        Activation::Gelu => x.gelu("none"),
        Activation::GeluTanh => x.gelu("tanh"),
        Activation::Softmax => x.softmax(channel_axis(x), None),
    }
}

pub(super) fn prelu(x: &Tensor, alpha: &Tensor) -> Tensor {
    let channels = x.size()[1];
    let per_channel = alpha.numel() as i64 == channels && alpha.size().last() == Some(&channels);
    if per_channel && matches!(x.dim(), 2 | 4) {
        return x.prelu(&alpha.reshape([channels]));
    }
    // An alpha of its own for each place: Keras's (H, W, C) against NCHW.
    let alpha = if x.dim() == 4 { alpha.permute([2, 0, 1]) } else { alpha.shallow_clone() };
    x.relu() - alpha * (-x).relu()
}

pub(super) fn relu(x: &Tensor, max_value: Option<f64>, negative_slope: f64, threshold: f64) -> Tensor {
    let y = match (threshold == 0.0, max_value) {
        (true, Some(max_value)) => x.clamp(0.0, max_value),
        (true, None) => x.relu(),
        (false, bound) => {
            let above = x * x.gt(threshold).to_kind(x.kind());
            bound.map_or_else(|| above.shallow_clone(), |bound| above.clamp(0.0, bound))
        }
    };
    if negative_slope == 0.0 { y } else { y - (threshold - x).relu() * negative_slope }
}

pub(super) fn elu(x: &Tensor, alpha: f64) -> Tensor {
    if (alpha - 1.0).abs() < f64::EPSILON { x.elu() } else { x.relu() + x.clamp_max(0.0).expm1() * alpha }
}
