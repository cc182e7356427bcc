//! The order in which Keras lists the layers of a functional model, `model.layers`: by their distance from the output,
//! and at one distance in the order in which a walk from the output meets them. Keras makes that order anew when it reads a
//! file, and matches the weights of layers and optimisers to it by their places in lists: a file must follow it,
//! whatever the order of its configuration is.

use std::cmp::Reverse;
use std::collections::HashMap;

use serde_json::Value;

use crate::graph::{Graph, NodeId, keras};

/// The nodes that the output depends on and that have weights of their own, in the order of Keras's layers.
pub(super) fn keras_order(graph: &Graph) -> Vec<NodeId> {
    let nodes: HashMap<&str, NodeId> =
        graph.nodes().iter().enumerate().map(|(at, node)| (node.name.as_str(), at)).collect();
    let listed = layers(&keras::to_json(graph));
    let with_weights =
        |name: &String| nodes.get(&**name).copied().filter(|node| !graph.nodes()[*node].weights.is_empty());
    listed.iter().filter_map(with_weights).collect()
}

/// One use of a layer: the layer's place in the configuration, and the uses that its inputs come from.
struct Use {
    layer: usize,
    inputs: Vec<usize>,
}

/// The names of the layers of a configuration that [`keras::to_json`] wrote, in Keras's order.
pub(super) fn layers(config: &Value) -> Vec<String> {
    let list = config["config"]["layers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let names: Vec<&str> = list.iter().map(|layer| layer["name"].as_str().unwrap_or_default()).collect();
    let (uses, places) = uses(list, &names);
    let output = &config["config"]["output_layers"][0];
    let Some(output) = find(&places, output) else { return Vec::new() };
    let mut met = vec![None; names.len()];
    let mut count = 0;
    let mut finished = Vec::new();
    let mut seen = vec![false; uses.len()];
    // The walk: a layer is numbered when it is met, a use is listed when all its inputs are.
    let mut stack = vec![(output, 0)];
    while let Some((at, input)) = stack.pop() {
        let Use { layer, inputs } = &uses[at];
        if met[*layer].is_none() {
            met[*layer] = Some(count);
            count += 1;
        }
        seen[at] = true;
        match inputs.get(input) {
            Some(next) => {
                stack.push((at, input + 1));
                if !seen[*next] {
                    stack.push((*next, 0));
                }
            }
            None => finished.push(at),
        }
    }
    // A layer that is used several times lies as far from the output as its farthest use.
    let mut depths = vec![0usize; uses.len()];
    let mut of_layer = vec![0usize; names.len()];
    for at in finished.iter().rev() {
        let Use { layer, inputs } = &uses[*at];
        let depth = depths[*at].max(of_layer[*layer]);
        of_layer[*layer] = depth;
        depths[*at] = depth;
        for input in inputs {
            depths[*input] = depths[*input].max(depth + 1);
        }
    }
    let mut order: Vec<usize> = (0..names.len()).filter(|layer| met[*layer].is_some()).collect();
    order.sort_by_key(|layer| (Reverse(of_layer[*layer]), met[*layer]));
    order.into_iter().map(|layer| names[layer].to_owned()).collect()
}

/// (Layer's name, number of the use) → the use.
type Places<'a> = HashMap<(&'a str, u64), usize>;

fn find(places: &Places<'_>, reference: &Value) -> Option<usize> {
    places.get(&(reference[0].as_str()?, reference[1].as_u64()?)).copied()
}

fn uses<'a>(list: &[Value], names: &[&'a str]) -> (Vec<Use>, Places<'a>) {
    let mut references = Vec::new();
    let mut places = HashMap::new();
    for (layer, (entry, name)) in list.iter().zip(names).enumerate() {
        let inbound = entry["inbound_nodes"].as_array().map(Vec::as_slice).unwrap_or_default();
        for number in 0..inbound.len().max(1) {
            places.insert((*name, number as u64), references.len());
            let inputs = inbound.get(number).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            references.push((layer, inputs));
        }
    }
    let resolve = |(layer, inputs): (usize, &[Value])| Use {
        layer,
        inputs: inputs.iter().filter_map(|input| find(&places, input)).collect(),
    };
    (references.into_iter().map(resolve).collect(), places)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::layer::Layer;

    /// What Keras lists for real models is compared in `tests/interop/checkpoint_files.rs`; this is the rule by hand.
    #[test]
    fn branches_are_ordered_by_their_distance_from_the_output() {
        let mut graph = Graph::new("x");
        let mut add = |name: &str, layer: Layer, inputs: &[NodeId]| graph.add(name, layer, inputs).expect("fits");
        let input = add("in", Layer::Input { shape: vec![4] }, &[]);
        let short = add("short", Layer::NormDense { units: 3 }, &[input]);
        let long = add("long_1", Layer::NormDense { units: 3 }, &[input]);
        let long = add("long_2", Layer::NormDense { units: 3 }, &[long]);
        add("add", Layer::Add, &[long, short]);
        assert_eq!(layers(&keras::to_json(&graph)), ["in", "long_1", "long_2", "short", "add"]);
        let names: Vec<&str> = keras_order(&graph).iter().map(|node| graph.nodes()[*node].name.as_str()).collect();
        assert_eq!(names, ["long_1", "long_2", "short"]);
    }

    #[test]
    fn a_shared_layer_lies_where_its_farthest_use_does() {
        let mut graph = Graph::new("x");
        let input = graph.add("in", Layer::Input { shape: vec![4] }, &[]).expect("fits");
        let first = graph.add("first", Layer::NormDense { units: 4 }, &[input]).expect("fits");
        let shared = graph.add("shared", Layer::NormDense { units: 4 }, &[input]).expect("fits");
        let again = graph.add_use("again", shared, &[first]).expect("fits");
        graph.add("add", Layer::Add, &[again, shared]).expect("fits");
        assert_eq!(layers(&keras::to_json(&graph)), ["in", "first", "shared", "add"]);
    }

    #[test]
    fn what_is_no_configuration_has_no_layers() {
        assert!(layers(&Value::Null).is_empty());
        assert!(layers(&serde_json::json!({"config": {"layers": [1, {"name": "a", "inbound_nodes": 3}]}})).is_empty());
    }
}
