//! The table of a network: layers, shapes, weights, multiplications; as Keras's `model.summary()` shows it.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::layer::{Layer, WeightSpec};
use super::shape::Shape;
use super::{Graph, Node, NodeId};

/// The sums over a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Totals {
    /// Nodes.
    pub layers: usize,
    /// Weights that training changes.
    pub trainable: u64,
    /// Weights that it does not: moving statistics and the weights of frozen layers.
    pub fixed: u64,
    /// How many of the fixed ones belong to frozen layers.
    pub frozen: u64,
    /// Multiplications (each with its addition) for one image.
    pub macs: u64,
    /// Sides and channels of the maps, from the images down: each size once, with the channels of its last map.
    pub maps: Vec<[usize; 3]>,
    /// Bytes of all layers' results in fp32, for one image.
    pub activation_bytes: u64,
}

/// Sums a network up.
pub fn totals(graph: &Graph) -> Totals {
    let mut totals = Totals {
        layers: graph.nodes().len(),
        trainable: 0,
        fixed: 0,
        frozen: 0,
        macs: graph.macs(),
        maps: Vec::new(),
        activation_bytes: 0,
    };
    for node in graph.nodes() {
        // These make no numbers of their own.
        if !matches!(node.layer, Layer::Input { .. } | Layer::Flatten | Layer::Reshape { .. }) {
            totals.activation_bytes += (node.shape.iter().product::<usize>() * size_of::<f32>()) as u64;
        }
        for weight in &node.weights {
            let count = weight.len() as u64;
            match (node.trainable, weight.trainable) {
                (true, true) => totals.trainable += count,
                (true, false) => totals.fixed += count,
                (false, _) => {
                    totals.fixed += count;
                    totals.frozen += count;
                }
            }
        }
        // Padding changes sizes for a moment, gates are one pixel: neither is a stage of the network.
        let passing = matches!(node.layer, Layer::ZeroPadding2D { .. } | Layer::Cropping2D { .. });
        if let ([height, width, channels], false) = (node.shape.as_slice(), passing) {
            match totals.maps.last_mut() {
                Some(last) if last[..2] == [*height, *width] => last[2] = *channels,
                Some(last) if last[0] < *height || last[1] < *width || (*height, *width) == (1, 1) => {}
                _ => totals.maps.push([*height, *width, *channels]),
            }
        }
    }
    totals
}

impl Totals {
    /// In words, on one line.
    pub fn line(&self) -> String {
        let Self { layers, trainable, fixed, frozen, .. } = self;
        let frozen = if *frozen > 0 { format!(", {frozen} of them frozen") } else { String::new() };
        let maps: Vec<String> = self.maps.iter().map(|[h, w, c]| format!("{h}x{w}x{c}")).collect();
        let maps = if maps.is_empty() { String::new() } else { format!("; maps {}", maps.join(" > ")) };
        format!(
            "{layers} layers, {} weights ({trainable} trainable, {fixed} not{frozen}), {:.1} million multiplications an image{maps}",
            trainable + fixed,
            self.macs as f64 / 1e6
        )
    }

    /// As a JSON object.
    pub fn json(&self) -> Value {
        json!({
            "layers": self.layers,
            "weights": self.trainable + self.fixed,
            "trainable": self.trainable,
            "non_trainable": self.fixed,
            "frozen": self.frozen,
            "macs": self.macs,
            "maps": self.maps,
        })
    }
}

fn size(shape: &Shape) -> String {
    let sizes: Vec<String> = shape.iter().map(ToString::to_string).collect();
    format!("({})", sizes.join(", "))
}

fn inputs<'a>(graph: &'a Graph, node: &Node) -> Vec<&'a str> {
    node.inputs.iter().map(|input| graph.nodes()[*input].name.as_str()).collect()
}

fn count(node: &Node) -> usize {
    node.weights.iter().map(WeightSpec::len).sum()
}

/// What a node is beside its class: frozen, a further use of another's weights.
fn remark(graph: &Graph, node: &Node) -> String {
    let frozen = !node.trainable && !node.weights.is_empty();
    let shared = node.shares.map(|owner| format!("weights of {}", graph.nodes()[owner].name));
    let words: Vec<String> = shared.into_iter().chain(frozen.then(|| "frozen".to_owned())).collect();
    if words.is_empty() { String::new() } else { format!(" [{}]", words.join(", ")) }
}

/// The table as plain text, one line a layer and the totals below.
pub fn table(graph: &Graph) -> String {
    let heads = ["layer (type)", "output shape", "params", "connected to"];
    let rows: Vec<[String; 4]> = graph
        .nodes()
        .iter()
        .map(|node| {
            let layer = format!("{} ({}){}", node.name, node.layer.class_name(), remark(graph, node));
            [layer, size(&node.shape), count(node).to_string(), inputs(graph, node).join(", ")]
        })
        .collect();
    let width =
        |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0).max(heads[column].len());
    let (first, second, third) = (width(0), width(1), width(2));
    let mut text = format!("{:first$}  {:second$}  {:>third$}  {}\n", heads[0], heads[1], heads[2], heads[3]);
    for [layer, shape, params, from] in &rows {
        let line = format!("{layer:first$}  {shape:second$}  {params:>third$}  {from}");
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text + &totals(graph).line()
}

/// The table as JSON: a list of layers and the totals.
pub fn json(graph: &Graph) -> Value {
    let layer = |at: NodeId| {
        let node = &graph.nodes()[at];
        let shapes: Vec<&Shape> = node.inputs.iter().map(|input| &graph.nodes()[*input].shape).collect();
        let weights: Vec<Value> =
            node.weights.iter().map(|weight| json!({ "name": weight.name, "shape": weight.shape })).collect();
        json!({
            "name": node.name,
            "class": node.layer.class_name(),
            "shape": node.shape,
            "params": count(node),
            "macs": node.layer.macs(&shapes, &node.shape),
            "trainable": node.trainable,
            "weights": weights,
            "shares": node.shares.map(|owner| graph.nodes()[owner].name.clone()),
            "inputs": inputs(graph, node),
        })
    };
    json!({
        "name": graph.name,
        "input": graph.input_shape(),
        "output": graph.nodes()[graph.output()].name,
        "layers": (0..graph.nodes().len()).map(layer).collect::<Vec<_>>(),
        "totals": totals(graph).json(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::backbone::{Options, build};
    use super::*;

    #[test]
    fn maps_are_those_of_the_network() {
        for (name, maps) in [
            ("mobilefacenet", vec![112, 56, 28, 14, 7]),
            ("mobilenet", vec![112, 56, 28, 14, 7, 3]),
            ("mobilenetv2", vec![112, 56, 28, 14, 7, 4]),
            ("resnet50v2", vec![112, 56, 28, 14, 7, 4]),
        ] {
            let graph = build(name, &Options { embedding_size: 16, dropout: 0.0, width: 0.25 }).expect("builds");
            let heights: Vec<usize> = totals(&graph).maps.iter().map(|[height, _, _]| *height).collect();
            assert_eq!(heights, maps, "{name}");
        }
    }

    #[test]
    fn totals_are_the_graphs() {
        let mut graph =
            build("mobilefacenet", &Options { embedding_size: 16, dropout: 0.0, width: 0.1 }).expect("builds");
        let text = table(&graph);
        let (trainable, fixed) = graph.count_weights();
        let line = format!("{} weights ({trainable} trainable, {fixed} not)", trainable + fixed);
        assert!(text.contains(&line), "{text}");
        assert_eq!(text.lines().count(), graph.nodes().len() + 2);
        let sums = totals(&graph);
        assert_eq!(sums.maps.first().map(|map| map[..2].to_vec()), Some(vec![112, 112]));
        assert!(sums.maps.windows(2).all(|pair| pair[0][0] > pair[1][0]), "{:?}", sums.maps);
        graph.freeze(3);
        let frozen = totals(&graph);
        assert!(frozen.frozen > 0 && frozen.trainable < sums.trainable);
        assert_eq!(frozen.trainable + frozen.fixed, sums.trainable + sums.fixed);
        assert!(table(&graph).contains("[frozen]"));
        assert_eq!(json(&graph)["totals"]["frozen"], frozen.frozen);
    }
}
