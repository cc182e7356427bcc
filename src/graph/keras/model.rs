//! What a `model_config` is read into: the graph, and where a file holds the weights of each node.

use crate::graph::Graph;

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
