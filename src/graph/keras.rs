//! Keras's `model_config` JSON: read into a [`Graph`](super::Graph), written from one.
//!
//! Every dialect in use is read: Keras 2.1 (`Model`, `batch_input_shape`, inputs as `[[["conv2d", 0, 0, {}]]]`) up to
//! Keras 3 (`Functional`, `batch_shape`, policies instead of type names, inputs as `{"args": [...]}`). One dialect is
//! written, which Keras 2.12, `tf_keras` and Keras 3 all open: Keras 2's, without the settings of `SeparableConv2D` and
//! `DepthwiseConv2D` that Keras 3 does not know.
//!
//! What has no place in a `Graph` and does not change the result of a forward pass is dropped when reading:
//! initialisers (but a dense kernel's Glorot ones), regularisers, constraints, seeds, a dropout's `noise_shape`, number
//! formats. What would change the result and is not supported is an error that names the layer.

mod fields;
mod inbound;
mod layers;
mod model;
mod write;

use thiserror::Error;

use super::GraphError;

pub use model::from_json;
pub use write::to_json;

/// A configuration that makes no graph.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KerasError {
    /// No functional model at all.
    #[error("the model configuration {0}")]
    NotAModel(String),
    /// A layer of a class that facetui does not have.
    #[error("layer `{layer}` is a `{class}`, a class that facetui does not have; it has {}", layers::known())]
    UnknownClass {
        /// The layer's name.
        layer: String,
        /// Its class in the file.
        class: String,
    },
    /// A setting of a layer that cannot be followed.
    #[error("layer `{layer}` ({class}) has {setting} = {found}; expected {expected}")]
    Setting {
        /// The layer's name.
        layer: String,
        /// Its class.
        class: String,
        /// The setting's name.
        setting: String,
        /// Its value as JSON.
        found: String,
        /// What would do.
        expected: String,
    },
    /// Inputs that cannot be followed.
    #[error("layer `{layer}` {why}")]
    Connection {
        /// The layer's name.
        layer: String,
        /// What is the matter, as the rest of a sentence.
        why: String,
    },
    /// Layers that do not fit together.
    #[error(transparent)]
    Graph(#[from] GraphError),
}

#[cfg(test)]
mod tests;
