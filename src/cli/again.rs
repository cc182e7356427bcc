//! What was put over a schedule on the command line, kept beside the run's copy of its text, so that a past run can be
//! trained again as it was.

use std::path::{Path, PathBuf};

use super::{Failure, resume, train};
use crate::checkpoint::CheckpointError;
use crate::checkpoint::atomic::write_atomically;
use crate::tui::Again;

/// Largest file that is read, in bytes.
const LARGEST: u64 = 1 << 20;

fn path(folder: &Path) -> PathBuf {
    folder.join("set.json")
}

/// Keeps the name and the overrides in a run's folder. A disk that refuses them costs only the comfort of training it again.
pub(super) fn keep(folder: &Path, name: &str, overrides: &[String]) {
    // The copy of the text has another file name, which is a schedule's name where it states none.
    let mut all = vec![format!("name={}", serde_json::Value::from(name))];
    all.extend(overrides.iter().filter(|given| !given.starts_with("name=")).cloned());
    let path = path(folder);
    let kept = serde_json::to_vec(&all).map_err(|error| error.to_string()).and_then(|text| {
        let write = |temporary: &Path| {
            std::fs::write(temporary, &text)
                .map_err(|error| CheckpointError::Write { path: path.clone(), reason: error.to_string() })
        };
        write_atomically(&path, write).map_err(|error| error.to_string())
    });
    if let Err(reason) = kept {
        tracing::warn!("`{}` is not kept: {reason}", path.display());
    }
}

/// Trains the schedule of a past run as it was trained.
pub(super) fn again(again: Again) -> Result<(), Failure> {
    let Again { schedule, name, fresh } = again;
    let overrides = read(schedule.parent().unwrap_or(Path::new("")))
        .unwrap_or_else(|| vec![format!("name={}", serde_json::Value::from(name))]);
    train::train(&train::Request {
        schedule,
        overrides,
        headless: false,
        json: false,
        unfinished: if fresh { resume::Wish::Fresh } else { resume::Wish::Unsaid },
        detach: false,
        grace: None,
        patience: None,
    })
}

/// What was kept; none of runs of earlier versions and of branches.
fn read(folder: &Path) -> Option<Vec<String>> {
    let path = path(folder);
    let small = fs_err::metadata(&path).is_ok_and(|meta| meta.len() <= LARGEST);
    small.then(|| serde_json::from_slice(&fs_err::read(&path).ok()?).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_over_a_schedule_is_kept_with_its_name() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(read(folder.path()), None);
        keep(folder.path(), "a: \"b\"", &["name=other".to_owned(), "batch_size=8".to_owned()]);
        let wanted = ["name=\"a: \\\"b\\\"\"".to_owned(), "batch_size=8".to_owned()];
        assert_eq!(read(folder.path()), Some(wanted.to_vec()));
        std::fs::write(path(folder.path()), "[1").expect("writes");
        assert_eq!(read(folder.path()), None);
    }
}
