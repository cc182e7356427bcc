//! Arithmetic that Keras records as layers: `TFOpLambda` (TensorFlow 2.4 to `tf_keras`), `TensorFlowOpLayer` (TensorFlow
//! 2.0 to 2.3) and Keras 3's operations. Each becomes plain layers that compute the same: what is added or multiplied by
//! constants a `Rescaling`, a mean over height and width a `GlobalAveragePooling2D`, and so on.

use serde_json::{Map, Value};

use super::error::KerasError;
use super::inbound_nodes::{Argument, Call};
use super::layer_config::{constant, last_axis};
use super::layers::target_shape;
use crate::graph::Layer;
use crate::graph::layer::Activation;
use crate::graph::shape::Shape;

/// An operation of a file.
pub(super) struct Operation {
    /// Its name in the file, for errors.
    shown: String,
    /// Its name in small letters, without underscores and modules.
    name: String,
    /// Settings that Keras 3 keeps beside the call.
    settings: Map<String, Value>,
    keras3: bool,
    /// Constant inputs by place, as `TensorFlowOpLayer` keeps them.
    constants: Vec<(usize, Value)>,
}

/// Where a piece takes an input from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// A tensor among the call's arguments.
    Tensor(usize),
    /// The result of an earlier piece.
    Piece(usize),
}

/// One plain layer of those that an operation becomes.
pub(super) struct Piece {
    /// What it does.
    pub(super) layer: Layer,
    /// Its inputs.
    pub(super) inputs: Vec<Source>,
}

fn plain(name: &str) -> String {
    let last = name.rsplit(['.', '>']).next().unwrap_or(name);
    last.chars().filter(|character| *character != '_').map(|character| character.to_ascii_lowercase()).collect()
}

/// The operation that a layer's entry holds, if it holds one. Keras 3 writes its operations under the names of its layers
/// (`Add`), in `.h5` files without a module, but never with `trainable`, as every layer but two has.
pub(super) fn recognise(class: &str, module: &str, keras3: bool, config: &Map<String, Value>) -> Option<Operation> {
    let text = |name: &str| config.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    match class {
        "TFOpLambda" => {
            let function = text("function");
            let (shown, name) = (format!("tf.{function}"), plain(&function));
            Some(Operation { shown, name, settings: Map::new(), keras3: false, constants: Vec::new() })
        }
        "TensorFlowOpLayer" => {
            let node = match config.get("node_def") {
                Some(Value::String(text)) => serde_json::from_str(text).ok()?,
                node => node?.clone(),
            };
            let op = node.get("op")?.as_str()?.to_owned();
            let constants = config.get("constants").and_then(Value::as_object);
            let constants = constants.into_iter().flatten();
            let constants = constants.filter_map(|(place, value)| Some((place.parse().ok()?, value.clone()))).collect();
            let keep = node.get("attr").and_then(|attr| attr.get("keep_dims")?.get("b")?.as_bool()).unwrap_or(false);
            let settings = Map::from_iter([("keepdims".to_owned(), Value::Bool(keep))]);
            let name = plain(&op);
            Some(Operation { shown: format!("TensorFlow {op}"), name, settings, keras3: false, constants })
        }
        class
            if module.contains(".ops")
                || keras3
                    && module.is_empty()
                    && !matches!(class, "InputLayer" | "SpatialDropout2D")
                    && !config.contains_key("trainable") =>
        {
            let name = plain(class);
            let shown = format!("keras.ops {class}");
            Some(Operation { shown, name, settings: config.clone(), keras3: true, constants: Vec::new() })
        }
        _ => None,
    }
}

impl Operation {
    /// Puts constant inputs into their places.
    pub(super) fn complete(&self, mut call: Call) -> Call {
        let mut constants = self.constants.clone();
        constants.sort_by_key(|(place, _)| *place);
        for (place, value) in constants {
            call.args.insert(place.min(call.args.len()), Argument::Constant(value));
        }
        if self.name == "concatv2"
            && let Some(axis) = call.args.pop()
        {
            call.args = vec![Argument::List(std::mem::take(&mut call.args)), axis];
        }
        call
    }

    /// The plain layers that compute it, for tensors of these shapes (in the order of [`Call::tensors`]).
    pub(super) fn pieces(&self, layer: &str, call: &Call, shapes: &[&Shape]) -> Result<Vec<Piece>, KerasError> {
        if shapes.is_empty() {
            let why = format!("({}) is connected to nothing", self.shown);
            return Err(KerasError::Connection { layer: layer.to_owned(), why });
        }
        let reader = Reader { operation: self, layer, call, shapes };
        reader.pieces()
    }
}

/// An operand: one of the call's tensors, or numbers along the last axis.
enum Operand {
    Tensor(usize),
    Numbers(Vec<f64>),
}

struct Reader<'a> {
    operation: &'a Operation,
    layer: &'a str,
    call: &'a Call,
    shapes: &'a [&'a Shape],
}

fn one(layer: Layer) -> Vec<Piece> {
    vec![Piece { layer, inputs: vec![Source::Tensor(0)] }]
}

/// Layers one after the other, from the first tensor on.
fn chain(layers: impl IntoIterator<Item = Layer>) -> Vec<Piece> {
    let source = |at: usize| at.checked_sub(1).map_or(Source::Tensor(0), Source::Piece);
    layers.into_iter().enumerate().map(|(at, layer)| Piece { layer, inputs: vec![source(at)] }).collect()
}

fn affine(scale: f64, offset: f64) -> Layer {
    Layer::Rescaling { scale: vec![scale], offset: vec![offset] }
}

fn relu(max_value: Option<f64>) -> Layer {
    Layer::ReLU { max_value, negative_slope: 0.0, threshold: 0.0 }
}

impl Reader<'_> {
    fn refuse(&self, why: impl Into<String>) -> KerasError {
        let why = format!("({}) {}", self.operation.shown, why.into());
        KerasError::Connection { layer: self.layer.to_owned(), why }
    }

    /// A setting: an argument of the call, or kept beside it by Keras 3.
    fn setting(&self, place: usize, names: &[&str]) -> Option<&Value> {
        match self.call.argument(place, names) {
            Some(Argument::Constant(value)) => Some(value),
            Some(_) => None,
            None => names.iter().find_map(|name| self.operation.settings.get(*name)).filter(|value| !value.is_null()),
        }
    }

    fn number(&self, place: usize, names: &[&str], default: f64) -> Result<f64, KerasError> {
        let value = self.setting(place, names);
        let number = value.map_or(Some(default), |value| {
            constant(value).filter(|(_, data)| data.len() == 1).map(|(_, data)| data[0])
        });
        number.ok_or_else(|| self.refuse(format!("has a `{}` that is not a number", names[0])))
    }

    /// Whether a number, `default` unless given, is the wanted one.
    fn is(&self, place: usize, names: &[&str], default: f64, wanted: f64) -> Result<bool, KerasError> {
        Ok((self.number(place, names, default)? - wanted).abs() < f64::EPSILON)
    }

    fn whole_numbers(&self, place: usize, names: &[&str]) -> Result<Option<Vec<i64>>, KerasError> {
        let Some(value) = self.setting(place, names) else { return Ok(None) };
        let list = match value {
            Value::Array(list) => {
                list.iter().map(|item| if item.is_null() { Some(-1) } else { item.as_i64() }).collect()
            }
            value => value.as_i64().map(|number| vec![number]),
        };
        let list: Option<Vec<i64>> = list;
        list.filter(|list| list.len() <= 8)
            .map(Some)
            .ok_or_else(|| self.refuse(format!("has a `{}` that is not a list of whole numbers", names[0])))
    }

    fn operand(&self, place: usize, names: &[&str]) -> Result<Operand, KerasError> {
        match self.call.argument(place, names) {
            Some(Argument::Tensor(wanted)) => {
                let at = self.call.tensors().iter().position(|known| std::ptr::eq(*known, wanted));
                at.map(Operand::Tensor).ok_or_else(|| self.refuse("has an operand that is not there"))
            }
            Some(Argument::Constant(value)) => {
                let numbers = constant(value).and_then(last_axis);
                let expected = "has a constant that is neither one number nor one for each channel";
                numbers.map(Operand::Numbers).ok_or_else(|| self.refuse(expected))
            }
            _ => Err(self.refuse("has no two operands")),
        }
    }

    /// An axis as Keras counts it, the batch being 0, from 0 on.
    fn place_of(&self, axis: i64) -> i64 {
        if axis < 0 { axis + self.shapes[0].len() as i64 + 1 } else { axis }
    }

    fn last_only(&self, layer: Layer) -> Result<Vec<Piece>, KerasError> {
        match self.whole_numbers(1, &["axis"])?.as_deref() {
            None => Ok(one(layer)),
            Some([axis]) if self.place_of(*axis) == self.shapes[0].len() as i64 => Ok(one(layer)),
            Some(axes) => Err(self.refuse(format!("works along the axes {axes:?}; expected the last one"))),
        }
    }

    fn pieces(&self) -> Result<Vec<Piece>, KerasError> {
        let activation = |activation| Ok(one(Layer::Activation { activation }));
        match self.operation.name.as_str() {
            "add" | "addv2" | "biasadd" => self.binary(Layer::Add, |c| (1.0, c), |c| Some((1.0, c))),
            "subtract" | "sub" => self.binary(Layer::Subtract, |c| (1.0, -c), |c| Some((-1.0, c))),
            "multiply" | "mul" => self.binary(Layer::Multiply, |c| (c, 0.0), |c| Some((c, 0.0))),
            "truediv" | "truedivide" | "divide" | "div" | "realdiv" => self.divide(),
            "maximum" => self.bound(Layer::Maximum),
            "minimum" => self.bound(Layer::Minimum),
            "negative" | "neg" => Ok(one(affine(-1.0, 0.0))),
            "square" => Ok(vec![Piece { layer: Layer::Multiply, inputs: vec![Source::Tensor(0); 2] }]),
            "identity" | "converttotensor" => activation(Activation::Linear),
            "cast" => self.cast(),
            "relu" => activation(Activation::Relu),
            "relu6" => activation(Activation::Relu6),
            "leakyrelu" => activation(Activation::LeakyRelu(self.number(1, &["alpha", "negative_slope"], 0.2)?)),
            "elu" => activation(Activation::Elu(self.number(1, &["alpha"], 1.0)?)),
            "selu" => activation(Activation::Selu),
            "softplus" => activation(Activation::Softplus),
            "softsign" => activation(Activation::Softsign),
            "exp" => activation(Activation::Exponential),
            "sigmoid" => activation(Activation::Sigmoid),
            "hardsigmoid" if self.operation.keras3 => activation(Activation::HardSigmoid6),
            "silu" | "swish" if self.is(1, &["beta"], 1.0, 1.0)? => activation(Activation::Swish),
            "hardsilu" | "hardswish" => activation(Activation::HardSwish),
            "mish" => activation(Activation::Mish),
            "tanh" => activation(Activation::Tanh),
            "gelu" => {
                let default = Value::Bool(self.operation.keras3);
                let approximate = self.setting(1, &["approximate"]).unwrap_or(&default) == &Value::Bool(true);
                activation(if approximate { Activation::GeluTanh } else { Activation::Gelu })
            }
            "softmax" => self.last_only(Layer::Softmax),
            "l2normalize" => self.last_only(Layer::UnitNormalization),
            "normalize" if self.operation.keras3 && self.is(2, &["order"], 2.0, 2.0)? => {
                self.last_only(Layer::UnitNormalization)
            }
            "clip" | "clipbyvalue" => self.clip(),
            "reducemean" | "mean" | "reducesum" | "sum" | "reducemax" | "max" | "amax" => self.reduce(),
            "reshape" => self.reshape(),
            "squeeze" | "expanddims" => self.ones(),
            "transpose" => self.transpose(),
            "concat" | "concatv2" | "concatenate" => self.concatenate(),
            "pad" => self.pad(),
            "pow" | "power" if self.is(1, &["y", "x2"], 0.0, 2.0)? => {
                Ok(vec![Piece { layer: Layer::Multiply, inputs: vec![Source::Tensor(0); 2] }])
            }
            _ => Err(KerasError::UnknownClass { layer: self.layer.to_owned(), class: self.operation.shown.clone() }),
        }
    }

    /// Two tensors into a layer; a tensor and constants into a `Rescaling`, whose scale and offset `after` (tensor first)
    /// and `before` (constant first) make of each constant.
    fn binary(
        &self,
        layer: Layer,
        after: impl Fn(f64) -> (f64, f64),
        before: impl Fn(f64) -> Option<(f64, f64)>,
    ) -> Result<Vec<Piece>, KerasError> {
        let x = self.operand(0, &["x", "x1", "a", "value"])?;
        let y = self.operand(1, &["y", "x2", "b", "bias"])?;
        let (tensor, pairs) = match (x, y) {
            (Operand::Tensor(x), Operand::Tensor(y)) => {
                return Ok(vec![Piece { layer, inputs: vec![Source::Tensor(x), Source::Tensor(y)] }]);
            }
            (Operand::Tensor(x), Operand::Numbers(numbers)) => (x, numbers.into_iter().map(after).collect::<Vec<_>>()),
            (Operand::Numbers(numbers), Operand::Tensor(y)) => {
                let pairs: Option<Vec<_>> = numbers.into_iter().map(before).collect();
                (
                    y,
                    pairs.ok_or_else(|| {
                        self.refuse("has a constant before a tensor; facetui has only the other order")
                    })?,
                )
            }
            _ => return Err(self.refuse("has no tensor among its operands")),
        };
        if pairs.iter().any(|(scale, offset)| !scale.is_finite() || !offset.is_finite()) {
            return Err(self.refuse("divides by zero"));
        }
        let (mut scale, mut offset): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
        for values in [&mut scale, &mut offset] {
            if values.windows(2).all(|pair| pair[0].to_bits() == pair[1].to_bits()) {
                values.truncate(1);
            }
        }
        Ok(vec![Piece { layer: Layer::Rescaling { scale, offset }, inputs: vec![Source::Tensor(tensor)] }])
    }

    fn divide(&self) -> Result<Vec<Piece>, KerasError> {
        if self.shapes.len() > 1 {
            return Err(self.refuse("divides by a tensor; facetui divides by constants only"));
        }
        self.binary(Layer::Multiply, |c| (1.0 / c, 0.0), |_| None)
    }

    /// The larger or smaller of two tensors, or of a tensor and a number.
    fn bound(&self, layer: Layer) -> Result<Vec<Piece>, KerasError> {
        let operands = (self.operand(0, &["x", "x1", "a"])?, self.operand(1, &["y", "x2", "b"])?);
        let limit = match operands {
            (Operand::Tensor(x), Operand::Tensor(y)) => {
                return Ok(vec![Piece { layer, inputs: vec![Source::Tensor(x), Source::Tensor(y)] }]);
            }
            (Operand::Numbers(numbers), _) | (_, Operand::Numbers(numbers)) => numbers,
        };
        match (layer, limit.as_slice()) {
            (Layer::Maximum, [0.0]) => Ok(one(relu(None))),
            (Layer::Maximum, [limit]) => Ok(chain([affine(1.0, -limit), relu(None), affine(1.0, *limit)])),
            (_, [limit]) => Ok(chain([affine(-1.0, *limit), relu(None), affine(-1.0, *limit)])),
            _ => Err(self.refuse("has a bound that is not one number")),
        }
    }

    fn clip(&self) -> Result<Vec<Piece>, KerasError> {
        let low = self.number(1, &["clip_value_min", "x_min"], f64::NAN)?;
        let high = self.number(2, &["clip_value_max", "x_max"], f64::NAN)?;
        match high - low {
            range if range >= 0.0 && low == 0.0 => Ok(one(relu(Some(range)))),
            range if range >= 0.0 => Ok(chain([affine(1.0, -low), relu(Some(range)), affine(1.0, low)])),
            _ => Err(self.refuse("has no lower bound below an upper bound")),
        }
    }

    fn cast(&self) -> Result<Vec<Piece>, KerasError> {
        let kind = self.setting(1, &["dtype"]).and_then(Value::as_str).unwrap_or("float32");
        if matches!(kind, "float16" | "bfloat16" | "float32" | "float64") {
            return Ok(one(Layer::Activation { activation: Activation::Linear }));
        }
        Err(self.refuse(format!("casts to `{kind}`; facetui computes with floats only")))
    }

    /// A mean, sum or maximum over height and width, or over the steps of a sequence.
    fn reduce(&self) -> Result<Vec<Piece>, KerasError> {
        let axes = self.whole_numbers(1, &["axis", "reduction_indices"])?;
        let mut axes: Vec<i64> = axes.unwrap_or_default().iter().map(|axis| self.place_of(*axis)).collect();
        axes.sort_unstable();
        let keepdims = self.setting(2, &["keepdims", "keep_dims"]) == Some(&Value::Bool(true));
        let mut layers = Vec::new();
        let shape = self.shapes[0];
        match (shape.as_slice(), axes.as_slice()) {
            ([_, _, _], [1, 2]) => {}
            ([steps, channels], [1]) => {
                layers.push(Layer::Reshape { target_shape: vec![*steps as i64, 1, *channels as i64] });
            }
            _ => {
                let found = format!("works along the axes {axes:?} of {shape:?}");
                return Err(self.refuse(format!("{found}; expected height and width of a map (1 and 2)")));
            }
        }
        let largest = matches!(self.operation.name.as_str(), "reducemax" | "max" | "amax");
        let keep = keepdims && shape.len() == 3;
        layers.push(if largest {
            Layer::GlobalMaxPooling2D { keepdims: keep }
        } else {
            Layer::GlobalAveragePooling2D { keepdims: keep }
        });
        if matches!(self.operation.name.as_str(), "reducesum" | "sum") {
            let count: usize = shape[..shape.len() - 1].iter().product();
            layers.push(affine(count as f64, 0.0));
        }
        if keepdims && shape.len() == 2 {
            layers.push(Layer::Reshape { target_shape: vec![1, shape[1] as i64] });
        }
        Ok(chain(layers))
    }

    fn reshape(&self) -> Result<Vec<Piece>, KerasError> {
        let target = self.whole_numbers(1, &["shape", "newshape"])?.unwrap_or_default();
        match target.as_slice() {
            [-1, rest @ ..] if target_shape(rest) => Ok(one(Layer::Reshape { target_shape: rest.to_vec() })),
            _ => Err(self.refuse(format!("reshapes to {target:?}; expected -1 for the batch, then fixed sizes"))),
        }
    }

    /// Axes of 1 taken away or put in.
    fn ones(&self) -> Result<Vec<Piece>, KerasError> {
        let axes = self.whole_numbers(1, &["axis"])?.unwrap_or_default();
        let mut sizes: Vec<i64> = self.shapes[0].iter().map(|size| *size as i64).collect();
        let error = || self.refuse(format!("changes the axes {axes:?} of {:?}", self.shapes[0]));
        if self.operation.name == "squeeze" {
            let mut places: Vec<i64> = axes.iter().map(|axis| self.place_of(*axis)).collect();
            places.sort_unstable();
            for place in places.into_iter().rev() {
                let at = usize::try_from(place - 1).ok().filter(|at| sizes.get(*at) == Some(&1)).ok_or_else(error)?;
                sizes.remove(at);
            }
        } else {
            let [axis] = axes.as_slice() else { return Err(error()) };
            let place = if *axis < 0 { axis + sizes.len() as i64 + 2 } else { *axis };
            let at = usize::try_from(place - 1).ok().filter(|at| *at <= sizes.len()).ok_or_else(error)?;
            sizes.insert(at, 1);
        }
        if sizes.is_empty() || axes.is_empty() {
            return Err(error());
        }
        Ok(one(Layer::Reshape { target_shape: sizes }))
    }

    fn transpose(&self) -> Result<Vec<Piece>, KerasError> {
        match self.whole_numbers(1, &["perm", "axes"])?.as_deref() {
            Some([0, rest @ ..]) if rest.iter().all(|axis| *axis > 0) => {
                Ok(one(Layer::Permute { dims: rest.iter().map(|axis| *axis as usize).collect() }))
            }
            axes => Err(self.refuse(format!("orders the axes as {axes:?}; expected the batch (0) to stay first"))),
        }
    }

    fn concatenate(&self) -> Result<Vec<Piece>, KerasError> {
        let axis = self.whole_numbers(1, &["axis"])?.unwrap_or_else(|| vec![-1]);
        let [axis] = axis.as_slice() else { return Err(self.refuse("has no one axis")) };
        let inputs = (0..self.shapes.len()).map(Source::Tensor).collect();
        Ok(vec![Piece { layer: Layer::Concatenate { axis: *axis }, inputs }])
    }

    fn pad(&self) -> Result<Vec<Piece>, KerasError> {
        let pairs = self.setting(1, &["paddings", "pad_width"]).and_then(constant);
        let mode = self.setting(2, &["mode"]).and_then(Value::as_str).unwrap_or("constant").to_ascii_lowercase();
        let value = self.number(3, &["constant_values"], 0.0)?;
        let sizes = pairs.filter(|(shape, _)| *shape == [4, 2] && mode == "constant" && value == 0.0);
        match sizes.as_ref().map(|(_, data)| data.as_slice()) {
            Some([0.0, 0.0, sides @ .., 0.0, 0.0]) if sides.iter().all(|side| (0.0..1024.0).contains(side)) => {
                let padding = [0, 1, 2, 3].map(|at| sides[at] as usize);
                Ok(one(Layer::ZeroPadding2D { padding }))
            }
            _ => Err(self.refuse("pads otherwise than with zeros around a map")),
        }
    }
}
