//! Where a layer's inputs come from: the `inbound_nodes` of both generations of Keras, and the ends of the model.

use serde_json::{Map, Value};

use super::KerasError;

fn error(layer: &str, why: impl Into<String>) -> KerasError {
    KerasError::Connection { layer: layer.to_owned(), why: why.into() }
}

/// Names of the layers that a layer takes its inputs from.
pub(super) fn inputs(layer: &str, inbound: Option<&Value>) -> Result<Vec<String>, KerasError> {
    let nodes = match inbound {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(nodes)) => nodes,
        Some(_) => return Err(error(layer, "has `inbound_nodes` that are no list")),
    };
    match nodes.as_slice() {
        [] => Ok(Vec::new()),
        [Value::Object(node)] => keras3(layer, node),
        [Value::Array(node)] => keras2(layer, node),
        [_] => Err(error(layer, "has `inbound_nodes` of an unknown form")),
        several => Err(error(
            layer,
            format!("is used {} times in the model; facetui reads models that use each layer once", several.len()),
        )),
    }
}

/// `[["conv2d", 0, 0, {}], ...]`, or one such input without the outer list.
fn keras2(layer: &str, node: &[Value]) -> Result<Vec<String>, KerasError> {
    if node.first().is_some_and(Value::is_string) {
        return Ok(vec![reference(layer, node)?]);
    }
    let mut names = Vec::with_capacity(node.len());
    for input in node {
        let input = input.as_array().ok_or_else(|| error(layer, "has `inbound_nodes` of an unknown form"))?;
        if let Some(kwargs) = input.get(3).and_then(Value::as_object) {
            training(layer, kwargs)?;
        }
        names.push(reference(layer, input)?);
    }
    Ok(names)
}

/// `{"args": [...], "kwargs": {...}}` with tensors as `{"class_name": "__keras_tensor__", ...}` anywhere in the arguments.
fn keras3(layer: &str, node: &Map<String, Value>) -> Result<Vec<String>, KerasError> {
    let mut names = Vec::new();
    if let Some(kwargs) = node.get("kwargs") {
        training(layer, kwargs.as_object().unwrap_or(&Map::new()))?;
    }
    for arguments in ["args", "kwargs"] {
        if let Some(value) = node.get(arguments) {
            tensors(layer, value, &mut names)?;
        }
    }
    Ok(names)
}

fn tensors(layer: &str, value: &Value, names: &mut Vec<String>) -> Result<(), KerasError> {
    match value {
        Value::Object(object) if object.get("class_name").is_some_and(|class| class == "__keras_tensor__") => {
            let history = object.get("config").and_then(|config| config.get("keras_history")).and_then(Value::as_array);
            let history = history.ok_or_else(|| error(layer, "has an input without `keras_history`"))?;
            names.push(reference(layer, history)?);
            Ok(())
        }
        Value::Object(object) => object.values().try_for_each(|value| tensors(layer, value, names)),
        Value::Array(list) => list.iter().try_for_each(|value| tensors(layer, value, names)),
        _ => Ok(()),
    }
}

/// A layer called with `training=True` would drop out and take batch statistics even in a forward pass.
fn training(layer: &str, kwargs: &Map<String, Value>) -> Result<(), KerasError> {
    if kwargs.get("training").is_some_and(|value| value == true) {
        return Err(error(layer, "is always in training mode (`training=True`); facetui does not have that"));
    }
    Ok(())
}

/// `["conv2d", 0, 0]`: a layer's name, its use and its output, both the first.
fn reference(layer: &str, input: &[Value]) -> Result<String, KerasError> {
    let zero = |at: usize| input.get(at).is_none_or(|number| number == 0);
    match input.first().and_then(Value::as_str) {
        Some(name) if zero(1) && zero(2) => Ok(name.to_owned()),
        Some(name) => Err(error(
            layer,
            format!("takes another output of `{name}` than its first; facetui reads models that use each layer once"),
        )),
        None => Err(error(layer, "has an input without a layer's name")),
    }
}

/// The only layer in a model's `input_layers` or `output_layers`: `["x", 0, 0]`, `[["x", 0, 0]]` or `{"x": ["x", 0, 0]}`.
pub(super) fn only_end(ends: Option<&Value>, which: &str) -> Result<String, KerasError> {
    let list: Vec<&Value> = match ends {
        Some(Value::Array(list)) if list.first().is_some_and(Value::is_string) => {
            return reference(which, list);
        }
        Some(Value::Array(list)) => list.iter().collect(),
        Some(Value::Object(object)) => object.values().collect(),
        _ => return Err(KerasError::NotAModel(format!("has no list of {which} layers"))),
    };
    match list.as_slice() {
        [Value::Array(end)] => reference(which, end),
        ends => Err(KerasError::NotAModel(format!("has {} {which}s; facetui reads models with one", ends.len()))),
    }
}
