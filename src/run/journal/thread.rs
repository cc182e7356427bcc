//! The thread that writes a run's records to its journals: a disk that is slow, or does not answer, holds up neither the
//! engine nor those who watch.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};

use super::file::path;
use super::line::is_progress;
use super::run_journals::RunJournals;
use crate::crash;
use crate::disk_watch::{self, Watch, Work};
use crate::event::{Event, Record, Saved};

/// Pauses between the last tries to write the journal, in milliseconds.
const LAST_TRIES: [u64; 6] = [100, 200, 500, 1000, 2000, 4000];

/// Most bytes of lines that wait for the thread; beyond that progress lines are left out, as
/// [`JournalWriter`](super::JournalWriter) does.
const MAX_WAITING: usize = 64 << 20;

/// What the thread is to do.
enum Task {
    /// Write this line, which is the record's.
    Line(Arc<[u8]>, Arc<Record>),
    /// Answer when all before it is on the disk.
    Sync(Sender<()>),
}

/// The thread, as the recorder sees it.
pub(in crate::run) struct JournalThread {
    tasks: Option<Sender<Task>>,
    /// Bytes of lines that wait.
    waiting: Arc<AtomicUsize>,
    /// What is being written.
    watch: Arc<Watch>,
    /// Whether the journal can be written, when that changes.
    pub(in crate::run) news: Receiver<Event>,
    path: PathBuf,
    thread: Option<JoinHandle<()>>,
}

impl JournalThread {
    /// Starts it.
    ///
    /// # Errors
    /// No thread can be made.
    pub(in crate::run) fn start(journals: RunJournals) -> std::io::Result<Self> {
        let (tasks, receiver) = crossbeam_channel::unbounded();
        let (sender, news) = crossbeam_channel::unbounded();
        let (waiting, watch) = (Arc::new(AtomicUsize::new(0)), Arc::new(Watch::default()));
        let path = path(journals.folder());
        let worker = Worker {
            journals,
            news: sender,
            waiting: Arc::clone(&waiting),
            watch: Arc::clone(&watch),
            path: path.clone(),
            failing: false,
        };
        let thread = std::thread::Builder::new().name("journal".into()).spawn(move || worker.work(&receiver))?;
        Ok(Self { tasks: Some(tasks), waiting, watch, news, path, thread: Some(thread) })
    }

    /// Has a line written.
    pub(in crate::run) fn write(&self, line: Vec<u8>, record: &Arc<Record>) {
        let length = line.len();
        // A disk that does not answer: what is worth least is left out.
        if self.waiting.load(Ordering::Relaxed) > MAX_WAITING && is_progress(&line) {
            return;
        }
        self.waiting.fetch_add(length, Ordering::Relaxed);
        self.put(Task::Line(line.into(), Arc::clone(record)));
    }

    /// Has someone answered when all that was said before is on the disk, or cannot be.
    pub(in crate::run) fn sync(&self, done: Sender<()>) {
        self.put(Task::Sync(done));
    }

    fn put(&self, task: Task) {
        // The thread ends only after this sender.
        let _ = self.tasks.as_ref().map(|tasks| tasks.send(task));
    }

    /// Tells once of a write that takes too long: the disk does not answer.
    pub(in crate::run) fn overdue_write(&self) -> Option<Event> {
        let (_, time) = self.watch.overdue()?;
        let (path, reason) = (self.path.display().to_string(), disk_watch::silence_reason(time));
        Some(Event::SavingFailed { of: Saved::Journal, path, index: 0, reason })
    }

    /// Waits until everything is written, unless the disk does not answer.
    pub(in crate::run) fn finish(&mut self) {
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
struct Worker {
    journals: RunJournals,
    news: Sender<Event>,
    waiting: Arc<AtomicUsize>,
    watch: Arc<Watch>,
    path: PathBuf,
    failing: bool,
}

impl Worker {
    fn work(mut self, tasks: &Receiver<Task>) {
        for task in tasks {
            // After a panic it continues with the next one: the run ends in order, and its end is recorded.
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
