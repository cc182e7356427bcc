//! MobileFaceNet (Chen et al. 2018, <https://arxiv.org/abs/1804.07573>), layer for layer as the reference's
//! `mobile_facenet(emb_shape, dropout)` builds it, with a width multiplier for small machines.

use super::{Builder, GraphError, Layer, Options, Padding, Window, same, scaled};

/// The inverted residual stages: filters, expansion, stride of the first block, blocks.
const STAGES: [(usize, usize, usize, usize); 5] =
    [(64, 2, 2, 5), (128, 4, 2, 1), (128, 2, 1, 6), (128, 4, 2, 1), (128, 2, 1, 2)];

/// Adds the layers from the images to `embedding`.
pub(super) fn build(net: &mut Builder, options: &Options) -> Result<(), GraphError> {
    let wide = |channels| scaled(channels, options.width);
    net.conv(wide(64), same(3, 2))?;
    net.norm_prelu()?;
    net.separable(wide(64), same(3, 1))?;
    net.norm_prelu()?;
    for (filters, expansion, stride, blocks) in STAGES {
        for block in 0..blocks {
            inverted_residual(net, wide(filters), expansion, if block == 0 { stride } else { 1 }, block > 0)?;
        }
    }
    net.conv(wide(512), same(1, 1))?;
    net.norm_prelu()?;
    // The global depthwise convolution: one weight a place of the 7x7 map, no activation.
    net.depthwise(Window::square(7, 1, Padding::Valid))?;
    net.norm()?;
    net.conv(options.embedding_size, same(1, 1))?;
    net.norm_prelu()?;
    net.embedding(options)?;
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
    let input = net.last;
    let channels = net.graph.nodes()[input].shape.last().copied().unwrap_or(filters);
    net.conv(channels * expansion, same(1, 1))?;
    net.norm_prelu()?;
    net.depthwise(same(3, stride))?;
    net.norm_prelu()?;
    net.conv(filters, same(1, 1))?;
    let output = net.norm()?;
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
