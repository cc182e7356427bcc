//! One layer's class and `config` → [`Layer`].

use serde_json::Value;

use super::KerasError;
use super::fields::Fields;
use crate::graph::Layer;

/// A layer, and what can only be checked once its input's shape is known.
pub(super) struct Parsed {
    /// The layer.
    pub(super) layer: Layer,
    /// The axis it works along; must turn out to be the last one.
    pub(super) axis: Option<i64>,
}

/// Classes that can be read, for the error about another one.
pub(super) fn known() -> String {
    [
        "InputLayer",
        "Conv2D",
        "DepthwiseConv2D",
        "SeparableConv2D",
        "Dense",
        "BatchNormalization",
        "PReLU",
        "ReLU",
        "Activation",
        "Add",
        "Multiply",
        "Concatenate",
        "Flatten",
        "Reshape",
        "Dropout",
        "GlobalAveragePooling2D",
        "MaxPooling2D",
        "AveragePooling2D",
        "ZeroPadding2D",
        "NormDense",
    ]
    .join(", ")
}

/// Reads a layer.
pub(super) fn parse(fields: &Fields) -> Result<Parsed, KerasError> {
    fields.channels_last()?;
    let mut axis = None;
    let layer = match fields.class {
        "InputLayer" => input(fields)?,
        "Conv2D" => Layer::Conv2D {
            filters: fields.units("filters")?,
            window: fields.kernel_window()?,
            groups: fields.count("groups")?,
            use_bias: fields.flag("use_bias", true)?,
            activation: fields.activation()?,
        },
        "DepthwiseConv2D" => {
            ungrouped(fields)?;
            Layer::DepthwiseConv2D {
                window: fields.kernel_window()?,
                depth_multiplier: fields.count("depth_multiplier")?,
                use_bias: fields.flag("use_bias", true)?,
                activation: fields.activation()?,
            }
        }
        "SeparableConv2D" => {
            ungrouped(fields)?;
            Layer::SeparableConv2D {
                filters: fields.units("filters")?,
                window: fields.kernel_window()?,
                depth_multiplier: fields.count("depth_multiplier")?,
                use_bias: fields.flag("use_bias", true)?,
                activation: fields.activation()?,
            }
        }
        "Dense" => Layer::Dense {
            units: fields.units("units")?,
            use_bias: fields.flag("use_bias", true)?,
            activation: fields.activation()?,
            kernel_initializer: fields.initializer("kernel_initializer"),
        },
        "BatchNormalization" => {
            fields.unset(&["renorm", "virtual_batch_size", "adjustment"])?;
            axis = Some(fields.axis("axis", -1)?);
            let epsilon = fields.number("epsilon", 1e-3)?;
            if epsilon < 0.0 {
                return Err(fields.error("epsilon", "0 or more"));
            }
            Layer::BatchNormalization {
                momentum: fields.number("momentum", 0.99)?,
                epsilon,
                center: fields.flag("center", true)?,
                scale: fields.flag("scale", true)?,
            }
        }
        "PReLU" => {
            let shared = fields.list("shared_axes", 1..=3)?;
            Layer::PReLU { shared_axes: shared.into_iter().map(|axis| axis as usize).collect() }
        }
        "ReLU" => Layer::ReLU {
            max_value: fields.get("max_value").map(|_| fields.number("max_value", 0.0)).transpose()?,
            negative_slope: fields.number("negative_slope", 0.0)?,
            threshold: fields.number("threshold", 0.0)?,
        },
        "Activation" => Layer::Activation { activation: fields.activation()? },
        "Add" => Layer::Add,
        "Multiply" => Layer::Multiply,
        "Concatenate" => {
            axis = Some(fields.axis("axis", -1)?);
            Layer::Concatenate { axis: -1 }
        }
        "Flatten" => Layer::Flatten,
        "Reshape" => reshape(fields)?,
        "Dropout" => {
            let rate = fields.number("rate", 0.0)?;
            if !(0.0..1.0).contains(&rate) {
                return Err(fields.error("rate", "a share from 0 to below 1"));
            }
            Layer::Dropout { rate }
        }
        "GlobalAveragePooling2D" => Layer::GlobalAveragePooling2D { keepdims: fields.flag("keepdims", false)? },
        "MaxPooling2D" => Layer::MaxPooling2D { window: fields.pool_window()? },
        "AveragePooling2D" => Layer::AveragePooling2D { window: fields.pool_window()? },
        "ZeroPadding2D" => zero_padding(fields)?,
        "NormDense" => {
            fields.unset(&["append_norm", "partial_fc_split"])?;
            if fields.count("loss_top_k")? != 1 {
                return Err(fields.error("loss_top_k", "1: facetui has no sub-centers"));
            }
            Layer::NormDense { units: fields.units("units")? }
        }
        class => {
            return Err(KerasError::UnknownClass { layer: fields.layer.to_owned(), class: class.to_owned() });
        }
    };
    Ok(Parsed { layer, axis })
}

fn input(fields: &Fields) -> Result<Layer, KerasError> {
    for setting in ["batch_input_shape", "batch_shape"] {
        if let Some(value) = fields.get(setting) {
            return Ok(Layer::Input { shape: fields.shape_after_batch(setting, value)? });
        }
    }
    Err(fields.error("batch_input_shape", "the batch, height, width and channels"))
}

fn ungrouped(fields: &Fields) -> Result<(), KerasError> {
    if fields.count("groups")? == 1 { Ok(()) } else { Err(fields.error("groups", "1")) }
}

fn reshape(fields: &Fields) -> Result<Layer, KerasError> {
    let target_shape = fields.list("target_shape", -1..=1 << 24)?;
    let elements = target_shape
        .iter()
        .filter(|size| **size >= 0)
        .try_fold(1_u64, |product, size| product.checked_mul(*size as u64).filter(|product| *product <= 1 << 32));
    if target_shape.is_empty() || elements.is_none() {
        return Err(fields.error("target_shape", "a list of sizes"));
    }
    Ok(Layer::Reshape { target_shape })
}

/// One number for all sides, one for height and one for width, or (before, after) for each.
fn zero_padding(fields: &Fields) -> Result<Layer, KerasError> {
    let expected = || fields.error("padding", "one number, two, or two pairs");
    let padding = match fields.get("padding") {
        None => [1; 4],
        Some(Value::Array(list)) if list.iter().any(Value::is_array) => {
            let [rows, columns] = list.as_slice() else { return Err(expected()) };
            let [top, bottom] = fields.pair_of("padding", rows, 0)?;
            let [left, right] = fields.pair_of("padding", columns, 0)?;
            [top, bottom, left, right]
        }
        Some(value) => {
            let [rows, columns] = fields.pair_of("padding", value, 0)?;
            [rows, rows, columns, columns]
        }
    };
    Ok(Layer::ZeroPadding2D { padding })
}
