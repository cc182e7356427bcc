//! What a backbone can be asked for, and how its layers are named.

/// What a backbone can be asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// Length of the embedding.
    pub embedding_size: usize,
    /// Share of the features dropped before the embedding, 0 to below 1.
    pub dropout: f64,
    /// Width multiplier, Keras's `alpha`: 1 is the published network.
    pub width: f64,
}

/// How layers are spelt where Keras 2 and Keras 3 differ: only Keras 2 allows `/` in a name, and its MobileNetV3 uses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// `expanded_conv_1_expand_bn`: both Kerases open such a file.
    Keras3,
    /// `expanded_conv_1/expand/BatchNorm`: the names in Keras 2's weight files.
    Keras2,
}
