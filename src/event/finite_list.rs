//! The same as `finite`, for a list of numbers.

use std::fmt;

use serde::de::{SeqAccess, Visitor};
use serde::ser::SerializeSeq;
use serde::{Deserializer, Serializer};

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
    struct List;
    impl<'de> Visitor<'de> for List {
        type Value = Vec<f32>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a list of numbers")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<f32>, A::Error> {
            let mut values = Vec::new();
            while let Some(written) = list.next_element::<Written>()? {
                values.push(written.value() as f32);
            }
            Ok(values)
        }
    }
    deserializer.deserialize_seq(List)
}
