//! Evaluation between epochs: the bins, decoded once beside the first epoch, embedded by the network as it stands.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use crate::crash;
use crate::data::bin::EvalBin;
use crate::eval::decoded_bin::{self, DecodedBin};
use crate::eval::model;
use crate::eval::roc::Scores;
use crate::eval::similarity::{MetricsError, PairSimilarities};
use crate::event::{BinResult, Event, Level, Rate};
use crate::nn::Network;
use crate::train::control::Control;
use crate::train::emit::Emit;
use crate::train::error::TrainError;
use crate::train::evaluation::details::{Details, Evaluated, Moment};

/// Images embedded at a time; each goes through the network twice, as it is and mirrored.
const BATCH: usize = 64;

/// The false accept rates that are told of every bin.
const RATES: [f64; 2] = [1e-3, 1e-4];

/// A bin file's name in figures and files: its stem.
pub fn bin_name(path: &Path) -> String {
    path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned())
}

/// The evaluation bins of a run.
#[derive(Debug)]
pub struct Bins {
    names: Vec<String>,
    reading: Option<JoinHandle<Result<Vec<Arc<DecodedBin>>, TrainError>>>,
    decoded: Vec<Arc<DecodedBin>>,
    details: Details,
    /// The folder of the run that is trained: what lies behind the figures goes there.
    pub run: PathBuf,
}

impl Bins {
    /// Begins to read and decode the bins on a thread of their own. What lies behind their figures is written to the
    /// folder `run` on another.
    pub fn open(paths: &[PathBuf], size: (u32, u32), run: PathBuf, emit: &Emit) -> Self {
        let names = paths.iter().map(|path| bin_name(path)).collect();
        let paths = paths.to_vec();
        let reading = std::thread::Builder::new().name("bins".into()).spawn(move || {
            crash::test("bins");
            paths.iter().map(|path| read(path, size)).collect()
        });
        let reading = reading.unwrap_or_else(|error| panic!("the system gives no thread for the bins: {error}"));
        let details = Details::start(Arc::clone(emit));
        Self { names, reading: Some(reading), decoded: Vec::new(), details, run }
    }

    /// Their names, in order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Tells early when a bin cannot be read; never waits.
    ///
    /// # Errors
    /// A bin that cannot be read.
    pub fn check(&mut self) -> Result<(), TrainError> {
        if self.reading.as_ref().is_some_and(JoinHandle::is_finished) { self.finish_reading() } else { Ok(()) }
    }

    fn finish_reading(&mut self) -> Result<(), TrainError> {
        if let Some(reading) = self.reading.take() {
            self.decoded = reading.join().map_err(|panic| TrainError::from_panic(&*panic))??;
        }
        Ok(())
    }

    /// Evaluates every bin. A request to end now ends the evaluation too: the figures so far are returned.
    ///
    /// # Errors
    /// A bin that cannot be read.
    pub fn evaluate(
        &mut self,
        network: &Network,
        moment: Moment,
        emit: &Emit,
        control: &mut Control,
    ) -> Result<Vec<BinResult>, TrainError> {
        self.finish_reading()?;
        let mut results = Vec::new();
        for bin in &self.decoded {
            let started = Instant::now();
            let tell = |done: usize, total: usize| {
                emit(Event::Evaluating { bin: bin.name.clone(), done: done as u64, total: total as u64 });
            };
            crash::test("evaluation");
            let mut embed = |images: &[u8], count: usize| {
                if control.poll() {
                    return Err(Interruption::Asked);
                }
                Ok(model::embed(network, images, count, bin.size, true))
            };
            let look = |measured: PairSimilarities| (figures(bin, &measured, started), measured);
            match decoded_bin::evaluate(bin, BATCH, &mut embed, &tell, look) {
                Ok((result, measured)) => {
                    results.push(result.clone());
                    let (run, bin) = (self.run.clone(), Arc::clone(bin));
                    self.details.submit(Evaluated { run, bin, measured, result, moment });
                }
                Err(Interruption::Asked) => break,
                Err(Interruption::Figures(error)) => {
                    let message = format!("{}: {error}; its figures stay the last ones", bin.name);
                    emit(Event::Log { level: Level::Warning, message });
                }
            }
        }
        Ok(results)
    }
}

/// The figures of a bin whose evaluation began at `started`.
fn figures(bin: &DecodedBin, measured: &PairSimilarities, started: Instant) -> BinResult {
    let figures = measured.figures(&bin.same);
    let scores = Scores::new(&measured.similarities, &bin.same);
    let rate = |far| Rate { far, tar: scores.tar_at_far(far).map(|at| at.tar) };
    BinResult {
        bin: bin.name.clone(),
        accuracy: figures.accuracy,
        threshold: figures.threshold,
        fold_mean: figures.fold_mean,
        fold_deviation: figures.fold_deviation,
        pairs: figures.pairs as u64,
        seconds: started.elapsed().as_secs_f64(),
        rates: RATES.map(rate).to_vec(),
    }
}

/// Why a bin has no figures.
enum Interruption {
    /// The user asked to end now.
    Asked,
    /// The embeddings give none.
    Figures(MetricsError),
}

impl From<MetricsError> for Interruption {
    fn from(error: MetricsError) -> Self {
        Self::Figures(error)
    }
}

fn read(path: &Path, size: (u32, u32)) -> Result<Arc<DecodedBin>, TrainError> {
    let bin = EvalBin::open(path).map_err(|error| TrainError::from_diagnostic(&error))?;
    DecodedBin::decode(&bin, size).map(Arc::new).map_err(|error| TrainError::from_diagnostic(&error))
}
