//! Keras's `model_config` JSON: read into a [`Graph`], written from one.
//!
//! Every dialect in use is read: Keras 2.1 (`Model`, `batch_input_shape`, inputs as `[[["conv2d", 0, 0, {}]]]`) up to
//! Keras 3 (`Functional`, `batch_shape`, policies instead of type names, inputs as `{"args": [...]}`), sequential models,
//! models inside models, layers used several times, and the arithmetic that Keras records as layers. One
//! dialect is written, which Keras 2.12, `tf_keras` and Keras 3 all open: Keras 2's, without the settings that one of them
//! does not know, and with plain layers for what only some of them have ([`portable()`]).
//!
//! What has no place in a `Graph` and does not change the result of a forward pass or the loss is dropped when reading:
//! initialisers (but a dense kernel's Glorot ones), constraints, seeds, number formats. What would change the result and is
//! not supported is an error that names the layer.

mod error;
mod flatten;
mod functions;
mod inbound_nodes;
mod layer_config;
mod layers;
mod model;
mod model_config;
mod operations;
mod portable;
mod write;

use super::Graph;

pub use error::KerasError;
pub use model::{KerasModel, WeightPlace};
pub use portable::portable;
pub use write::to_json;

/// Reads a Keras `model_config`. Layers keep the file's order as far as inputs come first.
///
/// # Errors
/// No model of one input and one output, an unknown class, a setting or connection that is not supported.
pub fn read(config: &serde_json::Value) -> Result<KerasModel, KerasError> {
    flatten::flatten(&model_config::model(config)?)
}

/// The graph of a Keras `model_config`, for who needs no weights.
///
/// # Errors
/// As [`read`].
pub fn from_json(config: &serde_json::Value) -> Result<Graph, KerasError> {
    read(config).map(|model| model.graph)
}

#[cfg(test)]
mod tests;
