//! A TFLite model in memory: tensors, operators in the order they run, and what surrounds them.

use super::op::Op;

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

/// How integers stand for numbers: `scale * (q - zero_point)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Quantization {
    /// One for the tensor, or one for each place of `axis`.
    pub scales: Vec<f32>,
    /// The integer that stands for 0: one for the tensor; with several scales it is 0.
    pub zero_point: i64,
    /// The axis of the scales; 0 where there is one.
    pub axis: i32,
}

impl Quantization {
    /// One scale for the whole tensor.
    pub fn whole(scale: f32, zero_point: i64) -> Self {
        Self { scales: vec![scale], zero_point, axis: 0 }
    }

    /// The quantisation to int8 of numbers from `low` to `high`; 0 is always exact.
    pub fn of_range(low: f32, high: f32) -> Self {
        let (low, high) = (f64::from(low.min(0.0)), f64::from(high.max(0.0)));
        let scale = if high - low > 1e-20 { (high - low) / 255.0 } else { 1.0 / 255.0 };
        let zero_point = (-128.0 - low / scale).round().clamp(-128.0, 127.0);
        Self::whole(scale as f32, zero_point as i64)
    }

    /// The smallest and largest number that int8 can stand for.
    pub fn range(&self) -> (f32, f32) {
        let of = |q: i64| (q - self.zero_point) as f32 * self.scales[0];
        (of(-128), of(127))
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

/// An operator in a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Operator {
    /// Which, and its settings.
    pub op: Op,
    /// Its inputs.
    pub inputs: Vec<TensorId>,
    /// Its result.
    pub output: TensorId,
}

/// A model of one input and one output.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Model {
    /// For people.
    pub description: String,
    /// The tensors.
    pub tensors: Vec<Tensor>,
    /// The operators, in the order they run.
    pub operators: Vec<Operator>,
    /// The images.
    pub input: TensorId,
    /// The embeddings.
    pub output: TensorId,
    /// Named texts and bytes that go along.
    pub metadata: Vec<(String, Vec<u8>)>,
}

/// The name of the input in the signature.
pub const INPUT: &str = "images";

/// The name of the output in the signature.
pub const OUTPUT: &str = "embeddings";

impl Model {
    /// Adds a tensor.
    pub fn tensor(&mut self, tensor: Tensor) -> TensorId {
        self.tensors.push(tensor);
        self.tensors.len() - 1
    }

    /// Adds what flows: `shape` has the batch, as 1 for each time the input's batch is in it. -1 in `signature` is the
    /// batch.
    pub fn flow(&mut self, name: impl Into<String>, kind: Kind, shape: Vec<i32>, signature: Vec<i32>) -> TensorId {
        let signature = Some(signature);
        self.tensor(Tensor { name: name.into(), shape, signature, kind, quantization: None, data: None })
    }

    /// Adds an fp32 constant.
    pub fn floats(&mut self, name: impl Into<String>, shape: Vec<i32>, values: &[f32]) -> TensorId {
        let data = Some(values.iter().flat_map(|value| value.to_le_bytes()).collect());
        let name = name.into();
        self.tensor(Tensor { name, shape, signature: None, kind: Kind::Float32, quantization: None, data })
    }

    /// Adds an int32 constant.
    pub fn ints(&mut self, name: impl Into<String>, shape: Vec<i32>, values: &[i32]) -> TensorId {
        let data = Some(values.iter().flat_map(|value| value.to_le_bytes()).collect());
        let name = name.into();
        self.tensor(Tensor { name, shape, signature: None, kind: Kind::Int32, quantization: None, data })
    }

    /// Adds an operator.
    pub fn operator(&mut self, op: Op, inputs: Vec<TensorId>, output: TensorId) -> TensorId {
        self.operators.push(Operator { op, inputs, output });
        output
    }

    /// The version of an operator, for the tensors it takes.
    pub fn version(&self, operator: &Operator) -> i32 {
        let inputs: Vec<&Tensor> = operator.inputs.iter().map(|input| &self.tensors[*input]).collect();
        operator.op.version(&inputs)
    }

    /// The oldest TFLite that runs it.
    pub fn runtime(&self) -> String {
        let runtimes = self.operators.iter().map(|operator| operator.op.runtime(self.version(operator)));
        let [major, minor, patch] = runtimes.max().unwrap_or([1, 14, 0]);
        format!("{major}.{minor}.{patch}")
    }

    /// Bytes of all constants.
    pub fn constant_bytes(&self) -> usize {
        self.tensors.iter().filter_map(|tensor| tensor.data.as_ref()).map(Vec::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_keep_zero_exact() {
        let quantization = Quantization::of_range(-1.0, 3.0);
        assert_eq!((quantization.scales[0], quantization.zero_point), (4.0 / 255.0, -64));
        let (low, high) = quantization.range();
        assert!((low + 1.0).abs() < 0.01 && (high - 3.0).abs() < 0.01);
        assert_eq!(Quantization::of_range(0.5, 2.0).zero_point, -128);
        assert_eq!(Quantization::of_range(-2.0, -1.0).zero_point, 127);
        assert!(Quantization::of_range(0.0, 0.0).scales[0] > 0.0);
    }
}
