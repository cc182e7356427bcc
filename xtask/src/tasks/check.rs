//! `cargo xtask check`: what must hold before a change goes in, apart from the tests.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::cache::{Cache, Package};
use crate::cargo::{Cargo, step};
use crate::failure::{Failure, Result};
use crate::setup::{self, Request};
use crate::{machine, say};

const DENY_VERSION: &str = "0.20.2";

/// Formatting, clippy, documentation, licences: the quick ones first.
///
/// # Errors
/// The first check that fails.
pub fn run(project: &Path, cargo: &Cargo, fetch_deny: bool) -> Result<ExitCode> {
    let here = || {
        let mut command = cargo.command();
        command.current_dir(project);
        command
    };
    step("formatting", here().args(["fmt", "--all", "--check"]))?;
    setup::run(project, Request::default())?;
    step("clippy", here().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    let doc = ["doc", "--workspace", "--no-deps", "--document-private-items"];
    step("documentation", here().args(doc).env("RUSTDOCFLAGS", "-D warnings"))?;

    if let Some(deny) = cargo_deny(cargo, fetch_deny)? {
        // The advisories are left out: their database is fetched from elsewhere than the crates.
        let checks = ["--workspace", "check", "--hide-inclusion-graph", "licenses", "bans", "sources"];
        step("licences, duplicates and sources of dependencies", Command::new(deny).args(checks).current_dir(project))?;
    } else {
        say::step("licences: left out, since cargo-deny is not installed (`cargo xtask check --deny` fetches it)");
    }
    say::step("all checks pass");
    Ok(ExitCode::SUCCESS)
}

/// The cargo-deny of the cache, or the one on the PATH; built into the cache if there is none and `fetch` allows it.
fn cargo_deny(cargo: &Cargo, fetch: bool) -> Result<Option<PathBuf>> {
    let package = Package {
        name: format!("cargo-deny-{DENY_VERSION}"),
        title: format!("cargo-deny {DENY_VERSION} (built here, about a minute)"),
        download: 50_000_000,
        room: 2_000_000_000,
        probe: "bin/cargo-deny".into(),
    };
    let cache = Cache::locate()?;
    if !fetch {
        let found = cache.find(&package).map(|folder| folder.join(&package.probe));
        return Ok(found.or_else(|| machine::find_program("cargo-deny")));
    }
    let folder = cache.get(&package, |workplace| {
        let scratch = workplace.scratch()?;
        // Unoptimised it is quick enough, and built in a third of the time.
        let mut install = cargo.command();
        install
            .args(["install", "cargo-deny", "--locked", "--profile", "dev", "--version", DENY_VERSION, "--root"])
            .arg(workplace.files())
            .env("CARGO_TARGET_DIR", scratch.join("target"))
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .current_dir(scratch);
        let status = install.status().map_err(|error| Failure::new(format!("cannot run cargo: {error}")))?;
        if status.success() {
            return Ok(());
        }
        Err(Failure::new("cargo-deny cannot be built")
            .help("cargo says above why; `cargo xtask check` goes without it"))
    })?;
    Ok(Some(folder.join(&package.probe)))
}
