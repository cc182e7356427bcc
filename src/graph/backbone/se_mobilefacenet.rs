//! MobileFaceNet with squeeze-and-excitation after every block and a GDC head (global depthwise convolution): layer for
//! layer as the reference's later versions build `se_mobilefacenet`, their names included.

use super::builder::{Builder, conv, depthwise, norm, same, scaled, separable, valid};
use super::mobilefacenet::STAGES;
use super::options::Options;
use crate::graph::GraphError;
use crate::graph::layer::{Activation, Initializer, Layer};

/// Channels of a block for one of its squeezed layer.
const SQUEEZE: usize = 16;

/// Adds the layers from the images to `embedding`.
pub(super) fn build(net: &mut Builder, options: &Options) -> Result<(), GraphError> {
    let wide = |channels| scaled(channels, options.width);
    named(net, "stem_1", "conv", conv(wide(64), same(3, 2), false), true)?;
    named(net, "stem_2", "separable", separable(wide(64), same(3, 1)), true)?;
    for (stack, (filters, expansion, stride, blocks)) in STAGES.into_iter().enumerate() {
        for block in 0..blocks {
            let name = format!("stack{}_block{}", stack + 1, block + 1);
            let stride = if block == 0 { stride } else { 1 };
            inverted_residual(net, &name, wide(filters), expansion, stride, block > 0)?;
        }
    }
    net.named("GDC_dw", depthwise(valid(7, 1)))?;
    net.named("GDC_batchnorm", norm(0.99, 1e-3))?;
    if options.dropout > 0.0 {
        net.push(Layer::Dropout { rate: options.dropout })?;
    }
    let last = net.named("GDC_conv", conv(options.embedding_size, valid(1, 1), false))?;
    net.start(last, Initializer::GlorotNormal);
    net.named("pre_embedding", norm(0.99, 1e-3))?;
    net.push(Layer::Flatten)?;
    net.named("embedding", Layer::Activation { activation: Activation::Linear })?;
    Ok(())
}

/// A convolution and its batch norm, with a `PReLU` after them or without.
fn named(net: &mut Builder, prefix: &str, kind: &str, convolution: Layer, active: bool) -> Result<(), GraphError> {
    net.named(&format!("{prefix}_{kind}"), convolution)?;
    net.named(&format!("{prefix}_bn"), norm(0.99, 1e-3))?;
    if active {
        prelu(net, &format!("{prefix}_prelu"))?;
    }
    Ok(())
}

/// A `PReLU` shared over height and width, whose slope starts at a quarter.
fn prelu(net: &mut Builder, name: &str) -> Result<(), GraphError> {
    let node = net.named(name, Layer::PReLU { shared_axes: vec![1, 2] })?;
    net.start(node, Initializer::Constant(0.25));
    Ok(())
}

/// Expand, filter each channel, project, weigh the channels; the block's input is added from a stack's second block on.
fn inverted_residual(
    net: &mut Builder,
    name: &str,
    filters: usize,
    expansion: usize,
    stride: usize,
    residual: bool,
) -> Result<(), GraphError> {
    let (input, channels) = (net.last, net.channels());
    named(net, &format!("{name}_1"), "conv", conv(channels * expansion, same(1, 1), false), true)?;
    named(net, &format!("{name}_2"), "depthwise", depthwise(same(3, stride)), true)?;
    named(net, &format!("{name}_3"), "conv", conv(filters, same(1, 1), false), false)?;
    let map = net.last;
    net.push(Layer::GlobalAveragePooling2D { keepdims: true })?;
    net.named(&format!("{name}_se_1_conv"), conv((filters / SQUEEZE).max(1), valid(1, 1), true))?;
    prelu(net, &format!("{name}_se_prelu"))?;
    net.named(&format!("{name}_se_2_conv"), conv(filters, valid(1, 1), true))?;
    let share = net.push(Layer::Activation { activation: Activation::Sigmoid })?;
    let output = net.named_with(&format!("{name}_se_out"), Layer::Multiply, &[map, share])?;
    if residual {
        net.push_with(Layer::Add, &[input, output])?;
    }
    Ok(())
}
