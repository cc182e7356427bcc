//! The shape a layer makes of its inputs' shapes.

use super::Layer;
use crate::graph::shape::{self, Shape, ShapeError};

impl Layer {
    /// The shape of the result.
    ///
    /// # Errors
    /// Inputs that are too few, too many, or do not fit the layer.
    pub fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, ShapeError> {
        match self {
            Self::Input { shape } => Ok(shape.clone()),
            Self::Conv2D { filters, window, .. } | Self::SeparableConv2D { filters, window, .. } => {
                shape::slide(window, shape::one(inputs)?, |_| *filters)
            }
            Self::DepthwiseConv2D { window, depth_multiplier, .. } => {
                shape::slide(window, shape::one(inputs)?, |channels| channels * depth_multiplier)
            }
            Self::MaxPooling2D { window } | Self::AveragePooling2D { window } => {
                shape::slide(window, shape::one(inputs)?, |channels| channels)
            }
            Self::Dense { units, .. } => shape::replace_last(shape::one(inputs)?, *units),
            Self::NormDense { units } => {
                let input = shape::one(inputs)?;
                if input.len() == 1 { Ok(vec![*units]) } else { Err(ShapeError::rank(1, input)) }
            }
            Self::Add | Self::Multiply | Self::Average | Self::Maximum | Self::Minimum => shape::broadcast(inputs),
            Self::Subtract if inputs.len() == 2 => shape::broadcast(inputs),
            Self::Subtract => Err(ShapeError::Inputs { expected: "2", found: inputs.len() }),
            Self::Concatenate { axis } => shape::concatenate(inputs, *axis),
            Self::Flatten => Ok(vec![shape::one(inputs)?.iter().product()]),
            Self::Reshape { target_shape } => shape::reshape(shape::one(inputs)?, target_shape),
            Self::Permute { dims } => shape::permute(shape::one(inputs)?, dims),
            Self::GlobalAveragePooling2D { keepdims } | Self::GlobalMaxPooling2D { keepdims } => {
                let [_, _, channels] = shape::map(shape::one(inputs)?)?;
                Ok(if *keepdims { vec![1, 1, channels] } else { vec![channels] })
            }
            Self::ZeroPadding2D { padding: [top, bottom, left, right] } => {
                let [height, width, channels] = shape::map(shape::one(inputs)?)?;
                Ok(vec![height + top + bottom, width + left + right, channels])
            }
            Self::Cropping2D { cropping: [top, bottom, left, right] } => {
                let [height, width, channels] = shape::map(shape::one(inputs)?)?;
                match (height.checked_sub(top + bottom), width.checked_sub(left + right)) {
                    (Some(rows @ 1..), Some(columns @ 1..)) => Ok(vec![rows, columns, channels]),
                    _ => Err(ShapeError::Window { window: [top + bottom, left + right], map: [height, width] }),
                }
            }
            Self::UpSampling2D { size: [rows, columns], .. } => {
                let [height, width, channels] = shape::map(shape::one(inputs)?)?;
                Ok(vec![height * rows, width * columns, channels])
            }
            Self::Rescaling { scale, offset } => {
                let input = shape::one(inputs)?;
                let channels = input.last().copied().unwrap_or(0);
                let wrong = [scale, offset].into_iter().find(|values| values.len() != 1 && values.len() != channels);
                wrong.map_or_else(
                    || Ok(input.clone()),
                    |values| Err(ShapeError::Mismatch(vec![input.clone(), vec![values.len()]])),
                )
            }
            Self::SpatialDropout2D { .. } => {
                let input = shape::one(inputs)?;
                shape::map(input).map(|_| input.clone())
            }
            Self::BatchNormalization { .. }
            | Self::LayerNormalization { .. }
            | Self::UnitNormalization
            | Self::LeakyReLU { .. }
            | Self::ELU { .. }
            | Self::Softmax
            | Self::GaussianNoise { .. }
            | Self::GaussianDropout { .. }
            | Self::AlphaDropout { .. }
            | Self::PReLU { .. }
            | Self::ReLU { .. }
            | Self::Activation { .. }
            | Self::Dropout { .. } => Ok(shape::one(inputs)?.clone()),
        }
    }
}
