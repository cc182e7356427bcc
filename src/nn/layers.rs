//! What each layer computes: tensors are logically NCHW (maps) or (batch, length).

use tch::{Kind, Tensor};

use super::network::Mode;
use crate::graph::layer::{Activation, Layer, Padding, Window};
use crate::graph::shape::{Shape, same_padding};

/// Runs one layer. `weights` are the layer's, in Keras's order; `shape` is the result's, Keras's, without the batch.
pub(super) fn forward(layer: &Layer, inputs: &[&Tensor], weights: &[Tensor], shape: &Shape, mode: Mode) -> Tensor {
    let x = inputs[0];
    match layer {
        Layer::Input { .. } => x.shallow_clone(),
        Layer::Conv2D { window, groups, use_bias, activation, .. } => {
            let bias = use_bias.then(|| &weights[1]);
            activate(*activation, &convolve(x, &weights[0], bias, window, *groups as i64))
        }
        Layer::DepthwiseConv2D { window, use_bias, activation, .. } => {
            let bias = use_bias.then(|| &weights[1]);
            activate(*activation, &convolve(x, &weights[0], bias, window, x.size()[1]))
        }
        Layer::SeparableConv2D { window, use_bias, activation, .. } => {
            let bias = use_bias.then(|| &weights[2]);
            let depthwise = convolve(x, &weights[0], None, window, x.size()[1]);
            let point = Window::square(1, 1, Padding::Valid);
            activate(*activation, &convolve(&depthwise, &weights[1], bias, &point, 1))
        }
        Layer::Dense { use_bias, activation, .. } => {
            let product = dense(x, weights, *use_bias);
            activate(*activation, &product)
        }
        Layer::BatchNormalization { momentum, epsilon, center, scale } => {
            batch_norm(x, weights, *momentum, *epsilon, *scale, *center, mode)
        }
        Layer::PReLU { .. } => prelu(x, &weights[0]),
        Layer::ReLU { max_value, negative_slope, threshold } => relu(x, *max_value, *negative_slope, *threshold),
        Layer::Activation { activation } => activate(*activation, x),
        Layer::Add => inputs[1..].iter().fold(x.shallow_clone(), |sum, input| sum + *input),
        Layer::Multiply => inputs[1..].iter().fold(x.shallow_clone(), |product, input| product * *input),
        Layer::Concatenate => Tensor::cat(inputs, 1),
        Layer::Flatten => keras_order(x).reshape([x.size()[0], -1]),
        Layer::Reshape { .. } => {
            let mut size = vec![x.size()[0]];
            size.extend(shape.iter().map(|size| *size as i64));
            torch_order(&keras_order(x).reshape(size.as_slice()))
        }
        Layer::Dropout { rate } => x.dropout(*rate, mode == Mode::Train),
        Layer::GlobalAveragePooling2D { keepdims } => x.mean_dim([2i64, 3].as_slice(), *keepdims, None),
        Layer::MaxPooling2D { window } => {
            let padded = pad(x, window, f64::NEG_INFINITY);
            let [kernel, strides] = [window.kernel, window.strides].map(|pair| pair.map(|size| size as i64));
            padded.max_pool2d(kernel, strides, [0, 0], [1, 1], false)
        }
        Layer::AveragePooling2D { window } => average_pool(x, window),
        Layer::ZeroPadding2D { padding: [top, bottom, left, right] } => {
            x.constant_pad_nd([*left as i64, *right as i64, *top as i64, *bottom as i64])
        }
        Layer::NormDense { .. } => normalize(x, 1).matmul(&normalize(&weights[0], 0)),
    }
}

/// `x @ kernel + bias`, without an activation: the logits of a softmax head.
pub(super) fn dense(x: &Tensor, weights: &[Tensor], use_bias: bool) -> Tensor {
    let product = x.matmul(&weights[0]);
    if use_bias { product + &weights[1] } else { product }
}

/// TensorFlow's `l2_normalize`: `x / sqrt(max(sum(x^2), 1e-12))`.
fn normalize(x: &Tensor, dim: i64) -> Tensor {
    let square = (x * x).sum_dim_intlist([dim].as_slice(), true, None);
    x * square.clamp_min(1e-12).rsqrt()
}

/// NCHW to Keras's NHWC; vectors stay.
fn keras_order(x: &Tensor) -> Tensor {
    if x.dim() == 4 { x.permute([0, 2, 3, 1]) } else { x.shallow_clone() }
}

/// Keras's NHWC to NCHW; vectors stay.
fn torch_order(x: &Tensor) -> Tensor {
    if x.dim() == 4 { x.permute([0, 3, 1, 2]) } else { x.shallow_clone() }
}

/// The zeros before and after height and width that `same` padding asks for.
fn padding(x: &Tensor, window: &Window) -> [(usize, usize); 2] {
    let size = x.size();
    [0, 1].map(|axis| match window.padding {
        Padding::Valid => (0, 0),
        Padding::Same => {
            same_padding(size[axis + 2] as usize, window.kernel[axis], window.strides[axis], window.dilation[axis])
        }
    })
}

/// The map with its padding written out.
fn pad(x: &Tensor, window: &Window, value: f64) -> Tensor {
    let [(top, bottom), (left, right)] = padding(x, window);
    if top + bottom + left + right == 0 {
        return x.shallow_clone();
    }
    x.f_pad([left as i64, right as i64, top as i64, bottom as i64], "constant", value)
        .unwrap_or_else(|error| panic!("padding failed: {error}"))
}

fn convolve(x: &Tensor, kernel: &Tensor, bias: Option<&Tensor>, window: &Window, groups: i64) -> Tensor {
    let [(top, bottom), (left, right)] = padding(x, window);
    let [strides, dilation] = [window.strides, window.dilation].map(|pair| pair.map(|size| size as i64));
    // Equal padding on both sides is the convolution's own; TensorFlow's odd pixel is not.
    if top == bottom && left == right {
        x.conv2d(kernel, bias, strides, [top as i64, left as i64], dilation, groups)
    } else {
        pad(x, window, 0.0).conv2d(kernel, bias, strides, [0, 0], dilation, groups)
    }
}

fn average_pool(x: &Tensor, window: &Window) -> Tensor {
    let [kernel, strides] = [window.kernel, window.strides].map(|pair| pair.map(|size| size as i64));
    let pool = |x: &Tensor| x.avg_pool2d(kernel, strides, [0, 0], false, true, None);
    if padding(x, window) == [(0, 0); 2] {
        return pool(x);
    }
    // TensorFlow leaves the padded places out of the mean: divide by the share that is inside.
    let inside = Tensor::ones([1, 1, x.size()[2], x.size()[3]], (x.kind(), x.device()));
    pool(&pad(x, window, 0.0)) / pool(&pad(&inside, window, 0.0))
}

fn prelu(x: &Tensor, alpha: &Tensor) -> Tensor {
    let channels = x.size()[1];
    if alpha.numel() as i64 == channels {
        return x.prelu(&alpha.reshape([channels]));
    }
    // An alpha of its own for each place: Keras's (H, W, C) against NCHW.
    let alpha = if x.dim() == 4 { alpha.permute([2, 0, 1]) } else { alpha.shallow_clone() };
    x.relu() - alpha * (-x).relu()
}

fn relu(x: &Tensor, max_value: Option<f64>, negative_slope: f64, threshold: f64) -> Tensor {
    let mut y = if threshold == 0.0 { x.relu() } else { x * x.gt(threshold).to_kind(x.kind()) };
    if let Some(max_value) = max_value {
        y = y.clamp_max(max_value);
    }
    if negative_slope == 0.0 { y } else { y - (threshold - x).relu() * negative_slope }
}

fn activate(activation: Activation, x: &Tensor) -> Tensor {
    match activation {
        Activation::Linear => x.shallow_clone(),
        Activation::Relu => x.relu(),
        Activation::Relu6 => x.clamp(0.0, 6.0),
        Activation::Sigmoid => x.sigmoid(),
        Activation::HardSigmoid => (x * 0.2 + 0.5).clamp(0.0, 1.0),
        Activation::Swish => x.silu(),
        Activation::Tanh => x.tanh(),
        Activation::Softmax => x.softmax(if x.dim() == 4 { 1 } else { -1 }, None),
    }
}

/// Keras's batch normalisation. The moving variance takes the unbiased batch variance for maps and the biased one for
/// vectors, as Keras's fused and plain kernels do.
fn batch_norm(
    x: &Tensor,
    weights: &[Tensor],
    momentum: f64,
    epsilon: f64,
    scale: bool,
    center: bool,
    mode: Mode,
) -> Tensor {
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
        let axes: &[i64] = if x.dim() == 4 { &[0, 2, 3] } else { &[0] };
        let batch_mean = x.mean_dim(axes, false, None);
        let batch_variance = x.var_dim(axes, false, false);
        // `data` has a version of its own: autograd has saved other views of the same buffer and would object.
        let (mut mean, mut variance) = (mean.data(), variance.data());
        let _ = mean.lerp_(&batch_mean, 1.0 - momentum);
        let _ = variance.lerp_(&batch_variance, 1.0 - momentum);
    });
    y
}
