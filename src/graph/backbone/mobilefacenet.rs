//! MobileFaceNet (Chen et al. 2018, <https://arxiv.org/abs/1804.07573>), layer for layer as the reference's
//! `mobile_facenet(emb_shape, dropout)` builds it, with a width multiplier for small machines.

use super::builder::{Builder, conv, depthwise, norm, same, scaled, separable, valid};
use super::options::Options;
use crate::graph::GraphError;
use crate::graph::layer::Layer;

/// The inverted residual stages: filters, expansion, stride of the first block, blocks.
pub(super) const STAGES: [(usize, usize, usize, usize); 5] =
    [(64, 2, 2, 5), (128, 4, 2, 1), (128, 2, 1, 6), (128, 4, 2, 1), (128, 2, 1, 2)];

/// Adds the layers from the images to `embedding`.
pub(super) fn build(net: &mut Builder, options: &Options) -> Result<(), GraphError> {
    let wide = |channels| scaled(channels, options.width);
    norm_prelu(net, conv(wide(64), same(3, 2), false))?;
    norm_prelu(net, separable(wide(64), same(3, 1)))?;
    for (filters, expansion, stride, blocks) in STAGES {
        for block in 0..blocks {
            inverted_residual(net, wide(filters), expansion, if block == 0 { stride } else { 1 }, block > 0)?;
        }
    }
    norm_prelu(net, conv(wide(512), valid(1, 1), false))?;
    // The global depthwise convolution: one weight a place of the 7x7 map, no activation.
    net.push(depthwise(valid(7, 1)))?;
    net.push(norm(0.99, 1e-3))?;
    norm_prelu(net, conv(options.embedding_size, valid(1, 1), false))?;
    net.embedding(options)
}

/// A convolution, batch norm, and a `PReLU` shared over height and width.
fn norm_prelu(net: &mut Builder, convolution: Layer) -> Result<(), GraphError> {
    net.push(convolution)?;
    net.push(norm(0.99, 1e-3))?;
    net.push(Layer::PReLU { shared_axes: vec![1, 2] })?;
    Ok(())
}

/// Expand by a 1x1 convolution, filter each channel, project back; the block's input is added from a stage's second
/// block on.
fn inverted_residual(
    net: &mut Builder,
    filters: usize,
    expansion: usize,
    stride: usize,
    residual: bool,
) -> Result<(), GraphError> {
    let (input, channels) = (net.last, net.channels());
    norm_prelu(net, conv(channels * expansion, same(1, 1), false))?;
    norm_prelu(net, depthwise(same(3, stride)))?;
    net.push(conv(filters, same(1, 1), false))?;
    let output = net.push(norm(0.99, 1e-3))?;
    if residual {
        net.push_with(Layer::Add, &[output, input])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{Options, build};

    #[test]
    fn has_the_published_size() {
        let graph = build("mobilefacenet", &Options { embedding_size: 128, dropout: 0.4, width: 1.0 }).expect("builds");
        assert_eq!(graph.output_shape(), &vec![128]);
        assert_eq!(graph.nodes()[graph.output()].name, "embedding");
        // Keras counts the same layers: 34 PReLUs, 50 batch norms and the embedding's.
        let count = |class| graph.nodes().iter().filter(|node| node.layer.class_name() == class).count();
        assert_eq!((count("PReLU"), count("BatchNormalization"), count("Add")), (34, 51, 10));
    }

    #[test]
    fn a_quarter_of_the_width_is_a_smaller_network() {
        let size = |width| {
            let options = Options { embedding_size: 128, dropout: 0.0, width };
            build("mobilefacenet", &options).expect("builds").count_weights().0
        };
        assert!(size(0.25) * 5 < size(1.0));
    }
}
