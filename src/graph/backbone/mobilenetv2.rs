//! MobileNetV2 (Sandler et al. 2018, <https://arxiv.org/abs/1801.04381>), layer for layer and name for name as
//! `keras.applications.MobileNetV2(include_top=False)` builds it.

use super::builder::{Builder, conv, correct_pad, depthwise, divisible, norm, relu, same, scaled, truncated, valid};
use super::options::Options;
use crate::graph::GraphError;
use crate::graph::layer::Layer;

/// The stages: filters, expansion, stride of the first block, blocks.
const STAGES: [(usize, usize, usize, usize); 7] =
    [(16, 1, 1, 1), (24, 6, 2, 2), (32, 6, 2, 3), (64, 6, 2, 4), (96, 6, 1, 3), (160, 6, 2, 3), (320, 6, 1, 1)];

/// Adds the layers from the images to `embedding`.
pub(super) fn build(net: &mut Builder, options: &Options) -> Result<(), GraphError> {
    net.named("Conv1", conv(scaled(32, options.width), same(3, 2), false))?;
    net.named("bn_Conv1", batch_norm())?;
    net.named("Conv1_relu", relu(Some(6.0)))?;
    let mut index = 0;
    for (filters, expansion, stride, blocks) in STAGES {
        let filters = divisible(truncated(filters, options.width) as f64);
        for block in 0..blocks {
            inverted_residual(net, index, filters, expansion, if block == 0 { stride } else { 1 })?;
            index += 1;
        }
    }
    // The last convolution is not made narrower, only wider.
    net.named("Conv_1", conv(scaled(1280, options.width.max(1.0)), valid(1, 1), false))?;
    net.named("Conv_1_bn", batch_norm())?;
    net.named("out_relu", relu(Some(6.0)))?;
    net.head(options)
}

const fn batch_norm() -> Layer {
    norm(0.999, 1e-3)
}

/// Expand, filter each channel, project; the input is added where its shape fits. The first block does not expand.
fn inverted_residual(
    net: &mut Builder,
    index: usize,
    filters: usize,
    expansion: usize,
    stride: usize,
) -> Result<(), GraphError> {
    let (input, channels) = (net.last, net.channels());
    let prefix = if index == 0 { "expanded_conv_".to_owned() } else { format!("block_{index}_") };
    if index > 0 {
        net.named(&format!("{prefix}expand"), conv(expansion * channels, same(1, 1), false))?;
        net.named(&format!("{prefix}expand_BN"), batch_norm())?;
        net.named(&format!("{prefix}expand_relu"), relu(Some(6.0)))?;
    }
    let window = if stride == 2 {
        let map = net.map();
        net.named(&format!("{prefix}pad"), correct_pad(map, 3))?;
        valid(3, 2)
    } else {
        same(3, 1)
    };
    net.named(&format!("{prefix}depthwise"), depthwise(window))?;
    net.named(&format!("{prefix}depthwise_BN"), batch_norm())?;
    net.named(&format!("{prefix}depthwise_relu"), relu(Some(6.0)))?;
    net.named(&format!("{prefix}project"), conv(filters, same(1, 1), false))?;
    let output = net.named(&format!("{prefix}project_BN"), batch_norm())?;
    if stride == 1 && channels == filters {
        net.named_with(&format!("{prefix}add"), Layer::Add, &[input, output])?;
    }
    Ok(())
}
