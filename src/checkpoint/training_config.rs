//! `training_config`: what a model was compiled with, as Keras 2 and Keras 3 write it in many words.

use serde_json::{Value, json};

use super::h5_file::H5File;
use super::strings::text;
use super::{SavedModel, SavedOptimizer};

/// What a file says of its training; null where it says nothing.
pub(super) struct Training {
    config: Value,
    /// Whether Keras 3 wrote it.
    keras3: bool,
}

impl Training {
    /// Reads it.
    ///
    /// # Errors
    /// A damaged attribute, as a sentence.
    pub(super) fn read(source: &H5File) -> Result<Self, String> {
        let version = text(source, &source.file, "keras_version")?.unwrap_or_default();
        let config = match text(source, &source.file, "training_config")? {
            None => Value::Null,
            Some(config) => serde_json::from_str(&config).map_err(|error| format!("`training_config`: {error}"))?,
        };
        Ok(Self { config, keras3: version.starts_with('3') })
    }

    /// The loss's name.
    pub(super) fn loss(&self) -> Option<String> {
        name_of(&self.config["loss"], 0)
    }

    /// The loss as Keras describes it.
    pub(super) fn loss_config(&self) -> Option<Value> {
        let config = &self.config["loss"];
        (!config.is_null()).then(|| config.clone())
    }

    /// The optimiser's class and its settings, in one dialect: `lr` of old files is `learning_rate`, packages before the
    /// class are gone, and `is_legacy_optimizer` is false for those of Keras 3 as for the newer ones of Keras 2, true for
    /// those of TensorFlow Addons.
    pub(super) fn optimizer(&self) -> Option<(String, Value)> {
        let mut found = &self.config["optimizer_config"];
        let mut inner = &found["config"]["inner_optimizer"];
        if inner.is_null() {
            inner = &found["config"]["optimizer"];
        }
        if inner.is_object() {
            // A loss scale around it.
            found = inner;
        }
        let written = found["class_name"].as_str()?;
        let mut config = found["config"].clone();
        let settings = config.as_object_mut()?;
        if let Some(rate) = settings.remove("lr") {
            settings.entry("learning_rate").or_insert(rate);
        }
        if self.keras3 || written.starts_with("Addons>") {
            settings.insert("is_legacy_optimizer".to_owned(), Value::Bool(!self.keras3));
        }
        Some((canonical(written), config))
    }
}

/// A class without its package, in the spelling of the Keras it is from: `Addons>SGDW` is `SGDW`, `adam` is `Adam`.
fn canonical(class: &str) -> String {
    const KNOWN: [&str; 10] =
        ["SGD", "Adam", "Nadam", "RMSprop", "AdamW", "SGDW", "Adagrad", "Adadelta", "Adamax", "Ftrl"];
    let class = class.rsplit('>').next().unwrap_or(class);
    KNOWN
        .iter()
        .find(|known| known.eq_ignore_ascii_case(class))
        .map_or_else(|| class.to_owned(), |known| (*known).to_owned())
}

/// The name in one of Keras's descriptions of a loss: a name, a class, a wrapped function, a list or table of one.
fn name_of(value: &Value, depth: usize) -> Option<String> {
    if depth > 4 {
        return None;
    }
    let inside = |value: &Value| name_of(value, depth + 1);
    match value {
        Value::String(name) => Some(name.rsplit('>').next().unwrap_or(name).to_owned()),
        Value::Array(list) => list.iter().find_map(inside),
        Value::Object(object) => match object.get("class_name").and_then(Value::as_str) {
            // A plain function, or one made a class.
            Some("function") => object.get("config").and_then(inside),
            Some("LossFunctionWrapper") => object.get("config").and_then(|config| inside(&config["fn"])),
            Some(class) => inside(&Value::from(class)),
            None => object.values().find_map(inside),
        },
        _ => None,
    }
}

/// The `training_config` of a model that is written.
pub(super) fn config<A>(model: &SavedModel<A>, optimizer: &SavedOptimizer<A>) -> Value {
    let loss = match (&model.loss_config, &model.loss) {
        // A function in Keras 3's words, which Keras 2 does not know.
        (Some(config), _) if config["class_name"] == "function" => json!(name_of(config, 0)),
        (Some(config), _) => config.clone(),
        (None, Some(name)) => json!(keras_loss(name)),
        (None, None) => Value::Null,
    };
    let triplet = model.loss.as_deref().is_some_and(|name| name.contains("triplet"));
    let metrics = if triplet { Value::Null } else { json!(["accuracy"]) };
    json!({
        "loss": loss,
        "metrics": metrics,
        "weighted_metrics": null,
        "loss_weights": null,
        "optimizer_config": { "class_name": optimizer.class_name, "config": optimizer.config },
    })
}

/// The name of a loss in Keras or, where Keras has none of the kind, in the reference.
fn keras_loss(name: &str) -> &str {
    match name {
        "softmax" => "categorical_crossentropy",
        "arcface" => "arcface_loss",
        "batch_hard_triplet" => "batch_hard_triplet_loss",
        "batch_all_triplet" => "batch_all_triplet_loss",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn training(config: Value, keras3: bool) -> Training {
        Training { config, keras3 }
    }

    #[test]
    fn losses_are_named_whatever_describes_them() {
        let arcface = json!({"class_name": "ArcfaceLoss", "config": {"margin2": 0.5, "from_logits": true}});
        let function = json!({"module": "builtins", "class_name": "function", "config": "arcface_loss", "registered_name": "function"});
        let wrapper =
            json!({"class_name": "LossFunctionWrapper", "config": {"fn": "margin_softmax", "reduction": "auto"}});
        for (loss, name) in [
            (json!("categorical_crossentropy"), Some("categorical_crossentropy")),
            (arcface, Some("ArcfaceLoss")),
            (function, Some("arcface_loss")),
            (wrapper, Some("margin_softmax")),
            (json!(["Custom>mine", null]), Some("mine")),
            (json!({"out": "arcface_loss"}), Some("arcface_loss")),
            (Value::Null, None),
            (json!(3), None),
        ] {
            assert_eq!(training(json!({ "loss": loss }), false).loss().as_deref(), name);
        }
    }

    #[test]
    fn optimisers_come_in_one_dialect() {
        let old = json!({"optimizer_config": {"class_name": "Adam", "config": {"lr": 0.1, "decay": 0.0}}});
        let (class, config) = training(old, false).optimizer().expect("is one");
        assert_eq!((class.as_str(), &config["learning_rate"]), ("Adam", &json!(0.1)));
        let addon = json!({"optimizer_config": {"class_name": "Addons>SGDW", "config": {"weight_decay": 5e-4}}});
        let (class, config) = training(addon, false).optimizer().expect("is one");
        assert_eq!((class.as_str(), &config["is_legacy_optimizer"]), ("SGDW", &json!(true)));
        let new = json!({"optimizer_config": {"class_name": "adam", "config": {"learning_rate": 0.1}}});
        let (class, config) = training(new, true).optimizer().expect("is one");
        assert_eq!((class.as_str(), &config["is_legacy_optimizer"]), ("Adam", &json!(false)));
        let scaled = json!({"optimizer_config": {"class_name": "LossScaleOptimizer", "config": {
            "inner_optimizer": {"class_name": "Custom>SGD", "config": {"learning_rate": 0.1}}, "dynamic": true}}});
        assert_eq!(training(scaled, false).optimizer().expect("is one").0, "SGD");
        assert!(training(Value::Null, false).optimizer().is_none());
    }
}
