//! Reading values out of the tree: a map's fields by name, and scalars by type, each mistake noted and stepped over.

use super::names::{self, Name, all_of, fold, nearest};
use super::problem::Problems;
use super::span::{At, Sources, Span};
use super::tree::{Entry, Node, Value};
use super::variables;

/// A field of the file.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Field<T> {
    /// Not written.
    Absent,
    /// Written, and what is wrong with it is noted already.
    Broken,
    /// Written.
    Given(At<T>),
}

impl<T> Field<T> {
    /// What was written, if it could be read.
    pub(super) const fn given(&self) -> Option<&At<T>> {
        match self {
            Self::Given(at) => Some(at),
            Self::Absent | Self::Broken => None,
        }
    }
}

/// What reading needs: the texts, the environment, and a place for what is wrong.
pub(super) struct Reader<'a> {
    pub sources: &'a Sources,
    pub env: &'a dyn Fn(&str) -> Option<String>,
    pub problems: Problems<'a>,
}

/// The fields of a map, by our names.
#[derive(Default)]
pub(super) struct Fields<'a> {
    entries: Vec<(&'static str, &'a Entry)>,
}

impl<'a> Fields<'a> {
    /// The entries of the field `name`, under any spelling, in the order they were written.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &'a Entry> {
        self.entries.iter().filter(move |(known, _)| *known == name).map(|(_, entry)| *entry)
    }
}

impl<'a> Reader<'a> {
    /// A reader of `sources`.
    pub(super) fn new(sources: &'a Sources, env: &'a dyn Fn(&str) -> Option<String>, problems: Problems<'a>) -> Self {
        Self { sources, env, problems }
    }

    /// The fields of a map, by the names of `known`. What is not a map, and fields of other names, are noted; `elsewhere`
    /// may say where such a field belongs. `what` names the map: "a stage".
    pub(super) fn fields<'n>(
        &mut self,
        what: &str,
        node: &'n Node,
        known: &'static [Name],
        elsewhere: &dyn Fn(&str) -> Option<String>,
    ) -> Option<Fields<'n>> {
        let Value::Map(entries) = &node.value else {
            let example = known.first().map_or("name", |name| name.name);
            self.problems.error(
                node.at,
                format!("{what} must be a map of names and values, found {}", node.describe()),
                format!("expected lines like `{example}: ...`"),
                format!("{what} takes {}", all_of(known.iter().map(|name| name.name))),
            );
            return None;
        };
        let mut fields = Fields { entries: Vec::with_capacity(entries.len()) };
        for entry in entries {
            let written = entry.key.value.as_str();
            if let Some(name) = names::find(written, known) {
                fields.entries.push((name.name, entry));
                continue;
            }
            let near = nearest(written, known);
            let label = match (near, elsewhere(written)) {
                (_, Some(place)) => format!("did you mean `{place}`?"),
                (Some(name), None) => format!("did you mean `{name}`?"),
                (None, None) => "not a name that belongs here".to_owned(),
            };
            self.problems.error(
                entry.key.at,
                format!("{what} has no field `{written}`"),
                label,
                format!("{what} takes {}", all_of(known.iter().map(|name| name.name))),
            );
        }
        Some(fields)
    }

    /// Of several entries for one thing the one that was written last, that is in the latest source; two in the same
    /// source are noted. An entry without a value is noted too and not returned.
    pub(super) fn choose<'n>(&mut self, name: &str, entries: impl IntoIterator<Item = &'n Entry>) -> Field<&'n Node> {
        let mut chosen: Option<&Entry> = None;
        for entry in entries {
            match chosen {
                Some(first) if first.key.at.source == entry.key.at.source => {
                    let (line, _) = self.sources.line_column(first.key.at);
                    let other_name = fold(&first.key.value) != fold(&entry.key.value);
                    let as_what = if other_name { format!(", as `{}`", first.key.value) } else { String::new() };
                    self.problems.error(
                        entry.key.at,
                        format!("`{name}` is given twice"),
                        format!("it is on line {line} already{as_what}"),
                        "keep one of the two".to_owned(),
                    );
                }
                Some(first) if first.key.at.source > entry.key.at.source => {}
                _ => chosen = Some(entry),
            }
        }
        match chosen {
            None => Field::Absent,
            Some(entry) => Field::Given(At { value: &entry.value, at: entry.key.at }),
        }
    }

    /// The field's value, read by `read`; one that is empty is noted.
    pub(super) fn field<'n, T>(
        &mut self,
        name: &str,
        entries: impl IntoIterator<Item = &'n Entry>,
        read: impl FnOnce(&mut Self, &str, &'n Node) -> Option<T>,
    ) -> Field<T> {
        match self.choose(name, entries) {
            Field::Absent => Field::Absent,
            Field::Given(At { value: node, at: key }) if node.value == Value::Null => {
                self.problems.error(
                    key,
                    format!("`{name}` has no value"),
                    "expected a value after the colon",
                    "take the line out to leave it to the default, if it has one".to_owned(),
                );
                Field::Broken
            }
            Field::Given(At { value: node, at: key }) => match read(self, name, node) {
                // A block list or map begins on the line after its name: point at the name.
                Some(value) if matches!(node.value, Value::List(_) | Value::Map(_)) => {
                    Field::Given(At { value, at: key })
                }
                Some(value) => Field::Given(At { value, at: node.at }),
                None => Field::Broken,
            },
            Field::Broken => Field::Broken,
        }
    }

    /// A text, with its variables replaced. Numbers and `true` count as what was typed.
    pub(super) fn text(&mut self, name: &str, node: &Node) -> Option<String> {
        match &node.value {
            Value::Text(text) => match variables::expand(text, self.env) {
                Ok(text) => Some(text),
                Err(error) => {
                    let piece = text.get(error.at).unwrap_or(text);
                    let within = self.sources.slice(node.at).find(piece);
                    let at = within.map_or(node.at, |offset| Span {
                        start: node.at.start + offset,
                        len: piece.len(),
                        ..node.at
                    });
                    self.problems.error(at, error.message, error.label, error.help);
                    None
                }
            },
            Value::Bool(_) | Value::Int(_) | Value::Float(_) => Some(self.sources.slice(node.at).trim().to_owned()),
            Value::Null | Value::List(_) | Value::Map(_) => {
                self.mismatch(name, node, "a text", None);
                None
            }
        }
    }

    /// A whole number.
    pub(super) fn integer(&mut self, name: &str, node: &Node) -> Option<i128> {
        match &node.value {
            Value::Int(value) => Some(*value),
            Value::Text(text) if text.contains('$') => {
                let text = self.text(name, node)?;
                let read = text.trim().parse().ok();
                if read.is_none() {
                    self.mismatch_text(name, node, &text, "a whole number");
                }
                read
            }
            Value::Text(text) => {
                let help = text.trim().parse::<i128>().ok().map(|value| format!("without the quotes: {name}: {value}"));
                self.mismatch(name, node, "a whole number", help);
                None
            }
            Value::Float(value) => {
                let help = (value.fract() == 0.0).then(|| format!("write {name}: {value:.0}"));
                self.mismatch(name, node, "a whole number", help);
                None
            }
            _ => {
                self.mismatch(name, node, "a whole number", None);
                None
            }
        }
    }

    /// A number.
    pub(super) fn number(&mut self, name: &str, node: &Node) -> Option<f64> {
        match &node.value {
            Value::Int(value) => Some(*value as f64),
            Value::Float(value) => Some(*value),
            Value::Text(text) if text.contains('$') => {
                let text = self.text(name, node)?;
                let read = text.trim().parse().ok();
                if read.is_none() {
                    self.mismatch_text(name, node, &text, "a number");
                }
                read
            }
            Value::Text(text) => {
                let help = if text.trim().parse::<f64>().is_ok() {
                    Some(format!("without the quotes: {name}: {}", text.trim()))
                } else {
                    let dotted = text.trim().replace(',', ".");
                    dotted.parse::<f64>().ok().map(|_| format!("decimals are written with a point: {name}: {dotted}"))
                };
                self.mismatch(name, node, "a number", help);
                None
            }
            _ => {
                self.mismatch(name, node, "a number", None);
                None
            }
        }
    }

    /// True or false, in the words of YAML 1.2, YAML 1.1 or Python.
    pub(super) fn flag(&mut self, name: &str, node: &Node) -> Option<bool> {
        match &node.value {
            Value::Bool(value) => return Some(*value),
            Value::Text(text) => match text.to_lowercase().as_str() {
                "yes" | "on" | "true" => return Some(true),
                "no" | "off" | "false" => return Some(false),
                _ => {}
            },
            _ => {}
        }
        self.mismatch(name, node, "`true` or `false`", None);
        None
    }

    /// Notes that a value is of the wrong kind.
    pub(super) fn mismatch(&mut self, name: &str, node: &Node, expected: &str, help: Option<String>) {
        let found = node.describe();
        self.problems.error(
            node.at,
            format!("`{name}` must be {expected}, found {found}"),
            format!("expected {expected}"),
            help,
        );
    }

    fn mismatch_text(&mut self, name: &str, node: &Node, text: &str, expected: &str) {
        self.problems.error(
            node.at,
            format!("`{name}` must be {expected}, found the text `{text}`"),
            format!("expected {expected} when the variables are filled in"),
            None,
        );
    }
}
