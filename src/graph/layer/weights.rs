//! The weights a layer owns, in Keras's order and shapes, and the multiplications it makes with them.

use super::{Layer, Window};
use crate::graph::shape::Shape;

/// How a weight starts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Initializer {
    /// All 0.
    Zeros,
    /// All 1.
    Ones,
    /// All of one value.
    Constant(f32),
    /// Uniform in `±sqrt(6 / (fan_in + fan_out))` (Glorot and Bengio 2010).
    GlorotUniform,
    /// Normal of deviation `sqrt(2 / (fan_in + fan_out))`, cut at two deviations as Keras does.
    GlorotNormal,
}

/// A weight's own loss: `l1 * sum(|w|) + l2 * sum(w^2)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Regularizer {
    /// Factor of the absolute values.
    pub l1: f64,
    /// Factor of the squares.
    pub l2: f64,
}

/// One weight of a layer.
#[derive(Debug, Clone, PartialEq)]
pub struct WeightSpec {
    /// Keras's name inside the layer: `kernel`, `gamma`, `alpha`, ...
    pub name: &'static str,
    /// Keras's shape: (height, width, in, out) for a convolution's kernel.
    pub shape: Vec<usize>,
    /// Whether an optimiser changes it (moving statistics are not).
    pub trainable: bool,
    /// How it starts.
    pub initializer: Initializer,
    /// What keeps it small, if anything.
    pub regularizer: Option<Regularizer>,
}

impl WeightSpec {
    fn new(name: &'static str, shape: &[usize], initializer: Initializer) -> Self {
        Self { name, shape: shape.to_vec(), trainable: true, initializer, regularizer: None }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Keras's name of the setting that holds its regulariser: `kernel_regularizer`, `depthwise_regularizer`, ...
    pub fn regularizer_setting(&self) -> String {
        let stem = match self.name {
            "norm_dense_w" => "kernel",
            "depthwise_kernel" => "depthwise",
            "pointwise_kernel" => "pointwise",
            name => name,
        };
        format!("{stem}_regularizer")
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Layer {
    /// The weights, in Keras's order, for inputs of these shapes (which [`Layer::output_shape`] has accepted).
    pub fn weights(&self, inputs: &[&Shape]) -> Vec<WeightSpec> {
        let channels = inputs.first().and_then(|shape| shape.last()).copied().unwrap_or(0);
        let mut weights = Vec::new();
        let bias = |use_bias: bool, size: usize| use_bias.then(|| WeightSpec::new("bias", &[size], Initializer::Zeros));
        match self {
            Self::Conv2D { filters, window: Window { kernel: [h, w], .. }, groups, use_bias, .. } => {
                let shape = [*h, *w, channels / groups, *filters];
                weights.push(WeightSpec::new("kernel", &shape, Initializer::GlorotUniform));
                weights.extend(bias(*use_bias, *filters));
            }
            Self::DepthwiseConv2D { window: Window { kernel: [h, w], .. }, depth_multiplier, use_bias, .. } => {
                let shape = [*h, *w, channels, *depth_multiplier];
                weights.push(WeightSpec::new("depthwise_kernel", &shape, Initializer::GlorotUniform));
                weights.extend(bias(*use_bias, channels * depth_multiplier));
            }
            Self::SeparableConv2D { filters, window, depth_multiplier, use_bias, .. } => {
                let [h, w] = window.kernel;
                let depthwise = [h, w, channels, *depth_multiplier];
                let pointwise = [1, 1, channels * depth_multiplier, *filters];
                weights.push(WeightSpec::new("depthwise_kernel", &depthwise, Initializer::GlorotUniform));
                weights.push(WeightSpec::new("pointwise_kernel", &pointwise, Initializer::GlorotUniform));
                weights.extend(bias(*use_bias, *filters));
            }
            Self::Dense { units, use_bias, kernel_initializer, .. } => {
                weights.push(WeightSpec::new("kernel", &[channels, *units], *kernel_initializer));
                weights.extend(bias(*use_bias, *units));
            }
            Self::BatchNormalization { center, scale, .. } => {
                weights.extend(scale.then(|| WeightSpec::new("gamma", &[channels], Initializer::Ones)));
                weights.extend(center.then(|| WeightSpec::new("beta", &[channels], Initializer::Zeros)));
                let mean = WeightSpec::new("moving_mean", &[channels], Initializer::Zeros);
                let variance = WeightSpec::new("moving_variance", &[channels], Initializer::Ones);
                weights.push(WeightSpec { trainable: false, ..mean });
                weights.push(WeightSpec { trainable: false, ..variance });
            }
            Self::LayerNormalization { center, scale, .. } => {
                weights.extend(scale.then(|| WeightSpec::new("gamma", &[channels], Initializer::Ones)));
                weights.extend(center.then(|| WeightSpec::new("beta", &[channels], Initializer::Zeros)));
            }
            Self::PReLU { shared_axes } => {
                let input = inputs.first().map_or(&[][..], |shape| shape.as_slice());
                let shape: Vec<usize> = (1..=input.len())
                    .map(|axis| if shared_axes.contains(&axis) { 1 } else { input[axis - 1] })
                    .collect();
                weights.push(WeightSpec::new("alpha", &shape, Initializer::Zeros));
            }
            Self::NormDense { units } => {
                weights.push(WeightSpec::new("norm_dense_w", &[channels, *units], Initializer::GlorotNormal));
            }
            _ => {}
        }
        weights
    }

    /// Multiplications (each with its addition) for one image.
    pub fn macs(&self, inputs: &[&Shape], output: &Shape) -> u64 {
        let channels = inputs.first().and_then(|shape| shape.last()).copied().unwrap_or(0);
        let places: usize = output.iter().rev().skip(1).product();
        let last = output.last().copied().unwrap_or(0);
        let macs = match self {
            Self::Conv2D { window: Window { kernel: [h, w], .. }, groups, .. } => {
                places * h * w * (channels / groups) * last
            }
            Self::DepthwiseConv2D { window: Window { kernel: [h, w], .. }, .. } => places * h * w * last,
            Self::SeparableConv2D { window: Window { kernel: [h, w], .. }, depth_multiplier, .. } => {
                places * channels * depth_multiplier * (h * w + last)
            }
            Self::Dense { units, .. } | Self::NormDense { units } => places * channels * units,
            _ => 0,
        };
        macs as u64
    }
}
