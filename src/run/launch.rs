//! Starts a run: its folder, the engine's thread, and the recorder that stands between the engine and everyone who
//! watches. The recorder writes each event to the journal and hands it on; a slow screen or disk never holds the engine.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

use crossbeam_channel::{Receiver, Sender};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::journal::JournalWriter;
use super::machine::Sampler;
use crate::event::{Command, Event, Level, Record};
use crate::schedule::Schedule;
use crate::train;

/// A run that goes on in this process.
#[derive(Debug)]
pub struct Launched {
    /// Its events, each with its moment. Closed after the last one.
    pub events: UnboundedReceiver<Arc<Record>>,
    /// What it can be asked.
    pub commands: Sender<Command>,
    /// Its folder: the journal and a copy of the schedule.
    pub folder: PathBuf,
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

/// Starts training a schedule. `source` is the schedule's text, kept beside the journal.
///
/// # Errors
/// The run's folder cannot be made.
pub fn launch(schedule: Schedule, source: &str) -> std::io::Result<Launched> {
    let (run_id, folder) = make_folder(&schedule.runs, &schedule.name)?;
    let journals = Journals::open(schedule.runs.clone(), &folder, source)?;
    let (command_sender, command_receiver) = crossbeam_channel::unbounded();
    let (event_sender, event_receiver) = crossbeam_channel::unbounded();
    let (subscriber, events) = unbounded_channel();
    let recorder = std::thread::Builder::new()
        .name("recorder".into())
        .spawn(move || record(&event_receiver, journals, &subscriber))?;
    let engine = std::thread::Builder::new().name("engine".into()).spawn(move || {
        let emit: train::engine::Emit = Arc::new(move |event| {
            // The recorder outlives the engine; if it died, its panic has been told already.
            let _ = event_sender.send(Record { at: now(), event });
        });
        let say = Arc::clone(&emit);
        let sampler = Sampler::start(schedule.checkpoints.clone(), move |event| say(event));
        train::engine::run(&schedule, &run_id, &command_receiver, &emit);
        drop(sampler);
    })?;
    Ok(Launched { events, commands: command_sender, folder, recorder, engine })
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

    /// Writes a record where it belongs. A branch's journal is that of an ordinary run: it begins after
    /// [`Event::BranchStarted`], and ends with [`Event::Finished`] in the place of [`Event::BranchEnded`].
    fn append(&mut self, record: &Record) -> std::io::Result<()> {
        self.whole.append(record)?;
        match &record.event {
            Event::BranchStarted { run_id, .. } => {
                let folder = self.runs.join(run_id);
                fs_err::create_dir_all(&folder)?;
                self.branch = Some((journal(&folder, &self.source)?, record.at));
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

/// Begins the journal of a run's folder, with a copy of the schedule's text beside it.
fn journal(folder: &Path, source: &str) -> std::io::Result<JournalWriter> {
    fs_err::write(folder.join("schedule.yaml"), source)?;
    JournalWriter::open(folder)
}

fn record(events: &Receiver<Record>, mut journals: Journals, subscriber: &UnboundedSender<Arc<Record>>) {
    let mut failed = false;
    let mut ended = false;
    for record in events {
        // The machine is looked at until the engine is gone, which is a moment after its last word.
        if ended && matches!(record.event, Event::Machine(_)) {
            continue;
        }
        ended |= matches!(record.event, Event::Finished { .. });
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
