//! ONNX files, read back, checked and run on libtorch: what an export is checked with where no other runtime is at hand,
//! and how models that others exported are evaluated.
//!
//! A file may be damaged or made to harm: sizes are checked against what is there before anything is made of them, and
//! nothing panics. Operators that are not run are named before anything runs.

mod attributes;
mod call;
mod constants;
mod operators;
mod shapes;
mod spatial;

use std::collections::{HashMap, HashSet};
use std::path::Path;

use prost::Message as _;
use tch::{Device, Kind, Tensor};

use super::proto::{GraphProto, ModelProto, NodeProto, ValueInfoProto, number};
use attributes::Attributes;
use call::{Call, plain};

/// The operator sets that are run. Newer ones change little; what they add is named when a file uses it.
const OPSETS: std::ops::RangeInclusive<i64> = 7..=26;

/// A file that can be run.
#[derive(Debug)]
pub struct Program {
    nodes: Vec<NodeProto>,
    constants: HashMap<String, Tensor>,
    /// What the file says of its values' shapes; an open axis is none. Of all values where facetui wrote the file, of its
    /// input alone where another program did: some leave shapes behind that were those of another batch.
    shapes: HashMap<String, Vec<Option<i64>>>,
    /// For each node the values that nothing needs after it.
    released: Vec<Vec<String>>,
    input: String,
    output: String,
    output_shape: Option<Vec<Option<i64>>>,
    /// Number format of the input.
    bytes: bool,
    opset: i64,
    device: Device,
    metadata: HashMap<String, String>,
}

impl Program {
    /// Reads a file.
    ///
    /// # Errors
    /// A file that cannot be read or run, as a sentence.
    pub fn open(path: &Path) -> Result<Self, String> {
        Self::open_at(path, None, Device::Cpu)
    }

    /// Reads a file whose result is the value `output`, or the only output of the graph, and lays it onto a device.
    /// Weights may lie in files beside it.
    ///
    /// # Errors
    /// A file that cannot be read or run, as a sentence.
    pub fn open_at(path: &Path, output: Option<&str>, device: Device) -> Result<Self, String> {
        let bytes = fs_err::read(path).map_err(|error| error.to_string())?;
        Self::read(&bytes, path.parent(), output, device)
    }

    /// Reads the bytes of a file and checks its structure: every input of a node is made before it, names are made once,
    /// weights are as long as their shapes, every operator is known.
    ///
    /// # Errors
    /// What is wrong, as a sentence.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        Self::read(bytes, None, None, Device::Cpu)
    }

    fn read(bytes: &[u8], folder: Option<&Path>, output: Option<&str>, device: Device) -> Result<Self, String> {
        let model = ModelProto::decode(bytes).map_err(|error| format!("it is not an ONNX file: {error}"))?;
        let own = |domain: &Option<String>| is_own(domain.as_deref());
        let opset = model.opset_import.iter().find(|set| own(&set.domain)).and_then(|set| set.version);
        let Some(opset) = opset.filter(|opset| OPSETS.contains(opset)) else {
            let (first, last) = OPSETS.into_inner();
            return Err(match opset {
                None => "it names no operator set".to_owned(),
                Some(opset) => format!("it is of operator set {opset}; facetui runs {first} to {last}"),
            });
        };
        let mut graph = model.graph.ok_or("it holds no graph")?;
        let strict = model.producer_name.as_deref() == Some("facetui");
        let metadata = model.metadata_props.into_iter();
        let metadata = metadata.filter_map(|entry| Some((entry.key?, entry.value.unwrap_or_default()))).collect();
        let (input, result) = edges(&graph, output)?;
        let bytes = element(&input) == Some(number::UINT8);
        if !bytes && !matches!(element(&input), Some(number::FLOAT | number::FLOAT16 | number::DOUBLE)) {
            let format = element(&input);
            return Err(format!("its input has the number format {format:?}; facetui feeds floats and bytes"));
        }
        let output_shape = graph.output.iter().find(|info| info.name.as_deref() == Some(&result)).and_then(shape);
        let mut shapes: HashMap<String, Vec<Option<i64>>> =
            [&input].into_iter().filter_map(|info| Some((info.name.clone()?, shape(info)?))).collect();
        if strict {
            let infos = graph.value_info.iter().chain(&graph.output);
            shapes.extend(infos.filter_map(|info| Some((info.name.clone()?, shape(info)?))));
        }
        let input = input.name.unwrap_or_default();
        let mut constants = HashMap::new();
        for tensor in std::mem::take(&mut graph.initializer) {
            let name = tensor.name.clone().unwrap_or_default();
            let read = constants::read(&tensor, folder).map_err(|why| format!("the weights `{name}` {why}"))?;
            let read = if read.kind() == Kind::Float { lay(&read, device)? } else { read };
            if name == input || constants.insert(name.clone(), read).is_some() {
                return Err(format!("`{name}` is defined twice"));
            }
        }
        check(&graph, &input, &constants)?;
        let nodes = needed(graph.node, &result);
        for node in &nodes {
            let (name, kind) = (node.name.as_deref().unwrap_or(""), node.op_type.as_deref().unwrap_or(""));
            if !operators::is_known(kind) || !is_own(node.domain.as_deref()) {
                let domain = node.domain.as_deref().filter(|domain| !domain.is_empty());
                let of = domain.map_or_else(String::new, |domain| format!(" of `{domain}`"));
                return Err(format!("node `{name}` is of the operator `{kind}`{of}, which facetui does not run"));
            }
        }
        let released = released(&nodes, &constants, &result);
        Ok(Self {
            nodes,
            constants,
            shapes,
            released,
            input,
            output: result,
            output_shape,
            bytes,
            opset,
            device,
            metadata,
        })
    }

    /// A value of the file's metadata.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).map(String::as_str)
    }

    /// Whether it takes bytes.
    pub const fn takes_bytes(&self) -> bool {
        self.bytes
    }

    /// The name of its result.
    pub fn output(&self) -> &str {
        &self.output
    }

    /// Where it computes.
    pub const fn device(&self) -> Device {
        self.device
    }

    /// Images at a time, where the file fixes them.
    pub fn batch(&self) -> Option<i64> {
        self.shapes.get(&self.input)?.first().copied().flatten()
    }

    /// The axes of its input after the batch, where the file says them; open ones are none.
    pub fn input_axes(&self) -> Option<&[Option<i64>]> {
        self.shapes.get(&self.input)?.get(1..)
    }

    /// The axes of its input after the batch, where the file says them.
    pub fn input_shape(&self) -> Option<Vec<i64>> {
        self.input_axes()?.iter().copied().collect()
    }

    /// The axes of its output after the batch, where the file says them.
    pub fn output_shape(&self) -> Option<Vec<i64>> {
        self.output_shape.as_ref()?.iter().skip(1).copied().collect()
    }

    /// Runs it, on the device where it lies. Every result must have the shape that the file says.
    ///
    /// # Errors
    /// An input that does not fit, a node that cannot run, as a sentence with the node's name.
    pub fn run(&self, images: &Tensor) -> Result<Tensor, String> {
        self.agrees(&self.input, images)?;
        let mut values: HashMap<&str, Tensor> = HashMap::new();
        values.insert(&self.input, images.shallow_clone());
        for (at, node) in self.nodes.iter().enumerate() {
            let (name, kind) = (node.name.as_deref().unwrap_or(""), node.op_type.as_deref().unwrap_or(""));
            let find = |input: &String| values.get(&**input).or_else(|| self.constants.get(input));
            let inputs: Vec<Option<&Tensor>> = node.input.iter().map(find).collect();
            let (set, results) = (Attributes(node), node.output.len());
            let call = Call { kind, set, inputs: &inputs, opset: self.opset, results };
            let found = operators::run(&call, self.device).map_err(|why| format!("node `{name}` ({kind}): {why}"))?;
            for (made, result) in node.output.iter().zip(found) {
                self.agrees(made, &result)?;
                values.insert(made, result);
            }
            self.released[at].iter().for_each(|dead| drop(values.remove(&**dead)));
        }
        let output =
            values.remove(&*self.output).or_else(|| self.constants.get(&self.output).map(Tensor::shallow_clone));
        output.ok_or_else(|| format!("nothing makes `{}`", self.output))
    }

    fn agrees(&self, name: &str, tensor: &Tensor) -> Result<(), String> {
        let Some(said) = self.shapes.get(name) else { return Ok(()) };
        let size = tensor.size();
        let fits =
            said.len() == size.len() && said.iter().zip(&size).all(|(said, size)| said.is_none_or(|n| n == *size));
        if fits { Ok(()) } else { Err(format!("`{name}` has the shape {size:?}; the file says {said:?}")) }
    }
}

/// Whether a domain is ONNX's own.
fn is_own(domain: Option<&str>) -> bool {
    matches!(domain, None | Some("" | "ai.onnx"))
}

/// The one input that is not a weight, and the name of the result.
fn edges(graph: &GraphProto, output: Option<&str>) -> Result<(ValueInfoProto, String), String> {
    let weights: HashSet<&str> = graph.initializer.iter().filter_map(|tensor| tensor.name.as_deref()).collect();
    let name = |info: &ValueInfoProto| info.name.clone().unwrap_or_default();
    // Old files list their weights as inputs too.
    let inputs: Vec<&ValueInfoProto> = graph.input.iter().filter(|info| !weights.contains(&*name(info))).collect();
    let [input] = inputs[..] else {
        return Err(format!("it has {} inputs; expected 1, the images", inputs.len()));
    };
    let outputs: Vec<String> = graph.output.iter().map(name).collect();
    let result = match (output, &outputs[..]) {
        (Some(wanted), _) => wanted.to_owned(),
        (None, [only]) => only.clone(),
        (None, several) => {
            return Err(format!(
                "it has {} outputs: {}; name the one that is the embedding",
                several.len(),
                several.join(", ")
            ));
        }
    };
    let made = |node: &NodeProto| node.output.contains(&result);
    if output.is_some() && (result.is_empty() || !graph.node.iter().any(made)) {
        return Err(format!("it makes no `{result}`; its outputs are {}", outputs.join(", ")));
    }
    Ok((input.clone(), result))
}

/// Every input of a node is made before it, and every value once.
fn check(graph: &GraphProto, input: &str, constants: &HashMap<String, Tensor>) -> Result<(), String> {
    let mut known: HashSet<&str> = constants.keys().map(String::as_str).chain([input]).collect();
    for node in &graph.node {
        let name = node.name.as_deref().unwrap_or("");
        for input in node.input.iter().filter(|input| !input.is_empty()) {
            if !known.contains(&**input) {
                return Err(format!("node `{name}` takes `{input}`, which nothing before it makes"));
            }
        }
        if node.output.is_empty() {
            return Err(format!("node `{name}` has no result"));
        }
        for made in node.output.iter().filter(|made| !made.is_empty()) {
            if !known.insert(made) {
                return Err(format!("`{made}` is made twice"));
            }
        }
    }
    let missing = graph.output.iter().filter_map(|info| info.name.as_deref()).find(|name| !known.contains(name));
    missing.map_or(Ok(()), |name| Err(format!("nothing makes the output `{name}`")))
}

/// The nodes that a result needs, in their order.
fn needed(nodes: Vec<NodeProto>, result: &str) -> Vec<NodeProto> {
    let mut wanted: HashSet<String> = HashSet::from([result.to_owned()]);
    let mut kept: Vec<NodeProto> = Vec::new();
    for node in nodes.into_iter().rev() {
        if node.output.iter().any(|made| wanted.contains(made)) {
            wanted.extend(node.input.iter().filter(|input| !input.is_empty()).cloned());
            kept.push(node);
        }
    }
    kept.reverse();
    kept
}

/// For each node the values that nothing needs after it.
fn released(nodes: &[NodeProto], constants: &HashMap<String, Tensor>, result: &str) -> Vec<Vec<String>> {
    let mut last_use: HashMap<&str, usize> = HashMap::new();
    for (at, node) in nodes.iter().enumerate() {
        node.output.iter().chain(&node.input).filter(|value| !value.is_empty()).for_each(|value| {
            last_use.insert(value, at);
        });
    }
    let mut released = vec![Vec::new(); nodes.len()];
    for (value, at) in last_use.into_iter().filter(|(value, _)| *value != result && !constants.contains_key(*value)) {
        released[at].push(value.to_owned());
    }
    released
}

/// Weights on their device, kernels of maps channels-last: what a convolution makes of them is channels-last too, which
/// is the faster way.
fn lay(weights: &Tensor, device: Device) -> Result<Tensor, String> {
    let moved = plain(weights.f_to_device(device))?;
    if moved.dim() != 4 {
        return Ok(moved);
    }
    let last = moved.f_permute([0, 2, 3, 1]).and_then(|moved| moved.f_contiguous());
    plain(last.and_then(|last| last.f_permute([0, 3, 1, 2])))
}

fn element(info: &ValueInfoProto) -> Option<i32> {
    info.r#type.as_ref()?.tensor_type.as_ref()?.elem_type
}

fn shape(info: &ValueInfoProto) -> Option<Vec<Option<i64>>> {
    let shape = info.r#type.as_ref()?.tensor_type.as_ref()?.shape.as_ref()?;
    // A length that is not above 0 is an open one, in old files.
    Some(shape.dim.iter().map(|dim| dim.dim_value.filter(|length| *length > 0)).collect())
}

#[cfg(test)]
mod tests;
