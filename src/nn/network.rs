//! [`Network`]: a graph, its weights on a device, and the way through it.

use std::ops::Range;

use tch::{Device, Kind, Tensor};

use super::fusion::{self, Fused, Sum, Then};
use super::mode::Mode;
use super::norm_act::{self, Act, Norm};
use super::parameters::Parameters;
use super::{layers, regularization};
use crate::graph::layer::{Activation, Layer, Regularizer};
use crate::graph::{Graph, NodeId, Weights};

/// A graph on a device. The graph is a basic model, or a basic model with one head layer after its embedding.
#[derive(Debug)]
pub struct Network {
    graph: Graph,
    embedding: NodeId,
    /// The weights.
    pub parameters: Parameters,
    device: Device,
    compute: Kind,
    /// For each node, the nodes whose results are not needed after it.
    released: Vec<Vec<NodeId>>,
    /// For each node what runs in its place.
    fused: Vec<Option<Fused>>,
}

impl Network {
    /// Lays a graph and its weights onto a device. `embedding` is the node whose result is the embedding; `compute` is
    /// the number format of the basic model's activations (fp32 or bf16).
    pub fn new(graph: Graph, embedding: NodeId, weights: &Weights, device: Device, compute: Kind) -> Self {
        Self::with_drawn(graph, embedding, weights, 0, device, compute)
    }

    /// As [`Network::new`]; the weights of nodes that `weights` does not reach, a fresh head's, are drawn from `seed`
    /// where they lie.
    pub fn with_drawn(
        graph: Graph,
        embedding: NodeId,
        weights: &Weights,
        seed: u64,
        device: Device,
        compute: Kind,
    ) -> Self {
        let parameters = Parameters::new(&graph, weights, seed, embedding, device, compute);
        let fused = fusion::find(&graph, embedding);
        let released = released(&graph, &fused);
        Self { graph, embedding, parameters, device, compute, released, fused }
    }

    /// Runs every layer by itself from now on, as Keras does: what the fused ones are compared with.
    #[cfg(test)]
    pub(super) fn unfuse(&mut self) {
        self.fused.fill(None);
        self.released = released(&self.graph, &self.fused);
    }

    /// The graph.
    pub const fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The node whose result is the embedding.
    pub const fn embedding(&self) -> NodeId {
        self.embedding
    }

    /// Where it computes.
    pub const fn device(&self) -> Device {
        self.device
    }

    /// The head's first node; one past the last node when there is no head.
    pub const fn head(&self) -> NodeId {
        self.embedding + 1
    }

    /// Whether a head follows the embedding.
    pub fn has_head(&self) -> bool {
        self.graph.nodes().len() > self.head()
    }

    /// Embeddings (B, E), fp32, of images (B, 3, H, W) in [-1, 1], channels-last.
    pub fn embed(&self, images: &Tensor, mode: Mode) -> Tensor {
        let nodes = self.graph.nodes();
        let mut results: Vec<Option<Tensor>> = (0..=self.embedding).map(|_| None).collect();
        for (at, node) in nodes.iter().enumerate().take(self.embedding + 1) {
            let result = match self.fused[at] {
                Some(Fused::Skipped) => None,
                Some(Fused::HardSigmoid(input)) => results[input].as_ref().map(Tensor::hardsigmoid),
                Some(Fused::HardSwish(input)) => results[input].as_ref().map(Tensor::hardswish),
                Some(Fused::Padded { input, zeros }) => results[input].as_ref().map(|x| self.run_padded(at, x, zeros)),
                Some(Fused::Norm { norm, then: Then::Act(act), sum: Some(sum) }) => {
                    Some(self.run_sum_norm(at, norm, act, sum, &mut results, mode))
                }
                Some(Fused::Norm { norm, then, .. }) => Some(self.run_norm(at, norm, then, &results, mode)),
                None if matches!(node.layer, Layer::Input { .. }) => Some(images.to_kind(self.compute)),
                None => Some(self.run(at, &inputs(&node.inputs, &results), mode)),
            };
            results[at] = result;
            for dead in &self.released[at] {
                if *dead != self.embedding {
                    results[*dead] = None;
                }
            }
        }
        let embedding = results.swap_remove(self.embedding);
        embedding.unwrap_or_else(|| images.shallow_clone()).to_kind(Kind::Float)
    }

    /// One node of the graph.
    fn run(&self, at: NodeId, inputs: &[&Tensor], mode: Mode) -> Tensor {
        let node = &self.graph.nodes()[at];
        layers::forward(&node.layer, inputs, self.weights(at), &node.shape, self.mode(at, mode))
    }

    fn weights(&self, at: NodeId) -> &[Tensor] {
        self.parameters.node(self.graph.owner(at))
    }

    /// A frozen batch norm keeps its statistics, as in Keras; a frozen dropout drops.
    fn mode(&self, at: NodeId, mode: Mode) -> Mode {
        let node = &self.graph.nodes()[at];
        let keeps = !node.trainable && matches!(node.layer, Layer::BatchNormalization { .. });
        if keeps { Mode::Infer } else { mode }
    }

    /// A convolution with zeros around its map.
    fn run_padded(&self, at: NodeId, x: &Tensor, zeros: [usize; 2]) -> Tensor {
        layers::convolve_padded(&self.graph.nodes()[at].layer, x, self.weights(at), zeros)
    }

    /// A sum, its batch normalisation and the activation at the node `at`, whose result is returned; the sum goes to `results`.
    fn run_sum_norm(
        &self,
        at: NodeId,
        norm: NodeId,
        act: Act,
        sum: Sum,
        results: &mut [Option<Tensor>],
        mode: Mode,
    ) -> Tensor {
        let [Some(one), Some(other)] = sum.parts.map(|part| results[part].as_ref()) else { return Tensor::new() };
        let (result, whole) = match self.norm(norm, mode) {
            Some(normal) if norm_act::takes(one) => {
                norm_act::sum_norm_act(one, other, &normal, act, self.slope(at, act))
            }
            _ => {
                let whole = one + other;
                results[sum.node] = Some(whole);
                return self.run_norm(at, norm, Then::Act(act), results, mode);
            }
        };
        results[sum.node] = Some(whole);
        result
    }

    /// The slope of the activation at a node, where it learns one.
    fn slope(&self, at: NodeId, act: Act) -> Option<&Tensor> {
        if act == Act::PRelu { self.weights(at).first() } else { None }
    }

    /// A batch normalisation's weights and settings.
    fn norm(&self, at: NodeId, mode: Mode) -> Option<Norm<'_>> {
        let (Layer::BatchNormalization { momentum, epsilon, center, scale }, weights) =
            (&self.graph.nodes()[at].layer, self.weights(at))
        else {
            return None;
        };
        let [.., mean, variance] = weights else { return None };
        Some(Norm {
            gamma: scale.then(|| &weights[0]),
            beta: center.then(|| &weights[usize::from(*scale)]),
            mean,
            variance,
            momentum: *momentum,
            epsilon: *epsilon,
            train: self.mode(at, mode) == Mode::Train,
        })
    }

    /// A batch normalisation and what the node `at` does with its result: in one pass where [`norm_act`] can, else one
    /// after the other.
    fn run_norm(&self, at: NodeId, norm: NodeId, then: Then, results: &[Option<Tensor>], mode: Mode) -> Tensor {
        let node = &self.graph.nodes()[norm];
        let sources = inputs(&node.inputs, results);
        let other = if let Then::Add(other) = then { results[other].as_ref() } else { None };
        if let (Some(normal), &[x]) = (self.norm(norm, mode), &sources[..])
            && norm_act::takes(x)
        {
            let act = if let Then::Act(act) = then { act } else { Act::None };
            return norm_act::norm_act(x, &normal, act, self.slope(at, act), other);
        }
        let normal = self.run(norm, &sources, mode);
        if at == norm {
            return normal;
        }
        let both: Vec<&Tensor> = std::iter::once(&normal).chain(other).collect();
        self.run(at, &both, mode)
    }

    /// The loss of the regularisers of the weights of `nodes`, fp32, with gradients into the leaves; none when they have no
    /// regulariser. As in Keras 2, frozen weights count as a constant.
    pub fn regularization_loss(&self, nodes: Range<NodeId>) -> Option<Tensor> {
        regularization::loss(&self.graph, &self.parameters, nodes)
    }

    /// Classes of the head; 0 where there is none.
    pub fn head_classes(&self) -> i64 {
        self.graph.nodes().get(self.head()).and_then(|node| node.shape.last()).map_or(0, |classes| *classes as i64)
    }

    /// The head's weights as they lie; none where there is no head.
    pub fn head_weights(&self) -> Option<HeadWeights> {
        let node = self.graph.nodes().get(self.head())?;
        let weights = self.parameters.node(self.graph.owner(self.head()));
        let biased = match node.layer {
            Layer::NormDense { .. } => false,
            Layer::Dense { use_bias, .. } => use_bias,
            _ => return None,
        };
        Some(HeadWeights {
            normalized: matches!(node.layer, Layer::NormDense { .. }),
            rows: weights.first()?.detach().tr(),
            bias: if biased { Some(weights.get(1)?.detach()) } else { None },
            half: (self.compute != Kind::Float).then_some(self.compute),
            trainable: node.trainable,
            regularizers: node.weights.iter().map(|weight| weight.regularizer).collect(),
        })
    }

    /// What the head makes of embeddings, (B, C) in fp32: the logits of a softmax head (before its softmax), the
    /// cosines of an arcface head, the embeddings themselves where there is no head.
    pub fn head_output(&self, embeddings: &Tensor) -> Tensor {
        let mut results: Vec<Tensor> = Vec::new();
        for (at, node) in self.graph.nodes().iter().enumerate().skip(self.head()) {
            let weights: Vec<Tensor> =
                self.parameters.node(self.graph.owner(at)).iter().map(|weight| weight.to_kind(Kind::Float)).collect();
            // A head takes the embedding and what follows from it.
            let input = |from: &NodeId| from.checked_sub(self.head()).and_then(|place| results.get(place));
            let inputs: Vec<&Tensor> = node.inputs.iter().map(|from| input(from).unwrap_or(embeddings)).collect();
            let result = match &node.layer {
                Layer::Dense { use_bias, activation: Activation::Softmax, .. } => {
                    layers::dense(inputs[0], &weights, *use_bias)
                }
                layer => layers::forward(layer, &inputs, &weights, &node.shape, Mode::Infer),
            };
            results.push(result);
        }
        results.pop().unwrap_or_else(|| embeddings.shallow_clone())
    }
}

/// The weights of a head, views of the network's buffer.
#[derive(Debug)]
pub struct HeadWeights {
    /// Whether embeddings and rows are scaled to length 1, so that outputs are cosines.
    pub normalized: bool,
    /// (C, E), fp32, a row a class, contiguous.
    pub rows: Tensor,
    /// (C), fp32.
    pub bias: Option<Tensor>,
    /// The number format of products, where that is not fp32.
    pub half: Option<Kind>,
    /// Whether it may change.
    pub trainable: bool,
    /// Of the rows, then of the bias.
    pub regularizers: Vec<Option<Regularizer>>,
}

/// For each node, the nodes whose results are not needed after it.
fn released(graph: &Graph, fused: &[Option<Fused>]) -> Vec<Vec<NodeId>> {
    let nodes = graph.nodes();
    let mut last_use: Vec<NodeId> = (0..nodes.len()).collect();
    for (at, node) in nodes.iter().enumerate() {
        let inputs = fused[at].map_or_else(|| node.inputs.clone(), |fused| fused.inputs(graph));
        for input in inputs {
            last_use[input] = at;
        }
    }
    let mut released = vec![Vec::new(); nodes.len()];
    for (node, last) in last_use.iter().enumerate() {
        released[*last].push(node);
    }
    released
}

fn inputs<'a>(nodes: &[NodeId], results: &'a [Option<Tensor>]) -> Vec<&'a Tensor> {
    nodes.iter().filter_map(|node| results[*node].as_ref()).collect()
}

/// Images (B, H, W, 3) of bytes as the networks take them: (B, 3, H, W), `(x / 255 - 0.5) * 2`, channels-last.
pub fn normalize_images(images: &Tensor) -> Tensor {
    images.permute([0, 3, 1, 2]).to_kind(Kind::Float) * (2.0 / 255.0) - 1.0
}
