//! Writes a run's files on a thread of its own, so that training never waits for a disk: the whole model, the best
//! basic model, the history. Jobs are done in order; every file is written to a temporary name, synced and renamed.
//!
//! | kind | when | file | takes the place of | removed |
//! |---|---|---|---|---|
//! | whole model | after each epoch | `<name>.h5` | the one before, which becomes the older snapshot unless newer states lie there | never |
//! | snapshot | within an epoch, every few minutes or steps | `<name>_snapshot_a.h5`, `_b.h5` | the older of the two | when the run completes |
//! | whole model of its own | on request; at a stop within an epoch; after an error | `<name>_at_epoch_<E>_step_<S>.h5` | nothing | never |
//! | best basic model | when the last bin's accuracy is the best so far | `<name>_basic_<bin>_epoch_<E>_<accuracy>.h5` | the best before | once a state that names the new one is on disk |
//! | centers | after each epoch of a stage with a center loss | `<name>_centers.npy` | the ones before | never |
//! | history | after each epoch | `<name>_hist.json` | the one before | never |
//!
//! What a disk does not take stays in memory, the newest of each kind, and is tried again. A disk that does not answer at all is
//! told of by the engine, between two steps.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};

use crate::disk_watch::{self, Watch};
use crate::event::{Event, Level, Saved};
use crate::train::control::Control;
use crate::train::emit::{Emit, Flush};
use crate::train::error::TrainError;
use crate::train::paths::OutputPaths;

pub mod job;
mod queue;
pub mod retry;
pub mod snapshot_timer;
mod snapshots;
mod worker;

use job::SaveJob;
use queue::Queue;
use snapshots::SnapshotFiles;
use worker::{Worker, given_up};

/// How long files may take at the end before that is told.
const LONG: Duration = Duration::from_secs(10);

/// The saver's thread.
pub struct Saver {
    queue: Arc<Queue>,
    paths: OutputPaths,
    emit: Emit,
    watch: Arc<Watch>,
    /// Closed when the thread ends.
    ended: Receiver<()>,
    thread: JoinHandle<Option<TrainError>>,
}

impl Saver {
    /// Starts it for the run `run_id`. `previous_basic` is the best basic model of an earlier part of the run.
    ///
    /// # Errors
    /// No thread can be made.
    pub fn start(
        paths: OutputPaths,
        previous_basic: Option<PathBuf>,
        run_id: &str,
        emit: &Emit,
        flush: &Flush,
    ) -> std::io::Result<Self> {
        let (queue, watch) = (Arc::new(Queue::default()), Arc::new(Watch::default()));
        let (alive, ended) = crossbeam_channel::bounded(0);
        let snapshots = SnapshotFiles::new(&paths, run_id);
        let worker = Worker::new(paths.clone(), snapshots, previous_basic, (emit, flush), Arc::clone(&watch));
        let work = {
            let queue = Arc::clone(&queue);
            move || {
                let _alive = alive;
                worker.work(&queue)
            }
        };
        let thread = std::thread::Builder::new().name("saver".into()).spawn(work)?;
        Ok(Self { queue, paths, emit: Arc::clone(emit), watch, ended, thread })
    }

    /// The names of the files.
    pub const fn paths(&self) -> &OutputPaths {
        &self.paths
    }

    /// Whether no whole model waits to be written for the first time.
    pub fn is_idle(&self) -> bool {
        self.queue.is_idle()
    }

    /// Tells once of a file that takes too long: its disk does not answer. To be asked between two steps.
    pub fn look(&self) {
        if let Some((work, time)) = self.watch.overdue() {
            let (path, reason) = (work.path.display().to_string(), disk_watch::silence_reason(time));
            (self.emit)(Event::SavingFailed { of: Saved::Files, path, index: work.index, reason });
        }
    }

    /// Hands a job over.
    pub fn submit(&self, job: SaveJob) {
        if self.queue.put(job) {
            (self.emit)(given_up());
        }
        self.look();
    }

    /// Waits for every file; those that a disk does not take are tried for as long as `limit`, or until the user asks
    /// `control` to stop now. Nobody waits longer for a disk that does not answer then. Returns why they could not be written.
    pub fn finish(self, limit: Duration, control: &mut Control) -> Option<TrainError> {
        self.queue.close();
        let began = Instant::now();
        let (mut is_given_up, mut is_told) = (false, false);
        while self.ended.recv_timeout(Duration::from_millis(100)) == Err(RecvTimeoutError::Timeout) {
            if began.elapsed() >= limit || control.gives_up() {
                is_given_up = true;
                self.queue.give_up();
            }
            self.look();
            if began.elapsed() >= LONG && !std::mem::replace(&mut is_told, true) {
                let minutes = limit.as_secs() / 60;
                let message = format!(
                    "waiting for files to be written, {minutes} min at most; to stop now, also once more, gives up what the \
                     disk does not take"
                );
                (self.emit)(Event::Log { level: Level::Info, message });
            }
            if is_given_up && self.watch.is_overdue() {
                let message = format!("`{}` cannot be written: its disk does not answer", self.paths.model().display());
                return Some(TrainError::new(message).with_help(
                    "when it answers again, train the schedule again: it resumes from the newest state that is on the disk",
                ));
            }
        }
        self.thread.join().unwrap_or_else(|panic| Some(TrainError::from_panic(&*panic)))
    }
}
