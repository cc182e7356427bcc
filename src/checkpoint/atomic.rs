//! Writing a file whole or not at all: into a temporary one beside it, synced, renamed over it, the folder synced.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::CheckpointError;

/// Temporary files begin with this; a killed process may leave one behind.
const PREFIX: &str = ".facetui-";

/// Temporary files that were of no use and could not be removed: it is tried again with the next file that is written.
static STUCK: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Has `write` fill a temporary file beside `path`, then puts it in `path`'s place. Whatever goes wrong, the file that
/// was at `path` stays as it was. Returns the number of bytes.
///
/// # Errors
/// The folder cannot be written, the disk is full, or `write` failed.
pub fn write_atomically<E: From<CheckpointError>>(
    path: &Path,
    write: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<u64, E> {
    let failed = |error: std::io::Error| CheckpointError::write(path, error);
    if path.is_dir() {
        return Err(CheckpointError::write(path, "it is a folder").into());
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    remove_leftovers(folder);
    remove_stuck();
    let temporary = tempfile::Builder::new()
        .prefix(&format!("{PREFIX}{}-", std::process::id()))
        .suffix(".partial")
        // As any new file of the user: the system takes the umask off.
        .permissions(std::fs::Permissions::from_mode(0o666))
        .tempfile_in(folder)
        .map_err(failed)?;
    let filled = fill(temporary.path(), path, folder, write);
    let temporary = temporary.into_temp_path();
    if filled.is_ok() {
        // Nothing lies there any more.
        let _ = temporary.keep();
    } else {
        let stays = temporary.to_path_buf();
        if temporary.close().is_err() && stays.exists() {
            STUCK.lock().unwrap_or_else(PoisonError::into_inner).push(stays);
        }
    }
    filled
}

/// Gives the file `from` the name `to` too, in the same folder, in the place of whatever has it.
///
/// # Errors
/// The folder cannot be written, or its file system has no second names. What has the name keeps it then.
pub fn link(from: &Path, to: &Path) -> std::io::Result<()> {
    let temporary = to.with_file_name(format!("{PREFIX}{}-link.partial", std::process::id()));
    let _ = std::fs::remove_file(&temporary);
    let linked = std::fs::hard_link(from, &temporary).and_then(|()| std::fs::rename(&temporary, to));
    // Where both are one file already, renaming does nothing.
    let _ = std::fs::remove_file(&temporary);
    linked
}

/// Fills the temporary file, syncs it and puts it in its place.
fn fill<E: From<CheckpointError>>(
    temporary: &Path,
    path: &Path,
    folder: &Path,
    write: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<u64, E> {
    let failed = |error: std::io::Error| CheckpointError::write(path, error);
    write(temporary)?;
    // `write` may have made the file anew under the same name: sync what lies there now.
    let file = fs_err::File::open(temporary).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    let bytes = file.metadata().map_err(failed)?.len();
    std::fs::rename(temporary, path).map_err(failed)?;
    fs_err::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
    Ok(bytes)
}

/// Removes what could not be removed before.
fn remove_stuck() {
    let mut stuck = STUCK.lock().unwrap_or_else(PoisonError::into_inner);
    stuck.retain(|path| std::fs::remove_file(path).is_err_and(|error| error.kind() != std::io::ErrorKind::NotFound));
}

/// Removes the temporary files of processes that are gone.
fn remove_leftovers(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let pid = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next()).and_then(|pid| pid.parse().ok());
        let gone = pid
            .and_then(rustix::process::Pid::from_raw)
            .is_some_and(|pid| rustix::process::test_kill_process(pid) == Err(rustix::io::Errno::SRCH));
        if gone {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("model.h5");
        let put = |text: &'static str| {
            move |temporary: &Path| {
                std::fs::write(temporary, text).map_err(|error| CheckpointError::write(temporary, error))
            }
        };
        assert_eq!(write_atomically(&path, put("old")).expect("writes"), 3);
        let broken = write_atomically(&path, |temporary| {
            put("half")(temporary)?;
            Err(CheckpointError::write(temporary, "the disk is full"))
        });
        assert!(broken.is_err());
        assert_eq!(std::fs::read_to_string(&path).expect("reads"), "old");
        assert_eq!(std::fs::read_dir(folder.path()).expect("reads").count(), 1);
    }

    #[test]
    fn the_file_has_the_permissions_of_any_new_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("model.h5");
        let usual = folder.path().join("usual");
        std::fs::write(&usual, "").expect("writes");
        write_atomically(&path, |temporary| {
            std::fs::write(temporary, "x").map_err(|error| CheckpointError::write(temporary, error))
        })
        .expect("writes");
        let mode = |path: &Path| std::fs::metadata(path).expect("is there").permissions().mode();
        assert_eq!(mode(&path), mode(&usual));
    }

    #[test]
    fn leftovers_of_a_killed_process_go_and_others_stay() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join(".facetui-1073741000-x.partial"), "").expect("writes");
        let own = format!(".facetui-{}-x.partial", std::process::id());
        std::fs::write(folder.path().join(&own), "").expect("writes");
        remove_leftovers(folder.path());
        let names: Vec<_> = std::fs::read_dir(folder.path()).expect("reads").flatten().map(|e| e.file_name()).collect();
        assert_eq!(names, [std::ffi::OsString::from(own)]);
    }
}
