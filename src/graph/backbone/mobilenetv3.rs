//! MobileNetV3 (Howard et al. 2019, <https://arxiv.org/abs/1905.02244>), layer for layer as
//! `keras.applications.MobileNetV3Large(include_top=False, include_preprocessing=False)` and its small and minimalistic
//! kin build it.
//!
//! Keras 2 writes the arithmetic of `hard_sigmoid`, `relu6(x + 3) * (1 / 6)`, as operations that Keras 3 does not read;
//! here two `Rescaling` layers take their places and names. Layers with weights have Keras 3's names, because Keras 3
//! allows no `/` in them: [`Spelling`] gives Keras 2's.

use super::builder::{Builder, conv, correct_pad, depthwise, divisible, norm, relu, same, scaled, valid};
use super::options::{Options, Spelling};
use crate::graph::GraphError;
use crate::graph::NodeId;
use crate::graph::layer::Layer;

/// An inverted residual: expansion, filters, kernel, stride, squeeze-and-excitation, hard swish instead of ReLU.
type Block = (f64, usize, usize, usize, bool, bool);

const LARGE: [Block; 15] = [
    (1.0, 16, 3, 1, false, false),
    (4.0, 24, 3, 2, false, false),
    (3.0, 24, 3, 1, false, false),
    (3.0, 40, 5, 2, true, false),
    (3.0, 40, 5, 1, true, false),
    (3.0, 40, 5, 1, true, false),
    (6.0, 80, 3, 2, false, true),
    (2.5, 80, 3, 1, false, true),
    (2.3, 80, 3, 1, false, true),
    (2.3, 80, 3, 1, false, true),
    (6.0, 112, 3, 1, true, true),
    (6.0, 112, 3, 1, true, true),
    (6.0, 160, 5, 2, true, true),
    (6.0, 160, 5, 1, true, true),
    (6.0, 160, 5, 1, true, true),
];

const SMALL: [Block; 11] = [
    (1.0, 16, 3, 2, true, false),
    (72.0 / 16.0, 24, 3, 2, false, false),
    (88.0 / 24.0, 24, 3, 1, false, false),
    (4.0, 40, 5, 2, true, true),
    (6.0, 40, 5, 1, true, true),
    (6.0, 40, 5, 1, true, true),
    (3.0, 48, 5, 1, true, true),
    (3.0, 48, 5, 1, true, true),
    (6.0, 96, 5, 2, true, true),
    (6.0, 96, 5, 1, true, true),
    (6.0, 96, 5, 1, true, true),
];

/// The large network.
pub(super) fn build_large(net: &mut Builder, options: &Options) -> Result<(), GraphError> {
    build(net, options, &LARGE, false)
}

/// The small network.
pub(super) fn build_small(net: &mut Builder, options: &Options) -> Result<(), GraphError> {
    build(net, options, &SMALL, false)
}

/// The large network of plain parts.
pub(super) fn build_large_minimalistic(net: &mut Builder, options: &Options) -> Result<(), GraphError> {
    build(net, options, &LARGE, true)
}

/// The small network of plain parts.
pub(super) fn build_small_minimalistic(net: &mut Builder, options: &Options) -> Result<(), GraphError> {
    build(net, options, &SMALL, true)
}

/// Adds the layers from the images to `embedding`. `minimalistic` leaves squeeze-and-excitation, hard swish and kernels
/// of 5 out.
fn build(net: &mut Builder, options: &Options, blocks: &[Block], minimalistic: bool) -> Result<(), GraphError> {
    // The first convolution has its 16 filters whatever the width is.
    named(net, "Conv", conv(16, same(3, 2), false))?;
    named(net, "Conv/BatchNorm", batch_norm())?;
    activate(net, !minimalistic)?;
    for (index, block) in blocks.iter().enumerate() {
        let (expansion, filters, kernel, stride, squeeze, swish) = *block;
        let filters = scaled(filters, options.width);
        let block = if minimalistic {
            (expansion, filters, 3, stride, false, false)
        } else {
            (expansion, filters, kernel, stride, squeeze, swish)
        };
        inverted_residual(net, index, block)?;
    }
    let last = divisible(net.channels() as f64 * 6.0);
    named(net, "Conv_1", conv(last, same(1, 1), false))?;
    named(net, "Conv_1/BatchNorm", batch_norm())?;
    activate(net, !minimalistic)?;
    net.head(options)
}

/// A layer under one of Keras 2's names, spelt as asked for.
fn named(net: &mut Builder, name: &str, layer: Layer) -> Result<NodeId, GraphError> {
    let name = spelt(net.spelling, name);
    net.named(&name, layer)
}

/// Keras 2's name of a layer; or Keras 3's, which is the same words with `_` for `/`.
fn spelt(spelling: Spelling, name: &str) -> String {
    match spelling {
        Spelling::Keras2 => name.to_owned(),
        Spelling::Keras3 => {
            name.replace('/', "_").replace("BatchNorm", "bn").replace("AvgPool", "avg_pool").to_lowercase()
        }
    }
}

const fn batch_norm() -> Layer {
    norm(0.999, 1e-3)
}

fn inverted_residual(net: &mut Builder, index: usize, block: Block) -> Result<(), GraphError> {
    let (expansion, filters, kernel, stride, squeeze, swish) = block;
    let (input, channels) = (net.last, net.channels());
    let prefix = if index == 0 { "expanded_conv/".to_owned() } else { format!("expanded_conv_{index}/") };
    let expanded = divisible(channels as f64 * expansion);
    if index > 0 {
        named(net, &format!("{prefix}expand"), conv(expanded, same(1, 1), false))?;
        named(net, &format!("{prefix}expand/BatchNorm"), batch_norm())?;
        activate(net, swish)?;
    }
    let window = if stride == 2 {
        let map = net.map();
        named(net, &format!("{prefix}depthwise/pad"), correct_pad(map, kernel))?;
        valid(kernel, 2)
    } else {
        same(kernel, 1)
    };
    named(net, &format!("{prefix}depthwise"), depthwise(window))?;
    named(net, &format!("{prefix}depthwise/BatchNorm"), batch_norm())?;
    activate(net, swish)?;
    if squeeze {
        squeeze_and_excite(net, &prefix, expanded)?;
    }
    named(net, &format!("{prefix}project"), conv(filters, same(1, 1), false))?;
    let output = named(net, &format!("{prefix}project/BatchNorm"), batch_norm())?;
    if stride == 1 && channels == filters {
        let name = spelt(net.spelling, &format!("{prefix}Add"));
        net.named_with(&name, Layer::Add, &[input, output])?;
    }
    Ok(())
}

/// Weighs the channels of the newest map by what their means say.
fn squeeze_and_excite(net: &mut Builder, prefix: &str, channels: usize) -> Result<(), GraphError> {
    let map = net.last;
    let prefix = format!("{prefix}squeeze_excite");
    named(net, &format!("{prefix}/AvgPool"), Layer::GlobalAveragePooling2D { keepdims: true })?;
    named(net, &format!("{prefix}/Conv"), conv(scaled(channels, 0.25), same(1, 1), true))?;
    named(net, &format!("{prefix}/Relu"), relu(None))?;
    named(net, &format!("{prefix}/Conv_1"), conv(channels, same(1, 1), true))?;
    let share = hard_sigmoid(net)?;
    let name = spelt(net.spelling, &format!("{prefix}/Mul"));
    net.named_with(&name, Layer::Multiply, &[map, share])?;
    Ok(())
}

/// Hard swish, `x * hard_sigmoid(x)`, or ReLU.
fn activate(net: &mut Builder, swish: bool) -> Result<(), GraphError> {
    let input = net.last;
    if swish {
        let share = hard_sigmoid(net)?;
        net.push_with(Layer::Multiply, &[input, share])?;
    } else {
        net.push(relu(None))?;
    }
    Ok(())
}

/// `relu6(x + 3) * (1 / 6)`.
fn hard_sigmoid(net: &mut Builder) -> Result<NodeId, GraphError> {
    let rescaling = |scale, offset| Layer::Rescaling { scale: vec![scale], offset: vec![offset] };
    net.push_counted("tf.__operators__.add", rescaling(1.0, 3.0), &[net.last])?;
    net.push(relu(Some(6.0)))?;
    net.push_counted("tf.math.multiply", rescaling(1.0 / 6.0, 0.0), &[net.last])
}
