//! The table of a network: layers, shapes, weights, multiplications; as Keras's `model.summary()` shows it.

use std::fmt::Write as _;

use super::{Graph, Layer};

/// The size of a network, for one image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figures {
    /// Layers, the input among them.
    pub layers: usize,
    /// Weights that an optimiser changes.
    pub trainable: u64,
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
    let (trainable, statistics) = graph.count_weights();
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
        trainable,
        statistics,
        macs: graph.macs(),
        maps,
        activation_bytes: elements * size_of::<f32>() as u64,
    }
}

/// The table as plain text, one line a layer and the totals below.
pub fn table(graph: &Graph) -> String {
    let name_width = graph.nodes().iter().map(|node| node.name.len()).max().unwrap_or(0).max(5);
    let class_width = graph.nodes().iter().map(|node| node.layer.class_name().len()).max().unwrap_or(0).max(5);
    let mut text =
        format!("{:name_width$}  {:class_width$}  {:>16}  {:>12}  inputs\n", "layer", "class", "output", "weights");
    for node in graph.nodes() {
        let shape = node.shape.iter().map(ToString::to_string).collect::<Vec<_>>().join("x");
        let weights: usize = node.weights.iter().map(super::layer::WeightSpec::len).sum();
        let inputs: Vec<&str> = node.inputs.iter().map(|input| graph.nodes()[*input].name.as_str()).collect();
        let class = node.layer.class_name();
        let _ = writeln!(
            text,
            "{:name_width$}  {class:class_width$}  {shape:>16}  {weights:>12}  {}",
            node.name,
            inputs.join(", ")
        );
    }
    let (trainable, fixed) = graph.count_weights();
    let _ = write!(
        text,
        "{} layers, {} weights ({trainable} trainable, {fixed} moving statistics), {:.1} million multiplications an image",
        graph.nodes().len(),
        trainable + fixed,
        graph.macs() as f64 / 1e6
    );
    text
}

#[cfg(test)]
mod tests {
    use super::super::backbone::{Options, build};

    #[test]
    fn maps_are_those_of_the_network() {
        for (name, maps) in [
            ("mobilefacenet", vec![112, 56, 28, 14, 7]),
            ("mobilenet", vec![112, 56, 28, 14, 7, 3]),
            ("mobilenetv2", vec![112, 56, 28, 14, 7, 4]),
            ("resnet50v2", vec![112, 56, 28, 14, 7, 4]),
        ] {
            let graph = build(name, &Options { embedding_size: 16, dropout: 0.0, width: 0.25 }).expect("builds");
            assert_eq!(super::figures(&graph).maps, maps, "{name}");
        }
    }

    #[test]
    fn totals_are_the_graphs() {
        let graph = build("mobilefacenet", &Options { embedding_size: 16, dropout: 0.0, width: 0.1 }).expect("builds");
        let text = super::table(&graph);
        let (trainable, fixed) = graph.count_weights();
        assert!(text.contains(&format!("{} weights ({trainable} trainable, {fixed}", trainable + fixed)), "{text}");
        assert_eq!(text.lines().count(), graph.nodes().len() + 2);
    }
}
