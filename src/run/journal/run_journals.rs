//! The journals of a run: that of the whole run, and beside it that of the branch being trained, in a folder of its own.

use std::path::{Path, PathBuf};

use super::writer::JournalWriter;
use super::{file, line, reader};
use crate::event::{Continuation, Event, Point, Record};

/// The journals of a run.
pub(in crate::run) struct RunJournals {
    runs: PathBuf,
    source: String,
    whole: JournalWriter,
    branch: Option<BranchJournal>,
}

/// The journal of the branch being trained.
struct BranchJournal {
    journal: JournalWriter,
    /// When the branch began.
    began: f64,
    /// It begins anew: a journal of the same name is moved aside.
    is_new: bool,
    /// Its folder is not made yet; until it is, lines wait.
    is_to_begin: bool,
    /// It ended, and a disk did not take all of it.
    is_over: bool,
}

impl BranchJournal {
    const fn new(folder: PathBuf, began: f64, is_new: bool) -> Self {
        Self { journal: JournalWriter::later(folder), began, is_new, is_to_begin: true, is_over: false }
    }

    /// Makes the folder, with a copy of the schedule's text.
    fn begin(&mut self, source: &str) -> std::io::Result<()> {
        if self.is_to_begin {
            let folder = self.journal.folder().to_owned();
            fs_err::create_dir_all(&folder)?;
            if self.is_new {
                set_aside(&file::path(&folder))?;
                self.is_new = false;
            }
            write_schedule(&folder, source)?;
            self.is_to_begin = false;
        }
        Ok(())
    }

    /// Makes sure that all of it is on the disk.
    fn sync(&mut self, source: &str) -> std::io::Result<()> {
        self.begin(source)?;
        self.journal.sync()
    }

    fn append(&mut self, source: &str, line: &[u8], record: &Record) -> std::io::Result<()> {
        if let Err(error) = self.begin(source) {
            self.journal.queue(line);
            return Err(error);
        }
        self.journal.append_line(line, record)
    }
}

impl RunJournals {
    /// Begins the whole run's journal in `folder`.
    pub(in crate::run) fn open(runs: PathBuf, folder: &Path, source: &str) -> std::io::Result<Self> {
        write_schedule(folder, source)?;
        Ok(Self { runs, source: source.to_owned(), whole: JournalWriter::open(folder)?, branch: None })
    }

    /// The folder of the whole run.
    pub(super) fn folder(&self) -> &Path {
        self.whole.folder()
    }

    /// How long the whole run's journal is, in bytes.
    pub(in crate::run) const fn end(&self) -> u64 {
        self.whole.end()
    }

    /// Makes sure that all of it is on the disk.
    pub(super) fn sync(&mut self) -> std::io::Result<()> {
        let whole = self.whole.sync();
        let branch = self.branch.as_mut().map_or(Ok(()), |branch| branch.sync(&self.source));
        whole.and(branch)
    }

    /// Writes a record where it belongs. A branch's journal is that of an ordinary run: it begins after
    /// [`Event::BranchStarted`], and ends with [`Event::Finished`] in the place of [`Event::BranchEnded`].
    pub(super) fn append(&mut self, line: &[u8], record: &Record) -> std::io::Result<()> {
        // A part that fails keeps what it owes; the other is none the worse for it.
        let whole = self.whole.append_line(line, record);
        let over = self.branch.as_mut().filter(|branch| branch.is_over);
        let owed = over.map_or(Ok(()), |branch| branch.sync(&self.source));
        if owed.is_ok() {
            self.branch.take_if(|branch| branch.is_over);
        }
        self.append_to_branch(line, record).and(owed).and(whole)
    }

    fn append_to_branch(&mut self, line: &[u8], record: &Record) -> std::io::Result<()> {
        let own = |event: Event| {
            let record = Record { at: record.at, event };
            (line::line(&record), record)
        };
        match &record.event {
            // What a branch before it owes even now is in the whole run's journal alone.
            Event::BranchStarted { run_id, .. } => {
                let branch = self.branch.insert(BranchJournal::new(self.runs.join(run_id), record.at, true));
                branch.begin(&self.source)
            }
            Event::Continued(continuation) if continuation.point.within => {
                let Continuation { header, point, .. } = &**continuation;
                let Some(plan) = header.branches.get(point.branches) else { return Ok(()) };
                let folder = self.runs.join(format!("{}-{}", header.run_id, plan.name));
                let path = file::path(&folder);
                let began = reader::read(&path, false).unwrap_or_default().first().map_or(record.at, |first| first.at);
                // In its own journal a branch is a run without branches.
                let point = Point { branches: 0, within: false, ..*point };
                let (line, record) =
                    own(Event::Continued(Box::new(Continuation { point, ..(**continuation).clone() })));
                let branch = self.branch.insert(BranchJournal::new(folder, began, false));
                branch.append(&self.source, &line, &record)
            }
            Event::BranchEnded { row, .. } => match (&mut self.branch, row.outcome.clone()) {
                (Some(branch), Some(outcome)) => {
                    let (line, record) = own(Event::Finished { outcome, seconds: record.at - branch.began });
                    let written = branch.append(&self.source, &line, &record);
                    branch.is_over = true;
                    if written.is_ok() {
                        self.branch = None;
                    }
                    written
                }
                _ => Ok(()),
            },
            _ => {
                let branch = self.branch.as_mut().filter(|branch| !branch.is_over);
                branch.map_or(Ok(()), |branch| branch.append(&self.source, line, record))
            }
        }
    }
}

/// Puts a copy of the schedule's text into a run's folder; another one that is there is moved aside.
fn write_schedule(folder: &Path, source: &str) -> std::io::Result<()> {
    let path = folder.join("schedule.yaml");
    if fs_err::read_to_string(&path).is_ok_and(|text| text != source) {
        set_aside(&path)?;
    }
    fs_err::write(&path, source)
}

/// Gives a file that is there a name with a number: `journal.jsonl` becomes `journal-1.jsonl`.
fn set_aside(path: &Path) -> std::io::Result<()> {
    if !path.exists() {
        return Ok(());
    }
    let part = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    let (stem, kind) = (part(path.file_stem()), part(path.extension()));
    let numbered = |number: u32| path.with_file_name(format!("{stem}-{number}.{kind}"));
    let free = (1..u32::MAX).map(numbered).find(|path| !path.exists());
    free.map_or(Ok(()), |free| fs_err::rename(path, free))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Level;

    #[test]
    fn a_branch_has_a_journal_of_its_own() {
        use crate::event::{BranchRow, Outcome};
        let runs = tempfile::tempdir().expect("a folder");
        let folder = runs.path().join("demo");
        std::fs::create_dir(&folder).expect("makes");
        let mut journals = RunJournals::open(runs.path().to_owned(), &folder, "stages: []").expect("opens");
        let log = |message: &str| Event::Log { level: Level::Info, message: message.to_owned() };
        let row = BranchRow {
            name: "b".into(),
            epoch: 1,
            loss: None,
            accuracy: None,
            bins: Vec::new(),
            seconds: 1.0,
            steps: 1,
            outcome: Some(Outcome::Stopped),
        };
        let events = [
            log("before"),
            Event::BranchStarted { branch: 0, name: "b".into(), run_id: "demo-b".into() },
            log("within"),
            Event::BranchEnded { branch: 0, row },
            log("after"),
        ];
        for (at, event) in events.iter().enumerate() {
            let record = Record { at: at as f64, event: event.clone() };
            journals.append(&line::line(&record), &record).expect("appends");
        }
        let read = |folder: &Path| -> Vec<Event> {
            let path = file::path(folder);
            reader::read(&path, true).expect("reads").into_iter().map(|record| record.event).collect()
        };
        assert_eq!(read(&folder), events);
        let own = [log("within"), Event::Finished { outcome: Outcome::Stopped, seconds: 2.0 }];
        assert_eq!(read(&runs.path().join("demo-b")), own);
        assert!(runs.path().join("demo-b/schedule.yaml").exists());
    }
}
