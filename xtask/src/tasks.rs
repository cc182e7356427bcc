//! The tasks: each sets up what it needs, then starts cargo with this terminal.

mod check;
mod gpu_check;
mod install;
mod test;

use std::env;
use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::args::{HELP, Task};
use crate::failure::{Failure, Result};
use crate::say;
use crate::settings::{Environment, Settings};
use crate::setup::{self, Request};

/// Does a task; the exit code is cargo's or the program's where one was started.
///
/// # Errors
/// The set-up failed, or cargo cannot be started.
pub fn run(task: Task) -> Result<ExitCode> {
    let project = project();
    let cargo = Cargo::of(&project);
    match task {
        Task::Help => {
            say::answer(HELP);
            Ok(ExitCode::SUCCESS)
        }
        Task::Setup { flavour, tests } => {
            setup::run(&project, Request { flavour, keras: tests })?;
            say::step("ready: `cargo xtask demo` trains on built-in data, `cargo xtask help` lists what else there is");
            Ok(ExitCode::SUCCESS)
        }
        Task::Demo(arguments) => {
            setup::run(&project, Request::default())?;
            Err(replace_with(cargo.command().args(["run", "--package", "facetui", "--", "demo"]).args(arguments)))
        }
        Task::Test { long, arguments } => {
            setup::run(&project, Request { keras: true, ..Request::default() })?;
            test::run(&cargo, long, &arguments)
        }
        Task::Screens => {
            setup::run(&project, Request::default())?;
            step("building facetui", cargo.command().current_dir(&project).args(["build", "--package", "facetui"]))?;
            let mut screens = cargo.command();
            screens.current_dir(&project).args(["run", "--package", "facetui", "--example", "screens", "--"]);
            step("taking pictures", screens.args(["target/debug/facetui", "assets"]))?;
            Ok(ExitCode::SUCCESS)
        }
        Task::Fuzz(variables) => {
            setup::run(&project, Request::default())?;
            let test = ["test", "--package", "facetui", "--test", "fuzz"];
            let driver = ["--", "drive", "--exact", "--ignored", "--nocapture"];
            Err(replace_with(cargo.command().args(test).args(driver).envs(variables)))
        }
        Task::Bench(arguments) => {
            setup::run(&project, Request::default())?;
            let mut cargo = cargo.command();
            cargo.args(["run", "--release", "--package", "facetui", "--", "bench"]);
            if arguments.iter().any(|argument| !argument.to_string_lossy().starts_with('-')) {
                cargo.args(arguments);
            } else {
                cargo.arg(project.join("schedules/benchmark.yaml")).args(["--classes", "1000"]).args(arguments);
            }
            Err(replace_with(&mut cargo))
        }
        Task::GpuCheck { bundle, arguments } => gpu_check::run(&project, &cargo, bundle, &arguments),
        Task::Install { root } => install::run(&project, &cargo, root),
        Task::Check { fetch_deny } => check::run(&project, &cargo, fetch_deny),
    }
}

/// The clone that this program belongs to; cargo says so when it starts it, and the clone may have moved since the build.
fn project() -> PathBuf {
    let own = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let own = PathBuf::from(own);
    own.parent().map(Path::to_owned).unwrap_or(own)
}

/// Cargo as the user would start it: without what the cargo that started this program added to the environment.
struct Cargo {
    program: OsString,
    inherited: Vec<OsString>,
}

impl Cargo {
    /// To be asked for before the set-up, which may change the settings: the environment of this process holds the
    /// present ones, and cargo, started again, must read the file afresh.
    fn of(project: &Path) -> Self {
        let settings = Settings::read(&project.join(".cargo/local.toml"));
        let environment = Environment::of_process(&settings);
        let about_this = env::vars_os().map(|(name, _)| name).filter(|name| is_cargos_own(&name.to_string_lossy()));
        let inherited = about_this.chain(environment.inherited().map(OsString::from)).collect();
        Self { program: env::var_os("CARGO").unwrap_or_else(|| "cargo".into()), inherited }
    }

    /// A cargo without arguments, in the current folder.
    fn command(&self) -> Command {
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
fn replace_with(command: &mut Command) -> Failure {
    let error = command.exec();
    Failure::io("run", Path::new(command.get_program()), &error)
}

/// Runs a step of a task.
///
/// # Errors
/// It cannot be started, or fails; it has said why.
fn step(title: &str, command: &mut Command) -> Result<()> {
    say::step(title);
    let status = command.status().map_err(|error| Failure::io("run", Path::new(command.get_program()), &error))?;
    if status.success() { Ok(()) } else { Err(Failure::new(format!("{title}: failed ({status})"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_project_is_the_clone() {
        assert!(project().join("xtask/Cargo.toml").exists());
    }

    #[test]
    fn what_cargo_says_to_this_program_is_not_passed_on() {
        assert!(is_cargos_own("CARGO_PKG_NAME") && is_cargos_own("CARGO_MANIFEST_DIR"));
        assert!(
            !is_cargos_own("CARGO_HOME") && !is_cargos_own("CARGO_TARGET_DIR") && !is_cargos_own("CARGO_TERM_COLOR")
        );
    }
}
