//! The operators of TFLite that facetui writes: their numbers and settings in the schema, their versions, and the oldest
//! runtime that has them.
//!
//! Numbers and slots are those of TensorFlow's `schema.fbs`; versions follow its `op_version.cc` and `runtime_version.cc`
//! for the number formats written here (fp32, int8, and fp16 constants).

use super::tensor::{Kind, Tensor};

/// What is applied to an operator's result inside the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fused {
    /// Nothing.
    #[default]
    None,
    /// `max(x, 0)`.
    Relu,
    /// `min(max(x, 0), 6)`.
    Relu6,
}

/// A sliding window of a map. All pairs are (down, right).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sliding {
    /// Steps.
    pub strides: [i32; 2],
    /// Distance between taps.
    pub dilation: [i32; 2],
    /// TensorFlow's `SAME` padding; otherwise none.
    pub same: bool,
    /// Applied to the result.
    pub fused: Fused,
}

/// An operator with its settings. Inputs are listed where they are not obvious.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Op {
    /// Sum of two.
    Add(Fused),
    /// The first less the second.
    Sub(Fused),
    /// Product of two.
    Mul(Fused),
    /// The first by the second.
    Div(Fused),
    /// Larger of two.
    Maximum,
    /// Smaller of two.
    Minimum,
    /// Map, kernel (out, height, width, in / groups), bias (out).
    Conv2d(Sliding),
    /// Map, kernel (1, height, width, in * multiplier), bias.
    DepthwiseConv2d(Sliding, i32),
    /// Rows, kernel (out, in), bias (out); all axes but the last are kept.
    FullyConnected(Fused, bool),
    /// Mean of each window of this size; padded places do not count.
    AveragePool2d(Sliding, [i32; 2]),
    /// Largest of each window of this size.
    MaxPool2d(Sliding, [i32; 2]),
    /// Input, axes; whether the axes stay as 1.
    Mean(bool),
    /// Input, axes; whether the axes stay as 1.
    ReduceMax(bool),
    /// Input, shape.
    Reshape,
    /// Input, order of the axes.
    Transpose,
    /// Along this axis.
    Concatenation(i32),
    /// Input, zeros (axes, 2).
    Pad,
    /// Input, begin, end, strides; bit masks of the axes whose begin and end are the map's own.
    StridedSlice(i32, i32),
    /// Input, axes.
    ReverseV2,
    /// Input, (height, width); half-pixel centres.
    ResizeBilinear,
    /// Input, (height, width).
    ResizeNearest,
    /// `max(x, 0)`.
    Relu,
    /// `min(max(x, 0), 6)`.
    Relu6,
    /// With this slope below 0.
    LeakyRelu(f32),
    /// Input, slopes below 0.
    Prelu,
    /// `x` above 0, `exp(x) - 1` below.
    Elu,
    /// `1 / (1 + exp(-x))`.
    Logistic,
    /// Hyperbolic tangent.
    Tanh,
    /// `x * min(max(x + 3, 0), 6) / 6`.
    HardSwish,
    /// `x * Phi(x)`; whether by the tanh approximation.
    Gelu(bool),
    /// Over the last axis.
    Softmax,
    /// `exp(x)`.
    Exp,
    /// Natural logarithm.
    Log,
    /// Absolute value.
    Abs,
    /// `1 / sqrt(x)`.
    Rsqrt,
    /// Square of the difference of two.
    SquaredDifference,
    /// Whether the first is larger than the second.
    Greater,
    /// Another number format: from, to.
    Cast(Kind, Kind),
    /// Division by the length along the last axis.
    L2Normalization,
    /// To int8, from fp32, uint8 or other int8.
    Quantize,
    /// To fp32, from int8 or fp16.
    Dequantize,
}

/// A setting in an options table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scalar {
    /// A byte: an enumeration or a truth value.
    Byte(u8),
    /// A number.
    Int(i32),
    /// A number.
    Float(f32),
}

/// An operator's line in the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// `BuiltinOperator`.
    pub code: i32,
    /// Its name there.
    pub name: &'static str,
    /// `BuiltinOptions`; 0 is none.
    pub options: u8,
}

const fn entry(code: i32, name: &'static str, options: u8) -> Entry {
    Entry { code, name, options }
}

impl Op {
    /// Its line in the schema.
    pub const fn entry(self) -> Entry {
        match self {
            Self::Add(_) => entry(0, "ADD", 11),
            Self::AveragePool2d(..) => entry(1, "AVERAGE_POOL_2D", 5),
            Self::Concatenation(_) => entry(2, "CONCATENATION", 10),
            Self::Conv2d(_) => entry(3, "CONV_2D", 1),
            Self::DepthwiseConv2d(..) => entry(4, "DEPTHWISE_CONV_2D", 2),
            Self::Dequantize => entry(6, "DEQUANTIZE", 0),
            Self::FullyConnected(..) => entry(9, "FULLY_CONNECTED", 8),
            Self::L2Normalization => entry(11, "L2_NORMALIZATION", 12),
            Self::Logistic => entry(14, "LOGISTIC", 0),
            Self::MaxPool2d(..) => entry(17, "MAX_POOL_2D", 5),
            Self::Mul(_) => entry(18, "MUL", 21),
            Self::Relu => entry(19, "RELU", 0),
            Self::Relu6 => entry(21, "RELU6", 0),
            Self::Reshape => entry(22, "RESHAPE", 0),
            Self::ResizeBilinear => entry(23, "RESIZE_BILINEAR", 15),
            Self::Softmax => entry(25, "SOFTMAX", 9),
            Self::Tanh => entry(28, "TANH", 0),
            Self::Pad => entry(34, "PAD", 0),
            Self::Transpose => entry(39, "TRANSPOSE", 0),
            Self::Mean(_) => entry(40, "MEAN", 27),
            Self::Sub(_) => entry(41, "SUB", 28),
            Self::Div(_) => entry(42, "DIV", 29),
            Self::StridedSlice(..) => entry(45, "STRIDED_SLICE", 32),
            Self::Exp => entry(47, "EXP", 0),
            Self::Cast(..) => entry(53, "CAST", 37),
            Self::Prelu => entry(54, "PRELU", 0),
            Self::Maximum => entry(55, "MAXIMUM", 0),
            Self::Minimum => entry(57, "MINIMUM", 0),
            Self::Greater => entry(61, "GREATER", 0),
            Self::Log => entry(73, "LOG", 0),
            Self::Rsqrt => entry(76, "RSQRT", 0),
            Self::ReduceMax(_) => entry(82, "REDUCE_MAX", 27),
            Self::ResizeNearest => entry(97, "RESIZE_NEAREST_NEIGHBOR", 74),
            Self::LeakyRelu(_) => entry(98, "LEAKY_RELU", 75),
            Self::SquaredDifference => entry(99, "SQUARED_DIFFERENCE", 0),
            Self::Abs => entry(101, "ABS", 0),
            Self::ReverseV2 => entry(105, "REVERSE_V2", 0),
            Self::Elu => entry(111, "ELU", 0),
            Self::Quantize => entry(114, "QUANTIZE", 0),
            Self::HardSwish => entry(117, "HARD_SWISH", 91),
            Self::Gelu(_) => entry(150, "GELU", 116),
        }
    }

    /// The settings by their places in the options table, in rising order.
    pub fn settings(self) -> Vec<(u16, Scalar)> {
        use Scalar::{Byte, Float, Int};
        let padding = |same: bool| Byte(u8::from(!same));
        match self {
            Self::Add(fused) | Self::Sub(fused) | Self::Mul(fused) | Self::Div(fused) => vec![(0, fused.scalar())],
            Self::Conv2d(at) => vec![
                (0, padding(at.same)),
                (1, Int(at.strides[1])),
                (2, Int(at.strides[0])),
                (3, at.fused.scalar()),
                (4, Int(at.dilation[1])),
                (5, Int(at.dilation[0])),
            ],
            Self::DepthwiseConv2d(at, multiplier) => vec![
                (0, padding(at.same)),
                (1, Int(at.strides[1])),
                (2, Int(at.strides[0])),
                (3, Int(multiplier)),
                (4, at.fused.scalar()),
                (5, Int(at.dilation[1])),
                (6, Int(at.dilation[0])),
            ],
            Self::AveragePool2d(at, kernel) | Self::MaxPool2d(at, kernel) => vec![
                (0, padding(at.same)),
                (1, Int(at.strides[1])),
                (2, Int(at.strides[0])),
                (3, Int(kernel[1])),
                (4, Int(kernel[0])),
                (5, at.fused.scalar()),
            ],
            Self::FullyConnected(fused, keep) => vec![(0, fused.scalar()), (2, Byte(u8::from(keep)))],
            Self::Mean(keep) | Self::ReduceMax(keep) => vec![(0, Byte(u8::from(keep)))],
            Self::Concatenation(axis) => vec![(0, Int(axis))],
            Self::StridedSlice(begin, end) => vec![(0, Int(begin)), (1, Int(end))],
            Self::ResizeBilinear => vec![(3, Byte(1))],
            Self::LeakyRelu(slope) => vec![(0, Float(slope))],
            Self::Gelu(approximate) => vec![(0, Byte(u8::from(approximate)))],
            Self::Softmax => vec![(0, Float(1.0))],
            Self::Cast(from, to) => vec![(0, Byte(from.code())), (1, Byte(to.code()))],
            _ => Vec::new(),
        }
    }

    /// The operator of a number, its settings read by place; none for what facetui does not write.
    pub fn read(code: i32, get: &mut dyn FnMut(u16, Scalar) -> Scalar) -> Option<Self> {
        let mut byte = |place| match get(place, Scalar::Byte(0)) {
            Scalar::Byte(value) => value,
            _ => 0,
        };
        let fused = |value| Fused::from_code(value);
        Some(match code {
            0 => Self::Add(fused(byte(0))?),
            18 => Self::Mul(fused(byte(0))?),
            41 => Self::Sub(fused(byte(0))?),
            42 => Self::Div(fused(byte(0))?),
            1 | 3 | 4 | 17 => {
                let same = byte(0) == 0;
                let fused = fused(byte(if code == 3 {
                    3
                } else if code == 4 {
                    4
                } else {
                    5
                }))?;
                let mut int = |place, none| match get(place, Scalar::Int(none)) {
                    Scalar::Int(value) => value,
                    _ => none,
                };
                let strides = [int(2, 0), int(1, 0)];
                let dilation = match code {
                    3 => [int(5, 1), int(4, 1)],
                    4 => [int(6, 1), int(5, 1)],
                    _ => [1; 2],
                };
                let at = Sliding { strides, dilation, same, fused };
                match code {
                    3 => Self::Conv2d(at),
                    4 => Self::DepthwiseConv2d(at, int(3, 0)),
                    1 => Self::AveragePool2d(at, [int(4, 0), int(3, 0)]),
                    _ => Self::MaxPool2d(at, [int(4, 0), int(3, 0)]),
                }
            }
            2 => Self::Concatenation(read_int(get, 0)),
            6 => Self::Dequantize,
            9 => Self::FullyConnected(fused(byte(0))?, byte(2) != 0),
            11 => Self::L2Normalization,
            14 => Self::Logistic,
            19 => Self::Relu,
            21 => Self::Relu6,
            22 => Self::Reshape,
            23 => Self::ResizeBilinear,
            25 => Self::Softmax,
            28 => Self::Tanh,
            34 => Self::Pad,
            39 => Self::Transpose,
            40 => Self::Mean(byte(0) != 0),
            45 => Self::StridedSlice(read_int(get, 0), read_int(get, 1)),
            47 => Self::Exp,
            53 => Self::Cast(Kind::from_code(byte(0))?, Kind::from_code(byte(1))?),
            54 => Self::Prelu,
            55 => Self::Maximum,
            57 => Self::Minimum,
            61 => Self::Greater,
            73 => Self::Log,
            76 => Self::Rsqrt,
            82 => Self::ReduceMax(byte(0) != 0),
            97 => Self::ResizeNearest,
            98 => match get(0, Scalar::Float(0.0)) {
                Scalar::Float(slope) => Self::LeakyRelu(slope),
                _ => return None,
            },
            99 => Self::SquaredDifference,
            101 => Self::Abs,
            105 => Self::ReverseV2,
            111 => Self::Elu,
            114 => Self::Quantize,
            117 => Self::HardSwish,
            150 => Self::Gelu(byte(0) != 0),
            _ => return None,
        })
    }

    /// The operator's version for these inputs.
    pub fn version(self, inputs: &[&Tensor]) -> i32 {
        let first = inputs.first();
        let int8 = first.is_some_and(|tensor| tensor.kind == Kind::Int8);
        let rank = inputs.iter().map(|tensor| tensor.shape.len()).max().unwrap_or(0);
        let stretched = inputs.len() > 1 && inputs[0].shape != inputs[1].shape;
        let two = if int8 { 2 } else { 1 };
        match self {
            Self::Conv2d(_) if grouped(inputs) => 6,
            // For products, 2 would do where the factors are small; 3 takes all.
            Self::Conv2d(_) | Self::DepthwiseConv2d(..) | Self::Mul(_) | Self::ReverseV2 if int8 => 3,
            Self::DepthwiseConv2d(at, _) if at.dilation != [1; 2] => 2,
            Self::FullyConnected(_, true) => 5,
            Self::FullyConnected(..) if int8 => 4,
            Self::Dequantize if first.is_some_and(|tensor| tensor.kind == Kind::Float16) => 3,
            Self::Maximum | Self::Minimum | Self::Sub(_) if stretched && rank > 4 => 3,
            Self::Div(_) if stretched && rank > 4 => 2,
            Self::Transpose if rank > 5 => 6,
            Self::Transpose | Self::StridedSlice(..) | Self::Pad if rank > 4 => 4,
            Self::ResizeBilinear => 3,
            Self::Add(_)
            | Self::Sub(_)
            | Self::Maximum
            | Self::Minimum
            | Self::AveragePool2d(..)
            | Self::MaxPool2d(..)
            | Self::Mean(_)
            | Self::ReduceMax(_)
            | Self::Transpose
            | Self::Concatenation(_)
            | Self::Pad
            | Self::StridedSlice(..)
            | Self::ResizeNearest
            | Self::Relu
            | Self::Relu6
            | Self::Logistic
            | Self::Tanh
            | Self::Softmax
            | Self::Gelu(_)
            | Self::L2Normalization
            | Self::Dequantize => two,
            _ => 1,
        }
    }

    /// The oldest TFLite that has the operator in this version.
    pub const fn runtime(self, version: i32) -> [u32; 3] {
        match (self, version) {
            (Self::Conv2d(_), 6) | (Self::Gelu(_), _) => [2, 9, 0],
            (Self::Pad, 4..) => [2, 6, 0],
            (Self::ReverseV2, 3..) => [2, 5, 0],
            (Self::Maximum | Self::Minimum | Self::Sub(_), 3) | (Self::Div(_), 2) | (Self::Transpose, 4) => [2, 3, 0],
            (Self::Transpose, 5..) => [2, 12, 0],
            (Self::ResizeBilinear, 3) | (Self::StridedSlice(..), 4) => [2, 2, 0],
            (Self::Relu, 2) => [2, 1, 0],
            (Self::FullyConnected(..), 5) => [2, 0, 0],
            (Self::Mul(_) | Self::Dequantize, 3) | (Self::HardSwish, _) => [1, 15, 0],
            _ => [1, 14, 0],
        }
    }
}

fn read_int(get: &mut dyn FnMut(u16, Scalar) -> Scalar, place: u16) -> i32 {
    match get(place, Scalar::Int(0)) {
        Scalar::Int(value) => value,
        _ => 0,
    }
}

/// Whether a convolution's kernel takes fewer channels than its map has.
fn grouped(inputs: &[&Tensor]) -> bool {
    matches!(inputs, [map, kernel, ..] if map.shape.last() != kernel.shape.last())
}

impl Fused {
    const fn scalar(self) -> Scalar {
        Scalar::Byte(match self {
            Self::None => 0,
            Self::Relu => 1,
            Self::Relu6 => 3,
        })
    }

    const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::None),
            1 => Some(Self::Relu),
            3 => Some(Self::Relu6),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of each.
    pub(crate) fn all() -> Vec<Op> {
        let at = Sliding { strides: [1, 2], dilation: [3, 4], same: true, fused: Fused::Relu6 };
        let pool = Sliding { dilation: [1; 2], same: false, ..at };
        vec![
            Op::Add(Fused::Relu),
            Op::Sub(Fused::None),
            Op::Mul(Fused::Relu6),
            Op::Div(Fused::None),
            Op::Maximum,
            Op::Minimum,
            Op::Conv2d(at),
            Op::DepthwiseConv2d(at, 2),
            Op::FullyConnected(Fused::Relu, true),
            Op::AveragePool2d(pool, [2, 3]),
            Op::MaxPool2d(pool, [4, 5]),
            Op::Mean(true),
            Op::ReduceMax(false),
            Op::Reshape,
            Op::Transpose,
            Op::Concatenation(-1),
            Op::Pad,
            Op::StridedSlice(9, 5),
            Op::ReverseV2,
            Op::ResizeBilinear,
            Op::ResizeNearest,
            Op::Relu,
            Op::Relu6,
            Op::LeakyRelu(0.25),
            Op::Prelu,
            Op::Elu,
            Op::Logistic,
            Op::Tanh,
            Op::HardSwish,
            Op::Gelu(true),
            Op::Softmax,
            Op::Exp,
            Op::Log,
            Op::Abs,
            Op::Rsqrt,
            Op::SquaredDifference,
            Op::Greater,
            Op::Cast(Kind::Uint8, Kind::Float32),
            Op::L2Normalization,
            Op::Quantize,
            Op::Dequantize,
        ]
    }

    #[test]
    fn operators_come_back_from_their_settings() {
        for op in all() {
            let settings = op.settings();
            assert!(settings.is_sorted_by_key(|(place, _)| *place), "{op:?}");
            let mut get =
                |place, none| settings.iter().find(|(known, _)| *known == place).map_or(none, |known| known.1);
            assert_eq!(Op::read(op.entry().code, &mut get), Some(op));
        }
        assert_eq!(Op::read(32, &mut |_, none| none), None);
    }
}
