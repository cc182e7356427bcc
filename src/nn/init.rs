//! How weights start: Keras's initialisers, drawn on the host from a seed, so that a run begins with the same weights
//! on every device.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::graph::layer::{Initializer, WeightSpec};
use crate::graph::{Array, Graph, Weights};

/// Deviation of a standard normal cut at two deviations; Keras divides by it so that the cut values have the wanted one.
const CUT_DEVIATION: f64 = 0.879_625_661_034_239_8;

/// All weights of a graph, drawn from a seed. Each weight has its own stream, so adding a head changes no other weight.
pub fn weights(graph: &Graph, seed: u64) -> Weights {
    let nodes = graph.nodes().iter().enumerate().map(|(node, layer)| {
        let weights = layer.weights.iter().enumerate();
        weights.map(|(place, spec)| weight(spec, seed, (node * 16 + place) as u64)).collect()
    });
    Weights { nodes: nodes.collect() }
}

/// One weight, drawn from the stream `stream` of `seed`.
pub fn weight(spec: &WeightSpec, seed: u64, stream: u64) -> Array {
    let mut draw = Draw::new(spec, seed, stream);
    Array { shape: spec.shape.clone(), data: (0..spec.len()).map(|_| draw.number()).collect() }
}

/// The numbers of a weight one after the other, in Keras's order, for weights that are too large to be held twice.
#[derive(Debug)]
pub struct Draw {
    random: ChaCha8Rng,
    from: From,
}

#[derive(Debug, Clone, Copy)]
enum From {
    Constant(f32),
    /// Uniform between minus and plus this.
    Uniform(f32),
    /// A cut normal times this.
    Normal(f64),
}

impl Draw {
    /// The beginning of the stream `stream` of `seed`.
    pub fn new(spec: &WeightSpec, seed: u64, stream: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(stream);
        let (fan_in, fan_out) = fans(&spec.shape);
        let from = match spec.initializer {
            Initializer::Zeros => From::Constant(0.0),
            Initializer::Ones => From::Constant(1.0),
            Initializer::Constant(value) => From::Constant(value),
            Initializer::GlorotUniform => From::Uniform((6.0 / (fan_in + fan_out)).sqrt() as f32),
            Initializer::GlorotNormal => From::Normal((2.0 / (fan_in + fan_out)).sqrt() / CUT_DEVIATION),
        };
        Self { random, from }
    }

    /// The next number.
    pub fn number(&mut self) -> f32 {
        match self.from {
            From::Constant(value) => value,
            From::Uniform(limit) => self.random.random_range(-limit..=limit),
            From::Normal(deviation) => (cut_normal(&mut self.random) * deviation) as f32,
        }
    }
}

/// Keras's fans: inputs and outputs times the kernel's area.
fn fans(shape: &[usize]) -> (f64, f64) {
    match shape {
        [] => (1.0, 1.0),
        [one] => (*one as f64, *one as f64),
        [area @ .., inputs, outputs] => {
            let area: usize = area.iter().product();
            ((inputs * area) as f64, (outputs * area) as f64)
        }
    }
}

/// A standard normal within two deviations (Box and Muller 1958, drawn again when outside).
fn cut_normal(random: &mut impl Rng) -> f64 {
    loop {
        let radius = (-2.0 * (1.0 - random.random::<f64>()).ln()).sqrt();
        let value = radius * (std::f64::consts::TAU * random.random::<f64>()).cos();
        if value.abs() <= 2.0 {
            return value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(initializer: Initializer) -> WeightSpec {
        WeightSpec { name: "kernel", shape: vec![3, 3, 32, 64], trainable: true, initializer, regularizer: None }
    }

    #[test]
    fn values_have_kerass_spread() {
        let deviation =
            |values: &[f32]| (values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / values.len() as f64).sqrt();
        let wanted = (2.0 / (9.0 * 96.0_f64)).sqrt();
        for initializer in [Initializer::GlorotUniform, Initializer::GlorotNormal] {
            let drawn = weight(&spec(initializer), 1, 0);
            assert!((deviation(&drawn.data) / wanted - 1.0).abs() < 0.03, "{initializer:?}");
        }
    }

    #[test]
    fn a_seed_gives_the_same_weights_and_streams_differ() {
        let draw = |seed, stream| weight(&spec(Initializer::GlorotUniform), seed, stream).data;
        assert_eq!(draw(1, 2), draw(1, 2));
        assert_ne!(draw(1, 2), draw(1, 3));
        assert_ne!(draw(1, 2), draw(2, 2));
    }
}
