//! Nodes and initializers of an ONNX graph, with their names.

mod activations;
pub(super) mod operations;
mod spatial;

use std::collections::{HashMap, HashSet};

use super::proto::{
    AttributeProto, DimensionProto, GraphProto, NodeProto, TensorProto, TensorShapeProto, TensorTypeProto, TypeProto,
    ValueInfoProto, attribute, number,
};
use crate::export::lower::{Layout, Lowered, Number, Op, ValueId};

/// The name of the input.
pub const INPUT: &str = "images";

/// The name of the output.
pub const OUTPUT: &str = "embeddings";

/// Keras's map axes (height, width, channels) at their places in NCHW.
const MAP_AXES: [i64; 3] = [2, 3, 1];
/// The axes that make NCHW of NHWC.
pub(super) const TO_NCHW: [i64; 4] = [0, 3, 1, 2];
/// The axes that make NHWC of NCHW.
pub(super) const TO_NHWC: [i64; 4] = [0, 2, 3, 1];

/// A graph as it grows.
pub(super) struct Writer<'a> {
    pub(super) lowered: &'a Lowered,
    nodes: Vec<NodeProto>,
    initializers: Vec<TensorProto>,
    /// The name under which each value lies in the file, maps as NCHW.
    names: Vec<String>,
    taken: HashSet<String>,
    /// How often each value is used by a dense layer only; see [`Writer::only_dense`].
    dense_only: Vec<bool>,
    /// Flattened maps that lie channels-first, with their (height, width, channels).
    pub(super) channels_first: HashMap<ValueId, [usize; 3]>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(lowered: &'a Lowered) -> Self {
        let mut names: Vec<String> = lowered.values.iter().map(|value| value.name.clone()).collect();
        let mut taken: HashSet<String> = names.iter().cloned().collect();
        taken.extend([INPUT.to_owned(), OUTPUT.to_owned()]);
        for (id, name) in [(lowered.input, INPUT), (lowered.output, OUTPUT)] {
            let transposed = lowered.options.layout == Layout::Nhwc && lowered.values[id].shape.len() == 3;
            names[id] = if transposed { unique(&mut taken, &format!("{name}/nchw")) } else { name.to_owned() };
        }
        let mut dense_only = vec![true; lowered.values.len()];
        dense_only[lowered.output] = false;
        for op in lowered.ops.iter().filter(|op| !matches!(op.kind, crate::export::lower::OpKind::Dense { .. })) {
            op.inputs.iter().for_each(|input| dense_only[*input] = false);
        }
        let (nodes, initializers, channels_first) = (Vec::new(), Vec::new(), HashMap::new());
        Self { lowered, nodes, initializers, names, taken, dense_only, channels_first }
    }

    /// Writes all operations with `write`, and what lies around them.
    pub(super) fn graph(&mut self, name: &str, write: impl Fn(&mut Self, &Op)) -> GraphProto {
        let lowered = self.lowered;
        let (input, output) = (lowered.input, lowered.output);
        if self.names[input] != INPUT {
            let to = self.names[input].clone();
            self.put("Transpose", &to.clone(), &[INPUT.to_owned()], to, vec![ints("perm", &TO_NCHW)]);
        }
        for op in &lowered.ops {
            write(self, op);
        }
        if self.names[output] != OUTPUT {
            let from = self.names[output].clone();
            self.put("Transpose", OUTPUT, &[from], OUTPUT.to_owned(), vec![ints("perm", &TO_NHWC)]);
        }
        let between = lowered.ops.iter().map(|op| op.output).filter(|id| self.names[*id] != OUTPUT);
        let value_info = between.map(|id| self.info(&self.names[id], id, Layout::Nchw)).collect();
        let edge = |name: &str, id: ValueId| self.info(name, id, lowered.options.layout);
        let (inputs, outputs) = (vec![edge(INPUT, input)], vec![edge(OUTPUT, output)]);
        GraphProto {
            node: std::mem::take(&mut self.nodes),
            name: Some(name.to_owned()),
            initializer: std::mem::take(&mut self.initializers),
            input: inputs,
            output: outputs,
            value_info,
        }
    }

    fn info(&self, name: &str, id: ValueId, layout: Layout) -> ValueInfoProto {
        let value = &self.lowered.values[id];
        let shape = if layout == Layout::Nchw { dims(&value.shape) } else { integers(&value.shape) };
        let batch = (value.copies == 1).then(|| "N".to_owned());
        let mut dim = vec![DimensionProto { dim_value: None, dim_param: batch }];
        dim.extend(shape.into_iter().map(|size| DimensionProto { dim_value: Some(size), dim_param: None }));
        let elem_type = Some(if value.number == Number::Uint8 { number::UINT8 } else { number::FLOAT });
        let tensor = TensorTypeProto { elem_type, shape: Some(TensorShapeProto { dim }) };
        ValueInfoProto { name: Some(name.to_owned()), r#type: Some(TypeProto { tensor_type: Some(tensor) }) }
    }

    /// The name of an operation's input.
    pub(super) fn input(&self, op: &Op, place: usize) -> String {
        self.names[op.inputs[place]].clone()
    }

    /// The names of all its inputs.
    pub(super) fn inputs(&self, op: &Op) -> Vec<String> {
        op.inputs.iter().map(|input| self.names[*input].clone()).collect()
    }

    /// Whether dense layers alone take a value, so that its order is theirs to choose.
    pub(super) fn only_dense(&self, value: ValueId) -> bool {
        self.dense_only[value]
    }

    fn put(&mut self, kind: &str, name: &str, inputs: &[String], output: String, attribute: Vec<AttributeProto>) {
        self.nodes.push(NodeProto {
            input: inputs.to_vec(),
            output: vec![output],
            name: Some(name.to_owned()),
            op_type: Some(kind.to_owned()),
            attribute,
            domain: None,
        });
    }

    /// A node inside an operation; the name of its result.
    pub(super) fn step(
        &mut self,
        op: &Op,
        what: &str,
        kind: &str,
        inputs: &[String],
        attributes: Vec<AttributeProto>,
    ) -> String {
        let name = unique(&mut self.taken, &format!("{}/{what}", op.name));
        self.put(kind, &name, inputs, name.clone(), attributes);
        name
    }

    /// The node that makes an operation's result.
    pub(super) fn last(&mut self, op: &Op, kind: &str, inputs: &[String], attributes: Vec<AttributeProto>) {
        let output = self.names[op.output].clone();
        self.put(kind, &op.name, inputs, output, attributes);
    }

    /// An initializer; its name.
    pub(super) fn numbers(&mut self, op: &Op, what: &str, dims: &[usize], data: &[f32]) -> String {
        debug_assert_eq!(dims.iter().product::<usize>(), data.len());
        let bytes = data.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.initializer(op, what, integers(dims), number::FLOAT, bytes)
    }

    /// An initializer of one number.
    pub(super) fn scalar(&mut self, op: &Op, what: &str, value: f64) -> String {
        self.numbers(op, what, &[], &[value as f32])
    }

    /// An initializer of integers.
    pub(super) fn integers(&mut self, op: &Op, what: &str, values: &[i64]) -> String {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.initializer(op, what, vec![values.len() as i64], number::INT64, bytes)
    }

    fn initializer(&mut self, op: &Op, what: &str, dims: Vec<i64>, kind: i32, bytes: Vec<u8>) -> String {
        let name = unique(&mut self.taken, &format!("{}/{what}", op.name));
        self.initializers.push(TensorProto {
            dims,
            data_type: Some(kind),
            name: Some(name.clone()),
            raw_data: Some(bytes),
            ..TensorProto::default()
        });
        name
    }
}

fn unique(taken: &mut HashSet<String>, wanted: &str) -> String {
    let mut name = wanted.to_owned();
    let mut count = 1;
    while !taken.insert(name.clone()) {
        name = format!("{wanted}_{count}");
        count += 1;
    }
    name
}

fn integers(sizes: &[usize]) -> Vec<i64> {
    sizes.iter().map(|size| *size as i64).collect()
}

/// The axes of a value in the file, without the batch.
pub(super) fn dims(shape: &[usize]) -> Vec<i64> {
    if let [height, width, channels] = shape { integers(&[*channels, *height, *width]) } else { integers(shape) }
}

/// Where Keras's axis (from 0, the batch not counted) of a value of `rank` axes lies in the file.
pub(super) fn axis(rank: usize, axis: usize) -> i64 {
    if rank == 3 { MAP_AXES[axis] } else { axis as i64 + 1 }
}

/// Where the last axis lies.
pub(super) fn last_axis(rank: usize) -> i64 {
    axis(rank, rank.saturating_sub(1))
}

fn setting(name: &str, kind: i32) -> AttributeProto {
    AttributeProto { name: Some(name.to_owned()), r#type: Some(kind), ..AttributeProto::default() }
}

/// An integer setting.
pub(super) fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto { i: Some(value), ..setting(name, attribute::INT) }
}

/// A float setting.
pub(super) fn float(name: &str, value: f64) -> AttributeProto {
    AttributeProto { f: Some(value as f32), ..setting(name, attribute::FLOAT) }
}

/// A list of integers.
pub(super) fn ints(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto { ints: values.to_vec(), ..setting(name, attribute::INTS) }
}

/// Sizes as a list of integers.
pub(super) fn sizes(name: &str, values: &[usize]) -> AttributeProto {
    ints(name, &integers(values))
}

/// A word.
pub(super) fn word(name: &str, value: &str) -> AttributeProto {
    AttributeProto { s: Some(value.as_bytes().to_vec()), ..setting(name, attribute::STRING) }
}
