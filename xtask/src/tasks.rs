//! The tasks: each sets up what it needs, then starts cargo with this terminal.

mod check;
mod gpu_check;
mod install;
mod test;

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::args::{HELP, Task};
use crate::cargo::{Cargo, replace_with, step};
use crate::failure::Result;
use crate::say;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_project_is_the_clone() {
        assert!(project().join("xtask/Cargo.toml").exists());
    }
}
