//! A `model_config` as a tree: the layers of a model, some of which are models themselves, each with its uses.

use serde_json::{Map, Value};

use super::error::KerasError;
use super::inbound_nodes::{self, Argument, Call, Reference};
use super::layer_config::Fields;
use super::layers::{self, Parsed};
use super::operations::{self, Operation};
use crate::graph::Layer;
use crate::graph::layer::Regularizer;

/// No model has more layers, those of its inner models included.
const MOST_LAYERS: usize = 10_000;
/// Models inside models inside models.
const DEEPEST: usize = 16;

/// A model.
pub(super) struct Model {
    pub(super) name: String,
    pub(super) entries: Vec<Entry>,
    pub(super) inputs: Vec<Reference>,
    pub(super) outputs: Vec<Reference>,
}

/// A layer of a model, with every use of it.
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) trainable: bool,
    pub(super) calls: Vec<Call>,
}

/// What an entry is.
pub(super) enum Kind {
    /// An ordinary layer, with its weights' regularisers by setting.
    Layer(Box<Parsed>, Vec<(String, Regularizer)>),
    /// An operation that Keras recorded.
    Operation(Operation),
    /// A model inside the model.
    Model(Model),
}

/// Reads the whole tree.
pub(super) fn model(config: &Value) -> Result<Model, KerasError> {
    let class = config.get("class_name").and_then(Value::as_str).unwrap_or_default();
    if !is_model(bare(class)) {
        let why = format!(
            "is of class `{class}`; facetui reads functional and sequential models (`Functional`, `Model`, `Sequential`)"
        );
        return Err(KerasError::NotAModel(why));
    }
    let mut reader = Reader { keras3: of_keras3(config, 0), left: MOST_LAYERS };
    let Some(model) = reader.model(bare(class), config.get("config"), true, 0)? else {
        return Err(KerasError::NotAModel("has no `config`".to_owned()));
    };
    Ok(model)
}

fn is_model(class: &str) -> bool {
    matches!(class, "Functional" | "Model" | "Sequential")
}

/// Registered classes carry their package: `Custom>NormDense`.
fn bare(class: &str) -> &str {
    class.rsplit('>').next().unwrap_or_default()
}

/// Whether a layer or model is written as Keras 3 does.
fn of_keras3(entry: &Value, depth: usize) -> bool {
    let first_call = entry.get("inbound_nodes").and_then(|calls| calls.get(0));
    let config = entry.get("config");
    let policy = config.and_then(|config| config.get("dtype")?.get("class_name")?.as_str());
    let inner = config.and_then(|config| config.get("layers")).and_then(Value::as_array);
    first_call.is_some_and(Value::is_object)
        || config.is_some_and(|config| config.get("batch_shape").is_some())
        || policy == Some("DTypePolicy")
        || inner.is_some_and(|layers| depth < DEEPEST && layers.iter().any(|layer| of_keras3(layer, depth + 1)))
}

fn text(value: Option<&Value>) -> String {
    value.and_then(Value::as_str).unwrap_or_default().to_owned()
}

struct Reader {
    keras3: bool,
    left: usize,
}

impl Reader {
    /// A model's layers. A sequential model becomes a functional one, with an input in front.
    fn model(
        &mut self,
        class: &str,
        config: Option<&Value>,
        trainable: bool,
        depth: usize,
    ) -> Result<Option<Model>, KerasError> {
        let Some(config) = config else { return Ok(None) };
        // Keras 2.1 keeps a sequential model's layers as the whole of its `config`.
        let list = config.as_array().or_else(|| config.get("layers").and_then(Value::as_array));
        let list = list.ok_or_else(|| KerasError::NotAModel("has no list of layers".to_owned()))?;
        if list.is_empty() || list.len() > self.left || depth > DEEPEST {
            return Err(KerasError::NotAModel(format!("has {} layers; expected 1 to {MOST_LAYERS}", list.len())));
        }
        self.left -= list.len();
        let name = config.get("name").and_then(Value::as_str).unwrap_or("model").to_owned();
        let trainable = trainable && config.get("trainable").and_then(Value::as_bool).unwrap_or(true);
        let entries = list.iter().map(|value| self.entry(value, trainable, depth)).collect::<Result<Vec<_>, _>>()?;
        if class == "Sequential" {
            return sequential(name, entries, config, list, depth == 0).map(Some);
        }
        for entry in &entries {
            check_calls(entry)?;
        }
        let inputs = inbound_nodes::ends(config.get("input_layers"), "input")?;
        let outputs = inbound_nodes::ends(config.get("output_layers"), "output")?;
        Ok(Some(Model { name, entries, inputs, outputs }))
    }

    fn entry(&mut self, value: &Value, trainable: bool, depth: usize) -> Result<Entry, KerasError> {
        let empty = Map::new();
        let config = value.get("config").and_then(Value::as_object).unwrap_or(&empty);
        let mut name = text(value.get("name"));
        if name.is_empty() {
            name = text(config.get("name"));
        }
        let class = text(value.get("class_name"));
        let class = bare(&class);
        if name.is_empty() && is_model(class) {
            "model".clone_into(&mut name);
        }
        if name.is_empty() {
            return Err(KerasError::NotAModel("has a layer without a name".to_owned()));
        }
        let calls = inbound_nodes::calls(&name, value.get("inbound_nodes"))?;
        let trainable = trainable && config.get("trainable").and_then(Value::as_bool).unwrap_or(true);
        let kind = if is_model(class) {
            let model = self.model(class, value.get("config"), trainable, depth + 1)?;
            let why = || format!("the inner model `{name}` has no `config`");
            Kind::Model(model.ok_or_else(|| KerasError::NotAModel(why()))?)
        } else if let Some(operation) = operations::recognise(class, &text(value.get("module")), self.keras3, config) {
            Kind::Operation(operation)
        } else {
            let fields = Fields::new(&name, class, self.keras3, config);
            let parsed = layers::parse(&fields)?;
            let mut regularizers = Vec::new();
            for setting in config.keys().filter(|key| key.ends_with("_regularizer")) {
                regularizers.extend(fields.regularizer(setting)?.map(|regularizer| (setting.clone(), regularizer)));
            }
            calls.iter().try_for_each(|call| call.check_ordinary(&name))?;
            Kind::Layer(Box::new(parsed), regularizers)
        };
        Ok(Entry { name, kind, trainable, calls })
    }
}

fn is_input(entry: &Entry) -> bool {
    matches!(&entry.kind, Kind::Layer(parsed, _) if matches!(parsed.layer, Layer::Input { .. }))
}

fn check_calls(entry: &Entry) -> Result<(), KerasError> {
    let connection = |why: &str| Err(KerasError::Connection { layer: entry.name.clone(), why: why.to_owned() });
    match (is_input(entry), entry.calls.is_empty()) {
        (true, false) => connection("is an input, but has inputs itself"),
        (false, true) => connection("is connected to nothing"),
        (false, false) if entry.calls.iter().any(|call| call.tensors().is_empty()) => {
            connection("is connected to nothing")
        }
        _ => Ok(()),
    }
}

/// The layers of a sequential model one after the other.
fn sequential(
    name: String,
    mut entries: Vec<Entry>,
    config: &Value,
    list: &[Value],
    top: bool,
) -> Result<Model, KerasError> {
    if !entries.first().is_some_and(is_input) {
        entries.insert(0, sequential_input(&name, config, list, top)?);
    }
    let names: Vec<String> = entries.iter().map(|entry| entry.name.clone()).collect();
    for (entry, before) in entries[1..].iter_mut().zip(&names) {
        if is_input(entry) {
            let why = "is an input in the middle of a sequential model".to_owned();
            return Err(KerasError::Connection { layer: entry.name.clone(), why });
        }
        entry.calls = vec![Call::of(before)];
    }
    let end = |name: Option<&String>| {
        let call = Call::of(name.map_or("", String::as_str));
        call.args.into_iter().filter_map(|argument| match argument {
            Argument::Tensor(reference) => Some(reference),
            _ => None,
        })
    };
    let (inputs, outputs) = (end(names.first()).collect(), end(names.last()).collect());
    Ok(Model { name, entries, inputs, outputs })
}

/// The input that a sequential model has without saying so. Inside another model its shape does not matter.
fn sequential_input(name: &str, config: &Value, list: &[Value], top: bool) -> Result<Entry, KerasError> {
    let first = list.first().and_then(|layer| layer.get("config"));
    let of_first = ["batch_input_shape", "batch_shape"].iter().find_map(|setting| first?.get(*setting));
    let shape = of_first.or_else(|| config.get("build_input_shape")).filter(|shape| !shape.is_null());
    let layer = format!("{name}_input");
    let parsed = match shape {
        Some(shape) if top => {
            let config = Map::from_iter([("batch_input_shape".to_owned(), shape.clone())]);
            layers::parse(&Fields::new(&layer, "InputLayer", false, &config))?
        }
        None if top => {
            let why = "is a sequential model without an input shape: build it before saving".to_owned();
            return Err(KerasError::NotAModel(why));
        }
        _ => Parsed { layer: Layer::Input { shape: Vec::new() }, axis: None },
    };
    let kind = Kind::Layer(Box::new(parsed), Vec::new());
    Ok(Entry { name: layer, kind, trainable: true, calls: Vec::new() })
}
