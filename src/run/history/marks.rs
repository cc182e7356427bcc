//! Tags and a note that a user gives a run: `marks.json` in its folder, or `<name>_hist.json.marks` beside a bare history.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::checkpoint::CheckpointError;
use crate::checkpoint::atomic::write_atomically;
use crate::run::history_api::Marks;
use crate::run::journal;

/// Largest file that is read, in bytes.
const LARGEST: u64 = 1 << 20;

/// Most tags of a run, and the longest tag and note in characters.
const TAGS: usize = 50;
const TAG: usize = 60;
const NOTE: usize = 4000;

/// The file's content. Other keys are of newer versions, and are passed over.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct File {
    version: u32,
    tags: Vec<String>,
    note: String,
}

/// Where the marks of the run of a journal or a history lie.
pub(super) fn path(run: &Path) -> PathBuf {
    if run.file_name().is_some_and(|name| name == journal::FILE_NAME) {
        run.with_file_name("marks.json")
    } else {
        let mut name = run.as_os_str().to_owned();
        name.push(".marks");
        name.into()
    }
}

/// The marks of a run; none when there are none, or when they cannot be read.
pub(super) fn read(run: &Path) -> Marks {
    let path = path(run);
    let small = fs_err::metadata(&path).is_ok_and(|meta| meta.len() <= LARGEST);
    let text = if small { fs_err::read_to_string(&path).unwrap_or_default() } else { String::new() };
    let file: File = serde_json::from_str(&text).unwrap_or_default();
    tidy(Marks { tags: file.tags, note: file.note })
}

/// Writes the marks of a run, whole or not at all; empty ones leave no file.
pub(super) fn write(run: &Path, marks: &Marks) -> io::Result<()> {
    let path = path(run);
    let marks = tidy(marks.clone());
    if marks == Marks::default() {
        return match fs_err::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
    }
    let text = serde_json::to_vec_pretty(&File { version: 1, tags: marks.tags, note: marks.note })?;
    write_atomically(&path, |temporary| {
        std::fs::write(temporary, &text)
            .map_err(|error| CheckpointError::Write { path: path.clone(), reason: error.to_string() })
    })
    .map(drop)
    .map_err(io::Error::other)
}

/// Tags without blanks around them, each once; lengths within bounds.
fn tidy(marks: Marks) -> Marks {
    let mut tags: Vec<String> = Vec::new();
    for tag in marks.tags {
        let tag: String = tag.split_whitespace().collect::<Vec<_>>().join("-").chars().take(TAG).collect();
        if !tag.is_empty() && !tags.contains(&tag) && tags.len() < TAGS {
            tags.push(tag);
        }
    }
    let note = marks.note.trim().chars().filter(|letter| !letter.is_control() || *letter == '\n').take(NOTE).collect();
    Marks { tags, note }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_kept_beside_the_run_and_leave_no_empty_file() {
        let folder = tempfile::tempdir().expect("a folder");
        for file in [journal::FILE_NAME, "old_hist.json"] {
            let run = folder.path().join(file);
            assert_eq!(read(&run), Marks::default());
            let marks =
                Marks { tags: vec!["paper".into(), " two  words ".into(), "paper".into()], note: " good ".into() };
            write(&run, &marks).expect("writes");
            let kept = Marks { tags: vec!["paper".into(), "two-words".into()], note: "good".into() };
            assert_eq!(read(&run), kept);
            write(&run, &Marks::default()).expect("removes");
            assert!(!path(&run).exists());
            write(&run, &Marks::default()).expect("nothing to remove");
        }
    }

    #[test]
    fn a_damaged_file_is_no_marks() {
        let folder = tempfile::tempdir().expect("a folder");
        let run = folder.path().join(journal::FILE_NAME);
        fs_err::write(path(&run), "{\"tags\": 3").expect("writes");
        assert_eq!(read(&run), Marks::default());
    }
}
