//! Weights for tests that compare with other programs.

use facetui::graph::{Graph, Weights};
use facetui::nn::init;

/// Weights and statistics as different from fresh ones as training makes them.
pub fn trained_like(graph: &Graph) -> Weights {
    let mut weights = init::weights(graph, 11);
    for (node, arrays) in graph.nodes().iter().zip(&mut weights.nodes) {
        for (spec, array) in node.weights.iter().zip(arrays) {
            let wave = |at: usize| ((at * 37 + 11) % 101) as f32 / 101.0;
            let change = |at: usize, value: f32| match spec.name {
                "gamma" => 0.8 + 0.4 * wave(at),
                "beta" | "moving_mean" | "bias" => 0.2 * (wave(at) - 0.5),
                "moving_variance" => 0.5 + wave(at),
                "alpha" => 0.1 + 0.3 * wave(at),
                _ => value,
            };
            for (at, value) in array.data.iter_mut().enumerate() {
                *value = change(at, *value);
            }
        }
    }
    weights
}
