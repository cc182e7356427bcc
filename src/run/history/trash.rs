//! Deleted runs go to `.trash` in the folder of runs, and can be taken back from there; nothing is removed for good.

use std::io;
use std::path::{Path, PathBuf};

use crate::run::journal;

use super::tags;

/// The folder's name. It begins with a dot, and holds no journal itself, so that it is not listed.
const FOLDER: &str = ".trash";

/// Moves a run's folder, or a bare history with its marks, to the trash under `root`; gives its place there.
///
/// # Errors
/// It cannot be moved; it is whole where it was then.
pub(super) fn discard(root: &Path, run: &Path) -> io::Result<PathBuf> {
    let trash = root.join(FOLDER);
    fs_err::create_dir_all(&trash)?;
    if run.file_name().is_some_and(|name| name == journal::FILE_NAME) {
        let folder = run.parent().ok_or_else(|| io::Error::other("the journal lies in no folder"))?;
        return into(&trash, folder);
    }
    let place = into(&trash, run)?;
    let marks = tags::path(run);
    if marks.exists() {
        fs_err::rename(marks, tags::path(&place))?;
    }
    Ok(place)
}

/// Moves `path` into `trash` under its own name, with a number behind it when that is taken.
fn into(trash: &Path, path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or_else(|| io::Error::other("the run has no name"))?;
    let place = (1..10_000_u32)
        .map(|number| {
            let mut name = name.to_owned();
            if number > 1 {
                name.push(format!(".{number}"));
            }
            trash.join(name)
        })
        .find(|place| !place.exists())
        .ok_or_else(|| io::Error::other("the trash is full"))?;
    fs_err::rename(path, &place)?;
    Ok(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_moves_with_all_its_files_and_twice_under_two_names() {
        let root = tempfile::tempdir().expect("a folder");
        let folder = root.path().join("demo-1");
        let mut places = Vec::new();
        for _ in 0..2 {
            fs_err::create_dir(&folder).expect("makes");
            fs_err::write(folder.join("schedule.yaml"), "name: demo").expect("writes");
            fs_err::write(journal::path(&folder), "").expect("writes");
            let place = discard(root.path(), &journal::path(&folder)).expect("moves");
            assert!(!folder.exists() && place.join("schedule.yaml").exists());
            places.push(place);
        }
        assert_ne!(places[0], places[1]);
    }

    #[test]
    fn a_history_takes_its_marks_along() {
        let root = tempfile::tempdir().expect("a folder");
        let file = root.path().join("old_hist.json");
        fs_err::write(&file, "{}").expect("writes");
        fs_err::write(tags::path(&file), "{}").expect("writes");
        let place = discard(root.path(), &file).expect("moves");
        assert!(place.exists() && tags::path(&place).exists());
        assert!(!file.exists() && !tags::path(&file).exists());
    }
}
