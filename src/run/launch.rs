//! Starts a run: its folder, the engine's thread, its socket, and the recorder that stands between the engine and everyone
//! who watches. The recorder hands each event on, also to the thread that writes the journal; a slow screen, client or disk
//! never holds up the engine.

pub(super) mod error;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

pub use self::error::LaunchError;
use super::clock::now;
use super::journal::run_journals::RunJournals;
use super::journal::thread::JournalThread;
use super::live::announcement::Announcement;
use super::lock::checkpoint::CheckpointLock;
use super::log::RunLog;
use super::machine::MachineSampler;
use super::recorder::{Listeners, record};
use super::socket::hub::Hub;
use crate::disk_watch;
use crate::event::{Command, Level, Point, Record};
use crate::schedule::Schedule;
use crate::train;
use crate::train::state::unfinished::Unfinished;

/// Between two checks of threads that are waited for.
const CHECK_EVERY: Duration = Duration::from_millis(5);

/// Panics that the recorder survives.
const MAX_PANICS: u32 = 16;

/// Most damaged lines of a journal that are named.
const MAX_NAMED: usize = 20;

/// A run that trains in this process.
#[derive(Debug)]
pub struct LaunchedRun {
    /// Its events, each with its moment. Closed after the last one.
    pub events: UnboundedReceiver<Arc<Record>>,
    /// What it can be asked.
    pub commands: Sender<Command>,
    /// Its folder: the journal and a copy of the schedule.
    pub folder: PathBuf,
    /// How many of the events come first that an earlier part of the run recorded.
    pub earlier: usize,
    /// Identifies it and names its folder.
    pub id: String,
    /// Adds lines to its log from outside the engine.
    pub log: RunLog,
    recorder: JoinHandle<()>,
    engine: JoinHandle<()>,
    /// Set with the run's last event.
    over: Arc<AtomicBool>,
}

/// The threads of a run, to be joined after its events have ended.
#[derive(Debug)]
pub struct RunThreads {
    recorder: JoinHandle<()>,
    engine: JoinHandle<()>,
    /// Set with the run's last event.
    over: Arc<AtomicBool>,
}

impl RunThreads {
    /// Waits until the journal is complete and the engine has let go of everything; not for a disk that does not answer.
    pub fn join(self) {
        let threads = [self.engine, self.recorder];
        let mut ended: Option<Instant> = None;
        while !threads.iter().all(JoinHandle::is_finished) {
            let over = self.over.load(Ordering::Acquire);
            if over && ended.get_or_insert_with(Instant::now).elapsed() > 2 * disk_watch::silence_limit() {
                tracing::error!("the disk of the run does not answer: the process ends without it");
                return;
            }
            std::thread::sleep(CHECK_EVERY);
        }
        // A panic in either was already told as an event; there is nothing to add here.
        let _ = threads.map(JoinHandle::join);
    }
}

impl LaunchedRun {
    /// Separates what a front end uses from the threads behind it.
    pub fn split(self) -> (UnboundedReceiver<Arc<Record>>, Sender<Command>, RunThreads) {
        (self.events, self.commands, RunThreads { recorder: self.recorder, engine: self.engine, over: self.over })
    }
}

/// How a run begins.
#[derive(Debug, Clone, Default)]
pub struct LaunchOptions {
    /// The unfinished run to resume; none to begin a new one.
    pub resume: Option<Unfinished>,
    /// Start over: move files of the same name aside even where training could continue from them.
    pub fresh: bool,
    /// How long a run that has ended keeps trying to write what a disk does not take; none for the usual time.
    pub keep_trying: Option<Duration>,
}

/// Starts training a schedule whose checkpoints are locked. `source` is the schedule's text, kept beside the journal.
///
/// # Errors
/// The run's folder cannot be made, or its journal cannot be read.
pub fn launch(
    schedule: Schedule,
    source: &str,
    checkpoints: CheckpointLock,
    options: LaunchOptions,
) -> Result<LaunchedRun, LaunchError> {
    let LaunchOptions { resume, fresh, keep_trying } = options;
    let (id, folder) = match &resume {
        None => make_folder(&schedule.runs, &schedule.name)?,
        Some(found) => {
            let folder = schedule.runs.join(&found.run_id);
            fs_err::create_dir_all(&folder)?;
            (found.run_id.clone(), folder)
        }
    };
    let (before, damaged) =
        resume.as_ref().map_or_else(|| Ok(Default::default()), |found| earlier(&folder, found.point()))?;
    let journals = RunJournals::open(schedule.runs.clone(), &folder, source)?;
    let (commands, command_receiver) = crossbeam_channel::unbounded();
    let (event_sender, event_receiver) = crossbeam_channel::unbounded();
    let (log, log_lines) = RunLog::channel();
    let (flush_sender, flush_receiver) = crossbeam_channel::unbounded();
    let (subscriber, events) = unbounded_channel();
    if !damaged.is_empty() {
        let numbers: Vec<String> = damaged.iter().take(MAX_NAMED).map(u64::to_string).collect();
        let more = if damaged.len() > MAX_NAMED { ", ..." } else { "" };
        let (journal, numbers) = (super::journal::path(&folder), numbers.join(", "));
        let message = format!("damaged lines of `{}` were skipped: {numbers}{more}", journal.display());
        log.add(Level::Warning, message);
    }
    let earlier = before.len();
    for record in before {
        // The receiver is still here.
        let _ = subscriber.send(Arc::new(record));
    }
    let hub = Arc::new(Hub::new(journals.end()));
    let announcement = Announcement::new(&id, &folder, &checkpoints, &hub, &commands, &log);
    let over = Arc::new(AtomicBool::new(false));
    let mut listeners = Listeners::new(JournalThread::start(journals)?, subscriber, hub, Arc::clone(&over));
    // The recorder keeps a sender of log lines, so that their channel is never seen to close.
    let inputs = (event_receiver, log_lines, log.clone());
    let recorder = std::thread::Builder::new().name("recorder".into()).spawn(move || {
        // After a panic it continues with the next record: the run ends in order, and its end is recorded.
        for _ in 0..MAX_PANICS {
            let flushes = flush_receiver.clone();
            if catch_unwind(AssertUnwindSafe(|| record(&inputs.0, &inputs.1, flushes, &mut listeners))).is_ok() {
                break;
            }
        }
        if let Some(announcement) = announcement {
            announcement.end();
        }
    })?;
    let run_id = id.clone();
    let engine = std::thread::Builder::new().name("engine".into()).spawn(move || {
        let flush: train::emit::Flush = Arc::new(move || {
            let (done, wait) = crossbeam_channel::bounded(1);
            if flush_sender.send(done).is_ok() {
                // An answer, or the recorder's end: there is nothing to wait for any more. A journal whose disk does not
                // answer is waited for in vain, and the state is not.
                let _ = wait.recv_timeout(disk_watch::silence_limit());
            }
        });
        let emit: train::emit::Emit = Arc::new(move |event| {
            // The recorder outlives the engine; if it died, its panic has been told already.
            let _ = event_sender.send(Record { at: now(), event });
        });
        let say = Arc::clone(&emit);
        let sampler = MachineSampler::start(schedule.checkpoints.clone(), move |event| say(event));
        // Released when the last file is written.
        let _checkpoints = checkpoints;
        let job = train::engine::Job { schedule: &schedule, run_id: &run_id, resume, fresh, flush, keep_trying };
        train::engine::perform(job, &command_receiver, &emit);
        drop(sampler);
    })?;
    Ok(LaunchedRun { events, commands, folder, earlier, id, log, recorder, engine, over })
}

/// What the journal of a run that resumes at `point` holds up to there, and the numbers of its damaged lines.
fn earlier(folder: &Path, point: Point) -> std::io::Result<(Vec<Record>, Vec<u64>)> {
    let path = super::journal::path(folder);
    if !path.exists() {
        return Ok((Vec::new(), Vec::new()));
    }
    let (mut records, damaged) = super::journal::read_noting_damage(&path, true)?;
    super::journal::truncate_at(&mut records, point);
    Ok((records, damaged))
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
