//! Starts a run: its folder, the engine's thread, and the recorder that stands between the engine and everyone who
//! watches. The recorder writes each event to the journal and hands it on; a slow screen or disk never holds the engine.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

use crossbeam_channel::{Receiver, Sender};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::journal::JournalWriter;
use crate::event::{Command, Continuation, Event, Level, Point, Record};
use crate::schedule::Schedule;
use crate::train;
use crate::train::unfinished::Unfinished;

/// A run that goes on in this process.
#[derive(Debug)]
pub struct Launched {
    /// Its events, each with its moment. Closed after the last one.
    pub events: UnboundedReceiver<Arc<Record>>,
    /// What it can be asked.
    pub commands: Sender<Command>,
    /// Its folder: the journal and a copy of the schedule.
    pub folder: PathBuf,
    /// How many of the events come first that an earlier part of the run recorded.
    pub earlier: usize,
    recorder: JoinHandle<()>,
    engine: JoinHandle<()>,
}

/// The threads of a run, to be joined after its events have ended.
#[derive(Debug)]
pub struct Threads {
    recorder: JoinHandle<()>,
    engine: JoinHandle<()>,
}

impl Threads {
    /// Waits until the journal is complete and the engine has let go of everything.
    pub fn join(self) {
        // A panic in either was already told as an event; there is nothing to add here.
        let _ = self.engine.join();
        let _ = self.recorder.join();
    }
}

impl Launched {
    /// Separates what a front end uses from the threads behind it.
    pub fn split(self) -> (UnboundedReceiver<Arc<Record>>, Sender<Command>, Threads) {
        (self.events, self.commands, Threads { recorder: self.recorder, engine: self.engine })
    }
}

/// How a run begins.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// The unfinished run that goes on; none to begin one.
    pub resume: Option<Unfinished>,
    /// Whether files of the same name are moved aside also where they would be gone on with.
    pub fresh: bool,
}

/// What comes to the recorder.
enum Message {
    /// Something happened.
    Record(Record),
    /// Somebody waits for what came before to be on the disk.
    Flush(Sender<()>),
}

/// Starts training a schedule. `source` is the schedule's text, kept beside the journal.
///
/// # Errors
/// The run's folder cannot be made, or its journal cannot be read.
pub fn launch(schedule: Schedule, source: &str, plan: Plan) -> std::io::Result<Launched> {
    let Plan { resume, fresh } = plan;
    let (run_id, folder) = match &resume {
        None => make_folder(&schedule.runs, &schedule.name)?,
        Some(found) => {
            let folder = schedule.runs.join(&found.run_id);
            fs_err::create_dir_all(&folder)?;
            (found.run_id.clone(), folder)
        }
    };
    let earlier = resume.as_ref().map_or_else(|| Ok(Vec::new()), |found| earlier(&folder, found.point()))?;
    let journals = Journals::open(schedule.runs.clone(), &folder, source)?;
    let (command_sender, command_receiver) = crossbeam_channel::unbounded();
    let (message_sender, message_receiver) = crossbeam_channel::unbounded();
    let (subscriber, events) = unbounded_channel();
    let count = earlier.len();
    for record in earlier {
        // The receiver is still here.
        let _ = subscriber.send(Arc::new(record));
    }
    let recorder = std::thread::Builder::new()
        .name("recorder".into())
        .spawn(move || record(&message_receiver, journals, &subscriber))?;
    let engine = std::thread::Builder::new().name("engine".into()).spawn(move || {
        let flush_sender = message_sender.clone();
        let flush: train::engine::Flush = Arc::new(move || {
            let (done, wait) = crossbeam_channel::bounded(1);
            if flush_sender.send(Message::Flush(done)).is_ok() {
                // An answer, or the recorder's end: there is nothing to wait for any more.
                let _ = wait.recv();
            }
        });
        let emit: train::engine::Emit = Arc::new(move |event| {
            // The recorder outlives the engine; if it died, its panic has been told already.
            let _ = message_sender.send(Message::Record(Record { at: now(), event }));
        });
        let job = train::engine::Job { schedule: &schedule, run_id: &run_id, resume, fresh, flush };
        train::engine::perform(job, &command_receiver, &emit);
    })?;
    Ok(Launched { events, commands: command_sender, folder, earlier: count, recorder, engine })
}

/// What the journal of a run that goes on at `point` holds up to there.
fn earlier(folder: &Path, point: Point) -> std::io::Result<Vec<Record>> {
    let path = super::journal::path(folder);
    if !path.exists() {
        return Ok(Vec::new());
    }
    let mut records = super::journal::read(&path, true)?;
    super::journal::keep(&mut records, point);
    Ok(records)
}

/// Seconds since the Unix epoch, to the millisecond.
fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_millis() as f64 / 1000.0
}

/// The journals of a run: the whole one's, and beside it that of the branch being trained, in a folder of its own.
struct Journals {
    runs: PathBuf,
    source: String,
    whole: JournalWriter,
    branch: Option<(JournalWriter, f64)>,
}

impl Journals {
    /// Begins the whole run's journal in `folder`.
    fn open(runs: PathBuf, folder: &Path, source: &str) -> std::io::Result<Self> {
        Ok(Self { runs, source: source.to_owned(), whole: journal(folder, source)?, branch: None })
    }

    /// Makes sure that all of it is on the disk.
    fn sync(&mut self) -> std::io::Result<()> {
        self.whole.sync()?;
        self.branch.as_mut().map_or(Ok(()), |(journal, _)| journal.sync())
    }

    /// Writes a record where it belongs. A branch's journal is that of an ordinary run: it begins after
    /// [`Event::BranchStarted`], and ends with [`Event::Finished`] in the place of [`Event::BranchEnded`].
    fn append(&mut self, record: &Record) -> std::io::Result<()> {
        self.whole.append(record)?;
        match &record.event {
            Event::BranchStarted { run_id, .. } => {
                let folder = self.runs.join(run_id);
                fs_err::create_dir_all(&folder)?;
                put_aside(&super::journal::path(&folder))?;
                self.branch = Some((journal(&folder, &self.source)?, record.at));
            }
            Event::Continued(continuation) if continuation.point.within => {
                let Continuation { header, point, .. } = &**continuation;
                let Some(plan) = header.branches.get(point.branches) else { return Ok(()) };
                let folder = self.runs.join(format!("{}-{}", header.run_id, plan.name));
                fs_err::create_dir_all(&folder)?;
                let path = super::journal::path(&folder);
                let began = super::journal::read(&path, false).unwrap_or_default().first().map_or(record.at, |r| r.at);
                let mut own = journal(&folder, &self.source)?;
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
                    journal.append(record)?;
                }
            }
        }
        Ok(())
    }
}

/// Begins the journal of a run's folder or goes on with it, with a copy of the schedule's text beside it.
fn journal(folder: &Path, source: &str) -> std::io::Result<JournalWriter> {
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

fn record(messages: &Receiver<Message>, mut journals: Journals, subscriber: &UnboundedSender<Arc<Record>>) {
    let mut failed = false;
    for message in messages {
        let record = match message {
            Message::Record(record) => record,
            Message::Flush(done) => {
                // A journal that cannot be written is told with the next record; nobody waits for it.
                let _ = journals.sync();
                let _ = done.send(());
                continue;
            }
        };
        if let Err(error) = journals.append(&record)
            && !failed
        {
            failed = true;
            let message = format!("the journal cannot be written: {error}; training goes on without it");
            let _ =
                subscriber.send(Arc::new(Record { at: record.at, event: Event::Log { level: Level::Error, message } }));
        }
        // Nobody may be watching any more: the journal goes on.
        let _ = subscriber.send(Arc::new(record));
    }
}

/// Makes the folder of a new run: `<name>-<date>-<time>`, with a number behind it when that is taken.
fn make_folder(runs: &Path, name: &str) -> std::io::Result<(String, PathBuf)> {
    fs_err::create_dir_all(runs)?;
    let stamp = jiff::ZonedDateTime::now().strftime("%Y%m%d-%H%M%S").to_string();
    for number in 1.. {
        let suffix = if number == 1 { String::new() } else { format!("-{number}") };
        let id = format!("{name}-{stamp}{suffix}");
        let folder = runs.join(&id);
        match fs_err::create_dir(&folder) {
            Ok(()) => return Ok((id, folder)),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    unreachable!("the loop ends only by returning")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_has_a_journal_of_its_own() {
        use crate::event::{BranchRow, Outcome};
        let runs = tempfile::tempdir().expect("a folder");
        let (_, folder) = make_folder(runs.path(), "demo").expect("makes");
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
            journals.append(&Record { at: at as f64, event: event.clone() }).expect("appends");
        }
        let read = |folder: &Path| -> Vec<Event> {
            let path = super::super::journal::path(folder);
            super::super::journal::read(&path, true).expect("reads").into_iter().map(|record| record.event).collect()
        };
        assert_eq!(read(&folder), events);
        let own = [log("within"), Event::Finished { outcome: Outcome::Stopped, seconds: 2.0 }];
        assert_eq!(read(&runs.path().join("demo-b")), own);
        assert!(runs.path().join("demo-b/schedule.yaml").exists());
    }

    #[test]
    fn two_runs_in_one_second_have_two_folders() {
        let runs = tempfile::tempdir().expect("a folder");
        let (first, _) = make_folder(runs.path(), "demo").expect("makes");
        let (second, _) = make_folder(runs.path(), "demo").expect("makes");
        assert_ne!(first, second);
    }
}
