//! Starts a run: its folder, the engine's thread, and the recorder that stands between the engine and everyone who
//! watches. The recorder writes each event to the journal and hands it on; a slow screen or disk never holds the engine.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

use crossbeam_channel::{Receiver, Sender};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::journal::JournalWriter;
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
    fs_err::write(folder.join("schedule.yaml"), source)?;
    let journal = JournalWriter::open(&folder)?;
    let (command_sender, command_receiver) = crossbeam_channel::unbounded();
    let (event_sender, event_receiver) = crossbeam_channel::unbounded();
    let (subscriber, events) = unbounded_channel();
    let recorder = std::thread::Builder::new()
        .name("recorder".into())
        .spawn(move || record(&event_receiver, journal, &subscriber))?;
    let engine = std::thread::Builder::new().name("engine".into()).spawn(move || {
        let emit: train::engine::Emit = Arc::new(move |event| {
            // The recorder outlives the engine; if it died, its panic has been told already.
            let _ = event_sender.send(Record { at: now(), event });
        });
        train::engine::run(&schedule, &run_id, &command_receiver, &emit);
    })?;
    Ok(Launched { events, commands: command_sender, folder, recorder, engine })
}

/// Seconds since the Unix epoch, to the millisecond.
fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_millis() as f64 / 1000.0
}

fn record(events: &Receiver<Record>, mut journal: JournalWriter, subscriber: &UnboundedSender<Arc<Record>>) {
    let mut failed = false;
    for record in events {
        if let Err(error) = journal.append(&record)
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
    fn two_runs_in_one_second_have_two_folders() {
        let runs = tempfile::tempdir().expect("a folder");
        let (first, _) = make_folder(runs.path(), "demo").expect("makes");
        let (second, _) = make_folder(runs.path(), "demo").expect("makes");
        assert_ne!(first, second);
    }
}
