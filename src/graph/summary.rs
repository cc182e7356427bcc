//! The table of a network: layers, shapes, weights, multiplications; as Keras's `model.summary()` shows it.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::layer::{Layer, WeightSpec};
use super::shape::Shape;
use super::{Graph, Node, NodeId};

/// The size of a network, for one image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figures {
    /// Layers, the input among them.
    pub layers: usize,
    /// Weights that an optimiser changes.
    pub trainable: u64,
    /// Weights that it would change, of frozen layers.
    pub frozen: u64,
    /// Moving statistics of batch norms.
    pub statistics: u64,
    /// Multiplications (each with its addition).
    pub macs: u64,
    /// Heights of the maps from the image down, each once; what is padded or pooled to one place is left out.
    pub maps: Vec<usize>,
    /// Bytes of all layers' results in fp32.
    pub activation_bytes: u64,
}

/// Measures a graph.
pub fn figures(graph: &Graph) -> Figures {
    let (all, statistics) = graph.count_weights();
    let weights = graph.nodes().iter().filter(|node| !node.trainable).flat_map(|node| &node.weights);
    let frozen: u64 = weights.filter(|weight| weight.trainable).map(|weight| weight.len() as u64).sum();
    let mut maps: Vec<usize> = Vec::new();
    let mut elements = 0;
    for node in graph.nodes() {
        // These make no numbers of their own.
        if !matches!(node.layer, Layer::Input { .. } | Layer::Flatten | Layer::Reshape { .. }) {
            elements += node.shape.iter().product::<usize>() as u64;
        }
        if let [height, _, _] = node.shape[..]
            && height > 1
            && !matches!(node.layer, Layer::ZeroPadding2D { .. })
            && maps.last().is_none_or(|last| height < *last)
        {
            maps.push(height);
        }
    }
    Figures {
        layers: graph.nodes().len(),
        trainable: all - frozen,
        frozen,
        statistics,
        macs: graph.macs(),
        maps,
        activation_bytes: elements * size_of::<f32>() as u64,
    }
}

impl Figures {
    /// In words, on one line.
    pub fn line(&self) -> String {
        let Self { layers, trainable, frozen, statistics, .. } = self;
        let frozen_words = if *frozen > 0 { format!(", {frozen} frozen") } else { String::new() };
        let maps: Vec<String> = self.maps.iter().map(ToString::to_string).collect();
        let maps = if maps.is_empty() { String::new() } else { format!("; maps {}", maps.join("-")) };
        format!(
            "{layers} layers, {} weights ({trainable} trainable{frozen_words}, {statistics} moving statistics), {:.1} million \
             multiplications an image{maps}",
            trainable + frozen + statistics,
            self.macs as f64 / 1e6
        )
    }

    /// As a JSON object.
    pub fn json(&self) -> Value {
        json!({
            "layers": self.layers,
            "weights": self.trainable + self.frozen + self.statistics,
            "trainable": self.trainable,
            "non_trainable": self.frozen + self.statistics,
            "frozen": self.frozen,
            "macs": self.macs,
            "maps": self.maps,
            "activation_bytes": self.activation_bytes,
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
    text + &figures(graph).line()
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
        "totals": figures(graph).json(),
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
            assert_eq!(figures(&graph).maps, maps, "{name}");
        }
    }

    #[test]
    fn totals_are_the_graphs() {
        let mut graph =
            build("mobilefacenet", &Options { embedding_size: 16, dropout: 0.0, width: 0.1 }).expect("builds");
        let text = table(&graph);
        let (trainable, fixed) = graph.count_weights();
        let line = format!("{} weights ({trainable} trainable, {fixed} moving statistics)", trainable + fixed);
        assert!(text.contains(&line), "{text}");
        assert_eq!(text.lines().count(), graph.nodes().len() + 2);
        let sums = figures(&graph);
        graph.freeze(3);
        let frozen = figures(&graph);
        assert!(frozen.frozen > 0 && frozen.trainable + frozen.frozen == sums.trainable);
        assert!(table(&graph).contains("[frozen]"));
        assert_eq!(json(&graph)["totals"]["frozen"], frozen.frozen);
    }
}
