//! The index of past runs: every folder under `runs` that holds a journal, and `_hist.json` files that have none.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::schedule_diff::{self, Change};
use super::source::{HistorySource, Marks, PastRun};
use super::{hist_json, tags, trash};
use crate::run::journal;
use crate::run::lock;
use crate::run::state::{BinState, Phase, RunState};

/// Largest schedule that is compared, in bytes.
const LARGEST_SCHEDULE: u64 = 4 << 20;

/// The runs under a folder, and the bare histories there and in the folder `checkpoints` beside it. Files that did not
/// change are not read again.
#[derive(Debug)]
pub struct HistoryIndex {
    root: PathBuf,
    checkpoints: PathBuf,
    known: HashMap<PathBuf, (SystemTime, u64, PastRun)>,
}

impl HistoryIndex {
    /// The runs under `root`, which may not exist yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        Self { checkpoints: root.with_file_name("checkpoints"), root, known: HashMap::new() }
    }

    fn summary(&mut self, journal: PathBuf) -> Option<PastRun> {
        let meta = fs_err::metadata(&journal).ok()?;
        let (modified, size) = (meta.modified().ok()?, meta.len());
        if let Some((known_modified, known_size, run)) = self.known.get(&journal)
            && (*known_modified, *known_size) == (modified, size)
            && !run.live
        {
            return Some(PastRun { marks: tags::read(&journal), ..run.clone() });
        }
        let run = summarize(&journal)?;
        self.known.insert(journal, (modified, size, run.clone()));
        Some(run)
    }
}

impl HistorySource for HistoryIndex {
    fn list(&mut self) -> Vec<PastRun> {
        let folders = std::fs::read_dir(&self.root).into_iter().flatten().flatten();
        let journals: Vec<PathBuf> =
            folders.map(|folder| journal::path(&folder.path())).filter(|path| path.exists()).collect();
        let mut runs: Vec<PastRun> = journals.into_iter().filter_map(|journal| self.summary(journal)).collect();
        // A run's own history beside its checkpoints is not another run.
        let names: HashSet<String> = runs.iter().map(|run| run.name.clone()).collect();
        let mut histories = hist_json::find(&self.root);
        histories.extend(hist_json::find(&self.checkpoints));
        histories.retain(|path| hist_json::name(path).is_some_and(|name| !names.contains(&name)));
        runs.extend(histories.into_iter().filter_map(|path| self.summary(path)));
        runs.sort_by(|a, b| b.started.total_cmp(&a.started).then_with(|| b.id.cmp(&a.id)));
        runs
    }

    fn open(&mut self, run: &PastRun) -> io::Result<RunState> {
        if run.bare {
            return hist_json::open(&run.journal);
        }
        let (mut records, damaged) = journal::read_noting_damage(&run.journal, true)?;
        let newest = records.last().map_or(run.started, |record| record.at);
        let warnings = damaged.iter().enumerate();
        records.extend(
            warnings.map_while(|(before, line)| journal::damaged_line_warning(&run.journal, *line, before, newest)),
        );
        Ok(RunState::replay(&records))
    }

    fn mark(&mut self, run: &PastRun, marks: &Marks) -> io::Result<()> {
        tags::write(&run.journal, marks)
    }

    fn discard(&mut self, run: &PastRun) -> io::Result<PathBuf> {
        // What was known when the list was drawn may have changed since.
        if !run.bare && summarize(&run.journal).is_some_and(|run| run.live) {
            return Err(io::Error::other("it is still training; stop it first"));
        }
        let place = trash::discard(&self.root, &run.journal)?;
        self.known.remove(&run.journal);
        Ok(place)
    }

    fn difference(&mut self, first: &PastRun, second: &PastRun) -> io::Result<Vec<(Change, String)>> {
        let text = |run: &PastRun| -> io::Result<String> {
            let path = run.schedule().ok_or_else(|| io::Error::other(format!("`{}` has no schedule", run.id)))?;
            if fs_err::metadata(&path)?.len() > LARGEST_SCHEDULE {
                return Err(io::Error::other(format!("`{}` is too large for a schedule", path.display())));
            }
            fs_err::read_to_string(path)
        };
        Ok(schedule_diff::lines(&text(first)?, &text(second)?, 3))
    }
}

/// A journal's line in the list.
fn summarize(path: &Path) -> Option<PastRun> {
    let bare = path.file_name().is_none_or(|name| name != journal::FILE_NAME);
    let state = if bare { hist_json::open(path).ok()? } else { RunState::replay(&journal::read(path, false).ok()?) };
    let header = state.whole_header();
    let named = if bare { path } else { path.parent()? };
    let id = named.file_name()?.to_string_lossy().into_owned();
    let mut losses: Vec<String> = Vec::new();
    let branches = header.into_iter().flat_map(|header| header.branches.iter().flat_map(|branch| &branch.stages));
    for stage in header.into_iter().flat_map(|header| &header.stages).chain(branches) {
        if !bare && !losses.contains(&stage.loss) {
            losses.push(stage.loss.clone());
        }
    }
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
        losses,
        branches: header.into_iter().flat_map(|header| &header.branches).map(|branch| branch.name.clone()).collect(),
        loss: state.epochs.last().map(|row| row.loss),
        marks: tags::read(path),
        journal: path.to_path_buf(),
        bare,
        id,
    })
}

/// Whether the process of a run is alive; `pid` is what its journal says, for runs that hold no lock.
fn is_alive(journal: &Path, pid: u32) -> bool {
    match lock::probe(&journal.with_file_name(lock::PROCESS_FILE)) {
        Some(lock) => lock.is_held(),
        None => lock::process_exists(pid),
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
        let mut source = HistoryIndex::new(root.path());
        let ids: Vec<String> = source.list().into_iter().map(|run| run.id).collect();
        assert_eq!(ids, ["b", "c", "a"]);
        let runs = source.list();
        assert_eq!(source.open(&runs[0]).expect("opens").log.len(), 1);
    }

    #[test]
    fn damaged_lines_are_named_in_the_log_of_an_opened_run() {
        let root = tempfile::tempdir().expect("a folder");
        let folder = root.path().join("a");
        finished(&folder, "a", "x: 1\n");
        let path = journal::path(&folder);
        let kept = std::fs::read_to_string(&path).expect("reads");
        // A kind that a newer facetui may know is no damage.
        let newer = |line: &str| {
            let body = line.rsplit_once(",\"crc\"").expect("a checksum").0.replace("run_started", "run_teleported");
            format!("{body},\"crc\":\"{:08x}\"}}", crc32fast::hash(body.as_bytes()))
        };
        let started = kept.lines().next().expect("a line");
        let text = format!("{started}\n{}\n{}\n", started.replace("run_started", "run_stared"), newer(started));
        std::fs::write(&path, text + &"rubbish\n".repeat(30)).expect("writes");
        let mut source = HistoryIndex::new(root.path());
        let run = source.list().remove(0);
        let state = source.open(&run).expect("opens");
        let log: Vec<&str> =
            state.log.iter().map(|line| line.message.as_str()).filter(|line| line.contains("damaged")).collect();
        assert_eq!(log.len(), 21, "{log:?}");
        let named = |line: u64| format!("line {line} of `{}` is damaged and was skipped", path.display());
        assert_eq!(log[..2], [named(2), named(4)]);
        assert_eq!(log[20], named(23) + ", and so are further lines that are not listed");
    }

    /// A journal of a run that ended.
    fn finished(folder: &Path, name: &str, schedule: &str) {
        std::fs::create_dir_all(folder).expect("makes");
        std::fs::write(folder.join("schedule.yaml"), schedule).expect("writes");
        let header = crate::event::RunHeader { name: name.to_owned(), ..Default::default() };
        let events = [
            Event::RunStarted(Box::new(header)),
            Event::Finished { outcome: crate::event::Outcome::Completed, seconds: 1.0 },
        ];
        let mut journal = JournalWriter::open(folder).expect("opens");
        for event in events {
            journal.append(&Record { at: 5.0, event }).expect("appends");
        }
    }

    #[test]
    fn bare_histories_are_listed_but_not_those_of_known_runs() {
        let place = tempfile::tempdir().expect("a folder");
        let (root, checkpoints) = (place.path().join("runs"), place.path().join("checkpoints"));
        finished(&root.join("demo-1"), "demo", "a: 1\n");
        std::fs::create_dir(&checkpoints).expect("makes");
        for name in ["demo_hist.json", "TT_hist.json"] {
            std::fs::write(checkpoints.join(name), r#"{"loss": [1.0], "lfw": [0.5]}"#).expect("writes");
        }
        let mut source = HistoryIndex::new(&root);
        let runs = source.list();
        let mut names: Vec<(&str, bool)> = runs.iter().map(|run| (run.name.as_str(), run.bare)).collect();
        names.sort_unstable();
        assert_eq!(names, [("TT", true), ("demo", false)]);
        let bare = runs.iter().find(|run| run.bare).expect("listed");
        assert_eq!(source.open(bare).expect("opens").epochs.len(), 1);
        assert_eq!(bare.best, [("lfw".to_owned(), 0.5)]);
    }

    #[test]
    fn runs_are_marked_compared_and_deleted() {
        let place = tempfile::tempdir().expect("a folder");
        let root = place.path().join("runs");
        finished(&root.join("a"), "a", "x: 1\ny: 2\n");
        finished(&root.join("b"), "b", "x: 1\ny: 3\n");
        let mut source = HistoryIndex::new(&root);
        let runs = source.list();
        let marks = Marks { tags: vec!["paper".into()], note: "good".into() };
        source.mark(&runs[0], &marks).expect("marks");
        assert_eq!(source.list()[0].marks, marks, "a run whose journal did not change has its new marks");
        let lines = source.difference(&runs[1], &runs[0]).expect("compares");
        assert_eq!(lines.iter().filter(|(change, _)| *change != Change::Same).count(), 2);
        let place = source.discard(&runs[0]).expect("deletes");
        assert!(place.join("marks.json").exists());
        assert_eq!(source.list().len(), 1, "the trash is not listed");
    }

    #[test]
    fn a_run_that_is_trained_is_not_deleted() {
        let place = tempfile::tempdir().expect("a folder");
        let folder = place.path().join("runs/a");
        std::fs::create_dir_all(&folder).expect("makes");
        let header = crate::event::RunHeader { name: "a".into(), pid: std::process::id(), ..Default::default() };
        let record = Record { at: 1.0, event: Event::RunStarted(Box::new(header)) };
        JournalWriter::open(&folder).expect("opens").append(&record).expect("appends");
        let mut source = HistoryIndex::new(place.path().join("runs"));
        let run = source.list().remove(0);
        assert!(source.discard(&run).is_err() && folder.exists());
    }

    #[test]
    fn a_missing_folder_is_an_empty_history() {
        assert!(HistoryIndex::new("/nonexistent/runs").list().is_empty());
    }
}
