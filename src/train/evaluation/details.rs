//! Writes what lies behind the figures of bins, on a thread of its own: the engine hands over the scores of the pairs and
//! goes on. Two files a bin, the newest and the best, so that they stay few however long a run is.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};

use crate::checkpoint::CheckpointError;
use crate::crash;
use crate::disk_watch;
use crate::eval::decoded_bin::DecodedBin;
use crate::eval::detail::{self, Detail};
use crate::eval::similarity::PairSimilarities;
use crate::event::{BinResult, Event, Level};
use crate::train::emit::Emit;

/// Pauses between the last tries to write what a disk did not take, in milliseconds.
const LAST_TRIES: [u64; 4] = [100, 400, 1500, 3000];

/// When a bin was evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Position of the epoch in the history, from 1; 0 before the first.
    pub index: u32,
    /// Steps of that epoch, when it was between two of them.
    pub step: Option<u64>,
}

/// A bin that was evaluated.
#[derive(Debug)]
pub struct Evaluated {
    /// The run's folder.
    pub run: PathBuf,
    /// Its images and pairs.
    pub bin: Arc<DecodedBin>,
    /// How alike they are.
    pub measured: PairSimilarities,
    /// Its figures.
    pub result: BinResult,
    /// When.
    pub moment: Moment,
}

/// The thread; dropping this waits for what it was given, but not for a disk that does not answer.
#[derive(Debug)]
pub struct Details {
    jobs: Option<Sender<Evaluated>>,
    thread: Option<JoinHandle<()>>,
}

impl Details {
    /// Starts it. Without a thread there are no details, and the training goes on.
    pub fn start(emit: Emit) -> Self {
        // Unbounded, so that the engine never waits; a job is small: the images are shared.
        let (jobs, receiver) = crossbeam_channel::unbounded();
        let thread = std::thread::Builder::new().name("details".into()).spawn(move || work(&receiver, &emit)).ok();
        Self { jobs: Some(jobs), thread }
    }

    /// Hands an evaluation over.
    pub fn submit(&self, evaluated: Evaluated) {
        if let Some(jobs) = &self.jobs {
            let _ = jobs.send(evaluated);
        }
    }
}

impl Drop for Details {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            disk_watch::join_within(thread, disk_watch::silence_limit());
        }
    }
}

/// A bin's details that are to be written.
struct Owed {
    run: PathBuf,
    bin: Arc<DecodedBin>,
    measured: PairSimilarities,
    detail: Detail,
    /// They are the best ones so far too.
    is_best: bool,
}

impl Owed {
    fn write(&self) -> Result<(), CheckpointError> {
        let write = |best| detail::write(&self.run, &self.detail, &self.measured, &self.bin.same, best);
        write(false)?;
        if self.is_best { write(true) } else { Ok(()) }
    }

    /// Whether `older` need not be written any more when this is.
    fn replaces(&self, older: &Self) -> bool {
        let same = self.run == older.run && self.detail.result.bin == older.detail.result.bin;
        same && (self.is_best || !older.is_best)
    }
}

fn work(jobs: &Receiver<Evaluated>, emit: &Emit) {
    let mut best: HashMap<(PathBuf, String), f64> = HashMap::new();
    let mut owed: Vec<Owed> = Vec::new();
    let mut told = false;
    for Evaluated { run, bin, measured, result, moment } in jobs {
        crash::test("details");
        let accuracy = result.accuracy;
        let key = (run.clone(), result.bin.clone());
        let detail = Detail::new(&bin, &measured, result, moment.index, moment.step);
        // What was looked at between two steps belongs to no checkpoint.
        let is_best = moment.step.is_none() && best.get(&key).is_none_or(|best| accuracy > *best);
        if is_best {
            best.insert(key, accuracy);
        }
        let new = Owed { run, bin, measured, detail, is_best };
        owed.retain(|older| !new.replaces(older));
        owed.push(new);
        if let Some(error) = write(&mut owed, emit)
            && !std::mem::replace(&mut told, true)
        {
            let message = format!("what lies behind a bin's figures cannot be kept yet: {error}");
            emit(Event::Log { level: Level::Warning, message });
        }
    }
    for pause in LAST_TRIES {
        if owed.is_empty() {
            return;
        }
        std::thread::sleep(Duration::from_millis(pause));
        if let Some(error) = write(&mut owed, emit)
            && pause == LAST_TRIES[LAST_TRIES.len() - 1]
        {
            let message = format!("what lies behind a bin's figures is lost: {error}");
            emit(Event::Log { level: Level::Warning, message });
        }
    }
}

/// Writes all that is owed, oldest first; what fails stays. Why the last of it did.
fn write(owed: &mut Vec<Owed>, emit: &Emit) -> Option<CheckpointError> {
    let mut failure = None;
    owed.retain(|one| match one.write() {
        Ok(()) => {
            let (bin, index) = (one.detail.result.bin.clone(), one.detail.index);
            emit(Event::DetailsWritten { bin, index, best: one.is_best });
            false
        }
        Err(error) => {
            failure = Some(error);
            true
        }
    });
    failure
}
