//! Tests that measure their whole process: one at a time, or each in a process of its own.

use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Names the test whose body a process is to run.
const ALONE: &str = "FACETUI_TEST_ALONE";

static TURN: Mutex<()> = Mutex::new(());

/// Waits until no other test of this program runs that asks for this.
pub fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs the body of the test `name`, as `cargo test` lists it, in a process where nothing else was done before.
pub fn in_a_process(name: &str, body: impl FnOnce()) {
    if std::env::var_os(ALONE).is_some_and(|wanted| wanted == name) {
        return body();
    }
    let _turn = turn();
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    let output = command.args([name, "--exact", "--include-ignored", "--nocapture"]).env(ALONE, name).output();
    let output = output.expect("starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    eprintln!("{said}");
    assert!(output.status.success() && said.contains("1 passed"), "`{name}` failed in a process of its own: {said}");
}
