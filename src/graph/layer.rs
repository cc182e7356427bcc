//! The layers a [`Graph`](super::Graph) is made of: Keras's own vocabulary, with Keras's names for everything.
//!
//! A layer knows its settings, the shape it makes of its inputs' shapes and the weights it owns. Shapes are Keras's
//! (channels last, without the batch), weights are listed in Keras's order and shapes. How a layer computes is `nn`'s
//! business, how it is written in JSON is [`super::keras`]'s.

mod activation;
mod output_shape;
mod weights;
mod window;

use super::shape::Shape;

pub use activation::Activation;
pub use weights::{Initializer, Regularizer, WeightSpec};
pub use window::{Padding, Window};

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
    /// Normalisation of each place over the last axis.
    LayerNormalization {
        /// Added to the variance.
        epsilon: f64,
        /// Whether `beta` is added.
        center: bool,
        /// Whether `gamma` is multiplied.
        scale: bool,
    },
    /// Division by the length along the last axis: `x / sqrt(max(sum(x^2), 1e-12))`.
    UnitNormalization,
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
    /// `max(x, 0) + negative_slope * min(x, 0)`.
    LeakyReLU {
        /// Slope below 0; Keras 2 calls it `alpha`.
        negative_slope: f64,
    },
    /// `x` above 0, `alpha * (exp(x) - 1)` below.
    ELU {
        /// The limit below 0, without its sign.
        alpha: f64,
    },
    /// Softmax over the last axis.
    Softmax,
    /// An element-wise function.
    Activation {
        /// Which.
        activation: Activation,
    },
    /// Sum of the inputs; axes of 1 stretch, as in all the element-wise combinations.
    Add,
    /// Product of the inputs.
    Multiply,
    /// The first input less the second.
    Subtract,
    /// Mean of the inputs.
    Average,
    /// Largest of the inputs, element by element.
    Maximum,
    /// Smallest of the inputs, element by element.
    Minimum,
    /// The inputs one after the other along an axis.
    Concatenate {
        /// The axis, from 1 (the batch not counted); -1 is the last one.
        axis: i64,
    },
    /// All axes but the batch made one, channels running fastest.
    Flatten,
    /// Another shape for the same numbers.
    Reshape {
        /// The shape without the batch; one place may be -1.
        target_shape: Vec<i64>,
    },
    /// The axes in another order.
    Permute {
        /// For each axis of the result the axis (from 1, the batch not counted) of the input.
        dims: Vec<usize>,
    },
    /// Zeroes a share of the elements while training and scales the rest up.
    Dropout {
        /// The share, 0 to below 1.
        rate: f64,
    },
    /// Zeroes whole channels of maps while training and scales the rest up.
    SpatialDropout2D {
        /// The share, 0 to below 1.
        rate: f64,
    },
    /// Adds normal noise while training.
    GaussianNoise {
        /// Its deviation.
        stddev: f64,
    },
    /// Multiplies with normal noise of mean 1 and deviation `sqrt(rate / (1 - rate))` while training.
    GaussianDropout {
        /// The share, 0 to below 1.
        rate: f64,
    },
    /// Dropout that keeps mean and deviation of what a SELU makes (Klambauer et al. 2017).
    AlphaDropout {
        /// The share, 0 to below 1.
        rate: f64,
    },
    /// Mean over height and width.
    GlobalAveragePooling2D {
        /// Whether height and width stay as 1.
        keepdims: bool,
    },
    /// Largest value of each channel.
    GlobalMaxPooling2D {
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
    /// Rows and columns cut off the map.
    Cropping2D {
        /// Top, bottom, left, right.
        cropping: [usize; 4],
    },
    /// A larger map.
    UpSampling2D {
        /// Factors of height and width.
        size: [usize; 2],
        /// Whether places between are interpolated instead of repeated.
        bilinear: bool,
    },
    /// `x * scale + offset`.
    Rescaling {
        /// One factor, or one for each place of the last axis.
        scale: Vec<f64>,
        /// One summand, or one for each place of the last axis.
        offset: Vec<f64>,
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
            Self::Concatenate { .. } => "Concatenate",
            Self::Flatten => "Flatten",
            Self::Reshape { .. } => "Reshape",
            Self::Dropout { .. } => "Dropout",
            Self::GlobalAveragePooling2D { .. } => "GlobalAveragePooling2D",
            Self::MaxPooling2D { .. } => "MaxPooling2D",
            Self::AveragePooling2D { .. } => "AveragePooling2D",
            Self::ZeroPadding2D { .. } => "ZeroPadding2D",
            Self::LayerNormalization { .. } => "LayerNormalization",
            Self::UnitNormalization => "UnitNormalization",
            Self::LeakyReLU { .. } => "LeakyReLU",
            Self::ELU { .. } => "ELU",
            Self::Softmax => "Softmax",
            Self::Subtract => "Subtract",
            Self::Average => "Average",
            Self::Maximum => "Maximum",
            Self::Minimum => "Minimum",
            Self::Permute { .. } => "Permute",
            Self::SpatialDropout2D { .. } => "SpatialDropout2D",
            Self::GaussianNoise { .. } => "GaussianNoise",
            Self::GaussianDropout { .. } => "GaussianDropout",
            Self::AlphaDropout { .. } => "AlphaDropout",
            Self::GlobalMaxPooling2D { .. } => "GlobalMaxPooling2D",
            Self::Cropping2D { .. } => "Cropping2D",
            Self::UpSampling2D { .. } => "UpSampling2D",
            Self::Rescaling { .. } => "Rescaling",
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
            Self::Concatenate { .. } => "concatenate",
            Self::Flatten => "flatten",
            Self::Reshape { .. } => "reshape",
            Self::Dropout { .. } => "dropout",
            Self::GlobalAveragePooling2D { .. } => "global_average_pooling2d",
            Self::MaxPooling2D { .. } => "max_pooling2d",
            Self::AveragePooling2D { .. } => "average_pooling2d",
            Self::ZeroPadding2D { .. } => "zero_padding2d",
            Self::LayerNormalization { .. } => "layer_normalization",
            Self::UnitNormalization => "unit_normalization",
            Self::LeakyReLU { .. } => "leaky_re_lu",
            Self::ELU { .. } => "elu",
            Self::Softmax => "softmax",
            Self::Subtract => "subtract",
            Self::Average => "average",
            Self::Maximum => "maximum",
            Self::Minimum => "minimum",
            Self::Permute { .. } => "permute",
            Self::SpatialDropout2D { .. } => "spatial_dropout2d",
            Self::GaussianNoise { .. } => "gaussian_noise",
            Self::GaussianDropout { .. } => "gaussian_dropout",
            Self::AlphaDropout { .. } => "alpha_dropout",
            Self::GlobalMaxPooling2D { .. } => "global_max_pooling2d",
            Self::Cropping2D { .. } => "cropping2d",
            Self::UpSampling2D { .. } => "up_sampling2d",
            Self::Rescaling { .. } => "rescaling",
            Self::NormDense { .. } => "norm_dense",
        }
    }
}
