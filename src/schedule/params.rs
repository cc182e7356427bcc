//! Tables of losses and optimisers: a row says what a thing is called, what it takes, and how it is made of that.

use super::call::Call;
use super::names::{self, Name, all_of, any_of, nearest};
use super::range::Range;
use super::reader::Reader;
use super::span::{At, Span};
use super::tree::{Node, Value};

/// A row: something with a name and numbers.
pub(super) struct Row<T: 'static> {
    /// What it is called.
    pub name: Name,
    /// What it takes.
    pub parameters: &'static [Parameter],
    /// Makes it of the parameters' values, in the order of `parameters`; flags are 0 or 1.
    pub build: fn(&[f64]) -> T,
}

/// A parameter of a loss or optimiser.
pub(super) struct Parameter {
    /// What it is called.
    pub name: Name,
    /// Its value when it is not given: Keras's, or the reference's.
    pub default: f64,
    /// What it may be.
    pub kind: Kind,
}

/// What a parameter may be.
pub(super) enum Kind {
    /// A number in a range.
    Number(Range),
    /// A number in a range, or none.
    Optional(Range),
    /// True or false.
    Flag,
}

impl Parameter {
    /// A number.
    pub(super) const fn number(
        name: &'static str,
        aliases: &'static [&'static str],
        default: f64,
        range: Range,
    ) -> Self {
        Self { name: Name::new(name, aliases), default, kind: Kind::Number(range) }
    }

    /// A number that may be left out; it is NaN then, see [`given`].
    pub(super) const fn optional(name: &'static str, range: Range) -> Self {
        Self { name: Name::new(name, &[]), default: f64::NAN, kind: Kind::Optional(range) }
    }

    /// True or false, false unless given.
    pub(super) const fn flag(name: &'static str) -> Self {
        Self { name: Name::new(name, &[]), default: 0.0, kind: Kind::Flag }
    }
}

/// The value of an optional parameter.
pub(super) fn given(value: f64) -> Option<f64> {
    (!value.is_nan()).then_some(value)
}

/// What `read` found: the thing, and where parameters were given that it does not have but that the caller may know.
pub(super) struct Read<T> {
    /// What was made.
    pub value: T,
    /// Spans of the parameters named in `ignored`.
    pub ignored: Vec<Span>,
}

/// Makes what `call` asks for by the rows of `table`; `field` is "loss" or "optimizer". Parameters named in `ignored` are
/// accepted and handed back; a parameter without a name is taken for the first of them.
pub(super) fn read<T>(
    reader: &mut Reader,
    field: &str,
    call: &Call,
    table: &'static [Row<T>],
    ignored: &[Name],
) -> Option<Read<T>> {
    let written = &call.name;
    let Some(row) = table.iter().find(|row| row.name.is(&written.value)) else {
        let label = match nearest(&written.value, table.iter().map(|row| &row.name)) {
            Some(name) => format!("did you mean `{name}`?"),
            None => format!("not a known {field}"),
        };
        let known = any_of(table.iter().map(|row| row.name.name));
        reader.problems.error(
            written.at,
            format!("there is no {field} `{}`", written.value),
            label,
            format!("`{field}` is {known}"),
        );
        return None;
    };

    let mut values: Vec<f64> = row.parameters.iter().map(|parameter| parameter.default).collect();
    let mut given: Vec<Option<Span>> = vec![None; values.len()];
    let mut handed_back = Vec::new();
    let mut sound = true;
    for argument in &call.arguments {
        let Some(name) = &argument.name else {
            if ignored.is_empty() || !handed_back.is_empty() {
                reader.problems.error(
                    argument.value.at,
                    format!("a parameter of `{}` has no name", row.name.name),
                    "expected name=value",
                    takes(row),
                );
                sound = false;
            } else {
                handed_back.push(argument.value.at);
            }
            continue;
        };
        if names::find(&name.value, ignored).is_some() {
            handed_back.push(name.at);
            continue;
        }
        let Some(position) = row.parameters.iter().position(|parameter| parameter.name.is(&name.value)) else {
            let label = match nearest(&name.value, row.parameters.iter().map(|parameter| &parameter.name)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "not one of its parameters".to_owned(),
            };
            reader.problems.error(
                name.at,
                format!("`{}` has no parameter `{}`", row.name.name, name.value),
                label,
                takes(row),
            );
            sound = false;
            continue;
        };
        match given[position] {
            Some(first) if first.source == name.at.source => {
                let (line, _) = reader.sources.line_column(first);
                reader.problems.error(
                    name.at,
                    format!("`{}` is given twice", row.parameters[position].name.name),
                    format!("it is on line {line} already"),
                    "keep one of the two".to_owned(),
                );
                sound = false;
                continue;
            }
            Some(first) if first.source > name.at.source => continue,
            _ => given[position] = Some(name.at),
        }
        match parameter(reader, &row.parameters[position], &argument.value) {
            Some(value) => values[position] = value,
            None => sound = false,
        }
    }
    sound.then(|| Read { value: (row.build)(&values), ignored: handed_back })
}

/// The parameter's value as a number, checked.
fn parameter(reader: &mut Reader, parameter: &Parameter, node: &Node) -> Option<f64> {
    let name = parameter.name.name;
    if node.value == Value::Null {
        let expected = match parameter.kind {
            Kind::Optional(_) => return Some(f64::NAN),
            Kind::Number(_) => "a number",
            Kind::Flag => "`true` or `false`",
        };
        reader.mismatch(name, node, expected, None);
        return None;
    }
    match parameter.kind {
        Kind::Flag => reader.flag(name, node).map(|flag| f64::from(u8::from(flag))),
        Kind::Number(range) => {
            let value = reader.number(name, node)?;
            let help = format!("it is {} unless given", parameter.default);
            real(reader, name, &At { value, at: node.at }, range, Some(help))
        }
        Kind::Optional(range) => {
            let value = reader.number(name, node)?;
            let help = format!("leave `{name}` out where none is meant");
            real(reader, name, &At { value, at: node.at }, range, Some(help))
        }
    }
}

/// The number when `range` holds it, else none and a note.
pub(super) fn real(
    reader: &mut Reader,
    name: &str,
    given: &At<f64>,
    range: Range,
    help: Option<String>,
) -> Option<f64> {
    if range.contains(given.value) {
        return Some(given.value);
    }
    reader.problems.error(
        given.at,
        format!("`{name}` is {}, which is out of range", given.value),
        format!("expected a number {range}"),
        help,
    );
    None
}

fn takes<T>(row: &Row<T>) -> String {
    format!("`{}` takes {}", row.name.name, all_of(row.parameters.iter().map(|parameter| parameter.name.name)))
}
