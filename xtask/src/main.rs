//! `cargo xtask`: from a fresh clone to a running, tested or installed facetui with one command each.
//!
//! facetui links to libtorch and to HDF5, which no `cargo build` fetches. The tasks here put what is missing into a cache
//! outside the clone ([`setup`]), write down where it lies ([`settings`]) so that plain cargo commands work too, and then
//! start cargo. Standard library only, so that this compiles in seconds.

mod args;
mod cache;
mod cargo;
mod failure;
mod libtorch;
mod machine;
mod packages;
mod pip;
mod python;
mod say;
#[cfg(test)]
mod script;
mod settings;
mod setup;
mod tasks;

use std::process::ExitCode;

fn main() -> ExitCode {
    match args::parse(std::env::args_os().skip(1)).and_then(tasks::run) {
        Ok(code) => code,
        Err(failure) => {
            say::failure(&failure);
            ExitCode::from(failure.exit_code())
        }
    }
}
