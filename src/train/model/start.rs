//! The network of a run: where it starts from, and the head that each stage's loss needs.

use tch::{Device, Kind};

use crate::checkpoint::{self, SavedOptimizer};
use crate::event::Level;
use crate::graph::embedding::{self, cut};
pub use crate::graph::embedding::{fits, head_kind};
use crate::graph::layer::{Activation, Initializer, Layer};
use crate::graph::{Graph, NodeId, Weights, backbone};
use crate::nn::{Network, init};
use crate::schedule::{HeadKind, ModelSource};
use crate::train::error::TrainError;
use crate::train::model::pretrained;

/// Where a run starts: a graph with its weights, and which node is the embedding.
#[derive(Debug, Clone)]
pub struct Start {
    /// Basic model, with a head after it when the file had one.
    pub graph: Graph,
    /// Its embedding.
    pub embedding: NodeId,
    /// All weights.
    pub weights: Weights,
    /// The optimiser of the file that the weights came from, to resume with.
    pub saved: Option<SavedOptimizer>,
    /// What is worth saying about where it came from.
    pub notes: Vec<(Level, String)>,
}

impl Start {
    /// The kind of the head that follows the embedding; triplet where there is none.
    pub fn head_kind(&self) -> HeadKind {
        self.graph.nodes().get(self.embedding + 1).and_then(|node| head_kind(&node.layer)).unwrap_or(HeadKind::Triplet)
    }

    /// Width and height of its images.
    pub fn input_size(&self) -> (u32, u32) {
        match self.graph.input_shape().map(Vec::as_slice) {
            Some([height, width, _]) => (*width as u32, *height as u32),
            _ => (112, 112),
        }
    }
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
        ModelSource::File { path, embedding, compile } => {
            checkpoint::verify(path).map_err(|error| TrainError::from_diagnostic(&error))?;
            let saved = checkpoint::read(path).map_err(|error| TrainError::from_diagnostic(&error))?;
            let found = embedding::find(&saved.graph, embedding.as_ref())
                .map_err(|reason| TrainError::new(format!("`{}`: {reason}", path.display())))?;
            let (mut graph, weights) = keep_head(&saved.graph, &saved.weights, found);
            let embedding =
                graph.require(&saved.graph.nodes()[found].name).map_err(|e| TrainError::new(e.to_string()))?;
            fits(&graph, embedding).map_err(|reason| TrainError::new(format!("`{}`: {reason}", path.display())))?;
            let mut notes = vec![origin(&graph, embedding, path)];
            notes.extend(thaw(&mut graph, embedding));
            if let Some([height, width, _]) = graph.input_shape().map(Vec::as_slice)
                && [*height, *width] != [112, 112]
            {
                notes.push(format!("the network takes {width}x{height} images: all images are resized to that"));
            }
            let optimizer = saved.optimizer.filter(|_| *compile);
            notes.push(match (&optimizer, compile) {
                (Some(found), _) => {
                    format!("the file's optimiser resumes: {} after {} steps", found.class_name, found.iterations)
                }
                (None, true) => "the file holds no optimiser that can be read: a fresh one is made".to_owned(),
                (None, false) => "the file's optimiser is left alone, as `compile: false` says".to_owned(),
            });
            let mut notes: Vec<_> = notes.into_iter().map(|note| (Level::Info, note)).collect();
            if let Some(note) = saved.optimizer_note.filter(|_| *compile) {
                notes.push((Level::Warning, format!("`{}`: {note}", path.display())));
            }
            Ok(Start { graph, embedding, weights, saved: optimizer, notes })
        }
    }
}

/// What a file holds, in a sentence.
fn origin(graph: &Graph, embedding: NodeId, path: &std::path::Path) -> String {
    let head = graph.nodes().get(embedding + 1);
    let head = head.map_or_else(|| "no head".to_owned(), |node| format!("the head `{}`", node.name));
    format!(
        "the network comes from `{}`: `{}` up to the layer `{}`, with {head}",
        path.display(),
        graph.name,
        graph.nodes()[embedding].name
    )
}

/// A basic model that is frozen as a whole was saved in a bottleneck-only stage: it is made trainable again. Layers that
/// are frozen by themselves stay so. Returns what happened, in a sentence.
fn thaw(graph: &mut Graph, embedding: NodeId) -> Option<String> {
    let basic = &graph.nodes()[..=embedding];
    let mut weighted = basic.iter().filter(|node| !node.weights.is_empty()).peekable();
    weighted.peek()?;
    let frozen = basic.iter().filter(|node| !node.weights.is_empty() && !node.trainable).count();
    if weighted.all(|node| !node.trainable) {
        for node in 0..graph.nodes().len() {
            graph.set_trainable(node, true);
        }
        return Some(
            "the file's whole basic model is frozen, as a bottleneck-only stage leaves it: it is trained again"
                .to_owned(),
        );
    }
    (frozen > 0).then(|| format!("{frozen} of the file's layers are frozen and stay as they are"))
}

/// Cuts a graph behind its embedding, or behind the head that follows it.
pub fn keep_head(graph: &Graph, weights: &Weights, embedding: NodeId) -> (Graph, Weights) {
    // What leads to the head leads to the embedding: in the cut graph the head comes right behind it.
    let head = graph.nodes().iter().position(|node| node.inputs == [embedding] && head_kind(&node.layer).is_some());
    cut(graph, weights, head.unwrap_or(embedding))
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

/// What becomes of a network's head in a stage of a kind, in a sentence; none where it stays as it is.
pub fn head_note(network: &Start, kind: HeadKind, classes: usize) -> Option<String> {
    let present = network.graph.nodes().get(network.embedding + 1);
    let Some((name, wanted)) = head_layer(kind, classes) else {
        return present.map(|node| format!("the head `{}` is taken off: the loss works on the embedding", node.name));
    };
    match present {
        Some(node) if same_head(&node.layer, &wanted) => None,
        Some(node) if head_kind(&node.layer) == Some(kind) => Some(format!(
            "the head `{}` has {} classes and the training set has {classes}: a new head `{name}` is trained",
            node.name,
            node.shape.last().copied().unwrap_or_default()
        )),
        Some(node) => Some(format!("a new head `{name}` of {classes} classes takes the place of `{}`", node.name)),
        None => Some(format!("a new head `{name}` of {classes} classes is added")),
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
        graph.add(name, layer, &[embedding]).map_err(|error| TrainError::new(error.to_string()))?;
    }
    // The head's weights are drawn where they will lie: a head of millions of classes is not held twice.
    Ok((Network::with_drawn(graph, embedding, &weights, seed, device, compute), true))
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
    let weights = network.parameters.weights(graph.nodes().len());
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
    fn only_a_basic_model_that_is_frozen_as_a_whole_is_thawed() {
        let mut start = tiny();
        let all = 0..start.graph.nodes().len();
        for node in all.clone() {
            start.graph.set_trainable(node, false);
        }
        assert!(thaw(&mut start.graph, start.embedding).is_some_and(|note| note.contains("trained again")));
        assert!(start.graph.nodes().iter().all(|node| node.trainable));
        assert_eq!(thaw(&mut start.graph, start.embedding), None);
        let first = start.graph.find("conv2d").expect("a convolution");
        start.graph.set_trainable(first, false);
        assert!(thaw(&mut start.graph, start.embedding).is_some_and(|note| note.starts_with("1 of")));
        assert!(!start.graph.nodes()[first].trainable);
    }

    #[test]
    fn what_becomes_of_the_head_is_said() {
        let start = tiny();
        let note = |start: &Start, kind, classes| head_note(start, kind, classes).unwrap_or_default();
        assert!(note(&start, HeadKind::Softmax, 5).contains("`softmax` of 5 classes is added"));
        assert_eq!(note(&start, HeadKind::Triplet, 5), "");
        let (network, _) = with_head(start, HeadKind::Softmax, 5, 1, Device::Cpu, Kind::Float).expect("fits");
        let start = take_apart(&network);
        assert_eq!(note(&start, HeadKind::Softmax, 5), "");
        assert!(note(&start, HeadKind::Softmax, 7).contains("has 5 classes and the training set has 7"));
        assert!(note(&start, HeadKind::Arcface, 5).contains("takes the place of `softmax`"));
        assert!(note(&start, HeadKind::Triplet, 5).contains("taken off"));
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
