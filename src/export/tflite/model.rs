//! A TFLite model in memory: tensors, operators in the order they run, and what surrounds them.

use super::op::Op;
use super::tensor::{Kind, Tensor, TensorId};

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
