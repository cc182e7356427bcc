//! Which part of a saved network makes embeddings, and whether it can be used here.

use super::layer::{Activation, Layer};
use super::{Graph, GraphError, NodeId, Weights};
use crate::schedule::{EmbeddingLayer, HeadKind};

/// Whether a part of a graph turns faces into embeddings: colour images of a known size in, a list of numbers out.
///
/// # Errors
/// A sentence that names the layer, what it is and what it must be.
pub fn fits(graph: &Graph, embedding: NodeId) -> Result<(), String> {
    let input = graph.nodes().iter().find(|node| matches!(node.layer, Layer::Input { .. }));
    let Some(input) = input else { return Err("the network has no input layer".to_owned()) };
    match input.shape.as_slice() {
        [height, width, 3] if *height > 0 && *width > 0 => {}
        other => {
            return Err(format!(
                "the input `{}` has the shape {other:?}; expected images of three channels, (height, width, 3)",
                input.name
            ));
        }
    }
    let node = &graph.nodes()[embedding];
    match node.shape.as_slice() {
        [_] => Ok(()),
        other => Err(format!(
            "the output of the layer `{}` has the shape {other:?}; an embedding is a list of numbers, as behind `Flatten`",
            node.name
        )),
    }
}

/// The node that a user calls the embedding; without a word, the input of the file's head or its output.
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

/// The part of a graph that leads to the node `last`, with its weights.
pub fn cut(graph: &Graph, weights: &Weights, last: NodeId) -> (Graph, Weights) {
    (graph.cut(last, graph.name.clone()), weights.cut(graph, last))
}

#[cfg(test)]
mod tests {
    use super::super::backbone::{self, Options};
    use super::*;

    #[test]
    fn a_network_of_grey_images_or_of_maps_does_not_fit() {
        let options = Options { embedding_size: 16, dropout: 0.0, width: 0.1 };
        let graph = backbone::build("mobilefacenet", &options).expect("builds");
        assert_eq!(fits(&graph, graph.output()), Ok(()));
        let map = graph.find("conv2d").expect("a convolution");
        assert!(fits(&graph, map).is_err_and(|reason| reason.contains("`conv2d`")));
        let mut grey = Graph::new("grey");
        let input = grey.add("input_1", Layer::Input { shape: vec![112, 112, 1] }, &[]).expect("adds");
        let flat = grey.add("flatten", Layer::Flatten, &[input]).expect("adds");
        assert!(fits(&grey, flat).is_err_and(|reason| reason.contains("three channels")));
    }
}
