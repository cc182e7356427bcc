//! The operations that a network is lowered to.

use crate::graph::Array;
use crate::graph::layer::Activation;

/// Position of a value in [`Lowered::values`](super::Lowered::values).
pub type ValueId = usize;

/// Rows and columns at the edges of a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pads {
    /// Rows above.
    pub top: usize,
    /// Rows below.
    pub bottom: usize,
    /// Columns before.
    pub left: usize,
    /// Columns after.
    pub right: usize,
}

impl Pads {
    /// None.
    pub const NONE: Self = Self { top: 0, bottom: 0, left: 0, right: 0 };

    /// Whether there are none.
    pub fn is_none(self) -> bool {
        self == Self::NONE
    }

    /// Both, one around the other.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            top: self.top + other.top,
            bottom: self.bottom + other.bottom,
            left: self.left + other.left,
            right: self.right + other.right,
        }
    }
}

impl From<[usize; 4]> for Pads {
    /// Of top, bottom, left, right, as Keras has them.
    fn from([top, bottom, left, right]: [usize; 4]) -> Self {
        Self { top, bottom, left, right }
    }
}

/// How inputs are combined, element by element; axes of 1 stretch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Combination {
    /// Sum of all.
    Add,
    /// Product of all.
    Multiply,
    /// The first less the second.
    Subtract,
    /// Mean of all.
    Average,
    /// Largest.
    Maximum,
    /// Smallest.
    Minimum,
}

/// What an operation does. Maps are (height, width, channels).
#[derive(Debug, Clone, PartialEq)]
pub enum OpKind {
    /// The input itself.
    Identity,
    /// Bytes to fp32: `x * (2 / 255) - 1`.
    FromBytes,
    /// The batch, then the batch mirrored left to right: twice as many maps.
    MirrorBatch,
    /// Mean of the first and the second half of the batch: half as many.
    MeanHalves,
    /// Convolution; zeros outside.
    Conv {
        /// (height, width, in / groups, out).
        kernel: Array,
        /// (out).
        bias: Option<Vec<f32>>,
        /// Steps down and right.
        strides: [usize; 2],
        /// Zeros around the map.
        pads: Pads,
        /// Distance between taps.
        dilation: [usize; 2],
        /// Channel groups.
        groups: usize,
    },
    /// Convolution of each channel on its own; zeros outside. Result `c * multiplier + m` is of channel `c`.
    Depthwise {
        /// (height, width, channels, multiplier).
        kernel: Array,
        /// (channels * multiplier).
        bias: Option<Vec<f32>>,
        /// Steps down and right.
        strides: [usize; 2],
        /// Zeros around the map.
        pads: Pads,
        /// Distance between taps.
        dilation: [usize; 2],
    },
    /// Matrix product over the last axis, whatever axes are before it.
    Dense {
        /// (in, out).
        kernel: Array,
        /// (out).
        bias: Option<Vec<f32>>,
    },
    /// `x * scale + offset`.
    Affine {
        /// One number, or one for each place of the last axis.
        scale: Vec<f32>,
        /// One number, or one for each place of the last axis.
        offset: Vec<f32>,
    },
    /// Normalisation over the last axis.
    LayerNorm {
        /// Added to the variance.
        epsilon: f64,
        /// Factors.
        gamma: Option<Vec<f32>>,
        /// Summands.
        beta: Option<Vec<f32>>,
    },
    /// `x / sqrt(max(sum(x^2), 1e-12))` along the last axis.
    Unit,
    /// `max(x, 0) + alpha * min(x, 0)`.
    PRelu {
        /// As many axes as the input; axes of 1 stretch.
        alpha: Array,
    },
    /// An element-wise function, or softmax over the last axis; never linear.
    Activation(Activation),
    /// `clip(x where x > threshold else 0, 0, max) - slope * max(threshold - x, 0)`, without the clip where there is no
    /// `max` and the threshold is not 0. The simple ones are [`OpKind::Activation`].
    Relu {
        /// Upper bound.
        max: Option<f64>,
        /// Slope below the threshold.
        slope: f64,
        /// Where the slope begins.
        threshold: f64,
    },
    /// Two or more inputs of as many axes.
    Combine(Combination),
    /// The inputs one after the other.
    Concat {
        /// The axis, from 0, the batch not counted.
        axis: usize,
    },
    /// The same numbers in the shape of the result, in channels-last order.
    Reshape,
    /// The axes in another order.
    Transpose {
        /// For each axis of the result the axis of the input, from 0, the batch not counted.
        axes: Vec<usize>,
    },
    /// Mean over height and width.
    GlobalAverage {
        /// Whether they stay as 1.
        keepdims: bool,
    },
    /// Largest over height and width.
    GlobalMax {
        /// Whether they stay as 1.
        keepdims: bool,
    },
    /// Largest of each window; padded places do not count.
    MaxPool {
        /// Height and width.
        kernel: [usize; 2],
        /// Steps down and right.
        strides: [usize; 2],
        /// Places around the map.
        pads: Pads,
    },
    /// Mean of each window; padded places do not count.
    AveragePool {
        /// Height and width.
        kernel: [usize; 2],
        /// Steps down and right.
        strides: [usize; 2],
        /// Places around the map.
        pads: Pads,
    },
    /// Zeros around the map.
    Pad {
        /// How many.
        pads: Pads,
    },
    /// Rows and columns cut off.
    Crop {
        /// How many.
        edges: Pads,
    },
    /// A larger map. Bilinear places are half-pixel centres, as in TensorFlow 2.
    Upsample {
        /// Factors of height and width.
        factors: [usize; 2],
        /// Whether places between are interpolated instead of repeated.
        bilinear: bool,
    },
}

/// An operation, its inputs and its result.
#[derive(Debug, Clone, PartialEq)]
pub struct Op {
    /// Unique; the name of its layer, with a suffix where the layer has several operations.
    pub name: String,
    /// Keras's class of its layer, for messages.
    pub class: &'static str,
    /// What it does.
    pub kind: OpKind,
    /// What it takes.
    pub inputs: Vec<ValueId>,
    /// What it makes.
    pub output: ValueId,
}
