//! Functions inside a layer's settings: activations and regularisers, in all the forms that Keras writes them.

use serde_json::{Map, Value};

use super::error::KerasError;
use super::layer_config::Fields;
use crate::graph::layer::{Activation, Regularizer};

impl Fields<'_> {
    /// An activation: by name, as a registered function, or as an activation layer of its own.
    pub(super) fn activation(&self) -> Result<Activation, KerasError> {
        let Some(value) = self.get("activation") else { return Ok(Activation::Linear) };
        let named = |name: &str| Activation::from_name(name.rsplit('>').next().unwrap_or(name), self.keras3);
        let activation = match value {
            Value::String(name) => named(name),
            Value::Object(object) => match object.get("config") {
                Some(Value::String(name)) => named(name),
                Some(Value::Object(config)) => {
                    let class = object.get("class_name").and_then(Value::as_str).unwrap_or_default();
                    self.activation_layer(class.rsplit('>').next().unwrap_or(class), config)
                }
                _ => object.get("class_name").and_then(Value::as_str).and_then(named),
            },
            _ => None,
        };
        activation.ok_or_else(|| {
            self.error(
                "activation",
                "one of linear, relu, relu6, leaky_relu, elu, selu, sigmoid, hard_sigmoid, swish, hard_swish, mish, tanh, \
                 gelu, softplus, softsign, exponential, softmax",
            )
        })
    }

    /// An activation given as a layer without weights.
    fn activation_layer(&self, class: &str, config: &Map<String, Value>) -> Option<Activation> {
        let number =
            |name: &str| config.get(name).map(|value| value.get("value").unwrap_or(value)).and_then(Value::as_f64);
        let slope = number("negative_slope").unwrap_or(0.0);
        match class {
            "ReLU" if number("threshold").unwrap_or(0.0) == 0.0 => match (number("max_value"), slope) {
                (None, 0.0) => Some(Activation::Relu),
                (Some(6.0), 0.0) => Some(Activation::Relu6),
                (None, slope) => Some(Activation::LeakyRelu(slope)),
                _ => None,
            },
            "LeakyReLU" => {
                Some(Activation::LeakyRelu(number("negative_slope").or_else(|| number("alpha")).unwrap_or(0.3)))
            }
            "ELU" => Some(Activation::Elu(number("alpha").unwrap_or(1.0))),
            "Softmax" if config.get("axis").is_none_or(|axis| *axis == -1) => Some(Activation::Softmax),
            "Activation" => Fields::new(self.layer, self.class, self.keras3, config).activation().ok(),
            _ => None,
        }
    }

    /// A weight's regulariser: none, `L1`, `L2`, `L1L2`, or a name with Keras's default of 0.01.
    pub(super) fn regularizer(&self, setting: &str) -> Result<Option<Regularizer>, KerasError> {
        let Some(value) = self.get(setting) else { return Ok(None) };
        let error = || self.error(setting, "an L1, L2 or L1L2 regulariser");
        let (class, config) = match value {
            Value::String(name) => (name.as_str(), None),
            Value::Object(object) => {
                (object.get("class_name").and_then(Value::as_str).unwrap_or_default(), object.get("config"))
            }
            _ => return Err(error()),
        };
        let factor = |name: &str, default: f64| match config.and_then(|config| config.get(name)) {
            None | Some(Value::Null) => Ok(default),
            Some(value) => {
                let number = value.get("value").unwrap_or(value).as_f64();
                number.filter(|number| number.is_finite() && *number >= 0.0).ok_or_else(error)
            }
        };
        let default = if config.is_some() { 0.0 } else { 0.01 };
        let regularizer = match class.rsplit('>').next().unwrap_or(class).to_ascii_lowercase().as_str() {
            "l1" => Regularizer { l1: factor("l1", default)?, l2: 0.0 },
            "l2" => Regularizer { l1: 0.0, l2: factor("l2", default)? },
            "l1l2" | "l1_l2" => Regularizer { l1: factor("l1", default)?, l2: factor("l2", default)? },
            _ => return Err(error()),
        };
        Ok(Some(regularizer).filter(|regularizer| regularizer.l1 != 0.0 || regularizer.l2 != 0.0))
    }

    /// Fails where a layer's results are regularised.
    pub(super) fn no_activity_regularizer(&self) -> Result<(), KerasError> {
        if self.regularizer("activity_regularizer").is_ok_and(|regularizer| regularizer.is_none()) {
            return Ok(());
        }
        Err(self.error("activity_regularizer", "it unset: facetui has no loss on a layer's results"))
    }
}
