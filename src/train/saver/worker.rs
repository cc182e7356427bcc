//! The saver's own side: it writes the jobs that come, keeps what a disk does not take, and tries that again after pauses that
//! grow to a minute, with the next job, and for a while at the end.

use std::os::unix::fs::MetadataExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::checkpoint::{self, SavedModel};
use crate::crash;
use crate::disk_watch::{Watch, Work};
use crate::event::{CheckpointKind, Event, Level, Saved};
use crate::train::emit::{Emit, Flush};
use crate::train::error::TrainError;
use crate::train::loss::center;
use crate::train::paths::OutputPaths;
use crate::train::saver::job::{Kept, SaveJob, keep_newest};
use crate::train::saver::queue::{Queue, Taken};
use crate::train::saver::snapshots::SnapshotFiles;

/// Pauses between two tries, from the first to the longest.
const PAUSES: [Duration; 2] = [Duration::from_millis(250), Duration::from_mins(1)];

/// Which file lies at a path, if one does.
fn identity(path: &Path) -> Option<u64> {
    std::fs::metadata(path).ok().map(|meta| meta.ino())
}

/// What is said of a model that was saved on request and makes room.
pub fn given_up() -> Event {
    let message = "a model that was saved on request is given up: it could not be written, and newer ones wait";
    Event::Log { level: Level::Error, message: message.to_owned() }
}

/// What the thread works with.
pub struct Worker {
    paths: OutputPaths,
    snapshots: SnapshotFiles,
    /// The best basic model.
    basic: Option<PathBuf>,
    /// Basic models that are not the best any more. They go once a state that names the best one is on disk.
    obsolete: Vec<PathBuf>,
    emit: Emit,
    flush: Flush,
    /// What is being written.
    watch: Arc<Watch>,
    /// What could not be written, in order.
    owed: Vec<SaveJob>,
    /// What was said of that last: the epoch and the reason.
    told: Option<(u32, String)>,
}

impl Worker {
    /// One that begins with the best basic model of an earlier part of the run, if there is one.
    pub fn new(
        paths: OutputPaths,
        snapshots: SnapshotFiles,
        basic: Option<PathBuf>,
        (emit, flush): (&Emit, &Flush),
        watch: Arc<Watch>,
    ) -> Self {
        Self {
            snapshots,
            paths,
            basic,
            obsolete: Vec::new(),
            emit: Arc::clone(emit),
            flush: Arc::clone(flush),
            watch,
            owed: Vec::new(),
            told: None,
        }
    }

    /// Writes what comes, until no more will and everything is written or given up. Returns why the last of it could not be.
    pub fn work(mut self, queue: &Queue) -> Option<TrainError> {
        let [first, longest] = PAUSES;
        let mut pause = first;
        let mut failure = None;
        loop {
            let most = (!self.owed.is_empty()).then_some(pause);
            match queue.take(most) {
                Taken::Job(job) => {
                    self.owe(*job);
                    failure = self.try_all();
                }
                Taken::Nothing => {
                    failure = self.try_all();
                    pause = (pause * 2).min(longest);
                }
                Taken::Closed => break,
            }
            if self.owed.is_empty() {
                pause = first;
            }
        }
        // Nothing follows: the pauses stay short enough to see that there is room again.
        pause = first;
        while failure.is_some() && !queue.is_given_up(pause) {
            failure = self.try_all();
            pause = (pause * 2).min(longest / 6);
        }
        if failure.is_some() {
            // The last try.
            failure = self.try_all();
        }
        failure
    }

    /// Takes a job over; older ones that it makes needless go.
    fn owe(&mut self, job: SaveJob) {
        if keep_newest(&mut self.owed, job) {
            (self.emit)(given_up());
        }
    }

    /// Writes all that is owed. What fails stays owed; why the last of it did is returned.
    fn try_all(&mut self) -> Option<TrainError> {
        let mut failure = None;
        let mut was_silent = false;
        for job in std::mem::take(&mut self.owed) {
            let started = Instant::now();
            let (kind, index) = (job.kind(), job.index());
            // All that looks at the disk is watched: the choice of a name, and the removal of what is not needed any more.
            let about = if kind == CheckpointKind::Extra { self.paths.model() } else { self.target(&job) };
            self.watch.begin(Work { path: about, index, bytes: job.bytes() });
            let (path, result) = self.write_or_panic(&job);
            match result {
                Ok(bytes) => self.written(kind, index, &path, bytes, started),
                Err(error) => {
                    self.tell(index, &path, &error);
                    self.owed.push(job);
                    failure = Some(error);
                }
            }
            was_silent |= self.watch.end();
        }
        if failure.is_none() && (self.told.take().is_some() || was_silent) {
            (self.emit)(Event::SavingRestored { of: Saved::Files });
        }
        failure
    }

    fn written(&mut self, kind: CheckpointKind, index: u32, path: &Path, bytes: u64, started: Instant) {
        let seconds = started.elapsed().as_secs_f64();
        (self.emit)(Event::CheckpointWritten { kind, path: path.display().to_string(), index, bytes, seconds });
        match kind {
            CheckpointKind::Basic => {
                if let Some(old) = self.basic.replace(path.to_owned())
                    && old != path
                {
                    self.obsolete.push(old);
                }
            }
            CheckpointKind::Model | CheckpointKind::Snapshot | CheckpointKind::Extra => self.clear(),
            _ => {}
        }
    }

    /// Tells of a failure: once an epoch, and when its reason changes.
    fn tell(&mut self, index: u32, path: &std::path::Path, error: &TrainError) {
        let reason = error.message.split_once(" cannot be written: ").map_or(error.message.as_str(), |(_, why)| why);
        let news = (index, reason.to_owned());
        if self.told.as_ref() != Some(&news) {
            let (path, reason) = (path.display().to_string(), reason.to_owned());
            (self.emit)(Event::SavingFailed { of: Saved::Files, path, index, reason });
            self.told = Some(news);
        }
    }

    /// Removes the basic models that no state on disk needs.
    fn clear(&mut self) {
        for old in self.obsolete.drain(..) {
            match fs_err::remove_file(&old) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    let message = format!("the basic model before the best one stays: {error}");
                    (self.emit)(Event::Log { level: Level::Warning, message });
                }
                _ => {}
            }
        }
    }

    /// Where a job's file goes.
    fn target(&self, job: &SaveJob) -> PathBuf {
        match job {
            SaveJob::Model { kept: Kept::Epoch, .. } => self.paths.model(),
            SaveJob::Model { kept: Kept::Snapshot, state, .. } => {
                self.snapshots.place(state.as_ref().map_or(0, |state| state.sequence))
            }
            SaveJob::Model { kept: Kept::Extra { epoch, step }, .. } => self.paths.extra(*epoch, *step),
            SaveJob::Basic { epoch, bin, accuracy, .. } => self.paths.basic(bin, *epoch, *accuracy),
            SaveJob::Centers { .. } => self.paths.centers(),
            SaveJob::History { .. } => self.paths.history(),
        }
    }

    /// Writes a job's file. A panic ends the run, and is an error here: the state at its end is to be written yet.
    fn write_or_panic(&mut self, job: &SaveJob) -> (PathBuf, Result<u64, TrainError>) {
        catch_unwind(AssertUnwindSafe(|| {
            crash::test("saver");
            self.write(job)
        }))
        .unwrap_or_else(|panic| (self.paths.model(), Err(TrainError::from_panic(&*panic))))
    }

    /// Writes a job's file. Where it goes, and how long it is.
    fn write(&mut self, job: &SaveJob) -> (PathBuf, Result<u64, TrainError>) {
        let path = self.target(job);
        let told = |result: Result<u64, checkpoint::CheckpointError>| {
            result.map_err(|error| TrainError::from_diagnostic(&error))
        };
        let result = match job {
            SaveJob::Model { kept, graph, snapshot, optimizer, loss, state, centers, figures, .. } => {
                // A state is never ahead of the journal.
                (self.flush)();
                let number = state.as_ref().map_or(0, |state| state.sequence);
                let weights = snapshot.pieces(graph.nodes().len());
                let optimizer = Some(optimizer.saved(graph, snapshot));
                let extras = state.as_ref().map(|state| state.extras(centers.as_ref())).unwrap_or_default();
                let (loss, evaluation) = (Some(loss.clone()), figures.clone());
                let plain = SavedModel::new(graph.clone(), weights);
                let model = SavedModel { optimizer, loss, extras, evaluation, ..plain };
                if *kept == Kept::Epoch {
                    self.snapshots.keep_before(&path);
                }
                let before = identity(&path);
                let result = told(checkpoint::write(&path, &model));
                // A file whose folder could not be synced lies in its place all the same.
                if result.is_ok() || identity(&path) != before {
                    self.snapshots.placed(*kept, &path, number);
                }
                result
            }
            SaveJob::Basic { graph, snapshot, figures, .. } => {
                let weights = snapshot.pieces(graph.nodes().len());
                let model = SavedModel { evaluation: figures.clone(), ..SavedModel::new(graph.clone(), weights) };
                told(checkpoint::write(&path, &model))
            }
            SaveJob::Centers { centers, .. } => told(center::save(&path, centers)),
            SaveJob::History { history, .. } => told(history.write(&path)),
        };
        (path, result)
    }
}
