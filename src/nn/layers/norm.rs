//! Normalisations. Each computes in fp32 whatever its input is.

use tch::{Kind, Tensor};

use super::super::mode::Mode;
use super::axes::{channel_axis, keras_order, torch_order};

/// What a batch normalisation is set to.
pub(super) struct BatchNorm {
    pub(super) momentum: f64,
    pub(super) epsilon: f64,
    pub(super) scale: bool,
    pub(super) center: bool,
}

/// Keras's batch normalisation over the last axis. The moving variance takes the unbiased batch variance for maps and the
/// biased one for everything else, as Keras's fused and plain kernels do.
pub(super) fn batch_norm(x: &Tensor, weights: &[Tensor], settings: &BatchNorm, mode: Mode) -> Tensor {
    if !matches!(x.dim(), 2 | 4) {
        // Sequences and the like lie as in Keras, channels last.
        let last = x.dim() as i64 - 1;
        return batch_norm_channels(&x.movedim_int(last, 1), weights, settings, mode).movedim_int(1, last);
    }
    batch_norm_channels(x, weights, settings, mode)
}

fn batch_norm_channels(x: &Tensor, weights: &[Tensor], settings: &BatchNorm, mode: Mode) -> Tensor {
    let BatchNorm { momentum, epsilon, scale, center } = *settings;
    let gamma = scale.then(|| &weights[0]);
    let beta = center.then(|| &weights[usize::from(scale)]);
    let [mean, variance] = &weights[weights.len() - 2..] else { return x.shallow_clone() };
    let cudnn = x.device().is_cuda();
    if mode == Mode::Infer {
        return x.batch_norm(gamma, beta, Some(mean), Some(variance), false, 1.0 - momentum, epsilon, cudnn);
    }
    let values = x.numel() as i64 / x.size()[1].max(1);
    if x.dim() == 4 && values > 1 {
        return x.batch_norm(gamma, beta, Some(mean), Some(variance), true, 1.0 - momentum, epsilon, cudnn);
    }
    let none: Option<&Tensor> = None;
    let y = x.batch_norm(gamma, beta, none, none, true, 1.0 - momentum, epsilon, cudnn);
    tch::no_grad(|| {
        let x = x.detach().to_kind(Kind::Float);
        let axes: Vec<i64> = (0..x.dim() as i64).filter(|axis| *axis != 1).collect();
        let batch_mean = x.mean_dim(axes.as_slice(), false, None);
        let batch_variance = x.var_dim(axes.as_slice(), false, false);
        // `data` has a version of its own: autograd has saved other views of the same buffer and would object.
        let (mut mean, mut variance) = (mean.data(), variance.data());
        let _ = mean.lerp_(&batch_mean, 1.0 - momentum);
        let _ = variance.lerp_(&batch_variance, 1.0 - momentum);
    });
    y
}

/// Keras's layer normalisation over the last axis.
pub(super) fn layer_norm(x: &Tensor, weights: &[Tensor], epsilon: f64, scale: bool, center: bool) -> Tensor {
    let gamma = scale.then(|| weights[0].to_kind(Kind::Float));
    let beta = center.then(|| weights[usize::from(scale)].to_kind(Kind::Float));
    let rows = keras_order(x).to_kind(Kind::Float);
    let length = [rows.size().last().copied().unwrap_or(1)];
    let y = rows.layer_norm(length, gamma.as_ref(), beta.as_ref(), epsilon, false);
    torch_order(&y).to_kind(x.kind())
}

/// TensorFlow's `l2_normalize` along the channels.
pub(super) fn unit(x: &Tensor) -> Tensor {
    normalize(x, channel_axis(x))
}

/// TensorFlow's `l2_normalize`: `x / sqrt(max(sum(x^2), 1e-12))`.
pub(super) fn normalize(x: &Tensor, dim: i64) -> Tensor {
    let square = (x * x).sum_dim_intlist([dim].as_slice(), true, None);
    x * square.clamp_min(1e-12).rsqrt()
}
