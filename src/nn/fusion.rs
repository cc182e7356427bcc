//! Which layers run as one: a batch normalisation with the activation or the residual sum behind it. The graph stays as
//! it is; this is a plan of how to walk it.

use super::native::Act;
use crate::graph::layer::{Activation, Layer};
use crate::graph::{Graph, Node, NodeId};

/// One operation of the walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    /// The node whose result it is.
    pub(super) node: NodeId,
    /// The batch normalisation before it that it takes in.
    pub(super) norm: Option<Absorbed>,
}

/// A batch normalisation that is done together with the node behind it, or alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Absorbed {
    /// The normalisation's node.
    pub(super) node: NodeId,
    /// The node's own part.
    pub(super) then: Then,
}

/// What comes behind a normalisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// An activation; [`Act::None`] for a normalisation that stands alone.
    Act(Act),
    /// The sum with another node's result.
    Add(NodeId),
}

impl Step {
    /// The nodes whose results it reads.
    pub(super) fn inputs(&self, graph: &Graph) -> Vec<NodeId> {
        let inputs = |node: NodeId| graph.nodes()[node].inputs.clone();
        match self.norm {
            None => inputs(self.node),
            Some(Absorbed { node, then: Then::Act(_) }) => inputs(node),
            Some(Absorbed { node, then: Then::Add(other) }) => {
                inputs(node).into_iter().chain(std::iter::once(other)).collect()
            }
        }
    }
}

/// The walk to `embedding`. A normalisation is taken in by the node behind it when nothing else needs its result.
pub(super) fn plan(graph: &Graph, embedding: NodeId) -> Vec<Step> {
    let nodes = &graph.nodes()[..=embedding];
    let mut users: Vec<Vec<NodeId>> = vec![Vec::new(); nodes.len()];
    for (at, node) in nodes.iter().enumerate() {
        for input in &node.inputs {
            users[*input].push(at);
        }
    }
    let mut absorbed: Vec<Option<Absorbed>> = vec![None; nodes.len()];
    let mut gone = vec![false; nodes.len()];
    for (at, node) in nodes.iter().enumerate() {
        if !is_map_norm(node) {
            continue;
        }
        let behind = match users[at].as_slice() {
            [user] if at != embedding && absorbed[*user].is_none() => then(graph, at, *user).map(|then| (*user, then)),
            _ => None,
        };
        if let Some((user, then)) = behind {
            gone[at] = true;
            absorbed[user] = Some(Absorbed { node: at, then });
        } else {
            absorbed[at] = Some(Absorbed { node: at, then: Then::Act(Act::None) });
        }
    }
    let kept = (0..nodes.len()).filter(|at| !gone[*at]);
    kept.map(|node| Step { node, norm: absorbed[node] }).collect()
}

fn is_map_norm(node: &Node) -> bool {
    matches!(node.layer, Layer::BatchNormalization { .. }) && node.shape.len() == 3
}

/// How `user` goes on with the result of the normalisation `norm`; none when the two cannot be one.
fn then(graph: &Graph, norm: NodeId, user: NodeId) -> Option<Then> {
    let node = &graph.nodes()[user];
    let channels = node.shape.last().copied();
    match &node.layer {
        Layer::PReLU { .. } if node.weights.first().map(super::super::graph::layer::WeightSpec::len) == channels => {
            Some(Then::Act(Act::PRelu))
        }
        Layer::ReLU { max_value, negative_slope: 0.0, threshold: 0.0 } => match max_value {
            None => Some(Then::Act(Act::Relu)),
            Some(6.0) => Some(Then::Act(Act::Relu6)),
            Some(_) => None,
        },
        Layer::Activation { activation: Activation::Relu } => Some(Then::Act(Act::Relu)),
        Layer::Activation { activation: Activation::Relu6 } => Some(Then::Act(Act::Relu6)),
        Layer::Add => match node.inputs.as_slice() {
            [one, other] if *one == norm && *other != norm => Some(Then::Add(*other)),
            [other, one] if *one == norm && *other != norm => Some(Then::Add(*other)),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::backbone::{Options, build};

    #[test]
    fn every_norm_of_mobilefacenet_is_taken_in_or_ends_a_block() {
        let graph = build("mobilefacenet", &Options { embedding_size: 16, dropout: 0.1, width: 0.1 }).expect("builds");
        let steps = plan(&graph, graph.output());
        let count = |wanted: fn(&Then) -> bool| {
            steps.iter().filter_map(|step| step.norm).filter(|norm| wanted(&norm.then)).count()
        };
        assert_eq!(count(|then| *then == Then::Act(Act::PRelu)), 34);
        assert_eq!(count(|then| matches!(then, Then::Add(_))), 10);
        // Two of the five stages have a single block, the others a first block without a sum, and the 7x7 convolution.
        assert_eq!(count(|then| *then == Then::Act(Act::None)), 6);
        assert_eq!(steps.len(), graph.nodes().len() - 44);
        assert_eq!(steps.last().map(|step| step.node), Some(graph.output()));
    }

    #[test]
    fn a_norm_that_others_need_stays() {
        let mut graph = Graph::new("fork");
        let norm = Layer::BatchNormalization { momentum: 0.99, epsilon: 1e-3, center: true, scale: true };
        let relu = Layer::ReLU { max_value: None, negative_slope: 0.0, threshold: 0.0 };
        let input = graph.add("input", Layer::Input { shape: vec![4, 4, 2] }, &[]).expect("fits");
        let first = graph.add("norm", norm.clone(), &[input]).expect("fits");
        let relu = graph.add("relu", relu, &[first]).expect("fits");
        let sum = graph.add("sum", Layer::Add, &[first, relu]).expect("fits");
        let twice = graph.add("twice", norm, &[sum]).expect("fits");
        let double = graph.add("double", Layer::Add, &[twice, twice]).expect("fits");
        let steps = plan(&graph, double);
        assert_eq!(steps.iter().map(|step| step.node).collect::<Vec<_>>(), [input, first, relu, sum, twice, double]);
        assert_eq!(steps[2].norm, None);
        assert_eq!(steps[5].norm, None);
    }
}
