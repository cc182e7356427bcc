//! The runs there have been: every folder under `runs` that holds a journal.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::history_api::{HistorySource, PastRun};
use super::journal;
use super::lock;
use super::state::{BinState, Phase, RunState};

/// The runs under a folder. Journals that did not change are not read again.
#[derive(Debug)]
pub struct RunFolders {
    root: PathBuf,
    known: HashMap<PathBuf, (SystemTime, u64, PastRun)>,
}

impl RunFolders {
    /// The runs under `root`, which may not exist yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), known: HashMap::new() }
    }

    fn summary(&mut self, journal: PathBuf) -> Option<PastRun> {
        let meta = fs_err::metadata(&journal).ok()?;
        let (modified, size) = (meta.modified().ok()?, meta.len());
        if let Some((known_modified, known_size, run)) = self.known.get(&journal)
            && (*known_modified, *known_size) == (modified, size)
            && !run.live
        {
            return Some(run.clone());
        }
        let run = summarize(&journal)?;
        self.known.insert(journal, (modified, size, run.clone()));
        Some(run)
    }
}

impl HistorySource for RunFolders {
    fn list(&mut self) -> Vec<PastRun> {
        let Ok(folders) = fs_err::read_dir(&self.root) else { return Vec::new() };
        let journals: Vec<PathBuf> =
            folders.flatten().map(|folder| journal::path(&folder.path())).filter(|path| path.exists()).collect();
        let mut runs: Vec<PastRun> = journals.into_iter().filter_map(|journal| self.summary(journal)).collect();
        runs.sort_by(|a, b| b.started.total_cmp(&a.started).then_with(|| b.id.cmp(&a.id)));
        runs
    }

    fn open(&mut self, run: &PastRun) -> io::Result<RunState> {
        Ok(RunState::replay(&journal::read(&run.journal, true)?))
    }
}

/// A journal's line in the list.
fn summarize(path: &Path) -> Option<PastRun> {
    let state = RunState::replay(&journal::read(path, false).ok()?);
    let header = state.whole_header();
    let id = path.parent()?.file_name()?.to_string_lossy().into_owned();
    let outcome = match &state.phase {
        Phase::Ended(outcome) => Some(outcome.clone()),
        _ => None,
    };
    Some(PastRun {
        started: state.started?,
        name: header.map_or_else(|| id.clone(), |header| header.name.clone()),
        model: header.map_or_else(String::new, |header| header.model.clone()),
        epochs: state.done_epochs(),
        planned: state.planned_epochs(),
        live: outcome.is_none() && header.is_some_and(|header| is_alive(path, header.pid)),
        outcome,
        best: match &state.comparison {
            Some(comparison) if comparison.lines().next().is_some() => comparison.best(),
            _ => {
                let best = |bin: &BinState| bin.best().map(|(_, result)| (bin.name.clone(), result.accuracy));
                state.bins.iter().filter_map(best).collect()
            }
        },
        journal: path.to_path_buf(),
        id,
    })
}

/// Whether the process of a run goes on; `pid` is what its journal says, for runs that hold no lock.
fn is_alive(journal: &Path, pid: u32) -> bool {
    match lock::look(&journal.with_file_name(lock::PROCESS_FILE)) {
        Some(standing) => standing.is_held(),
        None => lock::is_process(pid),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, Level, Record};
    use crate::run::journal::JournalWriter;

    #[test]
    fn runs_are_listed_newest_first_and_folders_without_a_journal_are_not() {
        let root = tempfile::tempdir().expect("a folder");
        for (name, at) in [("a", 1.0), ("b", 3.0), ("c", 2.0)] {
            let folder = root.path().join(name);
            std::fs::create_dir(&folder).expect("makes");
            let event = Event::Log { level: Level::Info, message: "hello".into() };
            JournalWriter::open(&folder).expect("opens").append(&Record { at, event }).expect("appends");
        }
        std::fs::create_dir(root.path().join("no-run")).expect("makes");
        let mut source = RunFolders::new(root.path());
        let ids: Vec<String> = source.list().into_iter().map(|run| run.id).collect();
        assert_eq!(ids, ["b", "c", "a"]);
        let runs = source.list();
        assert_eq!(source.open(&runs[0]).expect("opens").log.len(), 1);
    }

    #[test]
    fn a_missing_folder_is_an_empty_history() {
        assert!(RunFolders::new("/nonexistent/runs").list().is_empty());
    }
}
