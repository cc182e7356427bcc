//! The weights of one layer of a file, given to one layer of a graph: by the weights' names where those are known, by
//! their places in the list otherwise, since Keras's versions name them differently.

use super::datasets;
use super::h5_file::H5File;
use super::layers::FileLayer;
use crate::graph::{Array, Node};

/// Weights that a layer cannot take.
pub(super) enum Misfit {
    /// Other shapes, or another number of weights: those of the file and those of the graph.
    Shapes(Vec<Vec<usize>>, Vec<Vec<usize>>),
    /// Damaged, as a sentence.
    Damaged(String),
}

/// Reads the weights of a node. `places` are the positions of its weights in the list of a file that holds those of several
/// layers; without them all of the list is the node's.
pub(super) fn read(
    source: &H5File,
    layer: &FileLayer,
    node: &Node,
    places: Option<&[usize]>,
) -> Result<Vec<Array>, Misfit> {
    let damaged = |name: &str, why: &str| Misfit::Damaged(format!("weight `{name}` of layer `{}` {why}", layer.name));
    let listed = match places {
        None => layer.weights.clone(),
        Some(places) => pick(&layer.weights, node, places).unwrap_or_default(),
    };
    let mut opened = Vec::new();
    for name in &listed {
        let numbers = datasets::open(source, &layer.group, name).map_err(|why| damaged(name, &why))?;
        opened.push((name, numbers));
    }
    let found: Vec<Vec<usize>> = opened.iter().map(|(_, numbers)| numbers.shape.clone()).collect();
    let expected: Vec<Vec<usize>> = node.weights.iter().map(|spec| spec.shape.clone()).collect();
    if found.len() != expected.len() {
        return Err(Misfit::Shapes(found, expected));
    }
    let names: Vec<&str> = opened.iter().map(|(name, _)| leaf(name)).collect();
    let order = by_name(&names, node).unwrap_or_else(|| (0..names.len()).collect());
    if order.iter().zip(&expected).any(|(at, shape)| found[*at] != *shape) {
        return Err(Misfit::Shapes(order.iter().map(|at| found[*at].clone()).collect(), expected));
    }
    let mut opened: Vec<Option<_>> = opened.into_iter().map(Some).collect();
    let arrays = order.iter().filter_map(|at| opened[*at].take());
    arrays.map(|(name, numbers)| numbers.read(source).map_err(|why| damaged(name, &why))).collect()
}

/// Whether a layer has the weights of a node, by number and shapes.
pub(super) fn fits(source: &H5File, layer: &FileLayer, node: &Node) -> bool {
    let shape = |name: &String| datasets::open(source, &layer.group, name).ok().map(|numbers| numbers.shape);
    let found: Option<Vec<Vec<usize>>> = layer.weights.iter().map(shape).collect();
    let names: Vec<&str> = layer.weights.iter().map(|name| leaf(name)).collect();
    let order = by_name(&names, node).unwrap_or_else(|| (0..names.len()).collect());
    found.is_some_and(|found| {
        found.len() == node.weights.len() && order.iter().zip(&node.weights).all(|(at, spec)| found[*at] == spec.shape)
    })
}

/// The last part of a weight's name, without the output's number: `kernel` of `conv2d/kernel:0`.
pub(super) fn leaf(name: &str) -> &str {
    let name = name.rsplit('/').next().unwrap_or(name);
    name.split(':').next().unwrap_or(name)
}

/// Whether a name in a file is that of a node's weight: Keras 3 calls a depthwise kernel `kernel`.
pub(super) fn is_called(found: &str, node: &Node, weight: &str) -> bool {
    found == weight
        || (found == "kernel" && weight == "depthwise_kernel" && node.weights.iter().all(|w| w.name != found))
}

/// For each weight of the node, its place among the names; none unless every one is found once.
fn by_name(names: &[&str], node: &Node) -> Option<Vec<usize>> {
    let mut order = Vec::new();
    for spec in &node.weights {
        let at = names.iter().position(|name| is_called(name, node, spec.name))?;
        if order.contains(&at) {
            return None;
        }
        order.push(at);
    }
    Some(order)
}

/// The names of a node's weights in a list of several layers': those that say so, or those at the positions where Keras
/// puts them.
pub(super) fn pick(names: &[String], node: &Node, positions: &[usize]) -> Option<Vec<String>> {
    let found = by_path(names, node);
    let found = found.or_else(|| positions.iter().map(|position| names.get(*position)).collect());
    found.map(|found| found.into_iter().cloned().collect())
}

/// The names that end with the node's own and its weights' names, where there is one for each.
fn by_path<'a>(names: &'a [String], node: &Node) -> Option<Vec<&'a String>> {
    let of_node = |name: &&String| name.rsplit('/').nth(1) == Some(&*node.name);
    let find = |weight: &str| {
        let mut found = names.iter().filter(of_node).filter(|name| is_called(leaf(name), node, weight));
        found.next().filter(|_| found.next().is_none())
    };
    node.weights.iter().map(|spec| find(spec.name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Graph;
    use crate::graph::layer::{Activation, Layer, Padding, Window};

    fn node(layer: Layer) -> Node {
        let mut graph = Graph::new("x");
        let input = graph.add("in", Layer::Input { shape: vec![8, 8, 4] }, &[]).expect("fits");
        let node = graph.add("layer", layer, &[input]).expect("fits");
        graph.nodes()[node].clone()
    }

    fn separable() -> Node {
        node(Layer::SeparableConv2D {
            filters: 5,
            window: Window::square(3, 1, Padding::Same),
            depth_multiplier: 1,
            use_bias: true,
            activation: Activation::Linear,
        })
    }

    #[test]
    fn names_rule_and_order_stands_in_for_them() {
        let node = separable();
        assert_eq!(by_name(&["bias", "depthwise_kernel", "pointwise_kernel"], &node), Some(vec![1, 2, 0]));
        assert_eq!(by_name(&["0", "1", "2"], &node), None);
    }

    #[test]
    fn keras_3_names_a_depthwise_kernel_kernel() {
        let node = node(Layer::DepthwiseConv2D {
            window: Window::square(3, 1, Padding::Same),
            depth_multiplier: 1,
            use_bias: true,
            activation: Activation::Linear,
        });
        assert_eq!(by_name(&["kernel", "bias"], &node), Some(vec![0, 1]));
        assert_eq!(by_name(&["kernel", "pointwise_kernel", "bias"], &separable()), Some(vec![0, 1, 2]));
    }

    #[test]
    fn leaves_have_no_path_and_no_number() {
        assert_eq!(leaf("model/Conv/BatchNorm/gamma:0"), "gamma");
        assert_eq!(leaf("kernel"), "kernel");
    }
}
