//! `cargo xtask test`: all tests of the workspace, to their end, with a list of what failed and how to repeat it.

mod outcome;

use std::ffi::OsString;
use std::io::{self, Read as _};
use std::path::Path;
use std::process::{Command, ExitCode, ExitStatus};
use std::time::Instant;

use crate::cargo::Cargo;
use crate::failure::{Failure, Result};
use crate::say;
use outcome::{LONG, Outcome};

/// Runs the usual tests, then the long ones if they are wanted; cargo's exit code.
///
/// # Errors
/// Cargo cannot be started, or what it prints cannot be passed on.
pub fn run(cargo: &Cargo, long: bool, arguments: &[OsString]) -> Result<ExitCode> {
    let started = Instant::now();
    let mut outcome = Outcome::default();
    let mut status = stream(&mut command(cargo, arguments, false), &mut outcome, say::pass_on)?;
    outcome.close();
    if long {
        say::step("the long tests");
        outcome.long = true;
        let second = stream(&mut command(cargo, arguments, true), &mut outcome, say::pass_on)?;
        outcome.close();
        status = if status.success() { second } else { status };
    }
    if outcome.programs > 1 || outcome.has_failures() {
        say::answer(&outcome.summary(&say::duration(started.elapsed())));
    }
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    // Ended by a signal, or green although a failure was read: neither is a success.
    Ok(ExitCode::from(code.unwrap_or(1).max(u8::from(outcome.has_failures()))))
}

/// `cargo test` that does not end with the first program that fails.
fn command(cargo: &Cargo, arguments: &[OsString], long: bool) -> Command {
    let border = arguments.iter().position(|argument| argument == "--").unwrap_or(arguments.len());
    let (ours, of_the_programs) = arguments.split_at(border);
    let mut command = cargo.command();
    command.arg("test");
    // What stands before `--` are cargo's own, and name a package instead of the whole workspace if they like.
    if !names_packages(ours) {
        command.arg("--workspace");
    }
    if !ours.iter().any(|argument| argument == "--no-fail-fast") {
        command.arg("--no-fail-fast");
    }
    command.args(ours).args(of_the_programs);
    if long {
        if of_the_programs.is_empty() {
            command.arg("--");
        }
        command.args(["--ignored", LONG]);
    }
    if say::on_terminal() && std::env::var_os("CARGO_TERM_COLOR").is_none() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    command
}

fn names_packages(arguments: &[OsString]) -> bool {
    let mut words = arguments.iter().map(|argument| argument.to_string_lossy());
    words.any(|argument| {
        ["-p", "--package", "--workspace", "--manifest-path"].iter().any(|option| argument.starts_with(option))
    })
}

/// Runs cargo and gives to `pass_on` what it prints, as it comes. Both of its streams are one pipe, so that what a test says
/// stays behind the name of its program.
fn stream(command: &mut Command, outcome: &mut Outcome, mut pass_on: impl FnMut(&[u8])) -> Result<ExitStatus> {
    let failed = |error: io::Error| Failure::io("run", Path::new("cargo"), &error);
    let (mut reader, writer) = io::pipe().map_err(failed)?;
    let mut child = command.stdout(writer.try_clone().map_err(failed)?).stderr(writer).spawn().map_err(failed)?;
    // The command holds the pipe's other end too, which would never close.
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let mut buffer = [0; 1 << 14];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => {
                pass_on(&buffer[..count]);
                outcome.read(&buffer[..count]);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
    child.wait().map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    fn said(arguments: &str, long: bool) -> String {
        let cargo = Cargo::plain();
        let command = command(&cargo, &words(arguments), long);
        command.get_args().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn tests_run_for_the_whole_workspace_unless_a_package_is_named() {
        assert!(!names_packages(&words("checkpoint --lib")));
        assert!(names_packages(&words("-p xtask")));
        assert!(names_packages(&words("--package=facetui")));
        assert!(names_packages(&words("-pxtask")));
        assert_eq!(said("-p xtask", false), "test --no-fail-fast -p xtask");
        assert_eq!(said("name -- -p", false), "test --workspace --no-fail-fast name -- -p");
    }

    #[test]
    fn the_long_tests_are_those_of_their_name() {
        assert_eq!(said("", false), "test --workspace --no-fail-fast");
        assert_eq!(said("", true), "test --workspace --no-fail-fast -- --ignored ::long_");
        assert_eq!(
            said("--release -- --nocapture", true),
            "test --workspace --no-fail-fast --release -- --nocapture --ignored ::long_"
        );
    }

    #[test]
    fn what_is_printed_is_read_to_the_end() {
        let mut outcome = Outcome::default();
        let script = "echo '     Running tests/runs/main.rs (target/debug/deps/runs-0a)' >&2; echo 'running 1 test'; \
                      printf 'failures:\\n    faults::one\\n\\ntest result: FAILED. 2 passed; 1 failed; 0 ignored; x\\n'; exit 101";
        let mut passed = Vec::new();
        let program = &mut Command::new("sh");
        let status =
            stream(program.args(["-c", script]), &mut outcome, |bytes| passed.extend_from_slice(bytes)).unwrap();
        outcome.close();
        assert_eq!(status.code(), Some(101));
        assert!(passed.ends_with(b"0 ignored; x\n"));
        assert!(outcome.summary("1 s").contains("cargo test --test runs faults::one -- --exact"));
    }
}
