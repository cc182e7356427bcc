//! `cargo xtask gpu-check`: a release binary and the scripts side by side, run here or copied to the machine with the GPU.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::cargo::{Cargo, replace_with, step};
use crate::failure::{Failure, Result};
use crate::say;
use crate::setup::{self, Request};

/// The scripts, in `benches`.
const SCRIPTS: [&str; 2] = ["gpu_check.py", "peer_torch.py"];

/// Builds, then runs the check, or only puts what it needs into `bundle`.
///
/// # Errors
/// The set-up or the build failed, or a file cannot be copied.
pub(super) fn run(project: &Path, cargo: &Cargo, bundle: Option<PathBuf>, arguments: &[OsString]) -> Result<ExitCode> {
    setup::run(project, Request::default())?;
    let mut build = cargo.command();
    build.current_dir(project).args(["build", "--release", "--package", "facetui"]);
    step("building for release", &mut build)?;
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| project.join("target"), PathBuf::from);
    let binary = target.join("release/facetui");
    let Some(folder) = bundle else {
        let python = env::var_os("FACETUI_TORCH_PYTHON").unwrap_or_else(|| "python3".into());
        let mut check = Command::new(python);
        check.arg(project.join("benches/gpu_check.py")).arg(binary).args(arguments);
        return Err(replace_with(&mut check));
    };
    fs::create_dir_all(&folder).map_err(|error| Failure::io("make", &folder, &error))?;
    let copy = |from: &Path, name: &str| {
        let to = folder.join(name);
        fs::copy(from, &to).map(drop).map_err(|error| Failure::io("write", &to, &error))
    };
    copy(&binary, "facetui")?;
    for script in SCRIPTS {
        copy(&project.join("benches").join(script), script)?;
    }
    let folder = folder.display();
    say::step(&format!("copy `{folder}` to the machine with the GPU, then: python3 gpu_check.py ./facetui"));
    Ok(ExitCode::SUCCESS)
}
