//! Where a layer's inputs come from: the `inbound_nodes` of both generations of Keras, and the ends of the model.
//!
//! Every use of a layer is a [`Call`]: its arguments, which are tensors or constants.

use serde_json::{Map, Value};

use super::error::KerasError;

/// How deep arguments may be nested.
const DEEPEST: usize = 8;
/// Keras 2's mark of a first argument that is not a tensor.
const CONSTANT: &str = "_CONSTANT_VALUE";

/// The result of a layer: which use of it, and which of its outputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reference {
    /// The layer's name.
    pub(super) layer: String,
    /// Which of its uses, as the file counts them.
    pub(super) call: usize,
    /// Which output of that use.
    pub(super) output: usize,
}

/// One argument of a call.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Argument {
    /// A layer's result.
    Tensor(Reference),
    /// Several arguments.
    List(Vec<Self>),
    /// A number, a list of numbers, a flag, a name.
    Constant(Value),
}

impl Argument {
    fn tensors<'a>(&'a self, found: &mut Vec<&'a Reference>) {
        match self {
            Self::Tensor(reference) => found.push(reference),
            Self::List(list) => list.iter().for_each(|argument| argument.tensors(found)),
            Self::Constant(_) => {}
        }
    }
}

/// One use of a layer.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Call {
    /// Arguments by place.
    pub(super) args: Vec<Argument>,
    /// Arguments by name.
    pub(super) kwargs: Vec<(String, Argument)>,
}

impl Call {
    /// A call with one tensor.
    pub(super) fn of(layer: &str) -> Self {
        let reference = Reference { layer: layer.to_owned(), call: 0, output: 0 };
        Self { args: vec![Argument::Tensor(reference)], kwargs: Vec::new() }
    }

    /// All tensors among the arguments, in order.
    pub(super) fn tensors(&self) -> Vec<&Reference> {
        let mut found = Vec::new();
        let named = self.kwargs.iter().map(|(_, argument)| argument);
        self.args.iter().chain(named).for_each(|argument| argument.tensors(&mut found));
        found
    }

    /// The argument of a name, or of a place.
    pub(super) fn argument(&self, place: usize, names: &[&str]) -> Option<&Argument> {
        let named = self.kwargs.iter().find(|(name, _)| names.contains(&name.as_str())).map(|(_, argument)| argument);
        named.or_else(|| self.args.get(place)).filter(|argument| **argument != Argument::Constant(Value::Null))
    }

    /// Fails where an ordinary layer is called in a way that a graph cannot follow: always training, or with numbers.
    pub(super) fn check_ordinary(&self, layer: &str) -> Result<(), KerasError> {
        let constant = |name: &str| {
            let argument = self.kwargs.iter().find(|(known, _)| known == name).map(|(_, argument)| argument);
            argument.and_then(|argument| match argument {
                Argument::Constant(value) => Some(value),
                _ => None,
            })
        };
        // Such a layer would drop out and take batch statistics even in a forward pass.
        if constant("training").is_some_and(|value| value == true) {
            return Err(error(layer, "is always in training mode (`training=True`); facetui does not have that"));
        }
        let number = |argument: &Argument| match argument {
            Argument::Constant(value) => value.is_number() || value.is_object(),
            Argument::List(list) => list.iter().any(|item| matches!(item, Argument::Constant(_))),
            Argument::Tensor(_) => false,
        };
        if self.args.iter().any(number) {
            return Err(error(layer, "is called with a constant in place of a tensor; facetui does not have that"));
        }
        Ok(())
    }
}

fn error(layer: &str, why: impl Into<String>) -> KerasError {
    KerasError::Connection { layer: layer.to_owned(), why: why.into() }
}

fn unknown_form(layer: &str) -> KerasError {
    error(layer, "has `inbound_nodes` of an unknown form")
}

/// The uses of a layer.
pub(super) fn calls(layer: &str, inbound: Option<&Value>) -> Result<Vec<Call>, KerasError> {
    let nodes = match inbound {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(nodes)) => nodes,
        Some(_) => return Err(error(layer, "has `inbound_nodes` that are not a list")),
    };
    let call = |node: &Value| match node {
        Value::Object(node) => keras3(layer, node),
        Value::Array(node) => keras2(layer, node),
        _ => Err(unknown_form(layer)),
    };
    nodes.iter().map(call).collect()
}

/// `[["conv2d", 0, 0, {}], ...]`, or one such input without the outer list.
fn keras2(layer: &str, node: &[Value]) -> Result<Call, KerasError> {
    if node.first().is_some_and(Value::is_string) {
        let first = first_argument(layer, node)?;
        return Ok(Call { args: vec![first], kwargs: named(layer, node.get(3))? });
    }
    let mut call = Call::default();
    for input in node {
        let input = input.as_array().ok_or_else(|| unknown_form(layer))?;
        call.args.push(first_argument(layer, input)?);
        if call.kwargs.is_empty() {
            call.kwargs = named(layer, input.get(3))?;
        }
    }
    Ok(call)
}

fn first_argument(layer: &str, input: &[Value]) -> Result<Argument, KerasError> {
    if input.first().is_some_and(|name| name == CONSTANT) {
        return Ok(Argument::Constant(input.get(2).cloned().unwrap_or(Value::Null)));
    }
    reference(layer, input).map(Argument::Tensor)
}

fn named(layer: &str, kwargs: Option<&Value>) -> Result<Vec<(String, Argument)>, KerasError> {
    let Some(kwargs) = kwargs.and_then(Value::as_object) else { return Ok(Vec::new()) };
    kwargs.iter().map(|(name, value)| Ok((name.clone(), keras2_value(layer, value, 0)?))).collect()
}

/// A named argument: a tensor is written as `["conv2d", 0, 0]`.
fn keras2_value(layer: &str, value: &Value, depth: usize) -> Result<Argument, KerasError> {
    let Some(list) = value.as_array().filter(|_| depth < DEEPEST) else { return Ok(Argument::Constant(value.clone())) };
    match list.as_slice() {
        [Value::String(name), Value::Number(_), _, ..] if name == CONSTANT => first_argument(layer, list),
        [Value::String(_), Value::Number(_), Value::Number(_), ..] => reference(layer, list).map(Argument::Tensor),
        [Value::Array(_), ..] => {
            let items: Vec<Argument> =
                list.iter().map(|item| keras2_value(layer, item, depth + 1)).collect::<Result<_, _>>()?;
            let constant = items.iter().all(|item| matches!(item, Argument::Constant(_)));
            Ok(if constant { Argument::Constant(value.clone()) } else { Argument::List(items) })
        }
        _ => Ok(Argument::Constant(value.clone())),
    }
}

/// `{"args": [...], "kwargs": {...}}` with tensors as `{"class_name": "__keras_tensor__", ...}` anywhere in the arguments.
fn keras3(layer: &str, node: &Map<String, Value>) -> Result<Call, KerasError> {
    let mut call = Call::default();
    if let Some(args) = node.get("args").and_then(Value::as_array) {
        call.args = args.iter().map(|value| keras3_value(layer, value, 0)).collect::<Result<_, _>>()?;
    }
    if let Some(kwargs) = node.get("kwargs").and_then(Value::as_object) {
        let named = kwargs.iter().map(|(name, value)| Ok((name.clone(), keras3_value(layer, value, 0)?)));
        call.kwargs = named.collect::<Result<_, KerasError>>()?;
    }
    Ok(call)
}

fn keras3_value(layer: &str, value: &Value, depth: usize) -> Result<Argument, KerasError> {
    match value {
        Value::Object(object) if object.get("class_name").is_some_and(|class| class == "__keras_tensor__") => {
            let history = object.get("config").and_then(|config| config.get("keras_history")).and_then(Value::as_array);
            let history = history.ok_or_else(|| error(layer, "has an input without `keras_history`"))?;
            reference(layer, history).map(Argument::Tensor)
        }
        Value::Array(list) if depth < DEEPEST => {
            let items: Vec<Argument> =
                list.iter().map(|item| keras3_value(layer, item, depth + 1)).collect::<Result<_, _>>()?;
            let constant = items.iter().all(|item| matches!(item, Argument::Constant(_)));
            Ok(if constant { Argument::Constant(value.clone()) } else { Argument::List(items) })
        }
        value => Ok(Argument::Constant(value.clone())),
    }
}

/// `["conv2d", 0, 0]`: a layer's name, its use and its output.
fn reference(layer: &str, input: &[Value]) -> Result<Reference, KerasError> {
    let number = |at: usize| match input.get(at) {
        None => Some(0),
        Some(value) => value.as_u64().and_then(|number| usize::try_from(number).ok()),
    };
    match (input.first().and_then(Value::as_str), number(1), number(2)) {
        (Some(name), Some(call), Some(output)) => Ok(Reference { layer: name.to_owned(), call, output }),
        (Some(name), ..) => Err(error(layer, format!("takes an output of `{name}` that is not a number"))),
        (None, ..) => Err(error(layer, "has an input without a layer's name")),
    }
}

/// A model's `input_layers` or `output_layers`: `["x", 0, 0]`, `[["x", 0, 0], ...]` or `{"x": ["x", 0, 0]}`.
pub(super) fn ends(ends: Option<&Value>, which: &str) -> Result<Vec<Reference>, KerasError> {
    let list: Vec<&Value> = match ends {
        Some(Value::Array(list)) if list.first().is_some_and(Value::is_string) => {
            return Ok(vec![reference(which, list)?]);
        }
        Some(Value::Array(list)) => list.iter().collect(),
        Some(Value::Object(object)) => object.values().collect(),
        _ => return Err(KerasError::NotAModel(format!("has no list of {which} layers"))),
    };
    let end = |end: &&Value| match end {
        Value::Array(end) => reference(which, end),
        _ => Err(KerasError::NotAModel(format!("has a list of {which} layers of an unknown form"))),
    };
    list.iter().map(end).collect()
}
