//! ResNetV2 (He et al. 2016, <https://arxiv.org/abs/1603.05027>), layer for layer and name for name as
//! `keras.applications.ResNet50V2(include_top=False)` and its deeper kin build it. The width multiplier is not Keras's:
//! it scales the filters of every block.

use super::builder::{Builder, conv, norm, scaled, valid};
use super::options::Options;
use crate::graph::GraphError;
use crate::graph::layer::{Activation, Layer};

/// 50 layers.
pub(super) fn build_50(net: &mut Builder, options: &Options) -> Result<(), GraphError> {
    build(net, options, [3, 4, 6, 3])
}

/// 101 layers.
pub(super) fn build_101(net: &mut Builder, options: &Options) -> Result<(), GraphError> {
    build(net, options, [3, 4, 23, 3])
}

/// 152 layers.
pub(super) fn build_152(net: &mut Builder, options: &Options) -> Result<(), GraphError> {
    build(net, options, [3, 8, 36, 3])
}

/// Adds the layers from the images to `embedding`; `stacks` are the numbers of blocks.
fn build(net: &mut Builder, options: &Options, stacks: [usize; 4]) -> Result<(), GraphError> {
    net.named("conv1_pad", pad(3))?;
    net.named("conv1_conv", conv(scaled(64, options.width), valid(7, 2), true))?;
    net.named("pool1_pad", pad(1))?;
    net.named("pool1_pool", Layer::MaxPooling2D { window: valid(3, 2) })?;
    for (index, blocks) in stacks.into_iter().enumerate() {
        let filters = scaled(64 << index, options.width);
        for block in 1..=blocks {
            // A stack halves the map in its last block, the last stack not at all.
            let stride = if block == blocks && index + 1 < stacks.len() { 2 } else { 1 };
            residual(net, &format!("conv{}_block{block}", index + 2), filters, stride, block == 1)?;
        }
    }
    norm_relu(net, "post", "post_relu")?;
    net.head(options)
}

const fn pad(zeros: usize) -> Layer {
    Layer::ZeroPadding2D { padding: [zeros; 4] }
}

fn norm_relu(net: &mut Builder, name: &str, relu: &str) -> Result<(), GraphError> {
    net.named(&format!("{name}_bn"), norm(0.99, 1.001e-5))?;
    net.named(relu, Layer::Activation { activation: Activation::Relu })?;
    Ok(())
}

/// Normalise, narrow, filter, widen; the input (or its convolution, or its thinned map) is added.
fn residual(net: &mut Builder, name: &str, filters: usize, stride: usize, convolved: bool) -> Result<(), GraphError> {
    let input = net.last;
    norm_relu(net, &format!("{name}_preact"), &format!("{name}_preact_relu"))?;
    let active = net.last;
    let shortcut = if convolved {
        net.named(&format!("{name}_0_conv"), conv(4 * filters, valid(1, stride), true))?
    } else if stride > 1 {
        net.push_with(Layer::MaxPooling2D { window: valid(1, stride) }, &[input])?
    } else {
        input
    };
    net.named_with(&format!("{name}_1_conv"), conv(filters, valid(1, 1), false), &[active])?;
    norm_relu(net, &format!("{name}_1"), &format!("{name}_1_relu"))?;
    net.named(&format!("{name}_2_pad"), pad(1))?;
    net.named(&format!("{name}_2_conv"), conv(filters, valid(3, stride), false))?;
    norm_relu(net, &format!("{name}_2"), &format!("{name}_2_relu"))?;
    let output = net.named(&format!("{name}_3_conv"), conv(4 * filters, valid(1, 1), true))?;
    net.named_with(&format!("{name}_out"), Layer::Add, &[shortcut, output])?;
    Ok(())
}
