//! The registry of the runs that train on this machine, wherever their folders lie: a small file each in the user's cache folder, so that
//! `facetui attach` finds them from any folder. A lost file costs no more than that.

use std::path::{Path, PathBuf};

use crate::run::lock::{self, LockState, PROCESS_FILE};

/// Longest path that is read, in bytes.
const LONGEST: u64 = 8192;

/// A run's entry, while this process trains it.
#[derive(Debug)]
pub struct Entry {
    path: Option<PathBuf>,
}

impl Entry {
    /// Adds the run of a folder. A cache that cannot be written is no reason to do without the run.
    pub fn new(folder: &Path) -> Self {
        let path = std::path::absolute(folder).ok().and_then(|folder| {
            let list = list_folder()?;
            std::fs::create_dir_all(&list).ok()?;
            let id = folder.file_name()?.to_string_lossy().into_owned();
            let path = list.join(format!("{}-{id}", std::process::id()));
            std::fs::write(&path, folder.as_os_str().as_encoded_bytes()).ok()?;
            Some(path)
        });
        Self { path }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// The folders of the runs that train here. Entries of dead processes are removed.
pub fn folders() -> Vec<PathBuf> {
    let Some(entries) = list_folder().and_then(|list| std::fs::read_dir(list).ok()) else { return Vec::new() };
    let mut folders = Vec::new();
    for entry in entries.flatten() {
        let path = entry.path();
        let Some(folder) = read(&path) else { continue };
        match lock::probe(&folder.join(PROCESS_FILE)) {
            Some(LockState::Held(_)) => folders.push(folder),
            // Another machine with the same home folder removes its own.
            Some(LockState::Elsewhere(_)) => {}
            Some(LockState::Free(_)) | None => drop(std::fs::remove_file(path)),
        }
    }
    folders.sort();
    folders
}

fn read(path: &Path) -> Option<PathBuf> {
    use std::io::Read as _;
    use std::os::unix::ffi::OsStringExt as _;
    let mut text = Vec::new();
    std::fs::File::open(path).ok()?.take(LONGEST).read_to_end(&mut text).ok()?;
    let folder = PathBuf::from(std::ffi::OsString::from_vec(text));
    folder.is_absolute().then_some(folder)
}

fn list_folder() -> Option<PathBuf> {
    Some(directories::ProjectDirs::from("", "", "facetui")?.cache_dir().join("live"))
}
