//! A lowered network: its operations and values, and what was asked for around it.

use super::ops::{Op, ValueId};
use crate::graph::shape::Shape;

/// What the file takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InputKind {
    /// fp32 in -1 to 1: `(x / 255 - 0.5) * 2`.
    #[default]
    Float,
    /// Bytes, 0 to 255; the file normalises them.
    Uint8,
}

/// Order of the axes of the images that the file takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Layout {
    /// (batch, height, width, channels).
    #[default]
    Nhwc,
    /// (batch, channels, height, width).
    Nchw,
}

/// What is built around the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// Numbers of the input.
    pub input: InputKind,
    /// Order of the input's axes. The operations are channels-last either way: the writer transposes.
    pub layout: Layout,
    /// Whether the result is the mean of the images' and the mirrored images' results, l2-normalised.
    pub flip: bool,
    /// Whether the result is l2-normalised.
    pub normalize: bool,
}

/// Number format of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Number {
    /// fp32.
    Float,
    /// 0 to 255.
    Uint8,
}

/// What flows between operations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// Unique; the name of the layer whose result it is, with a suffix inside a layer.
    pub name: String,
    /// Channels last, without the batch.
    pub shape: Shape,
    /// Number format.
    pub number: Number,
    /// How many times the batch of the input is in it: 2 between `MirrorBatch` and `MeanHalves`.
    pub copies: usize,
}

/// A network for inference.
#[derive(Debug, Clone, PartialEq)]
pub struct Lowered {
    /// The operations; each comes after those that make its inputs.
    pub ops: Vec<Op>,
    /// The values.
    pub values: Vec<Value>,
    /// The images.
    pub input: ValueId,
    /// The embeddings. Never the input itself.
    pub output: ValueId,
    /// What was asked for.
    pub options: Options,
}

impl Lowered {
    /// The shape of the first input of an operation.
    pub fn input_shape(&self, op: &Op) -> &Shape {
        &self.values[op.inputs[0]].shape
    }

    /// The shape of the result of an operation.
    pub fn output_shape(&self, op: &Op) -> &Shape {
        &self.values[op.output].shape
    }

    /// How often each value is used, the network's output counted as a use.
    pub fn uses(&self) -> Vec<usize> {
        let mut uses = vec![0; self.values.len()];
        self.ops.iter().flat_map(|op| &op.inputs).for_each(|input| uses[*input] += 1);
        uses[self.output] += 1;
        uses
    }
}
