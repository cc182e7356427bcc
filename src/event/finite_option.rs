//! The same as `finite`, for a number that may be missing.

use serde::{Deserialize, Deserializer, Serializer};

use super::finite::{self, Written};

#[expect(clippy::ref_option, reason = "serde's signature")]
pub(super) fn serialize<S: Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => finite::serialize(value, serializer),
        None => serializer.serialize_none(),
    }
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    Ok(Option::<Written>::deserialize(deserializer)?.map(|written| written.value()))
}
