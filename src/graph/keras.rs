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

mod entries;
mod fields;
mod flatten;
mod functions;
mod inbound;
mod layers;
mod operations;
mod portable;
mod write;

use thiserror::Error;

use super::{Graph, GraphError};

pub use portable::portable;
pub use write::to_json;

/// A model as its configuration describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct KerasModel {
    /// Its layers, those of inner models among them.
    pub graph: Graph,
    /// For each node, where a file holds its weights; none for nodes that own no weights.
    pub places: Vec<Option<WeightPlace>>,
}

/// Where a file holds the weights of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeightPlace {
    /// The group below `model_weights`: the layer's name in the file, or that of the outermost model it is in.
    pub group: String,
    /// Positions in the group's list of weights, one for each of the node's weights, in their order.
    pub positions: Vec<usize>,
    /// Length of the group's list.
    pub total: usize,
}

/// Reads a Keras `model_config`. Layers keep the file's order as far as inputs come first.
///
/// # Errors
/// No model of one input and one output, an unknown class, a setting or connection that is not supported.
pub fn read(config: &serde_json::Value) -> Result<KerasModel, KerasError> {
    flatten::flatten(&entries::model(config)?)
}

/// The graph of a Keras `model_config`, for who needs no weights.
///
/// # Errors
/// As [`read`].
pub fn from_json(config: &serde_json::Value) -> Result<Graph, KerasError> {
    read(config).map(|model| model.graph)
}

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
