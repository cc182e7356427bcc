//! What each layer computes.
//!
//! Results of three axes (maps: height, width, channels) are logically NCHW tensors that lie channels-last in memory; all
//! others have Keras's axes. [`axes`] finds Keras's axes in them.

mod activation;
mod axes;
mod noise;
mod norm;
mod spatial;

use tch::Tensor;

use super::mode::Mode;
use crate::graph::layer::{Layer, Padding, Window};
use crate::graph::shape::Shape;
use activation::activate;
use axes::{axis_of, channel_axis, keras_order, torch_order};
use norm::BatchNorm;

/// Runs one layer. `weights` are the layer's, in Keras's order; `shape` is the result's, Keras's, without the batch.
pub(super) fn forward(layer: &Layer, inputs: &[&Tensor], weights: &[Tensor], shape: &Shape, mode: Mode) -> Tensor {
    let x = inputs[0];
    let training = mode == Mode::Train;
    match layer {
        Layer::Conv2D { window, groups, use_bias, activation, .. } => {
            let bias = use_bias.then(|| &weights[1]);
            activate(*activation, &spatial::convolve(x, &weights[0], bias, window, *groups as i64))
        }
        Layer::DepthwiseConv2D { window, use_bias, activation, .. } => {
            let bias = use_bias.then(|| &weights[1]);
            activate(*activation, &spatial::convolve(x, &weights[0], bias, window, x.size()[1]))
        }
        Layer::SeparableConv2D { window, use_bias, activation, .. } => {
            let bias = use_bias.then(|| &weights[2]);
            let depthwise = spatial::convolve(x, &weights[0], None, window, x.size()[1]);
            let point = Window::square(1, 1, Padding::Valid);
            activate(*activation, &spatial::convolve(&depthwise, &weights[1], bias, &point, 1))
        }
        Layer::Dense { use_bias, activation, .. } => {
            let product = dense(x, weights, *use_bias);
            activate(*activation, &product)
        }
        Layer::BatchNormalization { momentum, epsilon, center, scale } => {
            let settings = BatchNorm { momentum: *momentum, epsilon: *epsilon, scale: *scale, center: *center };
            norm::batch_norm(x, weights, &settings, mode)
        }
        Layer::LayerNormalization { epsilon, center, scale } => norm::layer_norm(x, weights, *epsilon, *scale, *center),
        Layer::UnitNormalization => norm::unit(x),
        Layer::PReLU { .. } => activation::prelu(x, &weights[0]),
        Layer::ReLU { max_value, negative_slope, threshold } => {
            activation::relu(x, *max_value, *negative_slope, *threshold)
        }
        Layer::LeakyReLU { negative_slope } => activation::relu(x, None, *negative_slope, 0.0),
        Layer::ELU { alpha } => activation::elu(x, *alpha),
        Layer::Softmax => x.softmax(channel_axis(x), None),
        Layer::Activation { activation } => activate(*activation, x),
        Layer::Add => fold(inputs, |sum, input| sum + input),
        Layer::Multiply => fold(inputs, |product, input| product * input),
        Layer::Subtract => fold(inputs, |first, second| first - second),
        Layer::Average => fold(inputs, |sum, input| sum + input) / inputs.len() as f64,
        Layer::Maximum => fold(inputs, Tensor::maximum),
        Layer::Minimum => fold(inputs, Tensor::minimum),
        Layer::Concatenate { axis } => Tensor::cat(inputs, axis_of(x, *axis)),
        Layer::Flatten => keras_order(x).reshape([x.size()[0], -1]),
        Layer::Reshape { .. } => {
            let mut size = vec![x.size()[0]];
            size.extend(shape.iter().map(|size| *size as i64));
            torch_order(&keras_order(x).reshape(size.as_slice()))
        }
        Layer::Permute { dims } => {
            let axes: Vec<i64> = std::iter::once(0).chain(dims.iter().map(|axis| *axis as i64)).collect();
            torch_order(&keras_order(x).permute(axes.as_slice()))
        }
        Layer::Dropout { rate } if training => noise::dropout(x, *rate),
        Layer::SpatialDropout2D { rate } if training => noise::spatial_dropout(x, *rate),
        Layer::AlphaDropout { rate } if training => noise::alpha_dropout(x, *rate),
        Layer::GaussianNoise { stddev } if training => noise::gaussian_noise(x, *stddev),
        Layer::GaussianDropout { rate } if training => noise::gaussian_dropout(x, *rate),
        Layer::Input { .. }
        | Layer::Dropout { .. }
        | Layer::SpatialDropout2D { .. }
        | Layer::AlphaDropout { .. }
        | Layer::GaussianNoise { .. }
        | Layer::GaussianDropout { .. } => x.shallow_clone(),
        Layer::GlobalAveragePooling2D { keepdims } => x.mean_dim([2i64, 3].as_slice(), *keepdims, None),
        Layer::GlobalMaxPooling2D { keepdims } => x.amax([2i64, 3].as_slice(), *keepdims),
        Layer::MaxPooling2D { window } => spatial::max_pool(x, window),
        Layer::AveragePooling2D { window } => spatial::average_pool(x, window),
        Layer::ZeroPadding2D { padding: [top, bottom, left, right] } => {
            x.constant_pad_nd([*left as i64, *right as i64, *top as i64, *bottom as i64])
        }
        Layer::Cropping2D { cropping } => spatial::crop(x, *cropping),
        Layer::UpSampling2D { size, bilinear } => spatial::upsample(x, *size, *bilinear),
        Layer::Rescaling { scale, offset } => rescale(x, scale, offset),
        Layer::NormDense { .. } => norm::normalize(x, 1).matmul(&norm::normalize(&weights[0], 0)),
    }
}

/// A convolution without padding of its own whose map gets zeros on both sides of (height, width).
pub(super) fn convolve_padded(layer: &Layer, x: &Tensor, weights: &[Tensor], zeros: [usize; 2]) -> Tensor {
    let (window, groups, use_bias, activation) = match layer {
        Layer::Conv2D { window, groups, use_bias, activation, .. } => (window, *groups as i64, use_bias, activation),
        Layer::DepthwiseConv2D { window, use_bias, activation, .. } => (window, x.size()[1], use_bias, activation),
        _ => return x.shallow_clone(),
    };
    let bias = use_bias.then(|| &weights[1]);
    activate(*activation, &spatial::convolve_within(x, &weights[0], bias, window, zeros, groups))
}

/// `x @ kernel + bias` over the last axis, without an activation: the logits of a softmax head.
pub(super) fn dense(x: &Tensor, weights: &[Tensor], use_bias: bool) -> Tensor {
    let product = keras_order(x).matmul(&weights[0]);
    torch_order(&if use_bias { product + &weights[1] } else { product })
}

fn fold(inputs: &[&Tensor], combine: impl Fn(&Tensor, &Tensor) -> Tensor) -> Tensor {
    let [first, rest @ ..] = inputs else { return Tensor::new() };
    rest.iter().fold(first.shallow_clone(), |result, input| combine(&result, input))
}

fn rescale(x: &Tensor, scale: &[f64], offset: &[f64]) -> Tensor {
    if let ([scale], [offset]) = (scale, offset) {
        return x * *scale + *offset;
    }
    let channels = |values: &[f64]| {
        let values: Vec<f32> = values.iter().map(|value| *value as f32).collect();
        let tensor = Tensor::from_slice(&values).to_device(x.device()).to_kind(x.kind());
        if x.dim() == 4 { tensor.view([1, -1, 1, 1]) } else { tensor }
    };
    x * channels(scale) + channels(offset)
}
