//! The table of a network: layers, shapes, weights, multiplications; as Keras's `model.summary()` shows it.

use std::fmt::Write as _;

use super::Graph;

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
    fn totals_are_the_graphs() {
        let graph = build("mobilefacenet", &Options { embedding_size: 16, dropout: 0.0, width: 0.1 }).expect("builds");
        let text = super::table(&graph);
        let (trainable, fixed) = graph.count_weights();
        assert!(text.contains(&format!("{} weights ({trainable} trainable, {fixed}", trainable + fixed)), "{text}");
        assert_eq!(text.lines().count(), graph.nodes().len() + 2);
    }
}
