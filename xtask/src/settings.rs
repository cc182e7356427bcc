//! `.cargo/local.toml`: where things lie on this machine, as environment variables that cargo gives to every build,
//! run and test in the clone. `.cargo/config.toml` includes it; git ignores it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::failure::{Failure, Result};

/// The folder that holds `lib/` and `include/` of libtorch; read by torch-sys.
pub const LIBTORCH: &str = "LIBTORCH";
/// Set by users whose Python's PyTorch is to be used; read by torch-sys.
pub const LIBTORCH_USE_PYTORCH: &str = "LIBTORCH_USE_PYTORCH";
/// The CMake that builds HDF5; read by the `cmake` crate.
pub const CMAKE: &str = "CMAKE";
/// The Python that the checkpoint tests run.
pub const TEST_PYTHON: &str = "FACETUI_TEST_PYTHON";
/// What those tests put on `PYTHONPATH`: a folder that holds `tf_keras`, Keras 3 and TensorFlow.
pub const KERAS_PYTHONPATH: &str = "FACETUI_KERAS_PYTHONPATH";
/// What the test of records puts there too: a folder that holds mxnet.
pub const MXNET_PYTHONPATH: &str = "FACETUI_MXNET_PYTHONPATH";

/// All variables that set-up may write.
const OURS: [&str; 5] = [LIBTORCH, CMAKE, TEST_PYTHON, KERAS_PYTHONPATH, MXNET_PYTHONPATH];

const HEADER: &str = "\
# Written by `cargo xtask setup`, not for editing: to use something else, set the variable in your environment,
# which takes precedence, and run `cargo xtask setup` again.
[env]
";

/// The variables of a `local.toml`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings(BTreeMap<String, String>);

impl Settings {
    /// Reads the file; a file that is missing, or has lines that this program would not write, has no such settings.
    pub fn read(file: &Path) -> Self {
        Self::parse(&fs::read_to_string(file).unwrap_or_default())
    }

    fn parse(text: &str) -> Self {
        let pairs = text.lines().filter_map(|line| {
            let (name, value) = line.split_once('=')?;
            let name = name.trim();
            let value = unquote(value.trim())?;
            OURS.contains(&name).then(|| (name.to_owned(), value))
        });
        Self(pairs.collect())
    }

    /// The path that a variable holds.
    pub fn path(&self, variable: &str) -> Option<PathBuf> {
        self.0.get(variable).map(PathBuf::from)
    }

    /// Sets a variable.
    ///
    /// # Errors
    /// A path that is not Unicode: TOML cannot hold it.
    pub fn set(&mut self, variable: &str, path: &Path) -> Result<()> {
        let value = path.to_str().ok_or_else(|| {
            Failure::new(format!("`{}` is not Unicode, so cargo's configuration cannot name it", path.display()))
                .help("set FACETUI_CACHE to a folder with a plain name")
        })?;
        self.0.insert(variable.to_owned(), value.to_owned());
        Ok(())
    }

    fn render(&self) -> String {
        let mut text = HEADER.to_owned();
        for (name, value) in &self.0 {
            let _ = writeln!(text, "{name} = {}", quote(value));
        }
        text
    }

    /// Writes the file if it would change, whole or not at all; says whether it did.
    ///
    /// # Errors
    /// The folder is not writable.
    pub fn write(&self, file: &Path) -> Result<bool> {
        let text = self.render();
        if fs::read_to_string(file).is_ok_and(|present| present == text) {
            return Ok(false);
        }
        let part = file.with_extension(format!("toml.{}.part", std::process::id()));
        let written = fs::File::create(&part)
            .and_then(|mut out| out.write_all(text.as_bytes()).and_then(|()| out.sync_all()))
            .and_then(|()| fs::rename(&part, file));
        if let Err(error) = written {
            let _ = fs::remove_file(&part);
            return Err(Failure::io("write", file, &error));
        }
        Ok(true)
    }
}

/// The user's own environment, told apart from what cargo adds to it.
///
/// `cargo run` passes on the `[env]` of the configuration, so this program finds its own earlier settings among its
/// environment variables. A variable is the user's if it differs from those settings.
pub struct Environment {
    variables: BTreeMap<String, String>,
}

impl Environment {
    /// Of this process.
    pub fn of_process(settings: &Settings) -> Self {
        Self::new(settings, |name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
    }

    /// Of anything that knows variables.
    pub fn new(settings: &Settings, get: impl Fn(&str) -> Option<String>) -> Self {
        let names = OURS.into_iter().chain([LIBTORCH_USE_PYTORCH]);
        let variables = names
            .filter_map(|name| get(name).map(|value| (name.to_owned(), value)))
            .filter(|(name, value)| settings.0.get(name) != Some(value));
        Self { variables: variables.collect() }
    }

    /// The user's own value.
    pub fn own(&self, variable: &str) -> Option<PathBuf> {
        self.variables.get(variable).map(PathBuf::from)
    }

    /// The variables of this process that came from the settings; cargo, started again, must read them afresh.
    pub fn inherited(&self) -> impl Iterator<Item = &'static str> + '_ {
        OURS.into_iter().filter(|name| !self.variables.contains_key(*name))
    }
}

/// A TOML basic string.
fn quote(value: &str) -> String {
    let mut quoted = String::from('"');
    for character in value.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            control if control.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", control as u32);
            }
            plain => quoted.push(plain),
        }
    }
    quoted + "\""
}

/// The inverse of [`quote`].
fn unquote(text: &str) -> Option<String> {
    let mut characters = text.strip_prefix('"')?.strip_suffix('"')?.chars();
    let mut value = String::new();
    while let Some(character) = characters.next() {
        value.push(match character {
            '\\' => match characters.next()? {
                'u' => {
                    let digits: String = characters.by_ref().take(4).collect();
                    char::from_u32(u32::from_str_radix(&digits, 16).ok()?)?
                }
                escaped => escaped,
            },
            plain => plain,
        });
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        Settings(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn the_file_is_what_cargo_reads() {
        let text = settings(&[(LIBTORCH, "/c/libtorch/torch"), (CMAKE, "/c/cmake")]).render();
        assert!(text.ends_with("[env]\nCMAKE = \"/c/cmake\"\nLIBTORCH = \"/c/libtorch/torch\"\n"), "{text}");
    }

    #[test]
    fn every_path_comes_back_as_it_was() {
        let strange = settings(&[(LIBTORCH, "/with \"quotes\", back\\slash, = and\ttab/ö"), (CMAKE, "")]);
        assert_eq!(Settings::parse(&strange.render()), strange);
    }

    #[test]
    fn the_file_is_written_only_when_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("local.toml");
        let first = settings(&[(LIBTORCH, "/a")]);
        assert!(first.write(&file).unwrap());
        assert!(!first.write(&file).unwrap());
        assert!(settings(&[(LIBTORCH, "/b")]).write(&file).unwrap());
        assert_eq!(Settings::read(&file), settings(&[(LIBTORCH, "/b")]));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no part file stays behind");
    }

    #[test]
    fn a_missing_or_foreign_file_has_no_settings() {
        assert_eq!(Settings::read(Path::new("/nowhere/local.toml")), Settings::default());
        assert_eq!(Settings::parse("[build]\njobs = 2\nLIBTORCH = { value = \"x\" }\n"), Settings::default());
    }

    #[test]
    fn what_cargo_passed_on_is_not_the_users_own() {
        let ours = settings(&[(LIBTORCH, "/cache/torch")]);
        let environment = Environment::new(&ours, |name| (name == LIBTORCH).then(|| "/cache/torch".into()));
        assert_eq!(environment.own(LIBTORCH), None);
        assert!(environment.inherited().any(|name| name == LIBTORCH));

        let environment = Environment::new(&ours, |name| (name == LIBTORCH).then(|| "/opt/libtorch".into()));
        assert_eq!(environment.own(LIBTORCH), Some("/opt/libtorch".into()));
        assert!(environment.inherited().all(|name| name != LIBTORCH));
    }
}
