//! The loss that a model's regularisers add: `l1 * sum(|w|) + l2 * sum(w^2)` of every weight that has one.
//!
//! As in Keras 2, weights of frozen layers count too: a constant, without a gradient.

use std::ops::Range;

use tch::{Kind, Tensor};

use super::parameters::Parameters;
use crate::graph::layer::Regularizer;
use crate::graph::{Graph, NodeId};

/// Numbers that are worked on at a time.
const BLOCK: usize = 1 << 22;

/// The loss of the weights of `nodes`, fp32; none when no weight has a regulariser. A few kernels for each pair of factors, however many weights
/// share it.
pub(super) fn loss(graph: &Graph, parameters: &Parameters, nodes: Range<NodeId>) -> Option<Tensor> {
    let mut groups: Vec<(Regularizer, Vec<Tensor>)> = Vec::new();
    for (at, segment) in parameters.segments().iter().enumerate().filter(|(_, segment)| nodes.contains(&segment.node)) {
        let Some(regularizer) = graph.nodes()[segment.node].weights[segment.place].regularizer else { continue };
        let weight = parameters.flat_view(at);
        match groups.iter_mut().find(|(known, _)| *known == regularizer) {
            Some((_, weights)) => weights.push(weight),
            None => groups.push((regularizer, vec![weight])),
        }
    }
    let terms = groups.into_iter().map(|(Regularizer { l1, l2 }, weights)| {
        let all = Tensor::cat(&weights, 0).to_kind(Kind::Float);
        let squares = (l2 != 0.0).then(|| all.square().sum(Kind::Float) * l2);
        let sizes = (l1 != 0.0).then(|| all.abs().sum(Kind::Float) * l1);
        squares.into_iter().chain(sizes).reduce(|a, b| a + b)
    });
    terms.flatten().reduce(|a, b| a + b)
}

/// The loss of one contiguous weight, and its part of the weight's gradient added to `gradient`. Without autograd, so that
/// no more than a block of a large head exists twice.
pub fn add_to(regularizer: Regularizer, weight: &Tensor, gradient: Option<&Tensor>) -> Tensor {
    let Regularizer { l1, l2 } = regularizer;
    tch::no_grad(|| {
        let weight = weight.view([-1]);
        let mut total = Tensor::zeros([], (Kind::Float, weight.device()));
        let length = weight.numel() as i64;
        for from in (0..length).step_by(BLOCK) {
            let count = (BLOCK as i64).min(length - from);
            let block = weight.narrow(0, from, count);
            let mut slope = &block * (2.0 * l2);
            let square = block.square().sum(Kind::Float) * l2;
            total += if l1 == 0.0 {
                square
            } else {
                slope += block.sign() * l1;
                square + block.abs().sum(Kind::Float) * l1
            };
            if let Some(gradient) = gradient {
                let mut part = gradient.view([-1]).narrow(0, from, count);
                part += slope;
            }
        }
        total
    })
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::graph::layer::{Activation, Initializer, Layer};
    use crate::graph::{Array, Weights};

    #[test]
    fn the_loss_is_kerass_and_has_its_gradient() {
        let mut graph = Graph::new("g");
        let input = graph.add("x", Layer::Input { shape: vec![2] }, &[]).expect("fits");
        let kernel_initializer = Initializer::GlorotUniform;
        let dense = Layer::Dense { units: 1, use_bias: true, activation: Activation::Linear, kernel_initializer };
        let first = graph.add("a", dense.clone(), &[input]).expect("fits");
        let second = graph.add("b", Layer::NormDense { units: 2 }, &[input]).expect("fits");
        let kernel = Array { shape: vec![2, 1], data: vec![1.0, -2.0] };
        let bias = Array { shape: vec![1], data: vec![7.0] };
        let head = Array { shape: vec![2, 2], data: vec![1.0, 1.0, -1.0, 2.0] };
        let weights = Weights { nodes: vec![vec![], vec![kernel, bias], vec![head]] };
        let none = Parameters::new(&graph, &weights, 0, 2, Device::Cpu, Kind::Float);
        assert!(loss(&graph, &none, 0..3).is_none());
        graph.set_regularizer(first, 0, Some(Regularizer { l1: 0.5, l2: 0.1 }));
        graph.set_regularizer(second, 0, Some(Regularizer { l1: 0.0, l2: 0.01 }));
        for frozen in [false, true] {
            graph.set_trainable(second, !frozen);
            for kind in [Kind::Float, Kind::BFloat16] {
                let parameters = Parameters::new(&graph, &weights, 0, 2, Device::Cpu, kind);
                let value = loss(&graph, &parameters, 0..3).expect("has one");
                assert!((value.double_value(&[]) - (0.5 * 3.0 + 0.1 * 5.0 + 0.01 * 7.0)).abs() < 1e-6);
                let leaves = parameters.leaves(0..3);
                assert_eq!(leaves.len(), if frozen { 2 } else { 3 });
                let gradient = Tensor::run_backward(&[value], &leaves[..1], false, false);
                let wanted = Tensor::from_slice(&[0.5_f32 + 0.2, -0.5 - 0.4]).to_kind(kind);
                assert!(gradient[0].view([-1]).allclose(&wanted, 1e-2, 1e-6, false));
            }
        }
    }
}
