//! Printing on the standard output and the standard error, and the files that commands are to write.

use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::failure::Failure;
use crate::checkpoint::CheckpointError;

/// Whether something could not be printed.
static UNPRINTED: AtomicBool = AtomicBool::new(false);

/// Prints text on the standard output; a reader that went away is not a failure. Anything else, a full disk for instance,
/// is told once, and the program's exit code is 1.
pub(super) fn say(text: &str) {
    let mut out = std::io::stdout();
    let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) else { return };
    if error.kind() != std::io::ErrorKind::BrokenPipe && !UNPRINTED.swap(true, Ordering::Relaxed) {
        let _ = writeln!(std::io::stderr(), "the standard output cannot be written: {error}");
    }
}

/// Prints a line on the standard error.
pub(super) fn say_error(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Whether [`say`] could not print something.
pub(super) fn is_incomplete() -> bool {
    UNPRINTED.load(Ordering::Relaxed)
}

/// Fails when a file cannot be written because its folder does not exist: told before the work rather than after it.
pub(super) fn check_folder_of(path: &Path) -> Result<(), Failure> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let reason = if path.is_dir() {
        "it is a folder".to_owned()
    } else if folder.is_dir() {
        return Ok(());
    } else {
        format!("there is no folder `{}`", folder.display())
    };
    Err(Failure::Run(CheckpointError::Write { path: path.to_path_buf(), reason }.into()))
}
