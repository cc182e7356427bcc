//! One layer's class and `config` → [`Layer`].

use serde_json::Value;

use super::error::KerasError;
use super::layer_config::Fields;
use crate::graph::Layer;

/// A layer, and what can only be checked once its input's shape is known.
pub(super) struct Parsed {
    /// The layer.
    pub(super) layer: Layer,
    /// The axis it works along; must turn out to be the last one.
    pub(super) axis: Option<i64>,
}

/// Reads a layer.
pub(super) fn parse(fields: &Fields) -> Result<Parsed, KerasError> {
    fields.channels_last()?;
    fields.no_activity_regularizer()?;
    let mut axis = None;
    let layer = match fields.class {
        "InputLayer" => input(fields)?,
        "Conv2D" | "DepthwiseConv2D" | "SeparableConv2D" => convolution(fields)?,
        "Dense" => Layer::Dense {
            units: fields.units("units")?,
            use_bias: fields.flag("use_bias", true)?,
            activation: fields.activation()?,
            kernel_initializer: fields.initializer("kernel_initializer"),
        },
        "BatchNormalization" | "BatchNormalizationV1" | "BatchNormalizationV2" | "SyncBatchNormalization" => {
            fields.unset(&["renorm", "virtual_batch_size", "adjustment"])?;
            axis = Some(fields.axis("axis", -1)?);
            Layer::BatchNormalization {
                momentum: fields.number("momentum", 0.99)?,
                epsilon: fields.size("epsilon", 1e-3)?,
                center: fields.flag("center", true)?,
                scale: fields.flag("scale", true)?,
            }
        }
        "LayerNormalization" => {
            fields.unset(&["rms_scaling"])?;
            axis = Some(fields.axis("axis", -1)?);
            Layer::LayerNormalization {
                epsilon: fields.size("epsilon", 1e-3)?,
                center: fields.flag("center", true)?,
                scale: fields.flag("scale", true)?,
            }
        }
        "UnitNormalization" => {
            axis = Some(fields.axis("axis", -1)?);
            Layer::UnitNormalization
        }
        "Normalization" => {
            axis = Some(fields.axis("axis", -1)?);
            normalization(fields)?
        }
        "PReLU" => {
            let shared = fields.list("shared_axes", 1..=3)?;
            Layer::PReLU { shared_axes: shared.into_iter().map(|axis| axis as usize).collect() }
        }
        "ReLU" => Layer::ReLU {
            max_value: fields.get("max_value").map(|_| fields.size("max_value", 0.0)).transpose()?,
            negative_slope: fields.number("negative_slope", 0.0)?,
            threshold: fields.number("threshold", 0.0)?,
        },
        "LeakyReLU" => {
            let slope = if fields.get("negative_slope").is_some() { "negative_slope" } else { "alpha" };
            Layer::LeakyReLU { negative_slope: fields.number(slope, 0.3)? }
        }
        "ELU" => Layer::ELU { alpha: fields.number("alpha", 1.0)? },
        "Softmax" => {
            axis = Some(fields.axis("axis", -1)?);
            Layer::Softmax
        }
        "Activation" => Layer::Activation { activation: fields.activation()? },
        "Add" => Layer::Add,
        "Multiply" => Layer::Multiply,
        "Subtract" => Layer::Subtract,
        "Average" => Layer::Average,
        "Maximum" => Layer::Maximum,
        "Minimum" => Layer::Minimum,
        "Concatenate" => Layer::Concatenate { axis: fields.axis("axis", -1)? },
        "Flatten" => Layer::Flatten,
        "Reshape" => reshape(fields)?,
        "Permute" => {
            let dims = fields.list("dims", 1..=8)?;
            Layer::Permute { dims: dims.into_iter().map(|axis| axis as usize).collect() }
        }
        "Dropout" => {
            whole_dropout(fields)?;
            Layer::Dropout { rate: fields.share("rate")? }
        }
        "SpatialDropout2D" => Layer::SpatialDropout2D { rate: fields.share("rate")? },
        "GaussianNoise" => Layer::GaussianNoise { stddev: fields.size("stddev", 0.0)? },
        "GaussianDropout" => Layer::GaussianDropout { rate: fields.share("rate")? },
        "AlphaDropout" => {
            whole_dropout(fields)?;
            Layer::AlphaDropout { rate: fields.share("rate")? }
        }
        "GlobalAveragePooling2D" => Layer::GlobalAveragePooling2D { keepdims: fields.flag("keepdims", false)? },
        "GlobalMaxPooling2D" => Layer::GlobalMaxPooling2D { keepdims: fields.flag("keepdims", false)? },
        "MaxPooling2D" => Layer::MaxPooling2D { window: fields.pool_window()? },
        "AveragePooling2D" => Layer::AveragePooling2D { window: fields.pool_window()? },
        "ZeroPadding2D" => Layer::ZeroPadding2D { padding: sides(fields, "padding", 1)? },
        "Cropping2D" => Layer::Cropping2D { cropping: sides(fields, "cropping", 0)? },
        "UpSampling2D" => upsampling(fields)?,
        "Rescaling" => {
            Layer::Rescaling { scale: fields.numbers("scale", 1.0)?, offset: fields.numbers("offset", 0.0)? }
        }
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

fn convolution(fields: &Fields) -> Result<Layer, KerasError> {
    let window = fields.kernel_window()?;
    let groups = fields.count("groups")?;
    let use_bias = fields.flag("use_bias", true)?;
    let activation = fields.activation()?;
    if fields.class == "Conv2D" {
        return Ok(Layer::Conv2D { filters: fields.units("filters")?, window, groups, use_bias, activation });
    }
    if groups != 1 {
        return Err(fields.error("groups", "1"));
    }
    let depth_multiplier = fields.count("depth_multiplier")?;
    if fields.class == "DepthwiseConv2D" {
        return Ok(Layer::DepthwiseConv2D { window, depth_multiplier, use_bias, activation });
    }
    Ok(Layer::SeparableConv2D { filters: fields.units("filters")?, window, depth_multiplier, use_bias, activation })
}

/// A dropout that drops each element for itself.
fn whole_dropout(fields: &Fields) -> Result<(), KerasError> {
    if fields.get("noise_shape").is_some() {
        return Err(fields.error("noise_shape", "it unset: use SpatialDropout2D to drop whole channels"));
    }
    Ok(())
}

/// `(x - mean) / sqrt(variance)` with numbers in the file's settings: an affine map.
fn normalization(fields: &Fields) -> Result<Layer, KerasError> {
    if fields.get("mean").is_none() || fields.get("variance").is_none() {
        return Err(fields.error("mean", "mean and variance in the settings: facetui has no adapted Normalization"));
    }
    fields.unset(&["invert"])?;
    let mean = fields.numbers("mean", 0.0)?;
    let deviation = |variance: &f64| variance.sqrt().max(1e-7);
    let scale: Vec<f64> = fields.numbers("variance", 1.0)?.iter().map(|variance| 1.0 / deviation(variance)).collect();
    let count = mean.len().max(scale.len());
    let at = |values: &[f64], place: usize| values[place.min(values.len() - 1)];
    let offset = (0..count).map(|place| -at(&mean, place) * at(&scale, place)).collect();
    if scale.iter().all(|number| number.is_finite()) && [mean.len(), scale.len()].iter().all(|n| *n == 1 || *n == count)
    {
        return Ok(Layer::Rescaling { scale, offset });
    }
    Err(fields.error("variance", "as many numbers as `mean`, 0 or more"))
}

fn upsampling(fields: &Fields) -> Result<Layer, KerasError> {
    let bilinear = match fields.get("interpolation").map(|value| value.as_str().unwrap_or_default()) {
        None | Some("nearest") => false,
        Some("bilinear") => true,
        Some(_) => return Err(fields.error("interpolation", "\"nearest\" or \"bilinear\"")),
    };
    Ok(Layer::UpSampling2D { size: fields.pair("size", [2, 2])?, bilinear })
}

fn input(fields: &Fields) -> Result<Layer, KerasError> {
    for setting in ["batch_input_shape", "batch_shape"] {
        if let Some(value) = fields.get(setting) {
            return Ok(Layer::Input { shape: fields.shape_after_batch(setting, value)? });
        }
    }
    Err(fields.error("batch_input_shape", "the batch, height, width and channels"))
}

fn reshape(fields: &Fields) -> Result<Layer, KerasError> {
    let sizes = fields.list("target_shape", -1..=1 << 24)?;
    if target_shape(&sizes) {
        return Ok(Layer::Reshape { target_shape: sizes });
    }
    Err(fields.error("target_shape", "a list of sizes"))
}

/// Whether sizes can be a shape to reshape to: their product is not an absurd number.
pub(super) fn target_shape(sizes: &[i64]) -> bool {
    let known = sizes.iter().filter(|size| **size >= 0);
    let product = known.map(|size| *size as u64).try_fold(1_u64, u64::checked_mul);
    !sizes.is_empty() && sizes.iter().all(|size| *size >= -1) && product.is_some_and(|product| product <= 1 << 32)
}

/// Top, bottom, left, right: one number for all sides, one for height and one for width, or (before, after) for each.
fn sides(fields: &Fields, setting: &str, default: usize) -> Result<[usize; 4], KerasError> {
    let expected = || fields.error(setting, "one number, two, or two pairs");
    Ok(match fields.get(setting) {
        None => [default; 4],
        Some(Value::Array(list)) if list.iter().any(Value::is_array) => {
            let [rows, columns] = list.as_slice() else { return Err(expected()) };
            let [top, bottom] = fields.pair_of(setting, rows, 0)?;
            let [left, right] = fields.pair_of(setting, columns, 0)?;
            [top, bottom, left, right]
        }
        Some(value) => {
            let [rows, columns] = fields.pair_of(setting, value, 0)?;
            [rows, rows, columns, columns]
        }
    })
}
