//! `cargo xtask install`: a release build, and `facetui` on the PATH.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use crate::cargo::{Cargo, step};
use crate::failure::{Failure, Result};
use crate::setup::{self, Request};
use crate::{machine, say};

/// Builds, installs, and makes sure that what was installed starts anywhere.
///
/// # Errors
/// The build failed, the folder is not writable, or the program does not start.
pub fn run(project: &Path, cargo: &Cargo, root: Option<PathBuf>) -> Result<ExitCode> {
    setup::run(project, Request::default())?;
    let root = root.map_or_else(default_root, Ok)?;
    let root = std::path::absolute(&root).map_err(|error| Failure::io("resolve", &root, &error))?;
    let mut install = cargo.command();
    install.args(["install", "--path", ".", "--locked", "--force", "--bin", "facetui", "--root"]).arg(&root);
    step("release build", install.current_dir(project))?;

    let folder = root.join("bin");
    let program = folder.join("facetui");
    check_start(&program)?;
    if machine::find_program("facetui").is_some_and(|found| same_file(&found, &program)) {
        say::step("installed: `facetui demo` runs in any folder");
    } else {
        say::step(&format!("installed as {}, which your PATH does not lead to; add it with", program.display()));
        say::detail(&format!("export PATH=\"{}:$PATH\"", folder.display()));
    }
    Ok(ExitCode::SUCCESS)
}

/// Where `cargo install` puts programs.
fn default_root() -> Result<PathBuf> {
    let named = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    named("CARGO_INSTALL_ROOT")
        .or_else(|| named("CARGO_HOME"))
        .or_else(|| env::home_dir().map(|home| home.join(".cargo")))
        .ok_or_else(|| Failure::new("there is no home folder to install into").help("name one with `--root DIR`"))
}

/// Starts the program from elsewhere without any environment, as a desktop or a service would.
fn check_start(program: &Path) -> Result<()> {
    let mut command = Command::new(program);
    let output = command.arg("--version").env_clear().current_dir("/").stdin(Stdio::null()).output();
    let output = output.map_err(|error| Failure::io("run", program, &error))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Failure::new(format!("`{} --version` fails ({}): {}", program.display(), output.status, said.trim()))
        .help("`cargo xtask setup` restores libtorch if it has been moved or deleted"))
}

fn same_file(left: &Path, right: &Path) -> bool {
    fs::canonicalize(left).is_ok_and(|left| fs::canonicalize(right).is_ok_and(|right| left == right))
}
