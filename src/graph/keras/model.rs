//! A whole `model_config` → [`Graph`].

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::fields::Fields;
use super::layers::Parsed;
use super::{KerasError, inbound, layers};
use crate::graph::{Graph, Layer, Node};

/// No model has more layers.
const MOST_LAYERS: usize = 10_000;
/// No tensor of one image, no weight has more elements.
const MOST_ELEMENTS: usize = 1 << 31;

/// A layer that waits for its inputs to be placed.
struct Pending {
    name: String,
    parsed: Parsed,
    inputs: Vec<String>,
    trainable: bool,
}

/// Reads a Keras `model_config`. Layers keep the file's order as far as inputs come first.
///
/// # Errors
/// No functional model of one input and one output, an unknown class, a setting or connection that is not supported.
pub fn from_json(config: &Value) -> Result<Graph, KerasError> {
    let not = |why: &str| KerasError::NotAModel(why.to_owned());
    let class = config.get("class_name").and_then(Value::as_str).unwrap_or_default();
    if !matches!(class, "Functional" | "Model") {
        let why = format!("is of class `{class}`; facetui reads functional models (`Functional` or `Model`)");
        return Err(KerasError::NotAModel(why));
    }
    let config = config.get("config").and_then(Value::as_object).ok_or_else(|| not("has no `config`"))?;
    let entries = config.get("layers").and_then(Value::as_array).ok_or_else(|| not("has no list of layers"))?;
    if entries.is_empty() || entries.len() > MOST_LAYERS {
        return Err(KerasError::NotAModel(format!("has {} layers; expected 1 to {MOST_LAYERS}", entries.len())));
    }
    let keras3 = entries.iter().any(of_keras3);
    let model_trainable = config.get("trainable").and_then(Value::as_bool).unwrap_or(true);
    let mut pending = Vec::with_capacity(entries.len());
    for entry in entries {
        let mut layer = pending_layer(entry, keras3)?;
        layer.trainable &= model_trainable;
        pending.push(layer);
    }
    let input = inbound::only_end(config.get("input_layers"), "input")?;
    let output = inbound::only_end(config.get("output_layers"), "output")?;
    let name = config.get("name").and_then(Value::as_str).unwrap_or("model");
    let mut graph = place(name, pending)?;
    let is_input = |node: &&Node| matches!(node.layer, Layer::Input { .. });
    let inputs: Vec<&str> = graph.nodes().iter().filter(is_input).map(|node| node.name.as_str()).collect();
    if inputs != [input.as_str()] {
        let why = format!("has the input layers {inputs:?}, but names `{input}` as its only input");
        return Err(KerasError::NotAModel(why));
    }
    let output = graph.require(&output)?;
    graph.set_output(output);
    Ok(graph)
}

/// Whether a layer is written as Keras 3 does.
fn of_keras3(entry: &Value) -> bool {
    let first_node = entry.get("inbound_nodes").and_then(|nodes| nodes.get(0));
    first_node.is_some_and(Value::is_object)
        || entry.get("config").is_some_and(|config| config.get("batch_shape").is_some())
}

fn pending_layer(entry: &Value, keras3: bool) -> Result<Pending, KerasError> {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let empty = Map::new();
    let config = entry.get("config").and_then(Value::as_object).unwrap_or(&empty);
    let mut name = text(entry.get("name"));
    if name.is_empty() {
        name = text(config.get("name"));
    }
    if name.is_empty() {
        return Err(KerasError::NotAModel("has a layer without a name".to_owned()));
    }
    let class = text(entry.get("class_name"));
    // Registered classes carry their package: `Custom>NormDense`.
    let bare = class.rsplit('>').next().unwrap_or_default();
    let parsed = layers::parse(&Fields::new(&name, bare, keras3, config))?;
    let trainable = config.get("trainable").and_then(Value::as_bool).unwrap_or(true);
    let inputs = inbound::inputs(&name, entry.get("inbound_nodes"))?;
    match (&parsed.layer, inputs.len()) {
        (Layer::Input { .. }, 0) => {}
        (Layer::Input { .. }, _) => {
            return Err(KerasError::Connection { layer: name, why: "is an input, but has inputs itself".to_owned() });
        }
        (_, 0) => return Err(KerasError::Connection { layer: name, why: "is connected to nothing".to_owned() }),
        _ => {}
    }
    Ok(Pending { name, parsed, inputs, trainable })
}

/// Adds the layers in the file's order, each as soon as its inputs are there.
fn place(name: &str, mut pending: Vec<Pending>) -> Result<Graph, KerasError> {
    let mut graph = Graph::new(name);
    let mut placed = HashMap::new();
    while !pending.is_empty() {
        let before = pending.len();
        let mut waiting = Vec::new();
        for layer in pending {
            let inputs: Option<Vec<usize>> = layer.inputs.iter().map(|input| placed.get(input).copied()).collect();
            let Some(inputs) = inputs else {
                waiting.push(layer);
                continue;
            };
            let trainable = layer.trainable;
            check_inputs(&graph, &layer, &inputs)?;
            let node = graph.add(layer.name.clone(), layer.parsed.layer, &inputs)?;
            graph.set_trainable(node, trainable);
            check_size(&graph.nodes()[node])?;
            placed.insert(layer.name, node);
        }
        if let Some(first) = waiting.first().filter(|_| waiting.len() == before) {
            let missing = first.inputs.iter().find(|input| !placed.contains_key(*input)).map_or("", String::as_str);
            let why = format!("takes its input from `{missing}`, which is not there or waits for it in turn");
            return Err(KerasError::Connection { layer: first.name.clone(), why });
        }
        pending = waiting;
    }
    Ok(graph)
}

/// What needs the inputs' shapes: the axis is the last one, groups divide the channels.
fn check_inputs(graph: &Graph, layer: &Pending, inputs: &[usize]) -> Result<(), KerasError> {
    let error = |setting: &str, found: String, expected: String| KerasError::Setting {
        layer: layer.name.clone(),
        class: layer.parsed.layer.class_name().to_owned(),
        setting: format!("`{setting}`"),
        found,
        expected,
    };
    let Some(shape) = inputs.first().map(|input| &graph.nodes()[*input].shape) else { return Ok(()) };
    if let Some(axis) = layer.parsed.axis
        && axis != -1
        && axis != shape.len() as i64
    {
        return Err(error("axis", axis.to_string(), format!("the last axis (-1 or {})", shape.len())));
    }
    if let Layer::Conv2D { groups, filters, .. } = layer.parsed.layer {
        let channels = shape.last().copied().unwrap_or(0);
        if channels % groups != 0 || filters % groups != 0 {
            let expected = format!("a divisor of its {channels} input channels and {filters} filters");
            return Err(error("groups", groups.to_string(), expected));
        }
    }
    if let Layer::PReLU { shared_axes } = &layer.parsed.layer
        && shared_axes.iter().any(|axis| *axis > shape.len())
    {
        return Err(error("shared_axes", format!("{shared_axes:?}"), format!("axes from 1 to {}", shape.len())));
    }
    Ok(())
}

/// Tensors and weights that no machine holds are refused before anything multiplies their sizes.
fn check_size(node: &Node) -> Result<(), KerasError> {
    let elements = |shape: &[usize]| {
        let product = shape.iter().try_fold(1_usize, |product, size| product.checked_mul(*size));
        product.filter(|product| (1..=MOST_ELEMENTS).contains(product))
    };
    let shapes = std::iter::once(&node.shape).chain(node.weights.iter().map(|weight| &weight.shape));
    for shape in shapes {
        if elements(shape).is_none() {
            let why = format!("({}) has a tensor of the shape {shape:?}, which cannot be", node.layer.class_name());
            return Err(KerasError::Connection { layer: node.name.clone(), why });
        }
    }
    Ok(())
}
