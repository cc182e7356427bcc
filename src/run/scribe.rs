//! The scribe writes a run's records to its journals, on a thread of its own: a disk that is slow, or does not answer, holds
//! neither the engine nor those who watch.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};

use super::journal::{self, JournalWriter};
use crate::crash;
use crate::event::{Continuation, Event, Point, Record, Saved};
use crate::stall::{self, Watch, Work};

/// Pauses between the last tries to write the journal, in milliseconds.
const LAST_TRIES: [u64; 6] = [100, 200, 500, 1000, 2000, 4000];

/// Most bytes of lines that wait for the thread; beyond that steps and the like are left out, as [`JournalWriter`] does.
const MOST_WAITING: usize = 64 << 20;

/// The journals of a run: the whole one's, and beside it that of the branch being trained, in a folder of its own.
pub(super) struct Journals {
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
    /// It begins anew: a journal of the same name is put aside.
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
                put_aside(&journal::path(&folder))?;
                self.is_new = false;
            }
            put_schedule(&folder, source)?;
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
            self.journal.keep(line);
            return Err(error);
        }
        self.journal.append_line(line, record)
    }
}

impl Journals {
    /// Begins the whole run's journal in `folder`.
    pub(super) fn open(runs: PathBuf, folder: &Path, source: &str) -> std::io::Result<Self> {
        put_schedule(folder, source)?;
        Ok(Self { runs, source: source.to_owned(), whole: JournalWriter::open(folder)?, branch: None })
    }

    /// How long the whole run's journal is, in bytes.
    pub(super) const fn end(&self) -> u64 {
        self.whole.end()
    }

    /// Makes sure that all of it is on the disk.
    fn sync(&mut self) -> std::io::Result<()> {
        let whole = self.whole.sync();
        let branch = self.branch.as_mut().map_or(Ok(()), |branch| branch.sync(&self.source));
        whole.and(branch)
    }

    /// Writes a record where it belongs. A branch's journal is that of an ordinary run: it begins after
    /// [`Event::BranchStarted`], and ends with [`Event::Finished`] in the place of [`Event::BranchEnded`].
    fn append(&mut self, line: &[u8], record: &Record) -> std::io::Result<()> {
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
            (journal::line(&record), record)
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
                let path = journal::path(&folder);
                let began = journal::read(&path, false).unwrap_or_default().first().map_or(record.at, |first| first.at);
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

/// Puts a copy of the schedule's text into a run's folder; another one that is there is put aside.
fn put_schedule(folder: &Path, source: &str) -> std::io::Result<()> {
    let path = folder.join("schedule.yaml");
    if fs_err::read_to_string(&path).is_ok_and(|text| text != source) {
        put_aside(&path)?;
    }
    fs_err::write(&path, source)
}

/// Gives a file that is there a name with a number: `journal.jsonl` becomes `journal-1.jsonl`.
fn put_aside(path: &Path) -> std::io::Result<()> {
    if !path.exists() {
        return Ok(());
    }
    let part = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    let (stem, kind) = (part(path.file_stem()), part(path.extension()));
    let numbered = |number: u32| path.with_file_name(format!("{stem}-{number}.{kind}"));
    let free = (1..u32::MAX).map(numbered).find(|path| !path.exists());
    free.map_or(Ok(()), |free| fs_err::rename(path, free))
}

/// What the thread is to do.
enum Task {
    /// Write this line, which is the record's.
    Line(Arc<[u8]>, Arc<Record>),
    /// Answer when all before it is on the disk.
    Sync(Sender<()>),
}

/// The thread, as the recorder sees it.
pub(super) struct Scribe {
    tasks: Option<Sender<Task>>,
    /// Bytes of lines that wait.
    waiting: Arc<AtomicUsize>,
    /// What is being written.
    watch: Arc<Watch>,
    /// Whether the journal can be written, when that changes.
    pub(super) news: Receiver<Event>,
    path: PathBuf,
    thread: Option<JoinHandle<()>>,
}

impl Scribe {
    /// Starts it.
    ///
    /// # Errors
    /// No thread can be made.
    pub(super) fn start(journals: Journals) -> std::io::Result<Self> {
        let (tasks, receiver) = crossbeam_channel::unbounded();
        let (sender, news) = crossbeam_channel::unbounded();
        let (waiting, watch) = (Arc::new(AtomicUsize::new(0)), Arc::new(Watch::default()));
        let path = journal::path(journals.whole.folder());
        let desk = Desk {
            journals,
            news: sender,
            waiting: Arc::clone(&waiting),
            watch: Arc::clone(&watch),
            path: path.clone(),
            failing: false,
        };
        let thread = std::thread::Builder::new().name("journal".into()).spawn(move || desk.work(&receiver))?;
        Ok(Self { tasks: Some(tasks), waiting, watch, news, path, thread: Some(thread) })
    }

    /// Has a line written.
    pub(super) fn write(&self, line: Vec<u8>, record: &Arc<Record>) {
        let length = line.len();
        // A disk that does not answer: what is worth least is left out.
        if self.waiting.load(Ordering::Relaxed) > MOST_WAITING && journal::is_progress(&line) {
            return;
        }
        self.waiting.fetch_add(length, Ordering::Relaxed);
        self.put(Task::Line(line.into(), Arc::clone(record)));
    }

    /// Has someone answered when all that was said before is on the disk, or cannot be.
    pub(super) fn sync(&self, done: Sender<()>) {
        self.put(Task::Sync(done));
    }

    fn put(&self, task: Task) {
        // The thread ends only after this sender.
        let _ = self.tasks.as_ref().map(|tasks| tasks.send(task));
    }

    /// Tells once of a write that takes too long: the disk does not answer.
    pub(super) fn look(&self) -> Option<Event> {
        let (_, time) = self.watch.overdue()?;
        let (path, reason) = (self.path.display().to_string(), stall::reason(time));
        Some(Event::SavingFailed { of: Saved::Journal, path, index: 0, reason })
    }

    /// Waits until everything is written, unless the disk does not answer.
    pub(super) fn finish(&mut self) {
        drop(self.tasks.take());
        let Some(thread) = self.thread.take() else { return };
        while !thread.is_finished() {
            if self.watch.is_overdue() {
                tracing::error!("the end of the journal is lost: its disk does not answer");
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        // A panic of it was told.
        let _ = thread.join();
    }
}

/// What the thread works with.
struct Desk {
    journals: Journals,
    news: Sender<Event>,
    waiting: Arc<AtomicUsize>,
    watch: Arc<Watch>,
    path: PathBuf,
    failing: bool,
}

impl Desk {
    fn work(mut self, tasks: &Receiver<Task>) {
        for task in tasks {
            // After a panic it goes on with the next one: the run ends in order, and its end is recorded.
            let _ = catch_unwind(AssertUnwindSafe(|| self.perform(&task)));
            if let Task::Line(line, _) = &task {
                self.waiting.fetch_sub(line.len(), Ordering::Relaxed);
            }
        }
        self.finish();
    }

    fn perform(&mut self, task: &Task) {
        self.watch.begin(Work { path: self.path.clone(), index: 0, bytes: 0 });
        let written = match task {
            Task::Line(line, record) => {
                crash::test("journal");
                self.journals.append(line, record)
            }
            Task::Sync(_) => self.journals.sync(),
        };
        let was_silent = self.watch.end();
        self.tell(&written, was_silent);
        if let Task::Sync(done) = task {
            // A journal that cannot be written was told; nobody waits for it.
            let _ = done.send(());
        }
    }

    /// Tells when the journal cannot be written any more, and when it can again.
    fn tell(&mut self, written: &std::io::Result<()>, was_silent: bool) {
        let of = Saved::Journal;
        let event = match written {
            Err(error) if !self.failing => {
                let path = self.path.display().to_string();
                Event::SavingFailed { of, path, index: 0, reason: error.to_string() }
            }
            Ok(()) if self.failing || was_silent => Event::SavingRestored { of },
            _ => return,
        };
        self.failing = written.is_err();
        let _ = self.news.send(event);
    }

    /// Gives a disk that took nothing some more time to take what waits.
    fn finish(&mut self) {
        let mut sync = || {
            self.watch.begin(Work { path: self.path.clone(), index: 0, bytes: 0 });
            let synced = self.journals.sync();
            self.watch.end();
            synced
        };
        for pause in LAST_TRIES {
            match sync() {
                Ok(()) => return,
                Err(_) => std::thread::sleep(Duration::from_millis(pause)),
            }
        }
        if let Err(error) = sync() {
            tracing::error!("the end of the journal is lost: {error}");
        }
    }
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
        let mut journals = Journals::open(runs.path().to_owned(), &folder, "stages: []").expect("opens");
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
            journals.append(&journal::line(&record), &record).expect("appends");
        }
        let read = |folder: &Path| -> Vec<Event> {
            let path = journal::path(folder);
            journal::read(&path, true).expect("reads").into_iter().map(|record| record.event).collect()
        };
        assert_eq!(read(&folder), events);
        let own = [log("within"), Event::Finished { outcome: Outcome::Stopped, seconds: 2.0 }];
        assert_eq!(read(&runs.path().join("demo-b")), own);
        assert!(runs.path().join("demo-b/schedule.yaml").exists());
    }
}
