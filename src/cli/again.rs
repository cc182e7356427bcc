//! What was put over a schedule on the command line, kept beside the run's copy of its text, so that a past run can be
//! trained again as it was.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Failure, resume, train};
use crate::checkpoint::CheckpointError;
use crate::checkpoint::atomic::write_atomically;
use crate::checkpoint::sum;
use crate::tui::Retrain;

/// Largest file that is read, in bytes.
const LARGEST: u64 = 1 << 20;

/// What the file holds. That of the first version is a list of the overrides alone.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    /// Counts the changes of the file.
    version: u32,
    set: Vec<String>,
}

const VERSION: u32 = 2;

fn path(folder: &Path) -> PathBuf {
    folder.join("set.json")
}

/// Keeps the name and the overrides in a run's folder. A disk that refuses them costs only the comfort of training it again:
/// what is to be said of that.
pub(super) fn keep(folder: &Path, name: &str, overrides: &[String]) -> Option<String> {
    // The copy of the text has another file name, which is a schedule's name where it states none.
    let mut all = vec![format!("name={}", serde_json::Value::from(name))];
    all.extend(overrides.iter().filter(|given| !given.starts_with("name=")).cloned());
    let path = path(folder);
    let text = sum::to_text(&Kept { version: VERSION, set: all }).map_err(|error| error.to_string());
    let put = |text: &Vec<u8>| {
        let write = |temporary: &Path| {
            std::fs::write(temporary, text)
                .map_err(|error| CheckpointError::Write { path: path.clone(), reason: error.to_string() })
        };
        write_atomically(&path, write).map_err(|error| error.to_string())
    };
    // A disk may refuse once.
    let kept = text.and_then(|text| put(&text).or_else(|_| put(&text)));
    kept.err().map(|reason| format!("{reason}: to train this run again, give its `--set` again"))
}

/// Trains the schedule of a past run as it was trained.
pub(super) fn again(again: Retrain) -> Result<(), Failure> {
    let Retrain { schedule, name, fresh } = again;
    let overrides = read(schedule.parent().unwrap_or(Path::new("")))?
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
///
/// # Errors
/// A file that is damaged: nothing is trained with less than what was asked for.
fn read(folder: &Path) -> Result<Option<Vec<String>>, Failure> {
    let path = path(folder);
    let wrong = |reason: String| {
        Failure::Run(miette::miette!(
            help = "it holds what was given with --set when the run began: train the `schedule.yaml` beside it with \
                    those, or remove it to train the schedule as it stands there",
            "`{}` cannot be used: {reason}",
            path.display()
        ))
    };
    match fs_err::metadata(&path) {
        Err(_) => return Ok(None),
        Ok(facts) if facts.len() > LARGEST => return Err(wrong(format!("it has {} bytes", facts.len()))),
        Ok(_) => {}
    }
    let text = std::fs::read(&path).map_err(|error| wrong(error.to_string()))?;
    let kept: serde_json::Value = sum::parse(&text).map_err(wrong)?;
    if kept.is_array() {
        return serde_json::from_value(kept).map(Some).map_err(|error| wrong(error.to_string()));
    }
    let version = kept["version"].as_u64().unwrap_or(0);
    if version > u64::from(VERSION) {
        return Err(wrong(format!("its version is {version}; this facetui knows {VERSION}: a newer one wrote it")));
    }
    serde_json::from_value::<Kept>(kept).map(|kept| Some(kept.set)).map_err(|error| wrong(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(folder: &Path) -> Result<Option<Vec<String>>, String> {
        read(folder).map_err(|failure| match failure {
            Failure::Run(report) => report.to_string(),
            _ => String::new(),
        })
    }

    #[test]
    fn what_was_put_over_a_schedule_is_kept_with_its_name() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(found(folder.path()), Ok(None));
        let told = keep(folder.path(), "a: \"b\"", &["name=other".to_owned(), "batch_size=8".to_owned()]);
        assert_eq!(told, None);
        assert!(
            keep(&folder.path().join("none"), "a", &[]).is_some_and(|told| told.contains("give its `--set` again"))
        );
        let wanted = ["name=\"a: \\\"b\\\"\"".to_owned(), "batch_size=8".to_owned()];
        assert_eq!(found(folder.path()), Ok(Some(wanted.to_vec())));
        let text = std::fs::read_to_string(path(folder.path())).expect("reads");
        for (text, words) in [
            (text.replace("size=8", "size=9"), "it is damaged"),
            ("[1".to_owned(), "cannot be understood"),
            ("[1]".to_owned(), "invalid type"),
            (r#"{"version": 3, "set": []}"#.to_owned(), "a newer one wrote it"),
        ] {
            std::fs::write(path(folder.path()), text).expect("writes");
            let error = found(folder.path()).expect_err("is refused");
            assert!(error.contains("set.json`") && error.contains(words), "{error}");
        }
        std::fs::write(path(folder.path()), "[\"a=1\"]").expect("writes");
        assert_eq!(found(folder.path()), Ok(Some(vec!["a=1".to_owned()])), "of the first version");
    }
}
