//! Files in this crate's own ONNX words, read back, checked and run on libtorch: what an export is checked with where
//! no other runtime is at hand.
//!
//! A file may be damaged or made to harm: sizes are checked against what is there before anything is made of them, and
//! nothing panics. Operators that facetui does not write are refused by name.

mod attributes;
mod operators;

use std::collections::{HashMap, HashSet};
use std::path::Path;

use prost::Message as _;
use tch::{Device, Kind, Tensor};

use super::OPSET;
use super::proto::{GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, number};
use operators::Operand;

/// A file that can be run.
#[derive(Debug)]
pub struct Program {
    nodes: Vec<NodeProto>,
    constants: HashMap<String, Operand>,
    /// What the file says of its values' shapes; an open axis is none.
    shapes: HashMap<String, Vec<Option<i64>>>,
    /// For each node the values that nothing needs after it.
    released: Vec<Vec<String>>,
    input: String,
    output: String,
    /// Number format of the input.
    bytes: bool,
    metadata: HashMap<String, String>,
}

impl Program {
    /// Reads a file.
    ///
    /// # Errors
    /// A file that cannot be read or run, as a sentence.
    pub fn open(path: &Path) -> Result<Self, String> {
        let bytes = fs_err::read(path).map_err(|error| error.to_string())?;
        Self::decode(&bytes)
    }

    /// Reads the bytes of a file and checks its structure: every input of a node is made before it, names are made once,
    /// weights are as long as their shapes, every operator is known.
    ///
    /// # Errors
    /// What is wrong, as a sentence.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        let model = ModelProto::decode(bytes).map_err(|error| format!("it is no ONNX file: {error}"))?;
        let own = |domain: &Option<String>| domain.as_deref().unwrap_or("").is_empty();
        let opset = model.opset_import.iter().find(|set| own(&set.domain)).and_then(|set| set.version);
        if opset != Some(OPSET) {
            return Err(format!("it is of operator set {opset:?}; facetui runs {OPSET}"));
        }
        let graph = model.graph.ok_or("it holds no graph")?;
        let metadata = model.metadata_props.into_iter();
        let metadata = metadata.filter_map(|entry| Some((entry.key?, entry.value.unwrap_or_default()))).collect();
        Self::checked(graph, metadata)
    }

    fn checked(graph: GraphProto, metadata: HashMap<String, String>) -> Result<Self, String> {
        let ([input], [output]) = (&graph.input[..], &graph.output[..]) else {
            return Err(format!(
                "it has {} inputs and {} outputs; expected 1 each",
                graph.input.len(),
                graph.output.len()
            ));
        };
        let infos = graph.value_info.iter().chain([input, output]);
        let shapes = infos.filter_map(|info| Some((info.name.clone()?, shape(info)?))).collect();
        let bytes = element(input) == Some(number::UINT8);
        let [input, output] = [input, output].map(|info| info.name.clone().unwrap_or_default());
        let mut known: HashSet<&str> = HashSet::from([&*input]);
        let mut constants = HashMap::new();
        for tensor in &graph.initializer {
            let name = tensor.name.as_deref().unwrap_or("");
            if !known.insert(name) {
                return Err(format!("`{name}` is there twice"));
            }
            constants.insert(name.to_owned(), constant(tensor).map_err(|why| format!("the weights `{name}` {why}"))?);
        }
        let mut last_use: HashMap<&str, usize> = HashMap::new();
        for (at, node) in graph.node.iter().enumerate() {
            let name = node.name.as_deref().unwrap_or("");
            for input in node.input.iter().filter(|input| !input.is_empty()) {
                if !known.contains(&**input) {
                    return Err(format!("node `{name}` takes `{input}`, which nothing before it makes"));
                }
                last_use.insert(input, at);
            }
            let [made] = &node.output[..] else {
                return Err(format!("node `{name}` has {} results; expected 1", node.output.len()));
            };
            if !known.insert(made) {
                return Err(format!("`{made}` is made twice"));
            }
            let kind = node.op_type.as_deref().unwrap_or("");
            if !operators::is_known(kind) || !node.domain.as_deref().unwrap_or("").is_empty() {
                return Err(format!("node `{name}` is of the operator `{kind}`, which facetui does not run"));
            }
        }
        if !known.contains(&*output) {
            return Err(format!("nothing makes the output `{output}`"));
        }
        let mut released = vec![Vec::new(); graph.node.len()];
        for (value, at) in last_use.into_iter().filter(|(value, _)| *value != output && !constants.contains_key(*value))
        {
            released[at].push(value.to_owned());
        }
        Ok(Self { nodes: graph.node, constants, shapes, released, input, output, bytes, metadata })
    }

    /// A value of the file's metadata.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).map(String::as_str)
    }

    /// Whether it takes bytes.
    pub const fn takes_bytes(&self) -> bool {
        self.bytes
    }

    /// The axes of its input after the batch, where the file says them.
    pub fn input_shape(&self) -> Option<Vec<i64>> {
        self.shapes.get(&self.input)?.iter().skip(1).copied().collect()
    }

    /// The axes of its output after the batch, where the file says them.
    pub fn output_shape(&self) -> Option<Vec<i64>> {
        self.shapes.get(&self.output)?.iter().skip(1).copied().collect()
    }

    /// Runs it. Every result must have the shape that the file says.
    ///
    /// # Errors
    /// An input that does not fit, a node that cannot run, as a sentence with the node's name.
    pub fn run(&self, images: &Tensor) -> Result<Tensor, String> {
        self.agrees(&self.input, images)?;
        let mut values: HashMap<&str, Operand> = HashMap::new();
        values.insert(&self.input, Operand::Tensor(images.shallow_clone()));
        for (at, node) in self.nodes.iter().enumerate() {
            let name = node.name.as_deref().unwrap_or("");
            let find = |input: &String| values.get(&**input).or_else(|| self.constants.get(input));
            let inputs: Vec<Option<&Operand>> = node.input.iter().map(find).collect();
            let result = operators::run(node, &inputs).map_err(|why| {
                let kind = node.op_type.as_deref().unwrap_or("");
                format!("node `{name}` ({kind}): {why}")
            })?;
            let made = &node.output[0];
            self.agrees(made, &result)?;
            values.insert(made, Operand::Tensor(result));
            self.released[at].iter().for_each(|dead| drop(values.remove(&**dead)));
        }
        match values.remove(&*self.output).or_else(|| self.constants.get(&self.output).map(Operand::same)) {
            Some(Operand::Tensor(output)) => Ok(output),
            _ => Err(format!("`{}` is no tensor", self.output)),
        }
    }

    fn agrees(&self, name: &str, tensor: &Tensor) -> Result<(), String> {
        let Some(said) = self.shapes.get(name) else { return Ok(()) };
        let size = tensor.size();
        let fits =
            said.len() == size.len() && said.iter().zip(&size).all(|(said, size)| said.is_none_or(|n| n == *size));
        if fits { Ok(()) } else { Err(format!("`{name}` has the shape {size:?}; the file says {said:?}")) }
    }
}

fn element(info: &ValueInfoProto) -> Option<i32> {
    info.r#type.as_ref()?.tensor_type.as_ref()?.elem_type
}

fn shape(info: &ValueInfoProto) -> Option<Vec<Option<i64>>> {
    let shape = info.r#type.as_ref()?.tensor_type.as_ref()?.shape.as_ref()?;
    Some(shape.dim.iter().map(|dim| dim.dim_value).collect())
}

fn constant(tensor: &TensorProto) -> Result<Operand, String> {
    let raw = tensor.raw_data.as_deref().ok_or("have no raw data")?;
    let count = tensor.dims.iter().try_fold(1usize, |all, size| all.checked_mul(usize::try_from(*size).ok()?));
    let size = if tensor.data_type == Some(number::INT64) { 8 } else { 4 };
    if count.and_then(|count| count.checked_mul(size)) != Some(raw.len()) {
        return Err(format!("have {} bytes, which does not fit the shape {:?}", raw.len(), tensor.dims));
    }
    match tensor.data_type {
        Some(number::INT64) => {
            let values = raw.as_chunks::<8>().0.iter().map(|bytes| i64::from_le_bytes(*bytes));
            Ok(Operand::Integers(values.collect()))
        }
        Some(number::FLOAT) => {
            let values: Vec<f32> = raw.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
            let flat = Tensor::f_from_slice(&values).map_err(|error| error.to_string())?;
            let tensor = flat.f_reshape(tensor.dims.as_slice()).map_err(|error| error.to_string())?;
            Ok(Operand::Tensor(tensor.to_kind(Kind::Float).to_device(Device::Cpu)))
        }
        other => Err(format!("have the number format {other:?}; facetui reads 1 (float) and 7 (int64)")),
    }
}

#[cfg(test)]
mod tests;
