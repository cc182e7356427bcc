//! How much memory a training step's activations take, told from the graph alone.

use super::fusion::{self, Fused};
use crate::graph::layer::Layer;
use crate::graph::{Graph, NodeId};

/// Numbers that a training step keeps for one image, up to the embedding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Activations {
    /// Results that the backward pass needs.
    pub kept: u64,
    /// The largest result.
    pub largest: u64,
}

/// The activations of the basic model of a graph. `fused` where normalisations run as one operation with what follows them:
/// in fp32 on the CPU.
pub fn of(graph: &Graph, embedding: NodeId, fused: bool) -> Activations {
    let plan = fusion::find(graph, embedding);
    let mut found = Activations::default();
    for (at, node) in graph.nodes().iter().enumerate().take(embedding + 1) {
        let size = node.shape.iter().product::<usize>() as u64;
        found.largest = found.largest.max(size);
        let skipped = match plan[at] {
            // Without the fused operation the part that it does for another node is there.
            Some(Fused::Skipped) => fused || !matches!(node.layer, Layer::BatchNormalization { .. }),
            _ => matches!(node.layer, Layer::Flatten | Layer::Reshape { .. }),
        };
        if !skipped {
            // What is between the two convolutions of a separable one.
            let between = match (&node.layer, node.inputs.first()) {
                (Layer::SeparableConv2D { .. }, Some(input)) => {
                    let channels = |shape: &[usize]| shape.last().copied().unwrap_or(1).max(1) as u64;
                    size / channels(&node.shape) * channels(&graph.nodes()[*input].shape)
                }
                // Masks.
                (Layer::Dropout { .. }, _) => size,
                _ => 0,
            };
            found.kept += size + between;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::backbone::{Options, build};

    #[test]
    fn fusing_keeps_less() {
        let graph = build("mobilefacenet", &Options { embedding_size: 128, dropout: 0.0, width: 1.0 }).expect("builds");
        let [plain, fused] = [false, true].map(|fused| of(&graph, graph.output(), fused));
        assert_eq!(plain.largest, 56 * 56 * 128);
        assert!(fused.kept < plain.kept && plain.kept < 2 * fused.kept, "{fused:?} {plain:?}");
    }
}
