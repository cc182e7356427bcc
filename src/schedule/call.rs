//! A loss or an optimiser with its parameters, in any of the forms a schedule may use:
//!
//! ```yaml
//! loss: arcface                      # a name
//! loss: {arcface: {scale: 32}}       # a name with parameters
//! loss: "ArcfaceLoss(scale=32.0)"    # as it was written in Python
//! ```

use super::reader::Reader;
use super::span::{At, Span};
use super::tree::{Node, Value};

/// A name and its parameters.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Call {
    /// What is meant, without Python's module path.
    pub name: At<String>,
    /// The parameters in the order they were written.
    pub arguments: Vec<Argument>,
}

/// A parameter.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Argument {
    /// Its name; none for `SGD(0.001)`.
    pub name: Option<At<String>>,
    /// Its value.
    pub value: Node,
}

impl Call {
    /// Reads the field `field` ("loss").
    pub(super) fn read(reader: &mut Reader, field: &str, node: &Node) -> Option<Self> {
        match &node.value {
            Value::Text(_) => {
                let text = reader.text(field, node)?;
                Self::from_text(reader, field, node, &text)
            }
            Value::Map(entries) => {
                // An override's entry goes before the file's.
                let last = entries.iter().map(|entry| entry.key.at.source).max()?;
                let mut latest = entries.iter().filter(|entry| entry.key.at.source == last);
                let (Some(entry), None) = (latest.next(), latest.next()) else {
                    reader.problems.error(
                        entries.get(1).map_or(node.at, |entry| entry.key.at),
                        format!("`{field}` names more than one thing"),
                        "expected one name with its parameters below it",
                        format!("as in {field}: {{{}: {{...}}}}", example(field)),
                    );
                    return None;
                };
                let name = At { value: last_segment(&entry.key.value).to_owned(), at: entry.key.at };
                let arguments = match &entry.value.value {
                    Value::Null => Vec::new(),
                    Value::Map(parameters) => parameters
                        .iter()
                        .map(|entry| Argument { name: Some(entry.key.clone()), value: entry.value.clone() })
                        .collect(),
                    _ => {
                        reader.problems.error(
                            entry.value.at,
                            format!(
                                "the parameters of `{}` must be a map, found {}",
                                name.value,
                                entry.value.describe()
                            ),
                            "expected names and values",
                            format!("as in {field}: {{{}}}", example_parameters(field)),
                        );
                        return None;
                    }
                };
                Some(Self { name, arguments })
            }
            _ => {
                reader.mismatch(field, node, "a name", Some(format!("for instance {field}: {}", example(field))));
                None
            }
        }
    }

    /// Reads `Name` or `module.Name(key=value, ...)`.
    fn from_text(reader: &mut Reader, field: &str, node: &Node, text: &str) -> Option<Self> {
        let text = text.trim();
        let Some((name, rest)) = text.split_once('(') else {
            return Some(Self {
                name: At { value: last_segment(text).to_owned(), at: node.at },
                arguments: Vec::new(),
            });
        };
        let Some(inside) = rest.trim_end().strip_suffix(')') else {
            reader.problems.error(
                node.at,
                format!("`{text}` is not closed"),
                "expected `)` at the end",
                format!("a call with its parameters stands in quotes: {field}: \"{}\"", example_call(field)),
            );
            return None;
        };
        let mut arguments = Vec::new();
        for piece in inside.split(',').map(str::trim).filter(|piece| !piece.is_empty()) {
            let at = piece_span(reader, node.at, piece);
            let (key, value) = match piece.split_once('=') {
                Some((key, value)) => (Some(At { value: key.trim().to_owned(), at }), value.trim()),
                None => (None, piece),
            };
            let value = match value {
                "True" | "true" => Value::Bool(true),
                "False" | "false" => Value::Bool(false),
                "None" => continue,
                number => match (number.parse::<i64>(), number.parse::<f64>()) {
                    (Ok(whole), _) => Value::Int(whole.into()),
                    (_, Ok(real)) => Value::Float(real),
                    _ => {
                        reader.problems.error(
                            at,
                            format!("`{piece}` cannot be read as a parameter"),
                            "expected name=number, name=True or name=False",
                            format!("simple calls only, as in {field}: \"{}\"", example_call(field)),
                        );
                        return None;
                    }
                },
            };
            arguments.push(Argument { name: key, value: Node { value, at } });
        }
        Some(Self { name: At { value: last_segment(name.trim()).to_owned(), at: node.at }, arguments })
    }
}

/// `categorical_crossentropy` of `keras.losses.categorical_crossentropy`.
fn last_segment(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name).trim()
}

/// The place of `piece` within the text at `whole`, or the whole when it was not typed as it reads.
fn piece_span(reader: &Reader, whole: Span, piece: &str) -> Span {
    match reader.sources.slice(whole).find(piece) {
        Some(offset) => Span { start: whole.start + offset, len: piece.len(), ..whole },
        None => whole,
    }
}

fn example(field: &str) -> &'static str {
    match field {
        "loss" => "arcface",
        "centerloss" => "center_loss",
        _ => "nadam",
    }
}

fn example_parameters(field: &str) -> &'static str {
    match field {
        "loss" => "arcface: {scale: 32}",
        "centerloss" => "center_loss: {alpha: 0.5}",
        _ => "sgd: {momentum: 0.9}",
    }
}

fn example_call(field: &str) -> &'static str {
    match field {
        "loss" => "ArcfaceLoss(scale=32.0)",
        "centerloss" => "Center_loss(alpha=0.5)",
        _ => "SGD(momentum=0.9)",
    }
}
