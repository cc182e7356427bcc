//! The same as `finite`, for a list of numbers.

use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serializer};

use super::finite::{Written, word};

pub(super) fn serialize<S: Serializer>(values: &[f32], serializer: S) -> Result<S::Ok, S::Error> {
    let mut list = serializer.serialize_seq(Some(values.len()))?;
    for value in values {
        if value.is_finite() {
            list.serialize_element(value)?;
        } else {
            list.serialize_element(word(f64::from(*value)))?;
        }
    }
    list.end()
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f32>, D::Error> {
    Ok(Vec::<Written>::deserialize(deserializer)?.iter().map(|written| written.value() as f32).collect())
}
