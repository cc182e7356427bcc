//! A tensor of a TFLite model: its name, shape, number format and, where it is a constant, its numbers.

use super::int8::scales::Quantization;

/// Position of a tensor.
pub type TensorId = usize;

/// Number format of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// fp32.
    Float32,
    /// fp16; constants only.
    Float16,
    /// Shapes, axes, and biases of integer convolutions.
    Int32,
    /// Bytes of an image.
    Uint8,
    /// Truth values.
    Bool,
    /// Quantised numbers.
    Int8,
}

/// All, with their numbers in the schema and sizes in bytes.
const KINDS: [(Kind, u8, usize); 6] = [
    (Kind::Float32, 0, 4),
    (Kind::Float16, 1, 2),
    (Kind::Int32, 2, 4),
    (Kind::Uint8, 3, 1),
    (Kind::Bool, 6, 1),
    (Kind::Int8, 9, 1),
];

impl Kind {
    /// Its number in the schema.
    pub fn code(self) -> u8 {
        KINDS.iter().find(|(kind, ..)| *kind == self).map_or(0, |(_, code, _)| *code)
    }

    /// The format of a number in the schema.
    pub fn from_code(code: u8) -> Option<Self> {
        KINDS.iter().find(|(_, known, _)| *known == code).map(|(kind, ..)| *kind)
    }

    /// Bytes of an element.
    pub fn size(self) -> usize {
        KINDS.iter().find(|(kind, ..)| *kind == self).map_or(1, |(.., size)| *size)
    }
}

/// A tensor: a constant, or what flows between operators.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Its name.
    pub name: String,
    /// Axes, for one image.
    pub shape: Vec<i32>,
    /// Axes with -1 for the batch; none where nothing depends on it.
    pub signature: Option<Vec<i32>>,
    /// Number format.
    pub kind: Kind,
    /// What its integers stand for.
    pub quantization: Option<Quantization>,
    /// Little-endian elements of a constant, row-major.
    pub data: Option<Vec<u8>>,
}

impl Tensor {
    /// Number of elements, for one image.
    pub fn len(&self) -> usize {
        self.shape.iter().map(|size| usize::try_from(*size).unwrap_or(0)).product()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The elements of an fp32 constant.
    pub fn floats(&self) -> Option<Vec<f32>> {
        let data = self.data.as_ref().filter(|_| self.kind == Kind::Float32)?;
        Some(data.chunks_exact(4).map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])).collect())
    }

    /// The elements of an int32 constant.
    pub fn ints(&self) -> Option<Vec<i32>> {
        let data = self.data.as_ref().filter(|_| self.kind == Kind::Int32)?;
        Some(data.chunks_exact(4).map(|bytes| i32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])).collect())
    }
}
