//! `pip install --target`: how packages arrive. No virtual environment (Debian's Python cannot make one as it comes)
//! and nothing in the system's or the user's own Python folders, which is also why PEP 668 does not forbid it.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cache::Workplace;
use crate::failure::{Failure, Result};
use crate::say;

/// Settings of a user's pip that contradict `--target`, or would add noise.
const ENVIRONMENT: [(&str, &str); 8] = [
    ("PIP_USER", "0"),
    ("PIP_REQUIRE_VIRTUALENV", "0"),
    ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
    ("PIP_NO_INPUT", "1"),
    ("PIP_NO_WARN_SCRIPT_LOCATION", "1"),
    ("PIP_ROOT_USER_ACTION", "ignore"),
    ("PYTHONDONTWRITEBYTECODE", "1"),
    ("PYTHONUNBUFFERED", "1"),
];

/// The pip of a Python.
#[derive(Clone, Debug)]
pub struct Pip {
    python: PathBuf,
    /// Draws pip's own progress bars; else a line a package is printed.
    bars: bool,
}

impl Pip {
    /// The pip of this Python.
    pub fn of(python: &Path) -> Self {
        Self { python: python.to_owned(), bars: say::on_terminal() }
    }

    /// Installs what the arguments name into the workplace's files.
    ///
    /// # Errors
    /// pip failed; it has said why by then.
    pub fn install<S: AsRef<std::ffi::OsStr>>(&self, workplace: &Workplace, arguments: &[S]) -> Result<()> {
        let scratch = workplace.scratch()?;
        let mut command = Command::new(&self.python);
        command
            .args(["-m", "pip", "install", "--no-compile", "--no-cache-dir", "--only-binary=:all:"])
            .args(["--progress-bar", if self.bars { "on" } else { "off" }])
            .arg("--target")
            .arg(workplace.files())
            .args(arguments)
            // pip unpacks here first: the system's temporary folder may be in memory and too small.
            .env("TMPDIR", scratch)
            .envs(ENVIRONMENT)
            .env_remove("PIP_TARGET")
            .env_remove("PIP_PREFIX")
            .env_remove("PIP_ROOT")
            .stdin(Stdio::null());
        let done = if self.bars { command.status() } else { run_with_lines(&mut command) };
        let status = done.map_err(|error| Failure::io("run", &self.python, &error))?;
        if status.success() {
            return Ok(());
        }
        Err(Failure::new(format!("`{} -m pip install` failed ({status})", self.python.display())).help(
            "pip says above why; the download starts afresh at the next run. A proxy or mirror is set in pip's own \
             configuration, and a libtorch of your own is used when LIBTORCH names it",
        ))
    }
}

/// Runs pip and shows, of all it prints, the line that each download begins with; errors come through as they are.
fn run_with_lines(command: &mut Command) -> std::io::Result<std::process::ExitStatus> {
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines().map_while(std::result::Result::ok) {
            if line.trim_start().starts_with("Downloading ") {
                say::detail(line.trim());
            }
        }
    }
    child.wait()
}

#[cfg(test)]
impl Pip {
    /// A pip that is a shell script, for tests: `body` finds the target folder in `$target`.
    pub fn scripted(folder: &Path, body: &str) -> Self {
        let python = folder.join("python3");
        let find = "while [ $# -gt 0 ]; do [ \"$1\" = --target ] && target=\"$2\"; shift; done";
        crate::script::write(&python, &format!("{find}\nset -e\n{body}"));
        Self { python, bars: false }
    }
}
