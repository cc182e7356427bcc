//! Cargo, started for a task with this terminal.

use std::env;
use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use crate::failure::{Failure, Result};
use crate::say;
use crate::settings::{Environment, Settings};

/// Cargo as the user would start it: without what the cargo that started this program added to the environment.
pub struct Cargo {
    program: OsString,
    inherited: Vec<OsString>,
}

impl Cargo {
    /// To be asked for before the set-up, which may change the settings: the environment of this process holds the
    /// present ones, and cargo, started again, must read the file afresh.
    pub fn of(project: &Path) -> Self {
        let settings = Settings::read(&project.join(".cargo/local.toml"));
        let environment = Environment::of_process(&settings);
        let about_this = env::vars_os().map(|(name, _)| name).filter(|name| is_cargos_own(&name.to_string_lossy()));
        let inherited = about_this.chain(environment.inherited().map(OsString::from)).collect();
        Self { program: env::var_os("CARGO").unwrap_or_else(|| "cargo".into()), inherited }
    }

    /// One that inherits nothing that is taken away again.
    #[cfg(test)]
    pub fn plain() -> Self {
        Self { program: "cargo".into(), inherited: Vec::new() }
    }

    /// A cargo without arguments, in the current folder.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        for name in &self.inherited {
            command.env_remove(name);
        }
        command
    }
}

/// Variables that describe this package to this program.
fn is_cargos_own(name: &str) -> bool {
    ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|prefix| name.starts_with(prefix))
        || ["CARGO_BIN_NAME", "CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE"].contains(&name)
}

/// Becomes another program, so that signals and the terminal are its own; returns only if that fails.
pub fn replace_with(command: &mut Command) -> Failure {
    let error = command.exec();
    Failure::io("run", Path::new(command.get_program()), &error)
}

/// Runs a step of a task.
///
/// # Errors
/// It cannot be started, or fails; it has said why.
pub fn step(title: &str, command: &mut Command) -> Result<()> {
    say::step(title);
    let status = command.status().map_err(|error| Failure::io("run", Path::new(command.get_program()), &error))?;
    if status.success() { Ok(()) } else { Err(Failure::new(format!("{title}: failed ({status})"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cargo_says_to_this_program_is_not_passed_on() {
        assert!(is_cargos_own("CARGO_PKG_NAME") && is_cargos_own("CARGO_MANIFEST_DIR"));
        assert!(
            !is_cargos_own("CARGO_HOME") && !is_cargos_own("CARGO_TARGET_DIR") && !is_cargos_own("CARGO_TERM_COLOR")
        );
    }
}
