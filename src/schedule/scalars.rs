//! One value of a schedule, checked: whole numbers and shares within their ranges, choices, paths, names of files.

use std::path::PathBuf;

use super::names::{Name, any_of, nearest};
use super::params::real;
use super::range::Range;
use super::reader::{Field, Reader};
use super::span::At;
use super::variables::home;

/// The whole number of a field, within `least..=most`; the default where it is absent or wrong.
pub(super) fn whole(reader: &mut Reader, name: &str, field: &Field<i128>, default: u64, least: u64, most: u64) -> u64 {
    let Field::Given(given) = field else { return default };
    match u64::try_from(given.value) {
        Ok(value) if (least..=most).contains(&value) => value,
        _ => {
            let (found, expected) = if given.value < i128::from(least) {
                ("too small", format!("expected {least} or more"))
            } else {
                ("too large", format!("expected {most} or less"))
            };
            reader.problems.error(
                given.at,
                format!("`{name}` is {}, which is {found}", given.value),
                expected,
                format!("`{name}` is a whole number from {least} to {most}"),
            );
            default
        }
    }
}

/// The number of a field, within `range`; the default where it is absent or wrong.
pub(super) fn share(reader: &mut Reader, name: &str, field: &Field<f64>, default: f64, range: Range) -> f64 {
    match field.given() {
        Some(given) => {
            real(reader, name, given, range, Some(format!("it is {default} unless given"))).unwrap_or(default)
        }
        None => default,
    }
}

/// The path of a field, with `~` replaced.
pub(super) fn check_path(name: &str, given: &At<String>, reader: &mut Reader) -> Option<PathBuf> {
    if given.value.trim().is_empty() {
        reader.problems.error(given.at, format!("`{name}` is empty"), "expected a path", None);
        return None;
    }
    let path = home(&given.value, reader.env);
    if path.is_none() {
        reader.problems.error(
            given.at,
            "`~` stands for the home folder, which is not known",
            "the environment variable `HOME` is not set",
            "write the path out".to_owned(),
        );
    }
    path.map(PathBuf::from)
}

/// A folder to write to, called `name` unless given.
pub(super) fn folder(name: &str, field: &Field<String>, reader: &mut Reader) -> Option<PathBuf> {
    match field {
        Field::Given(given) => check_path(name, given, reader),
        Field::Absent | Field::Broken => Some(PathBuf::from(name)),
    }
}

/// A name that files are called by, without `.h5`; others are noted.
pub(super) fn file_name(given: &At<String>, reader: &mut Reader) -> Option<String> {
    let name = given.value.trim();
    let name = name.strip_suffix(".h5").unwrap_or(name);
    let wrong = if name.is_empty() || name.chars().all(|c| c == '.') {
        "cannot be the name of a file"
    } else if name.contains(['/', '\\']) {
        "holds a path separator"
    } else if name.chars().any(char::is_control) {
        "holds a control character"
    } else {
        return Some(name.to_owned());
    };
    reader.problems.error(
        given.at,
        format!("the name `{}` {wrong}", given.value.escape_debug()),
        "expected a plain file name",
        "`name` is the stem of the checkpoints' names; their folder is `checkpoints`".to_owned(),
    );
    None
}

/// Which of `known` a field says; others are noted.
pub(super) fn choice(
    name: &str,
    field: &Field<String>,
    known: &'static [Name],
    reader: &mut Reader,
) -> Option<&'static str> {
    let given = field.given()?;
    if let Some(found) = known.iter().find(|known| known.is(&given.value)) {
        return Some(found.name);
    }
    let label = match nearest(&given.value, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("not a known {name}"),
    };
    reader.problems.error(
        given.at,
        format!("there is no {name} `{}`", given.value),
        label,
        format!("`{name}` is {}", any_of(known.iter().map(|known| known.name))),
    );
    None
}
