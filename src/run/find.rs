//! Which run is meant: by its folder, its name, the beginning of it, or the schedule's name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::journal;
use super::live::registry;
use super::lock::{self, LockState, Owner, PROCESS_FILE};

/// Most candidates that a message lists.
const MOST_LISTED: usize = 12;

/// A run's folder and what is known of its process.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The folder.
    pub folder: PathBuf,
    /// Its name, which identifies the run.
    pub id: String,
    /// Its process; none for runs that hold no lock, such as a branch's or an older facetui's.
    pub lock: Option<LockState>,
}

impl Found {
    fn at(folder: PathBuf) -> Option<Self> {
        let folder = std::path::absolute(folder).ok()?;
        if !journal::path(&folder).is_file() {
            return None;
        }
        let id = folder.file_name()?.to_string_lossy().into_owned();
        let lock = lock::probe(&folder.join(PROCESS_FILE));
        Some(Self { folder, id, lock })
    }

    /// Whether its process is known to be at work.
    pub fn is_live(&self) -> bool {
        self.lock.as_ref().is_some_and(LockState::is_held)
    }

    /// Its process, present or last.
    pub fn owner(&self) -> Option<&Owner> {
        self.lock.as_ref().and_then(LockState::owner)
    }

    /// Whether a user's word means it.
    fn is_meant(&self, word: &str) -> bool {
        self.id.starts_with(word)
    }
}

/// Which runs are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Those that are training.
    Live,
    /// Those that are training first, then all others.
    Any,
}

/// No run is meant, or more than one may be.
#[derive(Debug, PartialEq, Eq, thiserror::Error, miette::Diagnostic)]
#[error("{what}")]
pub struct FindError {
    /// What is wrong.
    what: String,
    /// Which runs there are.
    #[help]
    help: String,
}

/// Every run under `root` and every one that is training on this machine, the newest first.
pub fn all(root: &Path) -> Vec<Found> {
    let mut found = BTreeMap::new();
    let under = std::fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path());
    for run in under.chain(registry::folders()).filter_map(Found::at) {
        // A folder may be reached by two ways.
        let key = std::fs::canonicalize(&run.folder).unwrap_or_else(|_| run.folder.clone());
        found.entry(key).or_insert(run);
    }
    let mut runs: Vec<Found> = found.into_values().collect();
    let began = |run: &Found| {
        let owner = run.owner().map(|owner| owner.started);
        owner.unwrap_or_else(|| modified(&journal::path(&run.folder)))
    };
    runs.sort_by(|one, other| began(other).total_cmp(&began(one)).then_with(|| other.id.cmp(&one.id)));
    runs
}

/// When a file was written last, in seconds since the Unix epoch.
pub fn modified(path: &Path) -> f64 {
    let modified = std::fs::metadata(path).and_then(|meta| meta.modified()).ok();
    modified.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok()).map_or(0.0, |since| since.as_secs_f64())
}

/// The run that is meant. Without a word it is the only one that is training; where none is and any is wanted, the newest.
///
/// # Errors
/// [`FindError`], with the candidates.
pub fn find(word: Option<&str>, root: &Path, wanted: Wanted) -> Result<Found, FindError> {
    if let Some(word) = word {
        let path = Path::new(word);
        let folder = if path.is_file() { path.parent().unwrap_or(path) } else { path };
        if let Some(found) = Found::at(folder.to_path_buf()) {
            return Ok(found);
        }
    }
    choose(word, &all(root), root, wanted)
}

fn choose(word: Option<&str>, runs: &[Found], root: &Path, wanted: Wanted) -> Result<Found, FindError> {
    let live: Vec<&Found> = runs.iter().filter(|run| run.is_live()).collect();
    let Some(word) = word else {
        return match (live.as_slice(), wanted, runs.first()) {
            ([one], _, _) => Ok((*one).clone()),
            ([], Wanted::Any, Some(newest)) => Ok(newest.clone()),
            ([], _, _) => Err(none("no run is training here".to_owned(), runs, root)),
            (several, _, _) => Err(FindError {
                what: format!("{} runs are training; name one", several.len()),
                help: list(several.iter().copied()),
            }),
        };
    };
    let pools: &[Vec<&Found>] = &match wanted {
        Wanted::Live => vec![live],
        Wanted::Any => vec![live, runs.iter().collect()],
    };
    for pool in pools {
        if let Some(exact) = pool.iter().find(|run| run.id == word) {
            return Ok((*exact).clone());
        }
        let meant: Vec<&Found> = pool.iter().copied().filter(|run| run.is_meant(word)).collect();
        match meant.as_slice() {
            [] => {}
            [one] => return Ok((*one).clone()),
            several => {
                return Err(FindError {
                    what: format!("`{word}` matches {} runs", several.len()),
                    help: list(several.iter().copied()),
                });
            }
        }
    }
    if let Some(ended) = runs.iter().find(|run| run.is_meant(word)) {
        let remark = match &ended.lock {
            Some(LockState::Elsewhere(owner)) => {
                format!(
                    "`{}` runs on `{}`, in process {}: log in there, or watch its journal",
                    ended.id, owner.host, owner.pid
                )
            }
            _ => format!("`{}` is no longer training", ended.id),
        };
        return Err(FindError { what: remark, help: format!("`facetui watch {}` shows its journal", ended.id) });
    }
    Err(none(format!("there is no run `{word}`"), runs, root))
}

fn none(what: String, runs: &[Found], root: &Path) -> FindError {
    let help = if runs.is_empty() {
        format!("there are no runs in `{}`; --runs names another folder", root.display())
    } else {
        format!("these are the newest runs:\n{}", list(runs.iter()))
    };
    FindError { what, help }
}

/// Names, a line each.
fn list<'a>(runs: impl Iterator<Item = &'a Found>) -> String {
    let mut names: Vec<String> = runs
        .map(|run| {
            let state = if run.is_live() { " (training)" } else { "" };
            format!("{}{state}", run.id)
        })
        .collect();
    if names.len() > MOST_LISTED {
        let more = names.len() - MOST_LISTED;
        names.truncate(MOST_LISTED);
        names.push(format!("and {more} more: `facetui runs` lists them"));
    }
    names.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(id: &str, live: bool) -> Found {
        let lock = Some(if live { LockState::Held(None) } else { LockState::Free(None) });
        Found { folder: PathBuf::from("/runs").join(id), id: id.to_owned(), lock }
    }

    fn chosen(word: Option<&str>, runs: &[Found], wanted: Wanted) -> Result<String, String> {
        let found = choose(word, runs, Path::new("runs"), wanted);
        found.map(|run| run.id).map_err(|error| format!("{}: {}", error.what, error.help))
    }

    #[test]
    fn the_only_live_run_needs_no_name() {
        let runs = [run("b-2", false), run("a-1", true)];
        assert_eq!(chosen(None, &runs, Wanted::Live), Ok("a-1".into()));
        assert_eq!(chosen(Some("a"), &runs, Wanted::Live), Ok("a-1".into()));
        assert_eq!(chosen(Some("b"), &runs, Wanted::Any), Ok("b-2".into()));
        assert_eq!(chosen(None, &runs[..1], Wanted::Any), Ok("b-2".into()));
        assert!(chosen(Some("b"), &runs, Wanted::Live).expect_err("ended").contains("`b-2` is no longer training"));
    }

    #[test]
    fn several_and_none_are_listed() {
        let runs = [run("a-2", true), run("a-1", true), run("c-9", false)];
        let error = chosen(None, &runs, Wanted::Live).expect_err("several");
        assert!(error.contains("2 runs are training") && error.contains("a-2 (training)\na-1"), "{error}");
        let error = chosen(Some("a"), &runs, Wanted::Any).expect_err("several");
        assert!(error.contains("`a` matches 2 runs"), "{error}");
        assert_eq!(chosen(Some("a-2"), &runs, Wanted::Live), Ok("a-2".into()));
        let error = chosen(Some("x"), &runs, Wanted::Live).expect_err("none");
        assert!(error.contains("no run `x`") && error.contains("c-9"), "{error}");
        assert!(chosen(None, &[], Wanted::Any).expect_err("none").contains("no runs in `runs`"));
    }
}
