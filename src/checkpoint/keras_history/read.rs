//! Reads a history as its bytes come: numbers go straight into their lists, so that a file takes a few times its length.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor};

/// Lists that a history has at most: some of the training, and one a bin.
pub(super) const MOST_LISTS: usize = 1024;

/// Values that a list has at most, one an epoch.
pub(super) const MOST_VALUES: usize = 1 << 20;

/// The lists of a file, in order; of two with one name the later one, where the first one was.
pub(super) struct Lists(pub(super) Vec<(String, Vec<f64>)>);

impl<'de> Deserialize<'de> for Lists {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Lists;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object of lists")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Lists, A::Error> {
                let mut lists: Vec<(String, Vec<f64>)> = Vec::new();
                while let Some(name) = object.next_key::<String>()? {
                    let values = object.next_value_seed(List { name: &name })?;
                    if let Some((_, known)) = lists.iter_mut().find(|(known, _)| *known == name) {
                        *known = values;
                    } else if lists.len() < MOST_LISTS {
                        lists.push((name, values));
                    } else {
                        return Err(A::Error::custom(format_args!("more than {MOST_LISTS} lists")));
                    }
                }
                Ok(Lists(lists))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// The list of a name.
struct List<'a> {
    name: &'a str,
}

impl<'de> DeserializeSeed<'de> for List<'_> {
    type Value = Vec<f64>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<f64>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for List<'_> {
    type Value = Vec<f64>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "a list of numbers as `{}`", self.name)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<f64>, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(Number { name: self.name })? {
            if values.len() == MOST_VALUES {
                return Err(A::Error::custom(format_args!("more than {MOST_VALUES} values in `{}`", self.name)));
            }
            values.push(value);
        }
        values.shrink_to_fit();
        Ok(values)
    }
}

/// A value in the list of a name, as [`quoted`] leaves it.
struct Number<'a> {
    name: &'a str,
}

impl<'de> DeserializeSeed<'de> for Number<'_> {
    type Value = f64;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<f64, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for Number<'_> {
    type Value = f64;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "a number in `{}`", self.name)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<f64, E> {
        Ok(value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<f64, E> {
        Ok(value as f64)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<f64, E> {
        Ok(value as f64)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<f64, E> {
        match text {
            "NaN" => Ok(f64::NAN),
            "Infinity" => Ok(f64::INFINITY),
            "-Infinity" => Ok(f64::NEG_INFINITY),
            _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
        }
    }
}

/// Puts Python's bare `NaN`, `Infinity` and `-Infinity` into quotes, outside of strings.
pub(super) fn quoted(text: &str) -> Cow<'_, str> {
    if !text.contains("NaN") && !text.contains("Infinity") {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    let (mut inside, mut escaped) = (false, false);
    while let Some(character) = rest.chars().next() {
        let word = ["NaN", "Infinity", "-Infinity"].into_iter().find(|word| !inside && rest.starts_with(word));
        if let Some(word) = word {
            plain.push('"');
            plain.push_str(word);
            plain.push('"');
            rest = &rest[word.len()..];
            continue;
        }
        if character == '"' && !escaped {
            inside = !inside;
        }
        escaped = inside && character == '\\' && !escaped;
        plain.push(character);
        rest = &rest[character.len_utf8()..];
    }
    Cow::Owned(plain)
}
