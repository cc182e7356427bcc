//! The backbones: functions that build a [`Graph`] from images to `embedding`. A new one is a file here and a line in
//! [`TABLE`].

mod mobilefacenet;

use thiserror::Error;

use super::layer::{Activation, Initializer, Layer, Padding, Window};
use super::shape::Shape;
use super::{Graph, GraphError, NodeId};

/// What a backbone can be asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// Length of the embedding.
    pub embedding_size: usize,
    /// Share of the features dropped before the embedding, 0 to below 1.
    pub dropout: f64,
    /// Width multiplier: 1 is the published network.
    pub width: f64,
}

/// A line of the table.
pub struct Backbone {
    /// Its name in a schedule.
    pub name: &'static str,
    /// One line about it.
    pub about: &'static str,
    build: fn(&mut Builder, &Options) -> Result<(), GraphError>,
}

/// Every backbone there is.
pub const TABLE: &[Backbone] = &[Backbone {
    name: "mobilefacenet",
    about: "MobileFaceNet (Chen et al. 2018) as the reference builds it, 1.2 M weights at embedding 256",
    build: mobilefacenet::build,
}];

/// A name that no backbone has.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BackboneError {
    /// Not in the table.
    #[error("there is no backbone `{0}`; there are: {1}")]
    Unknown(String, String),
    /// The options make no network.
    #[error(transparent)]
    Graph(#[from] GraphError),
}

/// Builds a backbone for 112x112 RGB images.
///
/// # Errors
/// A name that is not in [`TABLE`].
pub fn build(name: &str, options: &Options) -> Result<Graph, BackboneError> {
    let Some(backbone) = TABLE.iter().find(|backbone| backbone.name == name) else {
        let names: Vec<&str> = TABLE.iter().map(|backbone| backbone.name).collect();
        return Err(BackboneError::Unknown(name.to_owned(), names.join(", ")));
    };
    let mut builder = Builder::new(format!("{name}_{}", options.embedding_size), vec![112, 112, 3])?;
    (backbone.build)(&mut builder, options)?;
    Ok(builder.graph)
}

/// Adds layers one after the other, naming them as Keras does: `conv2d`, `conv2d_1`, ...
struct Builder {
    graph: Graph,
    last: NodeId,
}

impl Builder {
    fn new(name: String, input: Shape) -> Result<Self, GraphError> {
        let mut graph = Graph::new(name);
        let last = graph.add("input_1", Layer::Input { shape: input }, &[])?;
        Ok(Self { graph, last })
    }

    /// Adds a layer after the last one, under Keras's next free name.
    fn push(&mut self, layer: Layer) -> Result<NodeId, GraphError> {
        self.push_with(layer, &[self.last])
    }

    /// Adds a layer with these inputs.
    fn push_with(&mut self, layer: Layer, inputs: &[NodeId]) -> Result<NodeId, GraphError> {
        let stem = layer.keras_stem();
        let taken = self.graph.nodes().iter().filter(|node| node.layer.keras_stem() == stem).count();
        let name = if taken == 0 { stem.to_owned() } else { format!("{stem}_{taken}") };
        self.last = self.graph.add(name, layer, inputs)?;
        Ok(self.last)
    }

    /// Adds a layer under a name of its own.
    fn push_named(&mut self, name: &str, layer: Layer) -> Result<NodeId, GraphError> {
        self.last = self.graph.add(name, layer, &[self.last])?;
        Ok(self.last)
    }

    fn conv(&mut self, filters: usize, window: Window) -> Result<NodeId, GraphError> {
        let activation = Activation::Linear;
        self.push(Layer::Conv2D { filters, window, groups: 1, use_bias: false, activation })
    }

    fn depthwise(&mut self, window: Window) -> Result<NodeId, GraphError> {
        let activation = Activation::Linear;
        self.push(Layer::DepthwiseConv2D { window, depth_multiplier: 1, use_bias: false, activation })
    }

    fn separable(&mut self, filters: usize, window: Window) -> Result<NodeId, GraphError> {
        let activation = Activation::Linear;
        self.push(Layer::SeparableConv2D { filters, window, depth_multiplier: 1, use_bias: false, activation })
    }

    /// Batch normalisation with the reference's settings.
    fn norm(&mut self) -> Result<NodeId, GraphError> {
        self.push(batch_norm())
    }

    /// Batch normalisation and PReLU shared over height and width.
    fn norm_prelu(&mut self) -> Result<NodeId, GraphError> {
        self.norm()?;
        self.push(Layer::PReLU { shared_axes: vec![1, 2] })
    }

    /// The end of every backbone: dropout, flatten, dense without bias, batch norm named `embedding`.
    fn embedding(&mut self, options: &Options) -> Result<NodeId, GraphError> {
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
        self.push_named("embedding", batch_norm())
    }
}

const fn batch_norm() -> Layer {
    Layer::BatchNormalization { momentum: 0.99, epsilon: 1e-3, center: true, scale: true }
}

/// A number of channels under a width multiplier: a multiple of 8, at least 8, as MobileNet rounds them.
fn scaled(channels: usize, width: f64) -> usize {
    let wanted = channels as f64 * width;
    let rounded = ((wanted / 8.0).round() as usize * 8).max(8);
    if (rounded as f64) < 0.9 * wanted { rounded + 8 } else { rounded }
}

const fn same(kernel: usize, stride: usize) -> Window {
    Window::square(kernel, stride, Padding::Same)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_backbone_names_the_known_ones() {
        let options = Options { embedding_size: 8, dropout: 0.0, width: 1.0 };
        let error = build("resnet9000", &options).expect_err("is refused").to_string();
        assert!(error.contains("resnet9000") && error.contains("mobilefacenet"), "{error}");
    }

    #[test]
    fn widths_round_to_eights() {
        assert_eq!([scaled(64, 1.0), scaled(64, 0.25), scaled(64, 0.01), scaled(512, 0.3)], [64, 16, 8, 152]);
    }
}
