//! The form of a graph that every Keras opens with equal results: activations that one of them does not have, or computes
//! otherwise, become plain layers. Keras 2 and 3 mean different functions by `hard_sigmoid`, for one.

use std::collections::HashSet;

use super::operations::{Piece, Source};
use crate::graph::layer::Activation;
use crate::graph::{Graph, GraphError, Layer, NodeId};

/// The graph as it is written: with plain layers in place of activations that one of the Kerases does not have or computes
/// otherwise. Nodes with weights keep their names. Its own form is itself.
pub fn portable(graph: &Graph) -> Graph {
    // A form that cannot be made (it always can: only free names are added) leaves the graph as it is.
    form(graph).unwrap_or_else(|_ignored| graph.clone())
}

/// The portable form. Nodes with weights keep their names; so do activations that become several layers, in the last of
/// them.
fn form(graph: &Graph) -> Result<Graph, GraphError> {
    if graph.nodes().iter().all(|node| split(&node.layer).is_none()) {
        return Ok(graph.clone());
    }
    let mut taken: HashSet<String> = graph.nodes().iter().map(|node| node.name.clone()).collect();
    let mut form = Graph::new(graph.name.clone());
    // The result of each node, and the node that has its weights.
    let (mut results, mut owners): (Vec<NodeId>, Vec<NodeId>) = (Vec::new(), Vec::new());
    for node in graph.nodes() {
        let mut inputs: Vec<NodeId> = node.inputs.iter().map(|input| results[*input]).collect();
        let (plain, activation) = split(&node.layer)
            .map_or((Some(node.layer.clone()), None), |(plain, activation)| (plain, Some(activation)));
        let mut last = None;
        let has_plain = plain.is_some();
        if let Some(plain) = plain {
            let added = match node.shares {
                Some(owner) => form.add_use(node.name.clone(), owners[owner], &inputs)?,
                None => form.add(node.name.clone(), plain, &inputs)?,
            };
            form.set_trainable(added, node.trainable);
            for (place, weight) in node.weights.iter().enumerate() {
                form.set_regularizer(added, place, weight.regularizer);
            }
            inputs = vec![added];
            last = Some(added);
        }
        owners.push(last.unwrap_or_default());
        let pieces = activation.map(pieces).unwrap_or_default();
        let count = pieces.len();
        let mut nodes: Vec<NodeId> = Vec::with_capacity(count);
        for (at, piece) in pieces.into_iter().enumerate() {
            let name = if at + 1 == count && !has_plain {
                node.name.clone()
            } else {
                free(&format!("{}_{}", node.name, piece.layer.keras_stem()), &mut taken)
            };
            let from: Vec<NodeId> = piece
                .inputs
                .iter()
                .map(|source| match source {
                    Source::Tensor(at) => inputs[*at],
                    Source::Piece(at) => nodes[*at],
                })
                .collect();
            nodes.push(form.add(name, piece.layer, &from)?);
        }
        results.push(nodes.last().copied().or(last).unwrap_or_default());
    }
    form.set_output(results[graph.output()]);
    Ok(form)
}

fn free(stem: &str, taken: &mut HashSet<String>) -> String {
    let mut name = stem.to_owned();
    let mut number = 0;
    while !taken.insert(name.clone()) {
        number += 1;
        name = format!("{stem}_{number}");
    }
    name
}

/// A layer without the activation that is not portable (none where nothing stays), and that activation.
fn split(layer: &Layer) -> Option<(Option<Layer>, Activation)> {
    let mut plain = layer.clone();
    match &mut plain {
        Layer::Activation { activation } if !activation.is_portable() => Some((None, *activation)),
        Layer::Conv2D { activation, .. }
        | Layer::DepthwiseConv2D { activation, .. }
        | Layer::SeparableConv2D { activation, .. }
        | Layer::Dense { activation, .. }
            if !activation.is_portable() =>
        {
            let function = std::mem::replace(activation, Activation::Linear);
            Some((Some(plain), function))
        }
        _ => None,
    }
}

fn piece(layer: Layer, inputs: &[Source]) -> Piece {
    Piece { layer, inputs: inputs.to_vec() }
}

fn affine(scale: f64, offset: f64) -> Layer {
    Layer::Rescaling { scale: vec![scale], offset: vec![offset] }
}

const fn up_to(max_value: f64) -> Layer {
    Layer::ReLU { max_value: Some(max_value), negative_slope: 0.0, threshold: 0.0 }
}

/// The plain layers of an activation.
fn pieces(activation: Activation) -> Vec<Piece> {
    const X: Source = Source::Tensor(0);
    let named = |activation| Layer::Activation { activation };
    let gate = |slope: f64| vec![piece(affine(slope, 0.5), &[X]), piece(up_to(1.0), &[Source::Piece(0)])];
    match activation {
        Activation::Relu6 => vec![piece(up_to(6.0), &[X])],
        Activation::LeakyRelu(negative_slope) => vec![piece(Layer::LeakyReLU { negative_slope }, &[X])],
        Activation::Elu(alpha) => vec![piece(Layer::ELU { alpha }, &[X])],
        Activation::HardSigmoid => gate(0.2),
        Activation::HardSigmoid6 => gate(1.0 / 6.0),
        Activation::HardSwish => {
            let mut pieces = gate(1.0 / 6.0);
            pieces.push(piece(Layer::Multiply, &[X, Source::Piece(1)]));
            pieces
        }
        Activation::Mish => vec![
            piece(named(Activation::Softplus), &[X]),
            piece(named(Activation::Tanh), &[Source::Piece(0)]),
            piece(Layer::Multiply, &[X, Source::Piece(1)]),
        ],
        // 0.5 x (1 + tanh(k (x + 0.044715 x^3))) with k = sqrt(2 / pi).
        Activation::GeluTanh => {
            let k = (2.0 / std::f64::consts::PI).sqrt();
            vec![
                piece(Layer::Multiply, &[X, X]),
                piece(affine(0.044_715 * k, k), &[Source::Piece(0)]),
                piece(Layer::Multiply, &[X, Source::Piece(1)]),
                piece(named(Activation::Tanh), &[Source::Piece(2)]),
                piece(affine(0.5, 0.5), &[Source::Piece(3)]),
                piece(Layer::Multiply, &[X, Source::Piece(4)]),
            ]
        }
        portable => vec![piece(named(portable), &[X])],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::layer::Initializer;

    #[test]
    fn weights_keep_their_layer_and_activations_their_name() {
        let mut graph = Graph::new("g");
        let input = graph.add("x", Layer::Input { shape: vec![4] }, &[]).expect("fits");
        let kernel_initializer = Initializer::GlorotUniform;
        let activation = Activation::HardSwish;
        let dense = Layer::Dense { units: 3, use_bias: true, activation, kernel_initializer };
        let dense = graph.add("d", dense, &[input]).expect("fits");
        let gate = Layer::Activation { activation: Activation::HardSigmoid };
        let gate = graph.add("gate", gate, &[dense]).expect("fits");
        graph.add("end", Layer::Multiply, &[dense, gate]).expect("fits");
        let form = form(&graph).expect("has a form");
        let names: Vec<&str> = form.nodes().iter().map(|node| node.name.as_str()).collect();
        assert_eq!(names, ["x", "d", "d_rescaling", "d_re_lu", "d_multiply", "gate_rescaling", "gate", "end"]);
        assert_eq!(form.nodes()[7].inputs, [4, 6]);
        assert_eq!(form.count_weights(), graph.count_weights());
        assert!(form.nodes().iter().all(|node| split(&node.layer).is_none()));
    }
}
