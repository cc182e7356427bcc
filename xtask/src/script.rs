//! Programs that tests run in the place of others: shell scripts.

use std::path::Path;
use std::process::{Command, Stdio};

/// Writes a shell script that can be run. Another process does so: one that another test starts meanwhile would hold a file
/// of this one open for writing, and what is open for writing cannot be run.
pub fn write(path: &Path, body: &str) {
    let part = path.with_extension("part");
    let write = "printf '#!/bin/sh\\n%s\\n' \"$2\" > \"$1\" && chmod 755 \"$1\"";
    let mut shell = Command::new("sh");
    shell.args(["-c", write, "sh"]).arg(&part).arg(body).stdin(Stdio::null());
    assert!(shell.status().unwrap().success());
    std::fs::rename(&part, path).unwrap();
}
