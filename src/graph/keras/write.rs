//! [`Graph`] → `model_config`, in the dialect that Keras 2.12, `tf_keras` and Keras 3 all open.
//!
//! That is Keras 2's, with `groups`, `kernel_initializer`, `kernel_regularizer` and `kernel_constraint` left out of
//! `SeparableConv2D` and `DepthwiseConv2D`, whose classes in Keras 3 do not take them.

use serde_json::{Map, Value, json};

use super::portable::portable;
use crate::graph::layer::{Activation, Initializer, Padding, Regularizer, Window};
use crate::graph::{Graph, Layer, Node, NodeId};

/// The `model_config` of a graph, in its [`portable()`] form.
pub fn to_json(graph: &Graph) -> Value {
    let graph = &portable(graph);
    let references = references(graph);
    let owners = graph.nodes().iter().enumerate().filter(|(_, node)| node.shares.is_none());
    let layers: Vec<Value> = owners.map(|(at, node)| layer(graph, at, node, &references)).collect();
    let is_input = |node: &&Node| matches!(node.layer, Layer::Input { .. });
    let inputs: Vec<Value> = graph.nodes().iter().filter(is_input).map(|node| json!([node.name, 0, 0])).collect();
    json!({
        "class_name": "Functional",
        "config": {
            "name": graph.name,
            "trainable": true,
            "layers": layers,
            "input_layers": inputs,
            "output_layers": [references[graph.output()]],
        },
    })
}

/// How each node's result is referred to: the layer that owns the weights, and which use of it the node is.
fn references(graph: &Graph) -> Vec<Value> {
    let mut uses = vec![0_usize; graph.nodes().len()];
    let nodes = graph.nodes().iter().enumerate().map(|(at, _)| {
        let owner = graph.owner(at);
        uses[owner] += 1;
        json!([graph.nodes()[owner].name, uses[owner] - 1, 0])
    });
    nodes.collect()
}

fn layer(graph: &Graph, at: NodeId, node: &Node, references: &[Value]) -> Value {
    let all = graph.nodes().iter().enumerate();
    let uses = all.filter(|(other, user)| *other == at || user.shares == Some(at));
    let inbound: Vec<Value> = uses
        .filter(|(_, user)| !user.inputs.is_empty())
        .map(|(_, user)| {
            let inputs = user.inputs.iter().map(|input| {
                let mut reference = references[*input].clone();
                reference.as_array_mut().into_iter().for_each(|list| list.push(json!({})));
                reference
            });
            inputs.collect()
        })
        .collect();
    let (class, settings) = settings(&node.layer);
    let mut config = if matches!(node.layer, Layer::Input { .. }) {
        json!({ "dtype": "float32", "sparse": false, "ragged": false, "name": node.name })
    } else if matches!(node.layer, Layer::SpatialDropout2D { .. }) {
        // Keras 3's takes no `trainable`.
        json!({ "name": node.name, "dtype": "float32" })
    } else {
        json!({ "name": node.name, "trainable": node.trainable, "dtype": "float32" })
    };
    if let (Value::Object(config), Value::Object(settings)) = (&mut config, settings) {
        config.extend(settings);
        for weight in &node.weights {
            let regularizer = weight
                .regularizer
                .map(|Regularizer { l1, l2 }| json!({ "class_name": "L1L2", "config": { "l1": l1, "l2": l2 } }));
            config.extend(regularizer.map(|regularizer| (weight.regularizer_setting(), regularizer)));
        }
    }
    json!({ "class_name": class, "config": config, "name": node.name, "inbound_nodes": inbound })
}

/// The class and its own settings.
fn settings(layer: &Layer) -> (&'static str, Value) {
    let settings = match layer {
        Layer::Input { shape } => {
            let mut sizes = vec![Value::Null];
            sizes.extend(shape.iter().map(|size| json!(size)));
            json!({ "batch_input_shape": sizes })
        }
        Layer::Conv2D { filters, window, groups, use_bias, activation } => merge([
            json!({ "filters": filters }),
            sliding(window),
            json!({ "groups": groups }),
            ending(*use_bias, *activation),
            json!({ "kernel_initializer": initializer(Initializer::GlorotUniform) }),
        ]),
        Layer::DepthwiseConv2D { window, depth_multiplier, use_bias, activation } => {
            merge([sliding(window), ending(*use_bias, *activation), depthwise(*depth_multiplier)])
        }
        Layer::SeparableConv2D { filters, window, depth_multiplier, use_bias, activation } => merge([
            json!({ "filters": filters }),
            sliding(window),
            ending(*use_bias, *activation),
            depthwise(*depth_multiplier),
            json!({ "pointwise_initializer": initializer(Initializer::GlorotUniform) }),
        ]),
        Layer::Dense { units, use_bias, activation, kernel_initializer } => merge([
            json!({ "units": units }),
            ending(*use_bias, *activation),
            json!({ "kernel_initializer": initializer(*kernel_initializer) }),
        ]),
        Layer::BatchNormalization { momentum, epsilon, center, scale } => {
            json!({ "axis": -1, "momentum": momentum, "epsilon": epsilon, "center": center, "scale": scale })
        }
        Layer::PReLU { shared_axes } => {
            let shared = if shared_axes.is_empty() { Value::Null } else { json!(shared_axes) };
            json!({ "alpha_initializer": initializer(Initializer::Zeros), "shared_axes": shared })
        }
        Layer::ReLU { max_value, negative_slope, threshold } => {
            json!({ "max_value": max_value, "negative_slope": negative_slope, "threshold": threshold })
        }
        Layer::Activation { activation } => json!({ "activation": activation.name() }),
        Layer::LayerNormalization { epsilon, center, scale } => {
            json!({ "axis": -1, "epsilon": epsilon, "center": center, "scale": scale })
        }
        Layer::UnitNormalization | Layer::Softmax => json!({ "axis": -1 }),
        Layer::LeakyReLU { negative_slope } => json!({ "alpha": negative_slope }),
        Layer::ELU { alpha } => json!({ "alpha": alpha }),
        Layer::Add | Layer::Multiply | Layer::Subtract | Layer::Average | Layer::Maximum | Layer::Minimum => json!({}),
        Layer::Concatenate { axis } => json!({ "axis": axis }),
        Layer::Permute { dims } => json!({ "dims": dims }),
        Layer::SpatialDropout2D { rate } => json!({ "rate": rate, "data_format": "channels_last" }),
        Layer::GaussianNoise { stddev } => json!({ "stddev": stddev }),
        Layer::GaussianDropout { rate } | Layer::AlphaDropout { rate } => json!({ "rate": rate }),
        Layer::Cropping2D { cropping: [top, bottom, left, right] } => {
            json!({ "cropping": [[top, bottom], [left, right]], "data_format": "channels_last" })
        }
        Layer::UpSampling2D { size, bilinear } => json!({
            "size": size,
            "data_format": "channels_last",
            "interpolation": if *bilinear { "bilinear" } else { "nearest" },
        }),
        Layer::Rescaling { scale, offset } => json!({ "scale": numbers(scale), "offset": numbers(offset) }),
        Layer::Flatten => json!({ "data_format": "channels_last" }),
        Layer::Reshape { target_shape } => json!({ "target_shape": target_shape }),
        Layer::Dropout { rate } => json!({ "rate": rate, "noise_shape": null, "seed": null }),
        Layer::GlobalAveragePooling2D { keepdims } | Layer::GlobalMaxPooling2D { keepdims } => {
            json!({ "data_format": "channels_last", "keepdims": keepdims })
        }
        Layer::MaxPooling2D { window } | Layer::AveragePooling2D { window } => json!({
            "pool_size": window.kernel,
            "padding": padding(window.padding),
            "strides": window.strides,
            "data_format": "channels_last",
        }),
        Layer::ZeroPadding2D { padding: [top, bottom, left, right] } => {
            json!({ "padding": [[top, bottom], [left, right]], "data_format": "channels_last" })
        }
        Layer::NormDense { units } => json!({ "units": units }),
    };
    (layer.class_name(), settings)
}

/// One number, or a list.
fn numbers(values: &[f64]) -> Value {
    match values {
        [value] => json!(value),
        values => json!(values),
    }
}

fn merge<const N: usize>(parts: [Value; N]) -> Value {
    let mut all = Map::new();
    for part in parts {
        if let Value::Object(part) = part {
            all.extend(part);
        }
    }
    Value::Object(all)
}

fn sliding(window: &Window) -> Value {
    json!({
        "kernel_size": window.kernel,
        "strides": window.strides,
        "padding": padding(window.padding),
        "data_format": "channels_last",
        "dilation_rate": window.dilation,
    })
}

fn ending(use_bias: bool, activation: Activation) -> Value {
    json!({
        "activation": activation.name(),
        "use_bias": use_bias,
        "bias_initializer": initializer(Initializer::Zeros),
    })
}

fn depthwise(depth_multiplier: usize) -> Value {
    json!({
        "depth_multiplier": depth_multiplier,
        "depthwise_initializer": initializer(Initializer::GlorotUniform),
    })
}

const fn padding(padding: Padding) -> &'static str {
    match padding {
        Padding::Valid => "valid",
        Padding::Same => "same",
    }
}

fn initializer(initializer: Initializer) -> Value {
    match initializer {
        Initializer::Zeros => json!({ "class_name": "Zeros", "config": {} }),
        Initializer::Ones => json!({ "class_name": "Ones", "config": {} }),
        Initializer::Constant(value) => json!({ "class_name": "Constant", "config": { "value": value } }),
        Initializer::GlorotUniform => json!({ "class_name": "GlorotUniform", "config": { "seed": null } }),
        Initializer::GlorotNormal => json!({ "class_name": "GlorotNormal", "config": { "seed": null } }),
    }
}
