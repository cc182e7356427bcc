//! The recorder stands between the engine and everyone who watches: it hands each record on, to the front end and to the
//! clients of the socket, and writes it to the journals.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};
use tokio::sync::mpsc::UnboundedSender;

use super::journal::{self, JournalWriter};
use super::launch::now;
use super::socket::hub::Hub;
use crate::crash;
use crate::event::{Continuation, Event, Level, Point, Record, Saved};

/// Pauses between the last tries to write the journal, in milliseconds.
const LAST_TRIES: [u64; 6] = [100, 200, 500, 1000, 2000, 4000];

/// Most notes that wait for the recorder.
const MOST_NOTES: usize = 256;

/// Puts lines into a run's log, the journal included, from outside the engine.
#[derive(Debug, Clone)]
pub struct Notes(Sender<Record>);

impl Notes {
    /// The two ends.
    pub(super) fn channel() -> (Self, Receiver<Record>) {
        let (sender, receiver) = crossbeam_channel::bounded(MOST_NOTES);
        (Self(sender), receiver)
    }

    /// Says something. After the run's end, or when too much was said already, it is lost.
    pub fn say(&self, level: Level, message: String) {
        let _ = self.0.try_send(Record { at: now(), event: Event::Log { level, message } });
    }
}

/// The journals of a run: the whole one's, and beside it that of the branch being trained, in a folder of its own.
pub(super) struct Journals {
    runs: PathBuf,
    source: String,
    whole: JournalWriter,
    branch: Option<(JournalWriter, f64)>,
}

impl Journals {
    /// Begins the whole run's journal in `folder`.
    pub(super) fn open(runs: PathBuf, folder: &Path, source: &str) -> std::io::Result<Self> {
        Ok(Self { runs, source: source.to_owned(), whole: begin(folder, source)?, branch: None })
    }

    /// How long the whole run's journal is, in bytes.
    pub(super) const fn end(&self) -> u64 {
        self.whole.end()
    }

    /// Makes sure that all of it is on the disk.
    fn sync(&mut self) -> std::io::Result<()> {
        self.whole.sync()?;
        self.branch.as_mut().map_or(Ok(()), |(journal, _)| journal.sync())
    }

    /// Writes a record where it belongs. A branch's journal is that of an ordinary run: it begins after
    /// [`Event::BranchStarted`], and ends with [`Event::Finished`] in the place of [`Event::BranchEnded`].
    fn append(&mut self, line: &[u8], record: &Record) -> std::io::Result<()> {
        // A part that fails keeps what it owes; the other is none the worse for it.
        let whole = self.whole.append_line(line, record);
        self.append_to_branch(line, record).and(whole)
    }

    fn append_to_branch(&mut self, line: &[u8], record: &Record) -> std::io::Result<()> {
        match &record.event {
            Event::BranchStarted { run_id, .. } => {
                let folder = self.runs.join(run_id);
                fs_err::create_dir_all(&folder)?;
                put_aside(&journal::path(&folder))?;
                self.branch = Some((begin(&folder, &self.source)?, record.at));
            }
            Event::Continued(continuation) if continuation.point.within => {
                let Continuation { header, point, .. } = &**continuation;
                let Some(plan) = header.branches.get(point.branches) else { return Ok(()) };
                let folder = self.runs.join(format!("{}-{}", header.run_id, plan.name));
                fs_err::create_dir_all(&folder)?;
                let path = journal::path(&folder);
                let began = journal::read(&path, false).unwrap_or_default().first().map_or(record.at, |first| first.at);
                let mut own = begin(&folder, &self.source)?;
                // In its own journal a branch is a run without branches.
                let point = Point { branches: 0, within: false, ..*point };
                let event = Event::Continued(Box::new(Continuation { point, ..(**continuation).clone() }));
                own.append(&Record { at: record.at, event })?;
                self.branch = Some((own, began));
            }
            Event::BranchEnded { row, .. } => {
                if let (Some((mut journal, began)), Some(outcome)) = (self.branch.take(), row.outcome.clone()) {
                    let event = Event::Finished { outcome, seconds: record.at - began };
                    journal.append(&Record { at: record.at, event })?;
                }
            }
            _ => {
                if let Some((journal, _)) = &mut self.branch {
                    journal.append_line(line, record)?;
                }
            }
        }
        Ok(())
    }
}

/// Begins the journal of a run's folder or goes on with it, with a copy of the schedule's text beside it.
fn begin(folder: &Path, source: &str) -> std::io::Result<JournalWriter> {
    let path = folder.join("schedule.yaml");
    if fs_err::read_to_string(&path).is_ok_and(|text| text != source) {
        put_aside(&path)?;
    }
    fs_err::write(&path, source)?;
    JournalWriter::open(folder)
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

/// Everyone who is told of a record.
pub(super) struct Book {
    journals: Journals,
    subscriber: UnboundedSender<Arc<Record>>,
    hub: Arc<Hub>,
    failing: bool,
    ended: bool,
}

impl Book {
    /// A book of a run of which nothing was told.
    pub(super) const fn new(journals: Journals, subscriber: UnboundedSender<Arc<Record>>, hub: Arc<Hub>) -> Self {
        Self { journals, subscriber, hub, failing: false, ended: false }
    }

    fn take(&mut self, record: Record) {
        crash::test("recorder");
        let line = journal::line(&record);
        let record = Arc::new(record);
        self.ended |= matches!(record.event, Event::Finished { .. });
        // Nobody may be watching any more: the journal goes on. Those who watch do not wait for the disk.
        let _ = self.subscriber.send(Arc::clone(&record));
        self.hub.publish(&line);
        let written = self.journals.append(&line, &record);
        self.tell(written);
    }
}

impl Book {
    /// Tells when the journal cannot be written any more, and when it can again.
    fn tell(&mut self, written: std::io::Result<()>) {
        let of = Saved::Journal;
        let event = match written {
            Err(error) if !self.failing => {
                let path = journal::path(self.journals.whole.folder()).display().to_string();
                Event::SavingFailed { of, path, index: 0, reason: error.to_string() }
            }
            Ok(()) if self.failing => Event::SavingRestored { of },
            _ => return,
        };
        self.failing = !self.failing;
        if !self.ended {
            self.take(Record { at: now(), event });
        }
    }

    /// Gives a disk that took nothing some more time to take what waits.
    fn finish(&mut self) {
        for pause in LAST_TRIES {
            match self.journals.sync() {
                Ok(()) => return,
                Err(_) => std::thread::sleep(Duration::from_millis(pause)),
            }
        }
        if let Err(error) = self.journals.sync() {
            tracing::error!("the end of the journal is lost: {error}");
        }
    }
}

/// The recorder's work, until the engine's end of `events` is gone. `notes` must not close before. Who sends to `flushes`
/// is answered when all that was said before is on the disk.
pub(super) fn record(
    events: &Receiver<Record>,
    notes: &Receiver<Record>,
    mut flushes: Receiver<Sender<()>>,
    book: &mut Book,
) {
    loop {
        crossbeam_channel::select! {
            recv(events) -> record => match record {
                // The machine is looked at until the engine is gone, which is a moment after its last word.
                Ok(record) if book.ended && matches!(record.event, Event::Machine(_)) => {}
                Ok(record) => book.take(record),
                Err(_) => break,
            },
            recv(notes) -> note => if let Ok(note) = note && !book.ended {
                book.take(note);
            },
            recv(flushes) -> done => match done {
                Ok(done) => {
                    for record in events.try_iter() {
                        book.take(record);
                    }
                    // A journal that cannot be written is told with the next record; nobody waits for it.
                    let synced = book.journals.sync();
                    book.tell(synced);
                    let _ = done.send(());
                }
                // The engine has ended.
                Err(_) => flushes = crossbeam_channel::never(),
            },
        }
    }
    book.finish();
}

#[cfg(test)]
mod tests {
    use super::*;

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
