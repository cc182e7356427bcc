//! Records are read in one pass. `derive` would gather all members for the flattened event, which gathers them again for its
//! tag: here `at` is taken out as it comes, and the others go to the event directly.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::{CowStrDeserializer, MapAccessDeserializer};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, Visitor};

use super::{Event, Record};

/// The one member that is not the event's.
const AT: &str = "at";

impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Record;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an event with its moment")
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Record, A::Error> {
                let mut at = None;
                let event = Event::deserialize(MapAccessDeserializer::new(Others { members, at: &mut at }))?;
                Ok(Record { at: at.ok_or_else(|| A::Error::missing_field(AT))?, event })
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// The members but `at`, which is kept apart.
struct Others<'a, A> {
    members: A,
    at: &'a mut Option<f64>,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Others<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        while let Some(Name(name)) = self.members.next_key()? {
            if name != AT {
                return seed.deserialize(CowStrDeserializer::new(name)).map(Some);
            }
            if self.at.replace(self.members.next_value()?).is_some() {
                return Err(A::Error::duplicate_field(AT));
            }
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.members.next_value_seed(seed)
    }
}

/// A member's name, not copied where it can be lent.
struct Name<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Name<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("the name of a member")
            }

            fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(name)))
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }
        deserializer.deserialize_identifier(Text)
    }
}
