//! The order in which Keras lists the layers of a functional model, `model.layers`: by their distance from the output,
//! and at one distance in the order in which a walk from the output meets them. Keras makes that order anew when it reads a
//! file, and matches the weights of layers and optimisers to it by their places in lists: a file must follow it,
//! whatever the order of its configuration is.

use crate::graph::{Graph, NodeId};

/// The nodes that the output depends on, in Keras's order.
pub(super) fn keras_order(graph: &Graph) -> Vec<NodeId> {
    let nodes = graph.nodes();
    let mut met = vec![None; nodes.len()];
    let mut finished = Vec::new();
    let mut count = 0;
    // The walk: a node is numbered when it is met, and listed when all its inputs are.
    let mut stack = vec![(graph.output(), 0)];
    while let Some((node, input)) = stack.pop() {
        if input == 0 && met[node].is_none() {
            met[node] = Some(count);
            count += 1;
        }
        match nodes[node].inputs.get(input) {
            Some(next) => {
                stack.push((node, input + 1));
                if met[*next].is_none() {
                    stack.push((*next, 0));
                }
            }
            None => finished.push(node),
        }
    }
    let mut depths = vec![0usize; nodes.len()];
    for node in finished.iter().rev() {
        for input in &nodes[*node].inputs {
            depths[*input] = depths[*input].max(depths[*node] + 1);
        }
    }
    let mut order = finished;
    order.sort_by_key(|node| (std::cmp::Reverse(depths[*node]), met[*node]));
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::backbone::{Options, build};
    use crate::graph::layer::Layer;

    #[test]
    fn a_chain_stays_as_it_is() {
        let graph = build("mobilefacenet", &Options { embedding_size: 16, dropout: 0.0, width: 0.1 }).expect("builds");
        let order = keras_order(&graph);
        assert_eq!(order.len(), graph.nodes().len());
        assert!(order.windows(2).all(|pair| pair[0] < pair[1]));
    }

    /// `Add()([long, short])` where the short branch was made first: what Keras 2 and 3 list is in
    /// `tests/checkpoint_files.rs`; this is the rule by hand.
    #[test]
    fn branches_are_ordered_by_their_distance_from_the_output() {
        let mut graph = Graph::new("x");
        let mut add = |name: &str, layer: Layer, inputs: &[NodeId]| graph.add(name, layer, inputs).expect("fits");
        let input = add("in", Layer::Input { shape: vec![4] }, &[]);
        let short = add("short", Layer::NormDense { units: 3 }, &[input]);
        let long = add("long_1", Layer::NormDense { units: 3 }, &[input]);
        let long = add("long_2", Layer::NormDense { units: 3 }, &[long]);
        add("add", Layer::Add, &[long, short]);
        let names: Vec<&str> = keras_order(&graph).iter().map(|node| graph.nodes()[*node].name.as_str()).collect();
        assert_eq!(names, ["in", "long_1", "long_2", "short", "add"]);
    }
}
