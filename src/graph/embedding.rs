//! Which layer of a model is its embedding, and what makes a layer a head.

use super::layer::{Activation, Layer};
use super::{Graph, GraphError, NodeId};
use crate::schedule::{EmbeddingLayer, HeadKind};

/// The node that is called the embedding; without a word, the input of the model's head, or its output when it has none.
///
/// # Errors
/// No such layer.
pub fn find(graph: &Graph, wanted: Option<&EmbeddingLayer>) -> Result<NodeId, GraphError> {
    match wanted {
        Some(EmbeddingLayer::Name(name)) => graph.require(name),
        Some(EmbeddingLayer::Index(index)) => graph.at(*index),
        None => {
            let output = graph.output();
            let node = &graph.nodes()[output];
            Ok(if head_kind(&node.layer).is_some() { node.inputs[0] } else { output })
        }
    }
}

/// The kind of head a layer is, if it is one.
pub const fn head_kind(layer: &Layer) -> Option<HeadKind> {
    match layer {
        Layer::Dense { activation: Activation::Softmax, .. } => Some(HeadKind::Softmax),
        Layer::NormDense { .. } => Some(HeadKind::Arcface),
        _ => None,
    }
}
