//! The way from the file to a checked schedule: reading, overrides, checking.

use std::io::Read as _;
use std::path::Path;

use super::places::{Place, Places};
use super::problem::{Problem, Problems, ScheduleError};
use super::span::{Sources, Span};
use super::{Schedule, check, file, overrides, reader, tree};

/// A schedule that was read, with what is worth saying about it.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What to train.
    pub schedule: Schedule,
    /// What is allowed but probably not what was meant, in the order of the file. Diagnostics of severity `Warning`.
    pub warnings: Vec<Problem>,
    /// Where the paths were written, for [`check_paths`](super::check_paths).
    pub(super) places: Places,
}

impl Loaded {
    /// The numbers of classes that the schedule says the training set has: `data.classes`, and `num_classes` of losses.
    pub fn classes(&self) -> impl Iterator<Item = u64> {
        self.places.classes.iter().map(|said| said.value)
    }

    /// An error that points at the line where the schedule names `place`: what was found, what was expected (beside
    /// the underlined text) and how to get on.
    pub fn error_at(
        &self,
        place: Place,
        message: impl Into<String>,
        label: impl Into<String>,
        help: impl Into<String>,
    ) -> Problem {
        self.places.error(place, message.into(), label.into(), help.into())
    }
}

/// Reads and checks the schedule at `path`, with `overrides` (`data.train=/mnt/faces`, `stages.0.epochs=2`; the values
/// are YAML) put over what the file says, the later over the earlier. Variables come from the environment.
///
/// Whether the paths exist is a question of its own: [`check_paths`](super::check_paths).
///
/// # Errors
/// [`ScheduleError::Read`] when the file cannot be read, else every mistake in it at once.
pub fn load(path: &Path, overrides: &[String]) -> Result<Loaded, ScheduleError> {
    let text = read(path).map_err(|source| ScheduleError::read(path, source))?;
    parse(&path.to_string_lossy(), &text, overrides, &|name| std::env::var(name).ok())
}

/// The text of a file, or a little more than a schedule may have of it.
fn read(path: &Path) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    fs_err::File::open(path)?.take(LONGEST as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > LONGEST {
        return Ok(String::from_utf8_lossy(&bytes).into_owned());
    }
    String::from_utf8(bytes).map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidData, error))
}

/// Bytes of a schedule: its tree takes some two hundred times as much.
const LONGEST: usize = 64 << 10;

/// Bytes of a line of a schedule.
const LONGEST_LINE: usize = 16 << 10;

/// As [`load`], from text; `source_name` stands in messages and gives the default name, `env` answers for variables.
///
/// # Errors
/// Every mistake in the text and in the overrides, at once.
pub fn parse(
    source_name: &str,
    text: &str,
    overrides: &[String],
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Loaded, ScheduleError> {
    let long_line = text.lines().position(|line| line.len() > LONGEST_LINE);
    let what = match long_line {
        _ if text.len() > LONGEST => {
            Some(format!("it has more than {LONGEST} bytes; expected a schedule, of a few thousand"))
        }
        Some(line) => {
            Some(format!("line {} has more than {LONGEST_LINE} bytes; expected a schedule's short lines", line + 1))
        }
        None => None,
    };
    if let Some(what) = what {
        // The message shows nothing of the text: no terminal has room for it.
        let nothing = Sources::new(source_name, "", &[]);
        let mut problems = Problems::new(&nothing);
        problems.error(Span { source: 0, start: 0, len: 0 }, what, "", None);
        return Err(ScheduleError::invalid(source_name, problems.errors));
    }
    let sources = Sources::new(source_name, text, overrides);
    let mut problems = Problems::new(&sources);
    let Some(mut root) = tree::parse(&sources, &mut problems) else {
        return Err(ScheduleError::invalid(source_name, problems.errors));
    };
    overrides::apply(&mut root, &sources, &mut problems);
    let mut reader = reader::Reader::new(&sources, env, problems);
    let file = file::ScheduleFile::read(&root, &mut reader);
    let checked = check::check(source_name, &file, &mut reader);
    let Problems { errors, warnings, .. } = reader.problems;
    match checked {
        Some((schedule, places)) if errors.is_empty() => Ok(Loaded { schedule, warnings, places }),
        _ => Err(ScheduleError::invalid(source_name, errors)),
    }
}
