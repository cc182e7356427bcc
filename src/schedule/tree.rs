//! YAML text as a tree in which every key and value knows where it was written.
//!
//! A tree of our own rather than serde's derived structs, so that all mistakes are reported and not the first alone,
//! duplicated keys and other spellings are ours to judge, and an override is simply one more entry.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_yaml::options::DuplicateKeyPolicy;
use serde_yaml::{Location, Spanned};

use super::problem::Problems;
use super::span::{At, Sources, Span};

/// A YAML value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    /// What it is.
    pub value: Value,
    /// Where it is.
    pub at: Span,
}

/// The kinds of YAML values.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

impl Node {
    /// Whether it says that there is none, in YAML's or Python's word.
    pub(super) fn is_none(&self) -> bool {
        match &self.value {
            Value::Null => true,
            Value::Text(text) => text.eq_ignore_ascii_case("none"),
            _ => false,
        }
    }
}

/// A key of a map and its value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub key: At<String>,
    pub value: Node,
}

/// Deeper nesting than any schedule needs; keeps hostile files from exhausting the stack.
const MAX_DEPTH: usize = 24;

/// The schedule's tree; none, with the reason noted, when it is not YAML.
pub(super) fn parse(sources: &Sources, problems: &mut Problems) -> Option<Node> {
    parse_at(Span::new(0, 0..sources.text(0).len()), sources, problems)
}

/// The tree of the text that `part` covers, with spans into its source.
pub(super) fn parse_at(part: Span, sources: &Sources, problems: &mut Problems) -> Option<Node> {
    let options = serde_yaml::options! {
        budget: serde_yaml::budget! { max_depth: MAX_DEPTH, flow_nesting_limit: MAX_DEPTH },
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        strict_booleans: true,
        with_snippet: false,
    };
    match serde_yaml::from_str_with_options::<Spanned<Raw>>(sources.slice(part), options) {
        Ok(raw) => Some(node(raw, part)),
        Err(error) => {
            report(&error, part, sources, problems);
            None
        }
    }
}

/// Notes a syntax error, with advice on those that schedules invite.
fn report(error: &serde_yaml::Error, part: Span, sources: &Sources, problems: &mut Problems) {
    let at = error.location().map_or(Span { len: 0, ..part }, |location| span(location, part));
    let said = error.without_snippet().to_string();
    // The place is in the diagnostic already.
    let said = said.split(" at line ").next().unwrap_or(&said).replace('"', "`");
    let text = sources.text(at.source);
    let at = sources.clamp(at);
    let line_start = text[..at.start].rfind('\n').map_or(0, |newline| newline + 1);
    let line = text[line_start..].lines().next().unwrap_or_default();
    let help = if line.contains("${") && line.contains(['[', '{']) {
        Some("between [ ] or { }, a value with ${VAR} must stand in quotes: [\"${VAR}/lfw.bin\"]".to_owned())
    } else if line.starts_with('\t') || line.trim_start_matches(' ').starts_with('\t') {
        Some("YAML is indented with spaces, not with tabs".to_owned())
    } else {
        None
    };
    problems.error(at, "this is not valid YAML", said, help);
}

fn node(raw: Spanned<Raw>, part: Span) -> Node {
    let at = span(raw.defined, part);
    let value = match raw.value {
        Raw::Null => Value::Null,
        Raw::Bool(value) => Value::Bool(value),
        Raw::Int(value) => Value::Int(value),
        Raw::Float(value) => Value::Float(value),
        Raw::Text(value) => Value::Text(value),
        Raw::List(items) => Value::List(items.into_iter().map(|item| node(item, part)).collect()),
        Raw::Map(entries) => Value::Map(
            entries
                .into_iter()
                .map(|(key, value)| Entry {
                    key: At { at: span(key.defined, part), value: key.value },
                    value: node(value, part),
                })
                .collect(),
        ),
    };
    Node { value, at }
}

/// The parser's place as a span of the source that `part` was taken from.
fn span(location: Location, part: Span) -> Span {
    let span = location.span();
    let start = span.byte_offset().unwrap_or(0) as usize;
    let len = span.byte_len().unwrap_or(0) as usize;
    Span { source: part.source, start: part.start + start, len }
}

impl Node {
    /// What it is, in words: "the text `ten`".
    pub(super) fn describe(&self) -> String {
        match &self.value {
            Value::Null => "nothing".to_owned(),
            Value::Bool(value) => format!("`{value}`"),
            Value::Int(value) => format!("the number {value}"),
            Value::Float(value) => format!("the number {value}"),
            Value::Text(text) => format!("the text `{text}`"),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a map".to_owned(),
        }
    }
}

/// The tree as serde builds it, before places are ours.
enum Raw {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(String),
    List(Vec<Spanned<Self>>),
    Map(Vec<(Spanned<String>, Spanned<Self>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RawVisitor;

        impl<'de> Visitor<'de> for RawVisitor {
            type Value = Raw;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a YAML value")
            }

            fn visit_unit<E>(self) -> Result<Raw, E> {
                Ok(Raw::Null)
            }

            fn visit_none<E>(self) -> Result<Raw, E> {
                Ok(Raw::Null)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
                Ok(Raw::Bool(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
                Ok(Raw::Int(value.into()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
                Ok(Raw::Int(value.into()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
                Ok(Raw::Float(value))
            }

            fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
                Ok(Raw::Text(value.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Raw::List(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Raw::Map(entries))
            }
        }

        deserializer.deserialize_any(RawVisitor)
    }
}
