//! Typed access to one layer's `config` object, with errors that name the layer, the setting and what it holds.
//!
//! Numbers are bounded here, so that the arithmetic of shapes that follows cannot overflow.

use serde_json::{Map, Value};

use super::error::KerasError;
use crate::graph::layer::{Initializer, Padding, Window};

/// No layer has more filters or units than this.
const MOST_UNITS: u64 = 1 << 24;
/// No map is larger, no kernel reaches further than this.
const MOST_STEPS: u64 = 1 << 14;
/// Height and width of the images where a file leaves them open, as fully convolutional models do.
const OPEN_SIDE: usize = 112;

/// One layer's settings.
pub(super) struct Fields<'a> {
    /// The layer's name.
    pub(super) layer: &'a str,
    /// Its class, without a package in front.
    pub(super) class: &'a str,
    /// Whether the file is of Keras 3.
    pub(super) keras3: bool,
    config: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    pub(super) const fn new(layer: &'a str, class: &'a str, keras3: bool, config: &'a Map<String, Value>) -> Self {
        Self { layer, class, keras3, config }
    }

    /// The value of a setting; none where it is missing or null.
    pub(super) fn get(&self, setting: &str) -> Option<&'a Value> {
        self.config.get(setting).filter(|value| !value.is_null())
    }

    /// The error about a setting.
    pub(super) fn error(&self, setting: &str, expected: impl Into<String>) -> KerasError {
        let mut found = self.config.get(setting).map_or_else(|| "nothing".to_owned(), ToString::to_string);
        if found.len() > 100 {
            found = found.chars().take(100).chain("...".chars()).collect();
        }
        KerasError::Setting {
            layer: self.layer.to_owned(),
            class: self.class.to_owned(),
            setting: format!("`{setting}`"),
            found,
            expected: expected.into(),
        }
    }

    fn bounded(&self, setting: &str, value: &Value, range: std::ops::RangeInclusive<u64>) -> Result<usize, KerasError> {
        match whole(value) {
            Some(number) if range.contains(&number) => Ok(number as usize),
            _ => Err(self.error(setting, format!("whole numbers from {} to {}", range.start(), range.end()))),
        }
    }

    /// Filters, units: at least 1.
    pub(super) fn units(&self, setting: &str) -> Result<usize, KerasError> {
        self.bounded(setting, self.get(setting).unwrap_or(&Value::Null), 1..=MOST_UNITS)
    }

    /// A small count such as `groups`, 1 unless given.
    pub(super) fn count(&self, setting: &str) -> Result<usize, KerasError> {
        self.get(setting).map_or(Ok(1), |value| self.bounded(setting, value, 1..=MOST_STEPS))
    }

    /// A number, `default` unless given. Keras 2.2 writes some as `{"type": "ndarray", "value": 6.0}`.
    pub(super) fn number(&self, setting: &str, default: f64) -> Result<f64, KerasError> {
        self.get(setting)
            .map(|value| value.get("value").unwrap_or(value))
            .map_or(Some(default), Value::as_f64)
            .filter(|number| number.is_finite())
            .ok_or_else(|| self.error(setting, "a number"))
    }

    /// A number that is 0 or more.
    pub(super) fn size(&self, setting: &str, default: f64) -> Result<f64, KerasError> {
        Some(self.number(setting, default)?).filter(|size| *size >= 0.0).ok_or_else(|| self.error(setting, "0 or more"))
    }

    /// A dropout's rate.
    pub(super) fn share(&self, setting: &str) -> Result<f64, KerasError> {
        let share = self.number(setting, 0.0)?;
        if (0.0..1.0).contains(&share) { Ok(share) } else { Err(self.error(setting, "a share from 0 to below 1")) }
    }

    /// One number or a list of them, `default` unless given.
    pub(super) fn numbers(&self, setting: &str, default: f64) -> Result<Vec<f64>, KerasError> {
        let Some(value) = self.get(setting) else { return Ok(vec![default]) };
        constant(value).and_then(last_axis).ok_or_else(|| self.error(setting, "a number, or one for each channel"))
    }

    /// Yes or no, `default` unless given.
    pub(super) fn flag(&self, setting: &str, default: bool) -> Result<bool, KerasError> {
        self.get(setting).map_or(Some(default), Value::as_bool).ok_or_else(|| self.error(setting, "true or false"))
    }

    /// A whole number, `default` unless given; a list of one number counts as the number.
    pub(super) fn axis(&self, setting: &str, default: i64) -> Result<i64, KerasError> {
        let value = match self.get(setting) {
            None => return Ok(default),
            Some(Value::Array(list)) if list.len() == 1 => &list[0],
            Some(value) => value,
        };
        value.as_i64().ok_or_else(|| self.error(setting, "one axis"))
    }

    /// A shape without its batch. Sizes are known and at least 1; open heights and widths of images become 112.
    pub(super) fn shape_after_batch(&self, setting: &str, value: &Value) -> Result<Vec<usize>, KerasError> {
        let expected = "the batch, then 1 to 3 fixed sizes";
        let Some([_, sizes @ ..]) = value.as_array().map(Vec::as_slice) else {
            return Err(self.error(setting, expected));
        };
        if sizes.is_empty() || sizes.len() > 3 {
            return Err(self.error(setting, expected));
        }
        let open = |(place, size): (usize, &Value)| sizes.len() == 3 && place < 2 && size.is_null();
        let size = |(place, size): (usize, &Value)| {
            if open((place, size)) { Ok(OPEN_SIDE) } else { self.bounded(setting, size, 1..=MOST_STEPS) }
        };
        sizes.iter().enumerate().map(size).collect()
    }

    /// Small whole numbers, one a place.
    pub(super) fn list(&self, setting: &str, range: std::ops::RangeInclusive<i64>) -> Result<Vec<i64>, KerasError> {
        let expected =
            || self.error(setting, format!("a list of whole numbers from {} to {}", range.start(), range.end()));
        let Some(value) = self.get(setting) else { return Ok(Vec::new()) };
        let list = value.as_array().filter(|list| list.len() <= 8).ok_or_else(expected)?;
        list.iter().map(|item| item.as_i64().filter(|item| range.contains(item)).ok_or_else(expected)).collect()
    }

    /// Height and width, from one number or two, each at least `least`.
    pub(super) fn pair_of(&self, setting: &str, value: &Value, least: u64) -> Result<[usize; 2], KerasError> {
        match value {
            Value::Array(list) if list.len() == 2 => Ok([
                self.bounded(setting, &list[0], least..=MOST_STEPS)?,
                self.bounded(setting, &list[1], least..=MOST_STEPS)?,
            ]),
            value => Ok([self.bounded(setting, value, least..=MOST_STEPS)?; 2]),
        }
    }

    pub(super) fn pair(&self, setting: &str, default: [usize; 2]) -> Result<[usize; 2], KerasError> {
        self.get(setting).map_or(Ok(default), |value| self.pair_of(setting, value, 1))
    }

    fn padding(&self) -> Result<Padding, KerasError> {
        match self.get("padding").map(|value| value.as_str().unwrap_or_default().to_ascii_lowercase()).as_deref() {
            None | Some("valid") => Ok(Padding::Valid),
            Some("same") => Ok(Padding::Same),
            Some(_) => Err(self.error("padding", "\"valid\" or \"same\"")),
        }
    }

    /// A convolution's window.
    pub(super) fn kernel_window(&self) -> Result<Window, KerasError> {
        let kernel = self.get("kernel_size").ok_or_else(|| self.error("kernel_size", "height and width"))?;
        let strides = self.pair("strides", [1, 1])?;
        let dilation = self.pair("dilation_rate", [1, 1])?;
        Ok(Window { kernel: self.pair_of("kernel_size", kernel, 1)?, strides, padding: self.padding()?, dilation })
    }

    /// A pooling's window: as far a step as the pool is large, unless given.
    pub(super) fn pool_window(&self) -> Result<Window, KerasError> {
        let kernel = self.pair("pool_size", [2, 2])?;
        let strides = self.pair("strides", kernel)?;
        Ok(Window { kernel, strides, padding: self.padding()?, dilation: [1, 1] })
    }

    /// An initialiser; Keras's default where it is none of those that a graph carries.
    pub(super) fn initializer(&self, setting: &str) -> Initializer {
        let name = match self.get(setting) {
            Some(Value::Object(object)) => object.get("class_name").and_then(Value::as_str),
            Some(value) => value.as_str(),
            None => None,
        };
        match name {
            Some("GlorotNormal" | "glorot_normal") => Initializer::GlorotNormal,
            Some("Zeros" | "zeros") => Initializer::Zeros,
            Some("Ones" | "ones") => Initializer::Ones,
            _ => Initializer::GlorotUniform,
        }
    }

    /// Fails unless channels are the last axis.
    pub(super) fn channels_last(&self) -> Result<(), KerasError> {
        match self.get("data_format") {
            None => Ok(()),
            Some(value) if value == "channels_last" => Ok(()),
            Some(_) => Err(self.error("data_format", "\"channels_last\"")),
        }
    }

    /// Fails where a flag is set that would change the result.
    pub(super) fn unset(&self, settings: &[&str]) -> Result<(), KerasError> {
        for setting in settings {
            match self.get(setting) {
                None | Some(Value::Bool(false)) => {}
                Some(value) if value.as_f64() == Some(0.0) => {}
                Some(_) => return Err(self.error(setting, "it unset: facetui does not have it")),
            }
        }
        Ok(())
    }
}

/// A constant's numbers, row-major, with its shape. Keras 3 wraps arrays in an object.
pub(super) fn constant(value: &Value) -> Option<(Vec<usize>, Vec<f64>)> {
    fn fill(value: &Value, depth: usize, shape: &mut Vec<usize>, data: &mut Vec<f64>) -> Option<()> {
        match value {
            Value::Array(list) => {
                match shape.get(depth) {
                    None if data.is_empty() && depth < 8 => shape.push(list.len()),
                    Some(size) if *size == list.len() => {}
                    _ => return None,
                }
                list.iter().try_for_each(|item| fill(item, depth + 1, shape, data))
            }
            value if shape.len() == depth => {
                data.push(value.as_f64().filter(|number| number.is_finite())?);
                Some(())
            }
            _ => None,
        }
    }
    let wrapped = || value.get("config").and_then(|config| config.get("value"));
    let value = wrapped().or_else(|| value.get("value")).unwrap_or(value);
    let (mut shape, mut data) = (Vec::new(), Vec::new());
    fill(value, 0, &mut shape, &mut data)?;
    Some((shape, data)).filter(|(shape, data)| shape.iter().product::<usize>() == data.len())
}

/// The numbers of a constant that is one number or runs along the last axis only.
pub(super) fn last_axis((shape, data): (Vec<usize>, Vec<f64>)) -> Option<Vec<f64>> {
    let along = shape.last().copied().unwrap_or(1);
    (!data.is_empty() && along == data.len()).then_some(data)
}

/// A whole number, also when it is written as `2.0`.
fn whole(value: &Value) -> Option<u64> {
    let float = value.as_f64().filter(|number| number.fract() == 0.0 && (0.0..1e15).contains(number));
    value.as_u64().or_else(|| float.map(|number| number as u64))
}
