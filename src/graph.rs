//! A network is a [`Graph`]: named layers of Keras's own vocabulary and their inputs, exactly what a Keras functional
//! model's `model_config` holds. Everything about a network derives from it: its execution (`nn`), its `.h5` file
//! (`checkpoint`), its table ([`summary`]). There are no tensors here.

pub mod backbone;
pub mod keras;
pub mod layer;
pub mod shape;
pub mod summary;

use std::collections::HashMap;

use thiserror::Error;

pub use layer::Layer;
use layer::WeightSpec;
use shape::{Shape, ShapeError};

/// Position of a node in its graph. Inputs of a node always lie before it.
pub type NodeId = usize;

/// A named layer, its inputs, and what follows from them.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The layer's name, unique in its graph.
    pub name: String,
    /// What it does.
    pub layer: Layer,
    /// Where its inputs come from.
    pub inputs: Vec<NodeId>,
    /// Keras's `trainable` flag.
    pub trainable: bool,
    /// Shape of the result, without the batch.
    pub shape: Shape,
    /// Its weights in Keras's order.
    pub weights: Vec<WeightSpec>,
}

/// A functional model with one input and one output.
#[derive(Debug, Clone, PartialEq)]
pub struct Graph {
    /// The model's name.
    pub name: String,
    nodes: Vec<Node>,
    output: NodeId,
}

/// A graph that cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GraphError {
    /// Two layers of one name.
    #[error("two layers are named `{0}`")]
    Duplicate(String),
    /// A layer cannot take its inputs.
    #[error("layer `{name}` ({class}) {source}")]
    Shape {
        /// The layer's name.
        name: String,
        /// Its class.
        class: &'static str,
        /// What does not fit.
        source: ShapeError,
    },
    /// A layer that is not there.
    #[error("there is no layer `{wanted}` in `{graph}`; its last layers are {last}")]
    NoLayer {
        /// What was asked for.
        wanted: String,
        /// The graph's name.
        graph: String,
        /// The names of its last layers.
        last: String,
    },
}

impl Graph {
    /// An empty graph.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), nodes: Vec::new(), output: 0 }
    }

    /// Adds a layer; the newest layer is the output.
    ///
    /// # Errors
    /// A name that is taken, or inputs that do not fit.
    pub fn add(&mut self, name: impl Into<String>, layer: Layer, inputs: &[NodeId]) -> Result<NodeId, GraphError> {
        let name = name.into();
        if self.find(&name).is_some() {
            return Err(GraphError::Duplicate(name));
        }
        let shapes: Vec<&Shape> = inputs.iter().map(|input| &self.nodes[*input].shape).collect();
        let shape = layer.output_shape(&shapes).map_err(|source| GraphError::Shape {
            name: name.clone(),
            class: layer.class_name(),
            source,
        })?;
        let weights = layer.weights(&shapes);
        self.nodes.push(Node { name, layer, inputs: inputs.to_vec(), trainable: true, shape, weights });
        self.output = self.nodes.len() - 1;
        Ok(self.output)
    }

    /// Sets Keras's `trainable` flag of a node.
    pub fn set_trainable(&mut self, node: NodeId, trainable: bool) {
        self.nodes[node].trainable = trainable;
    }

    /// Makes a node the output.
    pub fn set_output(&mut self, node: NodeId) {
        debug_assert!(node < self.nodes.len());
        self.output = node;
    }

    /// The nodes; inputs lie before the nodes that use them.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The output.
    pub const fn output(&self) -> NodeId {
        self.output
    }

    /// Shape of the output, without the batch.
    pub fn output_shape(&self) -> &Shape {
        &self.nodes[self.output].shape
    }

    /// Shape of the input images: (height, width, channels).
    pub fn input_shape(&self) -> Option<&Shape> {
        self.nodes.iter().find(|node| matches!(node.layer, Layer::Input { .. })).map(|node| &node.shape)
    }

    /// The node of a name.
    pub fn find(&self, name: &str) -> Option<NodeId> {
        self.nodes.iter().position(|node| node.name == name)
    }

    /// The node of a name, or an error that names what is there.
    ///
    /// # Errors
    /// No such layer.
    pub fn require(&self, name: &str) -> Result<NodeId, GraphError> {
        self.find(name).ok_or_else(|| self.no_layer(name))
    }

    fn no_layer(&self, wanted: &str) -> GraphError {
        let from = self.nodes.len().saturating_sub(4);
        let last: Vec<String> = self.nodes[from..].iter().map(|node| format!("`{}`", node.name)).collect();
        GraphError::NoLayer { wanted: wanted.to_owned(), graph: self.name.clone(), last: last.join(", ") }
    }

    /// The node at a position, from the end when negative (Keras's `model.layers[-2]`).
    ///
    /// # Errors
    /// No such position.
    pub fn at(&self, index: i64) -> Result<NodeId, GraphError> {
        let count = self.nodes.len() as i64;
        let place = if index < 0 { count + index } else { index };
        if (0..count).contains(&place) { Ok(place as usize) } else { Err(self.no_layer(&index.to_string())) }
    }

    /// The part of the graph that leads to `output`, under its own name: the basic model of a model with a head.
    #[must_use]
    pub fn cut(&self, output: NodeId, name: impl Into<String>) -> Self {
        let mut needed = vec![false; self.nodes.len()];
        needed[output] = true;
        for at in (0..=output).rev() {
            if needed[at] {
                for input in &self.nodes[at].inputs {
                    needed[*input] = true;
                }
            }
        }
        let mut renumbered = HashMap::new();
        let mut cut = Self::new(name);
        for (at, node) in self.nodes.iter().enumerate().filter(|(at, _)| needed[*at]) {
            renumbered.insert(at, cut.nodes.len());
            let inputs = node.inputs.iter().map(|input| renumbered[input]).collect();
            cut.nodes.push(Node { inputs, ..node.clone() });
        }
        cut.output = renumbered[&output];
        cut
    }

    /// Number of weights: (trainable by nature, moving statistics).
    pub fn count_weights(&self) -> (u64, u64) {
        let mut counts = (0, 0);
        for weight in self.nodes.iter().flat_map(|node| &node.weights) {
            *(if weight.trainable { &mut counts.0 } else { &mut counts.1 }) += weight.len() as u64;
        }
        counts
    }

    /// Multiplications (each with its addition) for one image.
    pub fn macs(&self) -> u64 {
        self.nodes
            .iter()
            .map(|node| {
                let inputs: Vec<&Shape> = node.inputs.iter().map(|input| &self.nodes[*input].shape).collect();
                node.layer.macs(&inputs, &node.shape)
            })
            .sum()
    }
}

/// The numbers of one weight, in Keras's shape and order (row-major).
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// Axes.
    pub shape: Vec<usize>,
    /// Elements, last axis fastest.
    pub data: Vec<f32>,
}

/// All weights of a graph: for each node, in order, its weights in the order of [`Node::weights`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Weights {
    /// A list a node; empty for nodes without weights.
    pub nodes: Vec<Vec<Array>>,
}
