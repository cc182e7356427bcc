//! Writes what lies behind the figures of bins, on a thread of its own: the engine hands over the scores of the pairs and
//! goes on. Two files a bin, the newest and the best, so that they stay few however long a run is.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender};

use super::engine::Emit;
use crate::crash;
use crate::eval::detail::{self, Detail};
use crate::eval::embed::DecodedBin;
use crate::eval::metrics::Measured;
use crate::event::{BinResult, Event, Level};

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
    pub measured: Measured,
    /// Its figures.
    pub result: BinResult,
    /// When.
    pub moment: Moment,
}

/// The thread; dropping this waits for what it was given.
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
            let _ = thread.join();
        }
    }
}

fn work(jobs: &Receiver<Evaluated>, emit: &Emit) {
    let mut best: HashMap<(PathBuf, String), f64> = HashMap::new();
    let mut told = false;
    for Evaluated { run, bin, measured, result, moment } in jobs {
        crash::test("details");
        let accuracy = result.accuracy;
        let key = (run, result.bin.clone());
        let detail = Detail::new(&bin, &measured, result, moment.index, moment.step);
        // What was looked at between two steps belongs to no checkpoint.
        let better = moment.step.is_none() && best.get(&key).is_none_or(|best| accuracy > *best);
        match put(&key.0, &detail, &measured, &bin.same, better) {
            Ok(()) => emit(Event::DetailsWritten { bin: key.1.clone(), index: moment.index, best: better }),
            Err(message) if !told => {
                told = true;
                let message = format!("what lies behind a bin's figures cannot be kept: {message}");
                emit(Event::Log { level: Level::Warning, message });
            }
            Err(_) => {}
        }
        if better {
            best.insert(key, accuracy);
        }
    }
}

fn put(run: &Path, detail: &Detail, measured: &Measured, same: &[bool], best: bool) -> Result<(), String> {
    for best in if best { &[false, true][..] } else { &[false] } {
        detail::write(run, detail, measured, same, *best).map_err(|error| error.to_string())?;
    }
    Ok(())
}
