//! The layers a [`Graph`](super::Graph) is made of: Keras's own vocabulary, with Keras's names for everything.
//!
//! A layer knows its settings, the shape it makes of its inputs' shapes and the weights it owns. Shapes are Keras's
//! (channels last, without the batch), weights are listed in Keras's order and shapes. How a layer computes is `nn`'s
//! business, how it is written in JSON is [`super::keras`]'s.

use super::shape::{self, Shape, ShapeError};

/// Padding of a convolution or pooling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// None: the window stays inside.
    Valid,
    /// TensorFlow's: output `ceil(n / stride)`; an odd pixel goes to the bottom and right.
    Same,
}

/// Element-wise functions, and softmax.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// The identity.
    Linear,
    /// `max(x, 0)`.
    Relu,
    /// `min(max(x, 0), 6)`.
    Relu6,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// Keras 2's `clip(0.2 x + 0.5, 0, 1)`.
    HardSigmoid,
    /// `x * sigmoid(x)`, also called silu.
    Swish,
    /// `tanh(x)`.
    Tanh,
    /// Over the last axis.
    Softmax,
}

impl Activation {
    /// All of them with Keras's names; the first name of each is the one written.
    const NAMES: [(&'static str, Self); 10] = [
        ("linear", Self::Linear),
        ("relu", Self::Relu),
        ("relu6", Self::Relu6),
        ("sigmoid", Self::Sigmoid),
        ("hard_sigmoid", Self::HardSigmoid),
        ("swish", Self::Swish),
        ("silu", Self::Swish),
        ("tanh", Self::Tanh),
        ("softmax", Self::Softmax),
        ("relu_6", Self::Relu6),
    ];

    /// Keras's name.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, activation)| *activation == self).map_or("linear", |(name, _)| name)
    }

    /// The activation of a Keras name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, activation)| *activation)
    }
}

/// How a weight starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Initializer {
    /// All 0.
    Zeros,
    /// All 1.
    Ones,
    /// Uniform in `±sqrt(6 / (fan_in + fan_out))` (Glorot and Bengio 2010).
    GlorotUniform,
    /// Normal of deviation `sqrt(2 / (fan_in + fan_out))`, cut at two deviations as Keras does.
    GlorotNormal,
}

/// One weight of a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeightSpec {
    /// Keras's name inside the layer: `kernel`, `gamma`, `alpha`, ...
    pub name: &'static str,
    /// Keras's shape: (height, width, in, out) for a convolution's kernel.
    pub shape: Vec<usize>,
    /// Whether an optimiser changes it (moving statistics are not).
    pub trainable: bool,
    /// How it starts.
    pub initializer: Initializer,
}

impl WeightSpec {
    fn new(name: &'static str, shape: &[usize], initializer: Initializer) -> Self {
        Self { name, shape: shape.to_vec(), trainable: true, initializer }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A kernel that slides: its size, strides and padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Height and width of the kernel.
    pub kernel: [usize; 2],
    /// Steps down and right.
    pub strides: [usize; 2],
    /// What lies outside.
    pub padding: Padding,
    /// Distance between the kernel's taps.
    pub dilation: [usize; 2],
}

impl Window {
    /// A square kernel.
    pub const fn square(kernel: usize, stride: usize, padding: Padding) -> Self {
        Self { kernel: [kernel; 2], strides: [stride; 2], padding, dilation: [1; 2] }
    }
}

/// What a node does. Field names are Keras's.
#[derive(Debug, Clone, PartialEq)]
pub enum Layer {
    /// The images: (height, width, channels).
    Input {
        /// Shape without the batch.
        shape: Shape,
    },
    /// Convolution.
    Conv2D {
        /// Channels of the result.
        filters: usize,
        /// The sliding kernel.
        window: Window,
        /// Channel groups.
        groups: usize,
        /// Whether a bias is added.
        use_bias: bool,
        /// Applied to the result.
        activation: Activation,
    },
    /// Convolution of each channel on its own.
    DepthwiseConv2D {
        /// The sliding kernel.
        window: Window,
        /// Results per channel.
        depth_multiplier: usize,
        /// Whether a bias is added.
        use_bias: bool,
        /// Applied to the result.
        activation: Activation,
    },
    /// A depthwise convolution, then a 1x1 convolution.
    SeparableConv2D {
        /// Channels of the result.
        filters: usize,
        /// The depthwise part's kernel.
        window: Window,
        /// Results per channel of the depthwise part.
        depth_multiplier: usize,
        /// Whether a bias is added.
        use_bias: bool,
        /// Applied to the result.
        activation: Activation,
    },
    /// A matrix product over the last axis.
    Dense {
        /// Length of the result.
        units: usize,
        /// Whether a bias is added.
        use_bias: bool,
        /// Applied to the result.
        activation: Activation,
        /// How the kernel starts.
        kernel_initializer: Initializer,
    },
    /// Normalisation over the batch, per channel of the last axis.
    BatchNormalization {
        /// Share of the moving statistics that is kept each step: Keras's 0.99.
        momentum: f64,
        /// Added to the variance.
        epsilon: f64,
        /// Whether `beta` is added.
        center: bool,
        /// Whether `gamma` is multiplied.
        scale: bool,
    },
    /// `max(x, 0) + alpha * min(x, 0)` with learned `alpha`.
    PReLU {
        /// Axes (from 1, the batch not counted) over which `alpha` is shared.
        shared_axes: Vec<usize>,
    },
    /// `max(x, 0)`, optionally bounded and with a fixed slope below.
    ReLU {
        /// Upper bound.
        max_value: Option<f64>,
        /// Slope below the threshold.
        negative_slope: f64,
        /// Where the slope begins.
        threshold: f64,
    },
    /// An element-wise function.
    Activation {
        /// Which.
        activation: Activation,
    },
    /// Sum of the inputs.
    Add,
    /// Product of the inputs, broadcast.
    Multiply,
    /// The inputs one after the other along the last axis.
    Concatenate,
    /// All axes but the batch made one, channels running fastest.
    Flatten,
    /// Another shape for the same numbers.
    Reshape {
        /// The shape without the batch; one place may be -1.
        target_shape: Vec<i64>,
    },
    /// Zeroes a share of the elements while training and scales the rest up.
    Dropout {
        /// The share, 0 to below 1.
        rate: f64,
    },
    /// Mean over height and width.
    GlobalAveragePooling2D {
        /// Whether height and width stay as 1.
        keepdims: bool,
    },
    /// Largest value of each window.
    MaxPooling2D {
        /// The sliding window.
        window: Window,
    },
    /// Mean of each window; padded places do not count.
    AveragePooling2D {
        /// The sliding window.
        window: Window,
    },
    /// Zeros around the map.
    ZeroPadding2D {
        /// Top, bottom, left, right.
        padding: [usize; 4],
    },
    /// The reference's cosine head: `l2norm(x) @ l2norm(norm_dense_w, axis=0)`.
    NormDense {
        /// Number of classes.
        units: usize,
    },
}

impl Layer {
    /// Keras's class name.
    pub const fn class_name(&self) -> &'static str {
        match self {
            Self::Input { .. } => "InputLayer",
            Self::Conv2D { .. } => "Conv2D",
            Self::DepthwiseConv2D { .. } => "DepthwiseConv2D",
            Self::SeparableConv2D { .. } => "SeparableConv2D",
            Self::Dense { .. } => "Dense",
            Self::BatchNormalization { .. } => "BatchNormalization",
            Self::PReLU { .. } => "PReLU",
            Self::ReLU { .. } => "ReLU",
            Self::Activation { .. } => "Activation",
            Self::Add => "Add",
            Self::Multiply => "Multiply",
            Self::Concatenate => "Concatenate",
            Self::Flatten => "Flatten",
            Self::Reshape { .. } => "Reshape",
            Self::Dropout { .. } => "Dropout",
            Self::GlobalAveragePooling2D { .. } => "GlobalAveragePooling2D",
            Self::MaxPooling2D { .. } => "MaxPooling2D",
            Self::AveragePooling2D { .. } => "AveragePooling2D",
            Self::ZeroPadding2D { .. } => "ZeroPadding2D",
            Self::NormDense { .. } => "NormDense",
        }
    }

    /// The name Keras gives to a first, unnamed layer of this class: `conv2d`, `p_re_lu`, ...
    pub const fn keras_stem(&self) -> &'static str {
        match self {
            Self::Input { .. } => "input",
            Self::Conv2D { .. } => "conv2d",
            Self::DepthwiseConv2D { .. } => "depthwise_conv2d",
            Self::SeparableConv2D { .. } => "separable_conv2d",
            Self::Dense { .. } => "dense",
            Self::BatchNormalization { .. } => "batch_normalization",
            Self::PReLU { .. } => "p_re_lu",
            Self::ReLU { .. } => "re_lu",
            Self::Activation { .. } => "activation",
            Self::Add => "add",
            Self::Multiply => "multiply",
            Self::Concatenate => "concatenate",
            Self::Flatten => "flatten",
            Self::Reshape { .. } => "reshape",
            Self::Dropout { .. } => "dropout",
            Self::GlobalAveragePooling2D { .. } => "global_average_pooling2d",
            Self::MaxPooling2D { .. } => "max_pooling2d",
            Self::AveragePooling2D { .. } => "average_pooling2d",
            Self::ZeroPadding2D { .. } => "zero_padding2d",
            Self::NormDense { .. } => "norm_dense",
        }
    }

    /// The shape of the result.
    ///
    /// # Errors
    /// Inputs that are too few, too many, or do not fit the layer.
    pub fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, ShapeError> {
        match self {
            Self::Input { shape } => Ok(shape.clone()),
            Self::Conv2D { filters, window, .. } | Self::SeparableConv2D { filters, window, .. } => {
                shape::slide(window, shape::one(inputs)?, |_| *filters)
            }
            Self::DepthwiseConv2D { window, depth_multiplier, .. } => {
                shape::slide(window, shape::one(inputs)?, |channels| channels * depth_multiplier)
            }
            Self::MaxPooling2D { window } | Self::AveragePooling2D { window } => {
                shape::slide(window, shape::one(inputs)?, |channels| channels)
            }
            Self::Dense { units, .. } => shape::replace_last(shape::one(inputs)?, *units),
            Self::NormDense { units } => {
                let input = shape::one(inputs)?;
                if input.len() == 1 { Ok(vec![*units]) } else { Err(ShapeError::rank(1, input)) }
            }
            Self::Add => shape::equal(inputs),
            Self::Multiply => shape::broadcast(inputs),
            Self::Concatenate => shape::concatenate(inputs),
            Self::Flatten => Ok(vec![shape::one(inputs)?.iter().product()]),
            Self::Reshape { target_shape } => shape::reshape(shape::one(inputs)?, target_shape),
            Self::GlobalAveragePooling2D { keepdims } => {
                let [_, _, channels] = shape::map(shape::one(inputs)?)?;
                Ok(if *keepdims { vec![1, 1, channels] } else { vec![channels] })
            }
            Self::ZeroPadding2D { padding: [top, bottom, left, right] } => {
                let [height, width, channels] = shape::map(shape::one(inputs)?)?;
                Ok(vec![height + top + bottom, width + left + right, channels])
            }
            Self::BatchNormalization { .. }
            | Self::PReLU { .. }
            | Self::ReLU { .. }
            | Self::Activation { .. }
            | Self::Dropout { .. } => Ok(shape::one(inputs)?.clone()),
        }
    }

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
