//! [`Builder`]: adds layers one after the other under Keras's names, and puts them into Keras's order.

use std::collections::HashMap;

use super::options::{Options, Spelling};
use crate::graph::layer::{Activation, Initializer, Layer, Padding, Window};
use crate::graph::shape::Shape;
use crate::graph::{Graph, GraphError, NodeId};

/// A graph under construction. Layers without a name of their own are counted as Keras counts them: `conv2d`,
/// `conv2d_1`, ...
pub(super) struct Builder {
    pub graph: Graph,
    /// The newest layer.
    pub last: NodeId,
    pub spelling: Spelling,
    unnamed: HashMap<&'static str, usize>,
}

impl Builder {
    pub fn new(name: String, input: Shape, spelling: Spelling) -> Result<Self, GraphError> {
        let mut graph = Graph::new(name);
        let last = graph.add("input_1", Layer::Input { shape: input }, &[])?;
        Ok(Self { graph, last, spelling, unnamed: HashMap::new() })
    }

    /// The graph, its layers in the order of Keras's `model.layers`.
    pub fn finish(self) -> Graph {
        super::layer_order::as_keras(self.graph)
    }

    /// Height and width of the newest map.
    pub fn map(&self) -> [usize; 2] {
        match self.graph.nodes()[self.last].shape[..] {
            [height, width, _] => [height, width],
            _ => [1, 1],
        }
    }

    /// Channels of the newest layer.
    pub fn channels(&self) -> usize {
        self.graph.nodes()[self.last].shape.last().copied().unwrap_or(1)
    }

    /// Adds a layer after the newest one, under Keras's next free name.
    pub fn push(&mut self, layer: Layer) -> Result<NodeId, GraphError> {
        self.push_with(layer, &[self.last])
    }

    /// Adds a layer with these inputs, under Keras's next free name.
    pub fn push_with(&mut self, layer: Layer, inputs: &[NodeId]) -> Result<NodeId, GraphError> {
        let stem = layer.keras_stem();
        self.push_counted(stem, layer, inputs)
    }

    /// Adds a layer under the next free name of a stem.
    pub fn push_counted(&mut self, stem: &'static str, layer: Layer, inputs: &[NodeId]) -> Result<NodeId, GraphError> {
        let taken = self.unnamed.entry(stem).or_default();
        let name = if *taken == 0 { stem.to_owned() } else { format!("{stem}_{taken}") };
        *taken += 1;
        self.last = self.graph.add(name, layer, inputs)?;
        Ok(self.last)
    }

    /// Adds a layer after the newest one, under a name of its own.
    pub fn named(&mut self, name: &str, layer: Layer) -> Result<NodeId, GraphError> {
        self.named_with(name, layer, &[self.last])
    }

    /// As [`Builder::named`], with these inputs.
    pub fn named_with(&mut self, name: &str, layer: Layer, inputs: &[NodeId]) -> Result<NodeId, GraphError> {
        self.last = self.graph.add(name, layer, inputs)?;
        Ok(self.last)
    }

    /// Says how the first weight of a layer starts, where that is not the class's own way.
    pub fn start(&mut self, node: NodeId, initializer: Initializer) {
        if let Some(weight) = self.graph.nodes[node].weights.first_mut() {
            weight.initializer = initializer;
        }
    }

    /// The embedding head that the reference puts onto keras.applications' networks: a convolution over the whole map,
    /// batch norm, `PReLU`, and the end that all backbones share.
    pub fn head(&mut self, options: &Options) -> Result<(), GraphError> {
        let window = Window { kernel: self.map(), ..Window::square(1, 1, Padding::Valid) };
        self.push(conv(options.embedding_size, window, false))?;
        self.push(norm(0.99, 1e-3))?;
        self.push(Layer::PReLU { shared_axes: vec![1, 2] })?;
        self.embedding(options)
    }

    /// The end: dropout, flatten, dense without bias, batch norm named `embedding`.
    pub fn embedding(&mut self, options: &Options) -> Result<(), GraphError> {
        if options.dropout > 0.0 {
            self.push(Layer::Dropout { rate: options.dropout })?;
        }
        self.push(Layer::Flatten)?;
        self.push(Layer::Dense {
            units: options.embedding_size,
            use_bias: false,
            activation: Activation::Linear,
            kernel_initializer: Initializer::GlorotNormal,
        })?;
        self.named("embedding", norm(0.99, 1e-3))?;
        Ok(())
    }
}

/// A convolution without activation.
pub(super) const fn conv(filters: usize, window: Window, use_bias: bool) -> Layer {
    Layer::Conv2D { filters, window, groups: 1, use_bias, activation: Activation::Linear }
}

/// A depthwise convolution without bias and activation.
pub(super) const fn depthwise(window: Window) -> Layer {
    Layer::DepthwiseConv2D { window, depth_multiplier: 1, use_bias: false, activation: Activation::Linear }
}

/// A separable convolution without bias and activation.
pub(super) const fn separable(filters: usize, window: Window) -> Layer {
    Layer::SeparableConv2D { filters, window, depth_multiplier: 1, use_bias: false, activation: Activation::Linear }
}

/// Batch normalisation with scale and offset.
pub(super) const fn norm(momentum: f64, epsilon: f64) -> Layer {
    Layer::BatchNormalization { momentum, epsilon, center: true, scale: true }
}

/// `max(x, 0)`, or `min(max(x, 0), limit)`.
pub(super) const fn relu(limit: Option<f64>) -> Layer {
    Layer::ReLU { max_value: limit, negative_slope: 0.0, threshold: 0.0 }
}

pub(super) const fn same(kernel: usize, stride: usize) -> Window {
    Window::square(kernel, stride, Padding::Same)
}

pub(super) const fn valid(kernel: usize, stride: usize) -> Window {
    Window::square(kernel, stride, Padding::Valid)
}

/// Keras's `correct_pad`: the zeros before a convolution of stride 2 and padding `valid`.
pub(super) const fn correct_pad([height, width]: [usize; 2], kernel: usize) -> Layer {
    let half = kernel / 2;
    let before = [half - (1 - height % 2), half - (1 - width % 2)];
    Layer::ZeroPadding2D { padding: [before[0], half, before[1], half] }
}

/// Keras's `_make_divisible` (`_depth` in MobileNetV3): the multiple of 8 nearest to `channels`, at least 8, and never
/// below nine tenths of it.
pub(super) fn divisible(channels: f64) -> usize {
    let rounded = ((channels + 4.0) as usize / 8 * 8).max(8);
    if (rounded as f64) < 0.9 * channels { rounded + 8 } else { rounded }
}

/// A number of channels under a width multiplier, as [`divisible`] rounds it.
pub(super) fn scaled(channels: usize, width: f64) -> usize {
    divisible(channels as f64 * width)
}

/// `int(channels * width)`, at least 1.
pub(super) fn truncated(channels: usize, width: f64) -> usize {
    ((channels as f64 * width) as usize).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_round_to_eights() {
        assert_eq!([scaled(64, 1.0), scaled(64, 0.25), scaled(64, 0.01), scaled(512, 0.3)], [64, 16, 8, 152]);
        // 0.9 * 22.4 is above 20: Keras takes the next eight.
        assert_eq!([scaled(64, 0.35), scaled(32, 0.35), scaled(16, 1.4)], [24, 16, 24]);
        assert_eq!([truncated(32, 0.75), truncated(32, 0.01)], [24, 1]);
    }

    #[test]
    fn odd_maps_are_padded_on_both_sides() {
        assert_eq!(correct_pad([28, 28], 3), Layer::ZeroPadding2D { padding: [0, 1, 0, 1] });
        assert_eq!(correct_pad([7, 7], 3), Layer::ZeroPadding2D { padding: [1, 1, 1, 1] });
        assert_eq!(correct_pad([14, 14], 5), Layer::ZeroPadding2D { padding: [1, 2, 1, 2] });
    }
}
