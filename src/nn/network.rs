//! [`Network`]: a graph, its weights on a device, and the way through it.

use tch::{Device, Kind, Tensor};

use super::fusion::{self, Absorbed, Step, Then};
use super::layers;
use super::native::{self, Act, Norm};
use super::parameters::Parameters;
use crate::graph::layer::{Activation, Layer};
use crate::graph::{Graph, NodeId, Weights};

/// Whether batch norms use the batch's statistics and dropout drops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Batch statistics (the moving ones are updated), dropout active.
    Train,
    /// Moving statistics, no dropout.
    Infer,
}

/// A graph on a device. The graph is a basic model, or a basic model with one head layer after its embedding.
#[derive(Debug)]
pub struct Network {
    graph: Graph,
    embedding: NodeId,
    /// The weights.
    pub parameters: Parameters,
    device: Device,
    compute: Kind,
    /// The way from the images to the embedding.
    steps: Vec<Step>,
    /// For each step, the nodes whose results are not needed after it.
    released: Vec<Vec<NodeId>>,
}

impl Network {
    /// Lays a graph and its weights onto a device. `embedding` is the node whose result is the embedding; `compute` is
    /// the number format of the basic model's activations (fp32 or bf16).
    pub fn new(graph: Graph, embedding: NodeId, weights: &Weights, device: Device, compute: Kind) -> Self {
        let parameters = Parameters::new(&graph, weights, device, compute);
        let steps = fusion::plan(&graph, embedding);
        let released = released(&graph, &steps);
        Self { graph, embedding, parameters, device, compute, steps, released }
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
        let mut results: Vec<Option<Tensor>> = (0..=self.embedding).map(|_| None).collect();
        for (step, dead) in self.steps.iter().zip(&self.released) {
            let result = match step.norm {
                _ if matches!(self.graph.nodes()[step.node].layer, Layer::Input { .. }) => images.to_kind(self.compute),
                Some(norm) => self.run_norm(step.node, norm, &results, mode),
                None => self.run(step.node, &results, mode),
            };
            results[step.node] = Some(result);
            for dead in dead.iter().filter(|dead| **dead != self.embedding) {
                results[*dead] = None;
            }
        }
        let embedding = results.swap_remove(self.embedding);
        embedding.unwrap_or_else(|| images.shallow_clone()).to_kind(Kind::Float)
    }

    /// One node of the graph.
    fn run(&self, at: NodeId, results: &[Option<Tensor>], mode: Mode) -> Tensor {
        let node = &self.graph.nodes()[at];
        let inputs: Vec<&Tensor> = node.inputs.iter().filter_map(|input| results[*input].as_ref()).collect();
        layers::forward(&node.layer, &inputs, self.parameters.node(at), &node.shape, self.mode(at, mode))
    }

    /// A frozen layer of a saved model keeps its statistics, as in Keras.
    fn mode(&self, node: NodeId, mode: Mode) -> Mode {
        if self.graph.nodes()[node].trainable { mode } else { Mode::Infer }
    }

    /// A batch normalisation and the node behind it: in one pass where [`native`] can, else one after the other.
    fn run_norm(&self, at: NodeId, norm: Absorbed, results: &[Option<Tensor>], mode: Mode) -> Tensor {
        let node = &self.graph.nodes()[norm.node];
        let input = node.inputs.first().and_then(|input| results[*input].as_ref());
        let (Layer::BatchNormalization { momentum, epsilon, center, scale }, Some(x)) = (&node.layer, input) else {
            return self.run(at, results, mode);
        };
        let weights = self.parameters.node(norm.node);
        let [mean, variance] = &weights[weights.len() - 2..] else { return self.run(at, results, mode) };
        if !native::takes(x) {
            let normal = self.run(norm.node, results, mode);
            let other = match norm.then {
                Then::Act(_) if at == norm.node => return normal,
                Then::Act(_) => None,
                Then::Add(other) => results[other].as_ref(),
            };
            let inputs: Vec<&Tensor> = std::iter::once(&normal).chain(other).collect();
            let node = &self.graph.nodes()[at];
            return layers::forward(&node.layer, &inputs, self.parameters.node(at), &node.shape, mode);
        }
        let settings = Norm {
            gamma: scale.then(|| &weights[0]),
            beta: center.then(|| &weights[usize::from(*scale)]),
            mean,
            variance,
            momentum: *momentum,
            epsilon: *epsilon,
            train: self.mode(norm.node, mode) == Mode::Train,
        };
        match norm.then {
            Then::Add(other) => native::norm_act(x, &settings, Act::None, None, results[other].as_ref()),
            Then::Act(act) => {
                let slope = if act == Act::PRelu { self.parameters.node(at).first() } else { None };
                native::norm_act(x, &settings, act, slope, None)
            }
        }
    }

    /// What the head makes of embeddings, (B, C) in fp32: the logits of a softmax head (before its softmax), the
    /// cosines of an arcface head, the embeddings themselves where there is no head.
    pub fn head_output(&self, embeddings: &Tensor) -> Tensor {
        let mut x = embeddings.shallow_clone();
        for (at, node) in self.graph.nodes().iter().enumerate().skip(self.head()) {
            let weights: Vec<Tensor> =
                self.parameters.node(at).iter().map(|weight| weight.to_kind(Kind::Float)).collect();
            x = match &node.layer {
                Layer::Dense { use_bias, activation: Activation::Softmax, .. } => {
                    layers::dense(&x, &weights, *use_bias)
                }
                layer => layers::forward(layer, &[&x], &weights, &node.shape, Mode::Infer),
            };
        }
        x
    }
}

/// For each step, the nodes whose results no later step reads.
fn released(graph: &Graph, steps: &[Step]) -> Vec<Vec<NodeId>> {
    let mut last_use = vec![None; graph.nodes().len()];
    for (at, step) in steps.iter().enumerate() {
        last_use[step.node] = Some(at);
        for input in step.inputs(graph) {
            last_use[input] = Some(at);
        }
    }
    let mut released = vec![Vec::new(); steps.len()];
    for (node, last) in last_use.iter().enumerate() {
        if let Some(last) = last {
            released[*last].push(node);
        }
    }
    released
}

/// Images (B, H, W, 3) of bytes as the networks take them: (B, 3, H, W), `(x / 255 - 0.5) * 2`, channels-last.
pub fn normalize_images(images: &Tensor) -> Tensor {
    images.permute([0, 3, 1, 2]).to_kind(Kind::Float) * (2.0 / 255.0) - 1.0
}
