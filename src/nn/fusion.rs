//! Chains of layers that are computed as one operation, with fewer passes over memory and fewer results kept for the
//! backward pass. The graph stays as it is; this is a plan of how to walk it.
//!
//! A batch normalisation goes together with the activation or the residual sum behind it, and with the sum before it
//! ([`norm_act`](super::norm_act)). A convolution pads its map by itself where Keras has a layer of zeros for that.
//! Files that both Kerases open say `hard_sigmoid` in three layers, `x + 3`, ReLU6, `* 1/6`, and hard swish in four: the
//! same times `x`. Alone, every one of them would keep its map.

use super::norm_act::Act;
use crate::graph::layer::{Activation, Layer, Padding, WeightSpec};
use crate::graph::{Graph, Node, NodeId};

/// What runs in the place of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fused {
    /// Nothing: a later node does its part.
    Skipped,
    /// `relu6(x + 3) / 6` of this node's result.
    HardSigmoid(NodeId),
    /// `x * relu6(x + 3) / 6` of this node's result.
    HardSwish(NodeId),
    /// This convolution of another node's result, with zeros around it: rows above and below, columns left and right.
    Padded {
        /// What is padded.
        input: NodeId,
        /// How many zeros on either side of (height, width).
        zeros: [usize; 2],
    },
    /// A batch normalisation, and what this node does with its result; the node itself when it stands alone.
    Norm {
        /// The normalisation's node.
        norm: NodeId,
        /// This node's part.
        then: Then,
        /// The sum that it normalises, made here.
        sum: Option<Sum>,
    },
}

/// A residual sum that is made by the normalisation behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sum {
    /// Its node.
    pub(super) node: NodeId,
    /// What is added up.
    pub(super) parts: [NodeId; 2],
}

/// What comes behind a normalisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// An activation; [`Act::None`] for a normalisation that stands alone.
    Act(Act),
    /// The sum with another node's result.
    Add(NodeId),
}

impl Fused {
    /// The nodes whose results it reads.
    pub(super) fn inputs(&self, graph: &Graph) -> Vec<NodeId> {
        match *self {
            Self::Skipped => Vec::new(),
            Self::HardSigmoid(input) | Self::HardSwish(input) | Self::Padded { input, .. } => vec![input],
            Self::Norm { norm, then, sum } => {
                let mut inputs = graph.nodes()[norm].inputs.clone();
                inputs.extend(sum.iter().flat_map(|sum| sum.parts));
                inputs.extend(if let Then::Add(other) = then { Some(other) } else { None });
                inputs
            }
        }
    }
}

/// Half a unit in the last place of 1/6 in fp32.
const CLOSE: f64 = 1e-8;

/// For each node what runs in its place, where that is not the node itself. The results of `kept` are needed as they are.
pub(super) fn find(graph: &Graph, kept: NodeId) -> Vec<Option<Fused>> {
    let nodes = graph.nodes();
    let mut uses = vec![0usize; nodes.len()];
    for input in nodes.iter().flat_map(|node| &node.inputs) {
        uses[*input] += 1;
    }
    let only_here = |node: NodeId| uses[node] == 1 && node != kept && node != graph.output();
    let mut fused = vec![None; nodes.len()];
    for at in 0..nodes.len() {
        if let Some((pad, input, zeros)) = padded(graph, at)
            && only_here(pad)
        {
            (fused[pad], fused[at]) = (Some(Fused::Skipped), Some(Fused::Padded { input, zeros }));
        }
    }
    for (at, node) in nodes.iter().enumerate() {
        if let Some([first, second, x]) = hard_sigmoid(graph, at)
            && only_here(first)
            && only_here(second)
        {
            (fused[first], fused[second]) = (Some(Fused::Skipped), Some(Fused::Skipped));
            fused[at] = Some(Fused::HardSigmoid(x));
        }
        if let (Layer::Multiply, &[one, other]) = (&node.layer, &node.inputs[..]) {
            for (x, share) in [(one, other), (other, one)] {
                if fused[share] == Some(Fused::HardSigmoid(x)) && only_here(share) {
                    fused[share] = Some(Fused::Skipped);
                    fused[at] = Some(Fused::HardSwish(x));
                }
            }
        }
    }
    norms(graph, kept, &mut fused);
    fused
}

/// Adds the batch normalisations of maps: each with the node behind it when nothing else needs its result, else alone.
fn norms(graph: &Graph, kept: NodeId, fused: &mut [Option<Fused>]) {
    let nodes = graph.nodes();
    let mut users: Vec<Vec<NodeId>> = vec![Vec::new(); nodes.len()];
    for (at, node) in nodes.iter().enumerate() {
        node.inputs.iter().for_each(|input| users[*input].push(at));
    }
    for norm in (0..nodes.len()).filter(|at| is_map_norm(&nodes[*at])) {
        let behind = match users[norm].as_slice() {
            [user] if norm != kept && norm != graph.output() && fused[*user].is_none() => {
                then(graph, norm, *user).map(|then| (*user, then))
            }
            _ => None,
        };
        if let Some((user, then)) = behind {
            fused[norm] = Some(Fused::Skipped);
            fused[user] = Some(Fused::Norm { norm, then, sum: None });
        } else {
            fused[norm] = Some(Fused::Norm { norm, then: Then::Act(Act::None), sum: None });
        }
    }
    for at in 0..nodes.len() {
        if let Some(Fused::Norm { norm, then: then @ Then::Act(_), sum: None }) = fused[at]
            && let [node] = *nodes[norm].inputs
            && node != kept
            && fused[node].is_none()
            && let Some(parts) = sum(graph, node)
            // Everybody else finds it there.
            && users[node].iter().all(|user| *user == norm || *user > at)
        {
            fused[node] = Some(Fused::Skipped);
            fused[at] = Some(Fused::Norm { norm, then, sum: Some(Sum { node, parts }) });
        }
    }
}

/// What a residual sum of two maps adds up.
fn sum(graph: &Graph, at: NodeId) -> Option<[NodeId; 2]> {
    match (&graph.nodes()[at].layer, graph.nodes()[at].inputs.as_slice()) {
        (Layer::Add, &[one, other]) if one != other && same_shape(graph, one, other) => Some([one, other]),
        _ => None,
    }
}

/// For a convolution without padding of its own: the node of zeros before it, what that pads, and how far.
fn padded(graph: &Graph, at: NodeId) -> Option<(NodeId, NodeId, [usize; 2])> {
    let (Layer::Conv2D { window, .. } | Layer::DepthwiseConv2D { window, .. }) = &graph.nodes()[at].layer else {
        return None;
    };
    let pad = *graph.nodes()[at].inputs.first()?;
    match graph.nodes()[pad].layer {
        // libtorch's convolutions pad both sides alike.
        Layer::ZeroPadding2D { padding: [top, bottom, left, right] }
            if window.padding == Padding::Valid && top == bottom && left == right =>
        {
            Some((pad, *graph.nodes()[pad].inputs.first()?, [top, left]))
        }
        _ => None,
    }
}

fn is_map_norm(node: &Node) -> bool {
    matches!(node.layer, Layer::BatchNormalization { .. }) && node.shape.len() == 3
}

/// How `user` goes on with the result of the normalisation `norm`; none when the two cannot be one.
fn then(graph: &Graph, norm: NodeId, user: NodeId) -> Option<Then> {
    let node = &graph.nodes()[user];
    match &node.layer {
        // One slope a channel.
        Layer::PReLU { .. } if node.weights.first().map(WeightSpec::len) == node.shape.last().copied() => {
            Some(Then::Act(Act::PRelu))
        }
        Layer::ReLU { max_value: None, negative_slope: 0.0, threshold: 0.0 }
        | Layer::Activation { activation: Activation::Relu } => Some(Then::Act(Act::Relu)),
        Layer::ReLU { max_value: Some(6.0), negative_slope: 0.0, threshold: 0.0 }
        | Layer::Activation { activation: Activation::Relu6 } => Some(Then::Act(Act::Relu6)),
        Layer::Add => match node.inputs.as_slice() {
            [one, other] | [other, one] if *one == norm && *other != norm && same_shape(graph, norm, *other) => {
                Some(Then::Add(*other))
            }
            _ => None,
        },
        _ => None,
    }
}

fn same_shape(graph: &Graph, one: NodeId, other: NodeId) -> bool {
    graph.nodes()[one].shape == graph.nodes()[other].shape
}

/// The nodes of `x + 3` and of ReLU6, and `x`, where a node ends a hard sigmoid.
fn hard_sigmoid(graph: &Graph, last: NodeId) -> Option<[NodeId; 3]> {
    let node = |at: NodeId| &graph.nodes()[at];
    let input = |at: NodeId| node(at).inputs.first().copied();
    if !rescales(&node(last).layer, 1.0 / 6.0, 0.0) {
        return None;
    }
    let second = input(last)?;
    let relu6 = Layer::ReLU { max_value: Some(6.0), negative_slope: 0.0, threshold: 0.0 };
    let first = input(second).filter(|_| node(second).layer == relu6)?;
    let x = input(first).filter(|_| rescales(&node(first).layer, 1.0, 3.0))?;
    Some([first, second, x])
}

fn rescales(layer: &Layer, factor: f64, summand: f64) -> bool {
    let is = |values: &[f64], wanted: f64| matches!(values, [value] if (value - wanted).abs() < CLOSE);
    matches!(layer, Layer::Rescaling { scale, offset } if is(scale, factor) && is(offset, summand))
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind, Tensor};

    use super::*;
    use crate::graph::Weights;
    use crate::nn::{Mode, Network};

    /// Images through hard sigmoid, and through hard swish when `times` is set.
    fn chain(sixth: f64, times: bool) -> Graph {
        let rescaling = |scale, offset| Layer::Rescaling { scale: vec![scale], offset: vec![offset] };
        let mut graph = Graph::new("chain");
        let x = graph.add("x", Layer::Input { shape: vec![4, 4, 3] }, &[]).expect("fits");
        let wide = graph.add("wide", rescaling(5.0, 0.0), &[x]).expect("fits");
        let mut last = graph.add("plus", rescaling(1.0, 3.0), &[wide]).expect("fits");
        let relu6 = Layer::ReLU { max_value: Some(6.0), negative_slope: 0.0, threshold: 0.0 };
        last = graph.add("relu", relu6, &[last]).expect("fits");
        last = graph.add("times", rescaling(sixth, 0.0), &[last]).expect("fits");
        if times {
            last = graph.add("swish", Layer::Multiply, &[wide, last]).expect("fits");
        }
        graph.add("end", Layer::Flatten, &[last]).expect("fits");
        graph
    }

    #[test]
    fn chains_become_one_operation() {
        let whole = |times| find(&chain(1.0 / 6.0, times), 0);
        let (skipped, end) = (Some(Fused::Skipped), Some(Fused::HardSigmoid(1)));
        assert_eq!(whole(false), [None, None, skipped, skipped, end, None]);
        assert_eq!(whole(true), [None, None, skipped, skipped, skipped, Some(Fused::HardSwish(1)), None]);
        assert!(find(&chain(0.2, true), 0).iter().all(Option::is_none));
        // A result that is asked for must be there.
        assert!(find(&chain(1.0 / 6.0, false), 3).iter().all(Option::is_none));
    }

    #[test]
    fn the_numbers_are_those_of_the_plain_layers() {
        tch::manual_seed(1);
        let images = Tensor::rand([2, 3, 4, 4], (Kind::Float, Device::Cpu)) * 2.0 - 1.0;
        let x = &images * 5.0;
        let share = (&x + 3.0).clamp(0.0, 6.0) / 6.0;
        for (times, wanted) in [(false, share.shallow_clone()), (true, &x * &share)] {
            let graph = chain(1.0 / 6.0, times);
            let (output, weights) = (graph.output(), Weights { nodes: vec![Vec::new(); graph.nodes().len()] });
            let network = Network::new(graph, output, &weights, Device::Cpu, Kind::Float);
            let ours = network.embed(&images, Mode::Train);
            let wanted = wanted.permute([0, 2, 3, 1]).reshape([2, -1]);
            assert!((ours - wanted).abs().max().double_value(&[]) < 1e-6, "{times}");
        }
    }

    #[test]
    fn every_norm_of_mobilefacenet_is_taken_in_or_ends_a_block() {
        use crate::graph::backbone::{Options, build};
        let options = Options { embedding_size: 16, dropout: 0.1, width: 0.1 };
        let graph = build("mobilefacenet", &options).expect("builds");
        let plan = find(&graph, graph.output());
        let count = |wanted: fn(&Then) -> bool| {
            let norms = plan.iter().filter_map(|fused| match fused {
                Some(Fused::Norm { then, .. }) => Some(then),
                _ => None,
            });
            norms.filter(|then| wanted(then)).count()
        };
        assert_eq!(count(|then| *then == Then::Act(Act::PRelu)), 34);
        assert_eq!(count(|then| matches!(then, Then::Add(_))), 10);
        // The first blocks of the five stages, which have no sum, and the 7x7 convolution.
        assert_eq!(count(|then| *then == Then::Act(Act::None)), 6);
        assert_eq!(plan.iter().filter(|fused| **fused == Some(Fused::Skipped)).count(), 44);
    }

    #[test]
    fn resnets_sums_and_paddings_are_taken_in() {
        use crate::graph::backbone::{Options, build};
        let options = Options { embedding_size: 16, dropout: 0.1, width: 0.1 };
        let graph = build("resnet50v2", &options).expect("builds");
        let plan = find(&graph, graph.output());
        let sums = plan.iter().filter(|fused| matches!(fused, Some(Fused::Norm { sum: Some(_), .. })));
        assert_eq!(sums.count(), 16);
        // The first convolution and the middle ones of the blocks; the padding before the pooling stays.
        assert_eq!(plan.iter().filter(|fused| matches!(fused, Some(Fused::Padded { .. }))).count(), 17);
    }

    #[test]
    fn results_are_those_of_the_layers_one_by_one() {
        use crate::graph::backbone::{Options, build};
        let options = Options { embedding_size: 8, dropout: 0.0, width: 0.1 };
        let graph = build("resnet50v2", &options).expect("builds");
        let weights = crate::nn::init::weights(&graph, 1);
        let output = graph.output();
        let fused = Network::new(graph.clone(), output, &weights, Device::Cpu, Kind::Float);
        let mut plain = Network::new(graph, output, &weights, Device::Cpu, Kind::Float);
        plain.unfuse();
        tch::manual_seed(2);
        let images = Tensor::rand([6, 112, 112, 3], (Kind::Float, Device::Cpu)).permute([0, 3, 1, 2]) * 2.0 - 1.0;
        let wish = Tensor::rand([6, 8], (Kind::Float, Device::Cpu)) - 0.5;
        for mode in [Mode::Infer, Mode::Train] {
            let [ours, wanted] = [&fused, &plain].map(|network| {
                let embeddings = network.embed(&images, mode);
                let leaves = network.parameters.leaves(0..output + 1);
                let target = (&embeddings * &wish).sum(Kind::Float);
                let gradients = Tensor::run_backward(&[target], &leaves, false, false);
                (embeddings, gradients)
            });
            // A number beside a bend of an activation lies on its other side now and then, so gradients agree as a whole.
            let apart = |ours: &Tensor, wanted: &Tensor| {
                (ours - wanted).norm().double_value(&[]) / wanted.norm().double_value(&[])
            };
            let whole = |gradients: &[Tensor]| {
                Tensor::cat(&gradients.iter().map(|gradient| gradient.reshape([-1])).collect::<Vec<_>>(), 0)
            };
            let found = [apart(&ours.0, &wanted.0), apart(&whole(&ours.1), &whole(&wanted.1))];
            assert!(found[0] < 1e-3 && found[1] < 3e-2, "{mode:?}: {found:?}");
        }
    }

    #[test]
    fn bf16_results_are_as_near_to_fp32_as_those_of_the_layers_one_by_one() {
        use crate::graph::backbone::{Options, build};
        let options = Options { embedding_size: 8, dropout: 0.0, width: 0.1 };
        let graph = build("mobilefacenet", &options).expect("builds");
        let weights = crate::nn::init::weights(&graph, 1);
        let output = graph.output();
        let network = |kind| Network::new(graph.clone(), output, &weights, Device::Cpu, kind);
        let mut plain = network(Kind::BFloat16);
        plain.unfuse();
        tch::manual_seed(2);
        let images = Tensor::rand([24, 112, 112, 3], (Kind::Float, Device::Cpu)).permute([0, 3, 1, 2]) * 2.0 - 1.0;
        let wish = Tensor::rand([24, 8], (Kind::Float, Device::Cpu)) - 0.5;
        for mode in [Mode::Infer, Mode::Train] {
            let [exact, ours, layers] =
                [&network(Kind::Float), &network(Kind::BFloat16), &plain].map(|network: &Network| {
                    let embeddings = network.embed(&images, mode);
                    let leaves = network.parameters.leaves(0..output + 1);
                    let target = (&embeddings * &wish).sum(Kind::Float);
                    let gradients = Tensor::run_backward(&[target], &leaves, false, false);
                    let pieces = network.parameters.gradient_pieces(0..output + 1, &gradients);
                    [embeddings.detach(), Tensor::cat(&pieces, 0)]
                });
            for (at, name) in ["embeddings", "gradients"].into_iter().enumerate() {
                let [ours, layers] = [&ours, &layers].map(|found| {
                    (&found[at] - &exact[at]).norm().double_value(&[]) / exact[at].norm().double_value(&[])
                });
                // Between convolutions that round as much the rounding of what is fused is a small part. Gradients of a network
                // that was just made, over a batch, are hardly more than what is rounded, with and without.
                let most = if (name, mode) == ("gradients", Mode::Train) { 1.2 } else { 0.4 };
                assert!(ours < 1.3 * layers && ours < most, "{name}, {mode:?}: {ours} against {layers}");
            }
        }
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
        let alone = |norm| Some(Fused::Norm { norm, then: Then::Act(Act::None), sum: None });
        let summed =
            Fused::Norm { norm: twice, then: Then::Act(Act::None), sum: Some(Sum { node: sum, parts: [first, relu] }) };
        assert_eq!(find(&graph, double), [None, alone(first), None, Some(Fused::Skipped), Some(summed), None]);
    }
}
