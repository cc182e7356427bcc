//! A network for inference as a list of plain operations: what every export format is written from.
//!
//! Everything is in Keras's terms: channels last, shapes without the batch, kernels as Keras stores them. What only
//! training needs is gone, batch norms are folded into the convolution or dense layer before them, zero padding into the
//! convolution after it; what cannot be folded exactly stays as an operation of its own.

mod folding;
mod lowered;
mod ops;

use std::collections::HashSet;

use thiserror::Error;

use crate::graph::layer::{Activation, Layer, Padding, Window};
use crate::graph::shape::same_padding;
use crate::graph::{Array, Graph, NodeId, Weights};

pub use lowered::{InputKind, Layout, Lowered, Number, Options, Value};
pub use ops::{Combination, Op, OpKind, Pads, ValueId};

/// A network that cannot be exported.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LowerError {
    /// A layer that the format has nothing for.
    #[error("layer `{layer}` ({class}) cannot be exported: {reason}")]
    Layer {
        /// The layer's name.
        layer: String,
        /// Its class.
        class: &'static str,
        /// Why not.
        reason: String,
    },
    /// There is no input layer, or several lead to the output.
    #[error("{0} input layers lead to the output; 1 can be exported")]
    Inputs(usize),
}

/// Lowers what leads to the graph's output.
///
/// # Errors
/// Weights that are not the graph's, or several inputs.
pub fn lower(graph: &Graph, weights: &Weights, options: Options) -> Result<Lowered, LowerError> {
    let needed = graph.leading_to(graph.output());
    let inputs: Vec<NodeId> =
        needed.iter().copied().filter(|at| matches!(graph.nodes()[*at].layer, Layer::Input { .. })).collect();
    let [input] = inputs[..] else { return Err(LowerError::Inputs(inputs.len())) };
    let mut builder = Builder { ops: Vec::new(), values: Vec::new(), names: HashSet::new(), copies: 1 };
    let mut results: Vec<Option<ValueId>> = vec![None; graph.nodes().len()];
    let number = if options.input == InputKind::Uint8 { Number::Uint8 } else { Number::Float };
    let images = builder.value("images", &graph.nodes()[input].shape, number);
    let mut first = images;
    if options.input == InputKind::Uint8 {
        let shape = graph.nodes()[input].shape.clone();
        first = builder.op("images/normalize", "InputLayer", OpKind::FromBytes, &[first], &shape);
    }
    if options.flip {
        let shape = graph.nodes()[input].shape.clone();
        if shape.len() != 3 {
            let (layer, class) = (graph.nodes()[input].name.clone(), "InputLayer");
            return Err(LowerError::Layer { layer, class, reason: format!("{shape:?} cannot be mirrored") });
        }
        builder.copies = 2;
        first = builder.op("images/mirror", "InputLayer", OpKind::MirrorBatch, &[first], &shape);
    }
    results[input] = Some(first);
    for at in needed.into_iter().filter(|at| *at != input) {
        let arrays = weights.nodes.get(graph.owner(at)).map_or(&[][..], Vec::as_slice);
        results[at] = Some(builder.node(graph, at, arrays, &results)?);
    }
    let shape = graph.output_shape().clone();
    let mut output = results[graph.output()].unwrap_or(first);
    if options.flip {
        builder.copies = 1;
        output = builder.op("embeddings/mean", "Average", OpKind::MeanHalves, &[output], &shape);
    }
    if options.flip || options.normalize {
        output = builder.op("embeddings/unit", "UnitNormalization", OpKind::Unit, &[output], &shape);
    }
    if output == images {
        output = builder.op("embeddings/identity", "InputLayer", OpKind::Identity, &[output], &shape);
    }
    let Builder { ops, values, .. } = builder;
    let mut lowered = Lowered { ops, values, input: images, output, options };
    folding::run(&mut lowered);
    Ok(lowered)
}

struct Builder {
    ops: Vec<Op>,
    values: Vec<Value>,
    names: HashSet<String>,
    copies: usize,
}

impl Builder {
    fn value(&mut self, name: &str, shape: &[usize], number: Number) -> ValueId {
        let mut unique = name.to_owned();
        let mut count = 1;
        while !self.names.insert(unique.clone()) {
            unique = format!("{name}_{count}");
            count += 1;
        }
        self.values.push(Value { name: unique, shape: shape.to_vec(), number, copies: self.copies });
        self.values.len() - 1
    }

    fn op(&mut self, name: &str, class: &'static str, kind: OpKind, inputs: &[ValueId], shape: &[usize]) -> ValueId {
        let output = self.value(name, shape, Number::Float);
        let name = self.values[output].name.clone();
        self.ops.push(Op { name, class, kind, inputs: inputs.to_vec(), output });
        output
    }

    /// Adds the operations of a layer; its result.
    fn node(
        &mut self,
        graph: &Graph,
        at: NodeId,
        arrays: &[Array],
        results: &[Option<ValueId>],
    ) -> Result<ValueId, LowerError> {
        let node = &graph.nodes()[at];
        let (name, class, shape) = (&*node.name, node.layer.class_name(), &node.shape);
        let refuse = |reason: String| LowerError::Layer { layer: name.to_owned(), class, reason };
        let specs = &graph.nodes()[graph.owner(at)].weights;
        let fits = |(spec, array): (&crate::graph::layer::WeightSpec, &Array)| {
            spec.shape == array.shape && spec.len() == array.data.len()
        };
        if specs.len() != arrays.len() || !specs.iter().zip(arrays).all(fits) {
            return Err(refuse("its weights are missing or of other shapes".to_owned()));
        }
        let inputs: Vec<ValueId> = node.inputs.iter().filter_map(|input| results[*input]).collect();
        let (Some(x), true) = (inputs.first().copied(), inputs.len() == node.inputs.len()) else {
            return Err(refuse("it has no input".to_owned()));
        };
        let from = self.values[x].shape.clone();
        let data = |place: usize| arrays[place].data.clone();
        // The kinds that are one operation of their own.
        let kind = match &node.layer {
            Layer::Conv2D { window, groups, use_bias, activation, .. } => {
                let kind = OpKind::Conv {
                    kernel: arrays[0].clone(),
                    bias: use_bias.then(|| data(1)),
                    strides: window.strides,
                    pads: pads(window, &from),
                    dilation: window.dilation,
                    groups: *groups,
                };
                return Ok(self.activated(name, class, kind, x, shape, *activation));
            }
            Layer::DepthwiseConv2D { window, use_bias, activation, .. } => {
                let kind = depthwise(&arrays[0], use_bias.then(|| data(1)), window, &from);
                return Ok(self.activated(name, class, kind, x, shape, *activation));
            }
            Layer::SeparableConv2D { window, use_bias, activation, .. } => {
                let mut between = shape.clone();
                between[2] = arrays[1].shape[2];
                let kind = depthwise(&arrays[0], None, window, &from);
                let x = self.op(&format!("{name}/depthwise"), class, kind, &[x], &between);
                let kind = OpKind::Conv {
                    kernel: arrays[1].clone(),
                    bias: use_bias.then(|| data(2)),
                    strides: [1; 2],
                    pads: Pads::NONE,
                    dilation: [1; 2],
                    groups: 1,
                };
                return Ok(self.activated(name, class, kind, x, shape, *activation));
            }
            Layer::Dense { use_bias, activation, .. } => {
                let kind = OpKind::Dense { kernel: arrays[0].clone(), bias: use_bias.then(|| data(1)) };
                return Ok(self.activated(name, class, kind, x, shape, *activation));
            }
            Layer::NormDense { .. } => {
                let unit = self.op(&format!("{name}/unit"), class, OpKind::Unit, &[x], &from);
                let kind = OpKind::Dense { kernel: folding::unit_columns(&arrays[0]), bias: None };
                return Ok(self.op(name, class, kind, &[unit], shape));
            }
            Layer::Input { .. }
            | Layer::Dropout { .. }
            | Layer::SpatialDropout2D { .. }
            | Layer::AlphaDropout { .. }
            | Layer::GaussianNoise { .. }
            | Layer::GaussianDropout { .. }
            | Layer::Activation { activation: Activation::Linear } => return Ok(x),
            Layer::BatchNormalization { epsilon, center, scale, .. } => {
                folding::batch_norm(arrays, *epsilon, *scale, *center)
            }
            Layer::Rescaling { scale, offset } => folding::rescaling(scale, offset),
            Layer::LayerNormalization { epsilon, center, scale } => OpKind::LayerNorm {
                epsilon: *epsilon,
                gamma: scale.then(|| data(0)),
                beta: center.then(|| data(usize::from(*scale))),
            },
            Layer::UnitNormalization => OpKind::Unit,
            Layer::PReLU { .. } => OpKind::PRelu { alpha: arrays[0].clone() },
            Layer::ReLU { max_value, negative_slope, threshold } => {
                folding::relu(*max_value, *negative_slope, *threshold)
            }
            Layer::LeakyReLU { negative_slope } => OpKind::Activation(Activation::LeakyRelu(*negative_slope)),
            Layer::ELU { alpha } => OpKind::Activation(Activation::Elu(*alpha)),
            Layer::Softmax => OpKind::Activation(Activation::Softmax),
            Layer::Activation { activation } => OpKind::Activation(*activation),
            Layer::Add => OpKind::Combine(Combination::Add),
            Layer::Multiply => OpKind::Combine(Combination::Multiply),
            Layer::Subtract => OpKind::Combine(Combination::Subtract),
            Layer::Average => OpKind::Combine(Combination::Average),
            Layer::Maximum => OpKind::Combine(Combination::Maximum),
            Layer::Minimum => OpKind::Combine(Combination::Minimum),
            Layer::Concatenate { axis } => {
                let axis = if *axis < 0 { from.len() as i64 + axis } else { axis - 1 };
                OpKind::Concat { axis: axis as usize }
            }
            Layer::Flatten | Layer::Reshape { .. } if from == *shape => return Ok(x),
            Layer::Flatten | Layer::Reshape { .. } => OpKind::Reshape,
            Layer::Permute { dims } => OpKind::Transpose { axes: dims.iter().map(|axis| axis - 1).collect() },
            Layer::GlobalAveragePooling2D { keepdims } => OpKind::GlobalAverage { keepdims: *keepdims },
            Layer::GlobalMaxPooling2D { keepdims } => OpKind::GlobalMax { keepdims: *keepdims },
            Layer::MaxPooling2D { window } => {
                OpKind::MaxPool { kernel: window.kernel, strides: window.strides, pads: pads(window, &from) }
            }
            Layer::AveragePooling2D { window } => {
                OpKind::AveragePool { kernel: window.kernel, strides: window.strides, pads: pads(window, &from) }
            }
            Layer::ZeroPadding2D { padding } => OpKind::Pad { pads: Pads::from(*padding) },
            Layer::Cropping2D { cropping } => OpKind::Crop { edges: Pads::from(*cropping) },
            Layer::UpSampling2D { size, bilinear } => OpKind::Upsample { factors: *size, bilinear: *bilinear },
        };
        Ok(self.op(name, class, kind, &inputs, shape))
    }

    fn activated(
        &mut self,
        name: &str,
        class: &'static str,
        kind: OpKind,
        x: ValueId,
        shape: &[usize],
        activation: Activation,
    ) -> ValueId {
        if activation == Activation::Linear {
            return self.op(name, class, kind, &[x], shape);
        }
        let linear = self.op(&format!("{name}/linear"), class, kind, &[x], shape);
        self.op(name, class, OpKind::Activation(activation), &[linear], shape)
    }
}

fn depthwise(kernel: &Array, bias: Option<Vec<f32>>, window: &Window, from: &[usize]) -> OpKind {
    OpKind::Depthwise {
        kernel: kernel.clone(),
        bias,
        strides: window.strides,
        pads: pads(window, from),
        dilation: window.dilation,
    }
}

/// The padding of a window on a map, written out.
fn pads(window: &Window, map: &[usize]) -> Pads {
    if window.padding == Padding::Valid {
        return Pads::NONE;
    }
    let [(top, bottom), (left, right)] =
        [0, 1].map(|axis| same_padding(map[axis], window.kernel[axis], window.strides[axis], window.dilation[axis]));
    Pads { top, bottom, left, right }
}

#[cfg(test)]
mod tests;
