//! A Python with a runtime of another maker, to run what was written: `onnxruntime`, `ai_edge_litert`.
//!
//! `FACETUI_EXPORT_PYTHON` names the Python; without it the tests' Python (`cargo xtask test` installs the runtimes
//! there) and then `python3` are asked.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

/// A Python that has a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Python {
    program: OsString,
    packages: Option<OsString>,
    /// The module's version.
    pub version: String,
}

impl Python {
    /// The first that has `module` and numpy; none when there is none.
    pub fn with(module: &str) -> Option<Self> {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        if let Some(program) = set("FACETUI_EXPORT_PYTHON") {
            return Self::ask(program, None, module);
        }
        let tests = set("FACETUI_TEST_PYTHON");
        let tests = tests.and_then(|program| Self::ask(program, set("FACETUI_KERAS_PYTHONPATH"), module));
        tests.or_else(|| Self::ask("python3".into(), None, module))
    }

    fn ask(program: OsString, packages: Option<OsString>, module: &str) -> Option<Self> {
        // The module knows its version where the package has another name, as tensorflow-cpu has.
        let script = format!(
            "import importlib.metadata, numpy, {module} as module\n\
             try: print(importlib.metadata.version('{}'))\n\
             except importlib.metadata.PackageNotFoundError: print(module.__version__)",
            module.replace('_', "-")
        );
        let python = Self { program, packages, version: String::new() };
        let output = python.command().arg("-c").arg(script).output().ok()?;
        let version = String::from_utf8(output.stdout).ok()?.trim().to_owned();
        output.status.success().then_some(Self { version, ..python })
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        if let Some(packages) = &self.packages {
            command.env("PYTHONPATH", packages).env("PYTHONNOUSERSITE", "1");
        }
        command.env("TF_CPP_MIN_LOG_LEVEL", "3").env("CUDA_VISIBLE_DEVICES", "").stdin(Stdio::null());
        command
    }

    /// Runs a script.
    ///
    /// # Errors
    /// The last lines of what it said.
    pub fn run(&self, script: &str, arguments: &[&Path]) -> Result<(), String> {
        let output =
            self.command().arg("-c").arg(script).args(arguments).output().map_err(|error| error.to_string())?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
        Err(lines[lines.len().saturating_sub(3)..].join("; "))
    }
}
