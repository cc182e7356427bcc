//! Tags and a note that a user gives a run: `marks.json` in its folder, or `<name>_hist.json.marks` beside a bare history.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::source::Marks;
use crate::checkpoint::CheckpointError;
use crate::checkpoint::atomic::write_atomically;
use crate::checkpoint::json_checksum;
use crate::run::journal;

/// Largest file that is read, in bytes.
const LARGEST: u64 = 1 << 20;

/// Most tags of a run, and the longest tag and note in characters.
const TAGS: usize = 50;
const TAG: usize = 60;
const NOTE: usize = 4000;

/// Counts the changes of the file.
const VERSION: u32 = 1;

/// The file's content. Other keys are of newer versions, and are ignored.
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
    let file = look(run).unwrap_or_else(|error| {
        // Who gives the run other marks is told.
        tracing::debug!("{error}");
        File::default()
    });
    tidy(Marks { tags: file.tags, note: file.note })
}

/// What the file of a run holds.
fn look(run: &Path) -> io::Result<File> {
    let path = path(run);
    let wrong = |reason: String| {
        let place = path.display();
        io::Error::other(format!("`{place}` cannot be used: {reason}; remove it to give the run tags and a note again"))
    };
    let length = match fs_err::metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(File::default()),
        facts => facts?.len(),
    };
    if length > LARGEST {
        return Err(wrong(format!("it has {length} bytes")));
    }
    let file: File = json_checksum::parse(&fs_err::read(&path)?).map_err(wrong)?;
    if file.version > VERSION {
        let version = file.version;
        return Err(wrong(format!("a newer facetui wrote it (version {version}; this one reads up to {VERSION})")));
    }
    Ok(file)
}

/// Writes the marks of a run, whole or not at all; empty ones leave no file.
///
/// # Errors
/// They cannot be written, or would replace marks that are damaged.
pub(super) fn write(run: &Path, marks: &Marks) -> io::Result<()> {
    let path = path(run);
    look(run)?;
    let marks = tidy(marks.clone());
    if marks == Marks::default() {
        return match fs_err::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
    }
    let text = json_checksum::to_text(&File { version: VERSION, tags: marks.tags, note: marks.note })?;
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
    fn a_damaged_file_is_no_marks_and_is_not_written_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let run = folder.path().join(journal::FILE_NAME);
        let marks = Marks { tags: vec!["paper".into()], note: "good".into() };
        write(&run, &marks).expect("writes");
        let text = fs_err::read_to_string(path(&run)).expect("reads");
        let newer = "{\"version\": 2, \"tags\": []}".to_owned();
        for text in ["{\"tags\": 3".to_owned(), text.replace("paper", "caper"), newer] {
            fs_err::write(path(&run), &text).expect("writes");
            assert_eq!(read(&run), Marks::default());
            let error = write(&run, &marks).expect_err("is refused").to_string();
            assert!(error.contains("marks.json` cannot be used") && error.contains("remove it"), "{error}");
            assert_eq!(fs_err::read_to_string(path(&run)).expect("reads"), text);
        }
        fs_err::write(path(&run), "{\"tags\": [\"old\"]}").expect("writes");
        assert_eq!(read(&run).tags, ["old"], "of a version without a checksum");
    }
}
