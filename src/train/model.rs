//! The network of a run: where it starts from, and the head that each stage's loss needs.

use tch::{Device, Kind};

use super::error::TrainError;
use super::pretrained;
use crate::checkpoint::{self, SavedModel};
use crate::event::Level;
use crate::graph::layer::{Activation, Initializer, Layer};
use crate::graph::{Graph, NodeId, Weights, backbone};
use crate::nn::{Network, init};
use crate::schedule::{EmbeddingLayer, HeadKind, ModelSource};

/// Where a run starts: a graph with its weights, and which node is the embedding.
#[derive(Debug)]
pub struct Start {
    /// Basic model, with a head after it when the file had one.
    pub graph: Graph,
    /// Its embedding.
    pub embedding: NodeId,
    /// All weights.
    pub weights: Weights,
    /// The saved model the weights came from, when there was one: its optimiser may be restored.
    pub saved: Option<SavedModel>,
    /// What is worth saying about where it came from.
    pub notes: Vec<(Level, String)>,
}

/// Builds or reads the network of a schedule.
///
/// # Errors
/// A file that cannot be read, or has no such embedding layer.
pub fn start(source: &ModelSource, seed: u64) -> Result<Start, TrainError> {
    match source {
        ModelSource::Backbone(wanted) => {
            let options = backbone::Options {
                embedding_size: wanted.embedding_size as usize,
                dropout: wanted.dropout,
                width: wanted.width,
            };
            let mut graph =
                backbone::build(&wanted.kind, &options).map_err(|error| TrainError::new(error.to_string()))?;
            let mut weights = init::weights(&graph, seed);
            let notes = match &wanted.pretrained {
                Some(path) => pretrained::load(path, &wanted.kind, &options, &mut weights)?,
                None => Vec::new(),
            };
            backbone::decay_weights(&mut graph, wanted.weight_decay);
            Ok(Start { embedding: graph.output(), graph, weights, saved: None, notes })
        }
        ModelSource::File { path, embedding } => {
            let saved = checkpoint::read(path).map_err(|error| TrainError::from_diagnostic(&error))?;
            let embedding = embedding_node(&saved.graph, embedding.as_ref())
                .map_err(|error| TrainError::new(format!("`{}`: {error}", path.display())))?;
            let (graph, weights) = keep_head(&saved.graph, &saved.weights, embedding);
            Ok(Start { graph, embedding, weights, saved: Some(saved), notes: Vec::new() })
        }
    }
}

/// The node that a schedule calls the embedding; without a word, the input of the file's head or its output.
fn embedding_node(graph: &Graph, wanted: Option<&EmbeddingLayer>) -> Result<NodeId, crate::graph::GraphError> {
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

/// Cuts a graph behind its embedding, or behind the head that follows it.
fn keep_head(graph: &Graph, weights: &Weights, embedding: NodeId) -> (Graph, Weights) {
    let head =
        graph.nodes().iter().enumerate().position(|(at, node)| {
            at == embedding + 1 && node.inputs == [embedding] && head_kind(&node.layer).is_some()
        });
    let last = head.unwrap_or(embedding);
    let cut = graph.cut(last, graph.name.clone());
    let kept = cut.nodes().iter().map(|node| graph.find(&node.name).map(|at| weights.nodes[at].clone()));
    let weights = Weights { nodes: kept.map(Option::unwrap_or_default).collect() };
    (cut, weights)
}

/// The head layer of a kind for a number of classes, with the name the reference gives it.
fn head_layer(kind: HeadKind, classes: usize) -> Option<(&'static str, Layer)> {
    match kind {
        HeadKind::Softmax => Some((
            "softmax",
            Layer::Dense {
                units: classes,
                use_bias: true,
                activation: Activation::Softmax,
                kernel_initializer: Initializer::GlorotUniform,
            },
        )),
        HeadKind::Arcface => Some(("arcface", Layer::NormDense { units: classes })),
        HeadKind::Triplet => None,
    }
}

/// The network with the head that a stage needs: the one that is there when kind and classes agree, trained weights
/// included, else a fresh one. Returns whether the head is fresh.
///
/// # Errors
/// A layer name that is taken.
pub fn with_head(
    network: Start,
    kind: HeadKind,
    classes: usize,
    seed: u64,
    device: Device,
    compute: Kind,
) -> Result<(Network, bool), TrainError> {
    let Start { graph, embedding, mut weights, .. } = network;
    let wanted = head_layer(kind, classes);
    let present = graph.nodes().get(embedding + 1);
    if let (Some(node), Some((_, layer))) = (present, &wanted)
        && same_head(&node.layer, layer)
    {
        return Ok((Network::new(graph, embedding, &weights, device, compute), false));
    }
    let mut graph = graph.cut(embedding, graph.name.clone());
    weights.nodes.truncate(graph.nodes().len());
    if let Some((name, layer)) = wanted {
        let head = graph.add(name, layer, &[embedding]).map_err(|error| TrainError::new(error.to_string()))?;
        let specs = &graph.nodes()[head].weights;
        // Streams far away from those of the layers: a head starts the same whatever the backbone is.
        let drawn = specs.iter().enumerate().map(|(place, spec)| init::weight(spec, seed, u64::MAX - place as u64));
        weights.nodes.push(drawn.collect());
    }
    Ok((Network::new(graph, embedding, &weights, device, compute), true))
}

const fn same_head(present: &Layer, wanted: &Layer) -> bool {
    match (present, wanted) {
        (
            Layer::Dense { units: a, activation: Activation::Softmax, .. },
            Layer::Dense { units: b, activation: Activation::Softmax, .. },
        )
        | (Layer::NormDense { units: a }, Layer::NormDense { units: b }) => *a == *b,
        _ => false,
    }
}

/// Takes a network apart again, to give it another head.
pub fn take_apart(network: &Network) -> Start {
    let graph = network.graph().clone();
    let weights = network.parameters.snapshot().weights(graph.nodes().len());
    Start { graph, embedding: network.embedding(), weights, saved: None, notes: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::Backbone;

    fn tiny() -> Start {
        let backbone = Backbone { width: 0.1, ..Backbone::new("mobilefacenet", 16) };
        start(&ModelSource::Backbone(backbone), 1).expect("builds")
    }

    #[test]
    fn the_same_head_keeps_its_weights_and_another_replaces_it() {
        let (network, fresh) = with_head(tiny(), HeadKind::Softmax, 5, 1, Device::Cpu, Kind::Float).expect("fits");
        assert!(fresh);
        let before = take_apart(&network);
        let kernel = before.weights.nodes.last().expect("a head")[0].clone();
        let (network, fresh) = with_head(before, HeadKind::Softmax, 5, 2, Device::Cpu, Kind::Float).expect("fits");
        assert!(!fresh);
        assert_eq!(take_apart(&network).weights.nodes.last().expect("a head")[0], kernel);
        let (network, fresh) =
            with_head(take_apart(&network), HeadKind::Arcface, 5, 2, Device::Cpu, Kind::Float).expect("fits");
        assert!(fresh);
        let names: Vec<&str> = network.graph().nodes().iter().rev().take(2).map(|node| node.name.as_str()).collect();
        assert_eq!(names, ["arcface", "embedding"]);
        let (network, _) =
            with_head(take_apart(&network), HeadKind::Triplet, 5, 2, Device::Cpu, Kind::Float).expect("fits");
        assert!(!network.has_head());
    }
}
