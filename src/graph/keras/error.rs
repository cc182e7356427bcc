//! What is wrong with a `model_config` that makes no graph.

use thiserror::Error;

use crate::graph::GraphError;

/// A configuration that makes no graph.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KerasError {
    /// No functional model at all.
    #[error("the model configuration {0}")]
    NotAModel(String),
    /// A layer of a class that facetui does not have.
    #[error("layer `{layer}` is a `{class}`, a class that facetui does not have; it has {}", known_classes())]
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

/// The classes that are read, for the error about another one.
fn known_classes() -> String {
    [
        "InputLayer",
        "Conv2D",
        "DepthwiseConv2D",
        "SeparableConv2D",
        "Dense",
        "BatchNormalization",
        "SyncBatchNormalization",
        "LayerNormalization",
        "UnitNormalization",
        "Normalization",
        "PReLU",
        "ReLU",
        "LeakyReLU",
        "ELU",
        "Softmax",
        "Activation",
        "Add",
        "Multiply",
        "Subtract",
        "Average",
        "Maximum",
        "Minimum",
        "Concatenate",
        "Flatten",
        "Reshape",
        "Permute",
        "Dropout",
        "SpatialDropout2D",
        "GaussianNoise",
        "GaussianDropout",
        "AlphaDropout",
        "GlobalAveragePooling2D",
        "GlobalMaxPooling2D",
        "MaxPooling2D",
        "AveragePooling2D",
        "ZeroPadding2D",
        "Cropping2D",
        "UpSampling2D",
        "Rescaling",
        "NormDense",
        "models inside models",
        "and TensorFlow's and Keras's arithmetic",
    ]
    .join(", ")
}
