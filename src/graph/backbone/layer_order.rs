//! Keras's order of the layers of a functional model: by distance from the output, the farthest first; layers at one
//! distance as a walk from the output meets them. Files list layers and weights in this order.

use crate::graph::{Graph, Node, NodeId};

/// The same graph with its nodes in Keras's order. Every node leads to the output and has weights of its own.
pub(super) fn as_keras(graph: Graph) -> Graph {
    let Graph { name, nodes, output, .. } = graph;
    let depth = depths(&nodes, output);
    let met = walk(&nodes, output);
    let mut order: Vec<NodeId> = (0..nodes.len()).collect();
    order.sort_by_key(|node| (usize::MAX - depth[*node], met[*node]));
    let mut place = vec![0; nodes.len()];
    for (new, old) in order.iter().enumerate() {
        place[*old] = new;
    }
    let mut old: Vec<Option<Node>> = nodes.into_iter().map(Some).collect();
    let nodes = order.iter().filter_map(|at| old[*at].take());
    let nodes: Vec<Node> =
        nodes.map(|node| Node { inputs: node.inputs.iter().map(|at| place[*at]).collect(), ..node }).collect();
    let layers = nodes.iter().enumerate().map(|(at, node)| (node.name.clone(), at)).collect();
    Graph { name, nodes, output: place[output], layers }
}

/// Longest way from each node to the output, in layers.
fn depths(nodes: &[Node], output: NodeId) -> Vec<usize> {
    let mut depth = vec![0; nodes.len()];
    for at in (0..=output).rev() {
        for input in &nodes[at].inputs {
            depth[*input] = depth[*input].max(depth[at] + 1);
        }
    }
    depth
}

/// When a walk from the output, each layer before its inputs and these in their order, meets each node.
fn walk(nodes: &[Node], output: NodeId) -> Vec<usize> {
    let mut met = vec![usize::MAX; nodes.len()];
    let (mut ahead, mut count) = (vec![output], 0);
    while let Some(at) = ahead.pop() {
        if met[at] == usize::MAX {
            met[at] = count;
            count += 1;
            ahead.extend(nodes[at].inputs.iter().rev());
        }
    }
    met
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Layer;

    #[test]
    fn a_short_branch_comes_late() {
        let mut graph = Graph::new("branches");
        let input = graph.add("input", Layer::Input { shape: vec![4, 4, 8] }, &[]).expect("fits");
        let short = graph.add("short", Layer::Flatten, &[input]).expect("fits");
        let long = graph.add("long_1", Layer::Add, &[input, input]).expect("fits");
        let long = graph.add("long_2", Layer::Flatten, &[long]).expect("fits");
        graph.add("sum", Layer::Add, &[short, long]).expect("fits");
        let ordered = as_keras(graph);
        let names: Vec<&str> = ordered.nodes().iter().map(|node| node.name.as_str()).collect();
        assert_eq!(names, ["input", "long_1", "short", "long_2", "sum"]);
        assert_eq!(ordered.nodes()[4].inputs, [2, 3]);
        assert_eq!(ordered.output(), 4);
    }
}
