//! A network is a [`Graph`]: named layers of Keras's own vocabulary and their inputs, exactly what a Keras functional
//! model's `model_config` holds. Everything about a network derives from it: its execution (`nn`), its `.h5` file
//! (`checkpoint`), its table ([`summary`]). There are no tensors here.

pub mod backbone;
pub mod embedding;
pub mod keras;
pub mod layer;
pub mod shape;
pub mod summary;

use std::collections::HashMap;

use thiserror::Error;

pub use layer::Layer;
use layer::{Regularizer, WeightSpec};
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
    /// Its weights in Keras's order; empty when it shares another node's.
    pub weights: Vec<WeightSpec>,
    /// The node whose weights it uses: a layer that a model uses several times owns them once.
    pub shares: Option<NodeId>,
}

/// A functional model with one input and one output.
#[derive(Debug, Clone, PartialEq)]
pub struct Graph {
    /// The model's name.
    pub name: String,
    nodes: Vec<Node>,
    output: NodeId,
    /// The model's layers as Keras counts them, each with the node of its result: of a layer that is used several times
    /// the last use, of a model inside the model its output.
    layers: Vec<(String, NodeId)>,
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
        Self { name: name.into(), nodes: Vec::new(), output: 0, layers: Vec::new() }
    }

    /// Adds a layer; the newest layer is the output.
    ///
    /// # Errors
    /// A name that is taken, or inputs that do not fit.
    pub fn add(&mut self, name: impl Into<String>, layer: Layer, inputs: &[NodeId]) -> Result<NodeId, GraphError> {
        let node = self.put(name.into(), layer, inputs)?;
        self.layers.push((self.nodes[node].name.clone(), node));
        Ok(node)
    }

    /// Adds another use of a node's layer, with the same weights; it becomes the output.
    ///
    /// # Errors
    /// A name that is taken, inputs that do not fit the layer or its weights.
    pub fn add_use(
        &mut self,
        name: impl Into<String>,
        shared: NodeId,
        inputs: &[NodeId],
    ) -> Result<NodeId, GraphError> {
        let node = self.put(name.into(), self.nodes[shared].layer.clone(), inputs)?;
        let owner = self.nodes[shared].shares.unwrap_or(shared);
        let fits = |a: &WeightSpec, b: &WeightSpec| a.shape == b.shape;
        let (mine, owned) = (&self.nodes[node].weights, &self.nodes[owner].weights);
        if mine.len() != owned.len() || !mine.iter().zip(owned).all(|(a, b)| fits(a, b)) {
            let shapes = mine.iter().chain(owned).map(|weight| weight.shape.clone()).collect();
            let (name, class) = (self.nodes[node].name.clone(), self.nodes[node].layer.class_name());
            self.nodes.pop();
            return Err(GraphError::Shape { name, class, source: ShapeError::Mismatch(shapes) });
        }
        let shares = !owned.is_empty();
        self.nodes[node].trainable = self.nodes[owner].trainable;
        if shares {
            self.nodes[node].weights.clear();
            self.nodes[node].shares = Some(owner);
            let owner = &self.nodes[owner].name;
            if let Some((_, last)) = self.layers.iter_mut().find(|(name, _)| name == owner) {
                *last = node;
            }
        } else {
            self.layers.push((self.nodes[node].name.clone(), node));
        }
        Ok(node)
    }

    fn put(&mut self, name: String, layer: Layer, inputs: &[NodeId]) -> Result<NodeId, GraphError> {
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
        self.nodes.push(Node { name, layer, inputs: inputs.to_vec(), trainable: true, shape, weights, shares: None });
        self.output = self.nodes.len() - 1;
        Ok(self.output)
    }

    /// Sets Keras's `trainable` flag of a node, and of every node that uses the same weights.
    pub fn set_trainable(&mut self, node: NodeId, trainable: bool) {
        let owner = self.nodes[node].shares.unwrap_or(node);
        for (at, node) in self.nodes.iter_mut().enumerate() {
            if at == owner || node.shares == Some(owner) {
                node.trainable = trainable;
            }
        }
    }

    /// Freezes every node up to and including `last`, as Keras does with `layer.trainable = False` of a basic model.
    pub fn freeze(&mut self, last: NodeId) {
        (0..=last.min(self.nodes.len().saturating_sub(1))).for_each(|node| self.nodes[node].trainable = false);
    }

    /// Makes every node trainable.
    pub fn thaw(&mut self) {
        self.nodes.iter_mut().for_each(|node| node.trainable = true);
    }

    /// Sets what keeps a weight small; does nothing where the node has no weight of that place.
    pub fn set_regularizer(&mut self, node: NodeId, place: usize, regularizer: Option<Regularizer>) {
        if let Some(weight) = self.nodes[node].weights.get_mut(place) {
            weight.regularizer = regularizer;
        }
    }

    /// The node that owns the weights a node uses: itself, unless it shares another's.
    pub fn owner(&self, node: NodeId) -> NodeId {
        self.nodes[node].shares.unwrap_or(node)
    }

    /// The model's layers as Keras counts them, each with the node of its result.
    pub fn layers(&self) -> &[(String, NodeId)] {
        &self.layers
    }

    /// Says how Keras counts the layers, where that differs from the nodes: models inside the model, further uses.
    pub(in crate::graph) fn set_layers(&mut self, layers: Vec<(String, NodeId)>) {
        self.layers = layers;
    }

    /// The same graph under other names, which must differ from each other: `name` makes the new one of the old.
    #[must_use]
    pub fn renamed(mut self, name: impl Fn(&str) -> String) -> Self {
        self.nodes.iter_mut().for_each(|node| node.name = name(&node.name));
        self.layers.iter_mut().for_each(|(layer, _)| *layer = name(layer));
        self
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

    /// The node of a name, or the result of a layer or inner model of that name, or an error that names what is there.
    ///
    /// # Errors
    /// No such layer.
    pub fn require(&self, name: &str) -> Result<NodeId, GraphError> {
        let layer = || self.layers.iter().find(|(known, _)| known == name).map(|(_, node)| *node);
        self.find(name).or_else(layer).ok_or_else(|| self.no_layer(name))
    }

    fn no_layer(&self, wanted: &str) -> GraphError {
        let from = self.layers.len().saturating_sub(4);
        let last: Vec<String> = self.layers[from..].iter().map(|(name, _)| format!("`{name}`")).collect();
        GraphError::NoLayer { wanted: wanted.to_owned(), graph: self.name.clone(), last: last.join(", ") }
    }

    /// The result of the layer at a position, from the end when negative (Keras's `model.layers[-2]`).
    ///
    /// # Errors
    /// No such position.
    pub fn at(&self, index: i64) -> Result<NodeId, GraphError> {
        let count = self.layers.len() as i64;
        let place = if index < 0 { count + index } else { index };
        let layer = usize::try_from(place).ok().and_then(|place| self.layers.get(place));
        layer.map(|(_, node)| *node).ok_or_else(|| self.no_layer(&index.to_string()))
    }

    /// The nodes that lead to `output`, itself included, in order; owners of shared weights count as leading there.
    pub fn leading_to(&self, output: NodeId) -> Vec<NodeId> {
        let mut needed = vec![false; self.nodes.len()];
        needed[output] = true;
        for at in (0..=output).rev() {
            if needed[at] {
                for input in self.nodes[at].inputs.iter().chain(&self.nodes[at].shares) {
                    needed[*input] = true;
                }
            }
        }
        (0..=output).filter(|at| needed[*at]).collect()
    }

    /// The part of the graph that leads to `output`, under its own name: the basic model of a model with a head. Its
    /// nodes are those of [`Graph::leading_to`], in the same order.
    #[must_use]
    pub fn cut(&self, output: NodeId, name: impl Into<String>) -> Self {
        let mut cut = Self::new(name);
        let mut renumbered = HashMap::new();
        for at in self.leading_to(output) {
            renumbered.insert(at, cut.nodes.len());
            let node = &self.nodes[at];
            let inputs = node.inputs.iter().map(|input| renumbered[input]).collect();
            let shares = node.shares.map(|owner| renumbered[&owner]);
            cut.nodes.push(Node { inputs, shares, ..node.clone() });
        }
        let layers = self.layers.iter().filter_map(|(name, node)| Some((name.clone(), *renumbered.get(node)?)));
        cut.layers = layers.collect();
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
#[derive(Debug, Clone, PartialEq)]
pub struct Weights<A = Array> {
    /// A list a node; empty for nodes without weights.
    pub nodes: Vec<Vec<A>>,
}

impl<A> Default for Weights<A> {
    fn default() -> Self {
        Self { nodes: Vec::new() }
    }
}

impl Weights {
    /// The weights of what leads to `output`, for [`Graph::cut`] of the same output.
    #[must_use]
    pub fn cut(&self, graph: &Graph, output: NodeId) -> Self {
        let kept = graph.leading_to(output).into_iter().map(|at| self.nodes.get(at).cloned().unwrap_or_default());
        Self { nodes: kept.collect() }
    }
}
