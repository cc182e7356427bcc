//! Which Python to use: any with pip fetches libtorch and CMake; Keras wants one that TensorFlow has wheels for.

use std::path::PathBuf;

use crate::failure::{Failure, Result};
use crate::machine::{self, Tool, Version};

/// Tried in this order.
const NAMES: [&str; 5] = ["python3", "python3.13", "python3.12", "python3.11", "python3.10"];

const ABOUT: &str = "import sys; print(sys.executable); print('%d.%d' % sys.version_info[:2])";

/// A Python that runs and has pip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Python {
    /// Its executable, absolute: a name such as `python3` may mean another one in another folder.
    pub program: PathBuf,
    /// Its version.
    pub version: Version,
}

/// The versions from `oldest` to `newest`.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    /// The first that works.
    pub oldest: Version,
    /// The last that works.
    pub newest: Version,
}

impl Range {
    /// All that have a pip which knows how to fetch wheels for another platform.
    pub const ANY: Self = Self { oldest: Version(3, 7), newest: Version(3, u32::MAX) };

    fn holds(self, version: Version) -> bool {
        (self.oldest..=self.newest).contains(&version)
    }
}

/// The first Python on this machine that has pip and a version in the range; `own` is asked alone where it is given.
///
/// # Errors
/// There is none: says what is missing, or which versions would do.
pub fn find(range: Range, own: Option<PathBuf>) -> Result<Python> {
    let candidates = own.map_or_else(|| NAMES.iter().map(PathBuf::from).collect(), |own| vec![own]);
    choose(range, candidates.into_iter().filter_map(ask))
}

fn choose(range: Range, pythons: impl Iterator<Item = (Python, bool)>) -> Result<Python> {
    let (mut others, mut without_pip) = (Vec::new(), false);
    for (python, has_pip) in pythons {
        if !range.holds(python.version) {
            others.push(python.version.to_string());
        } else if has_pip {
            return Ok(python);
        } else {
            without_pip = true;
        }
    }
    if without_pip {
        return Err(machine::missing(&[Tool::Pip]));
    }
    if others.is_empty() {
        return Err(machine::missing(&[Tool::Python, Tool::Pip]));
    }
    others.dedup();
    let Range { oldest, newest } = range;
    let wanted = if newest.1 == u32::MAX { format!("{oldest} or newer") } else { format!("{oldest} to {newest}") };
    Err(Failure::new(format!("Python {} is here, but {wanted} is needed", others.join(", ")))
        .help("install such a version with its pip beside yours, or name it in FACETUI_TEST_PYTHON for the tests"))
}

/// What a command says about itself, and whether it has pip; nothing if it does not run.
fn ask(program: PathBuf) -> Option<(Python, bool)> {
    let program = machine::find_program(program)?;
    let about = machine::output_of(&program, &["-c", ABOUT])?;
    let (executable, version) = about.trim().split_once('\n')?;
    let python = Python { program: executable.trim().into(), version: Version::find(version)? };
    let has_pip = machine::output_of(&python.program, &["-m", "pip", "--version"]).is_some();
    Some((python, has_pip))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KERAS: Range = Range { oldest: Version(3, 10), newest: Version(3, 13) };

    fn pythons(list: &[(u32, bool)]) -> impl Iterator<Item = (Python, bool)> {
        list.iter().map(|&(minor, has_pip)| {
            (Python { program: format!("/bin/python3.{minor}").into(), version: Version(3, minor) }, has_pip)
        })
    }

    #[test]
    fn the_first_in_range_that_has_pip_is_chosen() {
        let chosen = choose(KERAS, pythons(&[(14, true), (12, false), (11, true), (10, true)])).unwrap();
        assert_eq!(chosen.version, Version(3, 11));
        assert_eq!(choose(Range::ANY, pythons(&[(14, true)])).unwrap().version, Version(3, 14));
    }

    #[test]
    fn what_is_missing_is_said() {
        let failure = |list| choose(KERAS, pythons(list)).unwrap_err().to_string();
        assert!(failure(&[]).contains("python3"));
        assert!(failure(&[(12, false)]).contains("pip"));
        let too_new = failure(&[(14, true), (14, true), (9, true)]);
        assert!(too_new.contains("Python 3.14, 3.9 is here, but 3.10 to 3.13 is needed"), "{too_new}");
    }

    #[test]
    fn a_program_that_is_no_python_is_passed_over() {
        assert_eq!(ask("/bin/true".into()), None);
        assert_eq!(ask("/nowhere/python3".into()), None);
    }
}
