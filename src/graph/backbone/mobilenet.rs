//! MobileNet (Howard et al. 2017, <https://arxiv.org/abs/1704.04861>), layer for layer and name for name as
//! `keras.applications.MobileNet(include_top=False)` builds it.

use super::builder::{Builder, conv, depthwise, norm, relu, same, truncated, valid};
use super::options::Options;
use crate::graph::GraphError;
use crate::graph::layer::Layer;

/// The blocks: filters and stride.
const BLOCKS: [(usize, usize); 13] = [
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (1024, 2),
    (1024, 1),
];

/// Adds the layers from the images to `embedding`.
pub(super) fn build(net: &mut Builder, options: &Options) -> Result<(), GraphError> {
    norm_relu(net, "conv1", conv(truncated(32, options.width), same(3, 2), false))?;
    for (index, (filters, stride)) in BLOCKS.into_iter().enumerate() {
        let block = index + 1;
        let window = if stride == 2 {
            net.named(&format!("conv_pad_{block}"), Layer::ZeroPadding2D { padding: [0, 1, 0, 1] })?;
            valid(3, 2)
        } else {
            same(3, 1)
        };
        norm_relu(net, &format!("conv_dw_{block}"), depthwise(window))?;
        let filters = truncated(filters, options.width);
        norm_relu(net, &format!("conv_pw_{block}"), conv(filters, same(1, 1), false))?;
    }
    net.head(options)
}

/// A convolution, batch norm and ReLU6.
fn norm_relu(net: &mut Builder, name: &str, convolution: Layer) -> Result<(), GraphError> {
    net.named(name, convolution)?;
    net.named(&format!("{name}_bn"), norm(0.99, 1e-3))?;
    net.named(&format!("{name}_relu"), relu(Some(6.0)))?;
    Ok(())
}
