//! How fast a schedule would train here: steps on synthetic images, steps from the files, evaluation, the start, memory.

use std::time::{Duration, Instant};

use serde::Serialize;
use tch::{Device, Kind, Tensor};

use crate::data;
use crate::data::loader::{Loader, LoaderOptions};
use crate::data::sampler::Sampler;
use crate::eval;
use crate::nn::device;
use crate::schedule::{Schedule, Stage};
use crate::train::device::available_on;
use crate::train::emit::Emit;
use crate::train::error::TrainError;
use crate::train::loss::check_labels;
use crate::train::memory::{Plan, auto_batch};
use crate::train::model;
use crate::train::step::to_device;
use crate::train::trial::Trial;

/// Steps that are taken before the clock starts: they fill caches and choose algorithms.
const WARM: usize = 3;
/// Images of an evaluation's batch, as between epochs.
const EVALUATED: usize = 64;

/// What to measure, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// Steps on synthetic images.
    pub steps: bool,
    /// Steps from the files of `data.train`.
    pub files: bool,
    /// Embedding as an evaluation does it.
    pub evaluation: bool,
    /// Seconds for each.
    pub seconds: f64,
    /// Classes of the head without a look at the training set.
    pub classes: Option<usize>,
}

/// The machine and the versions.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// The processor, as it calls itself.
    pub processor: String,
    /// Threads that libtorch computes with.
    pub threads: u32,
    /// Where it computes: `cpu`, or a GPU's number and name.
    pub device: String,
    /// The operating system's kernel.
    pub system: String,
    /// facetui's version.
    pub facetui: String,
    /// libtorch's version.
    pub libtorch: String,
}

/// A rate, and what it came from.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Rate {
    /// Images a second, by the median step.
    pub images_per_second: f64,
    /// Milliseconds of the median step.
    pub milliseconds: f64,
    /// Steps that were measured.
    pub steps: usize,
}

/// Steps from the files.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct FromFiles {
    /// Images a second, by all of the time.
    pub images_per_second: f64,
    /// Share of the time that was spent waiting for decoded images, 0 to 1.
    pub waited: f64,
    /// Steps that were measured.
    pub steps: usize,
}

/// What was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Measured {
    /// Where.
    pub machine: Machine,
    /// The network's name.
    pub model: String,
    /// Images a step.
    pub batch: u64,
    /// Classes of the head.
    pub classes: usize,
    /// `fp32` or `bf16`.
    pub precision: String,
    /// The stage's loss.
    pub loss: String,
    /// The optimiser.
    pub optimizer: String,
    /// Seconds until a step could be taken: data listed, network built, GPU found.
    pub start_seconds: f64,
    /// Training steps on synthetic images that lie on the device.
    pub step: Option<Rate>,
    /// Training steps from the files.
    pub files: Option<FromFiles>,
    /// Evaluated images, each with its mirror image.
    pub evaluation: Option<Rate>,
    /// The most memory that the process has held, in bytes; 0 where the system does not say.
    pub peak_memory: u64,
}

/// Measures the first stage of a schedule.
///
/// # Errors
/// Data or a network that cannot be used, a device that is not there.
pub fn run(schedule: &Schedule, wanted: &Wanted, emit: &Emit) -> Result<Measured, TrainError> {
    let started = Instant::now();
    device::load_cuda();
    let place = device::choose(schedule.device).map_err(|error| TrainError::new(error.to_string()))?;
    let compute = device::compute_kind(schedule.precision, place);
    let stage = schedule.stages.iter().chain(schedule.branches.iter().flat_map(|branch| &branch.stages)).next();
    let stage = stage.ok_or_else(|| TrainError::new("the schedule has no stage to measure"))?;
    // Synthetic images need no files when the number of classes is given.
    let source = match wanted.classes {
        Some(_) if !wanted.files => None,
        _ => Some(
            data::open_all(&schedule.data.train, &|_, _| {}).map_err(|error| TrainError::from_diagnostic(&error))?,
        ),
    };
    let classes = wanted.classes.or(source.as_ref().map(|source| source.classes())).unwrap_or(1);
    let start = model::start(&schedule.model, schedule.seed)?;
    let settled;
    let stage = if stage.auto_batch {
        let plan =
            Plan { graph: &start.graph, embedding: start.embedding, classes: classes as u64, compute, device: place };
        let images = source.as_ref().map_or(u64::MAX, |source| source.len() as u64);
        let images = auto_batch::foretold(&plan, schedule, images, available_on(place));
        settled = Stage { batch_size: images.unwrap_or(2), ..stage.clone() };
        &settled
    } else {
        stage
    };
    let size = start.input_size();
    let model_name = start.graph.cut(start.embedding, start.graph.name.clone()).name;
    let mut trial = Trial::new(schedule, stage, start, classes, place, compute)?;
    let start_seconds = started.elapsed().as_secs_f64();

    let limit = Duration::from_secs_f64(wanted.seconds);
    let rate = wanted.steps.then(|| synthetic(&mut trial, size, limit));
    let files = match &source {
        Some(source) if wanted.files => {
            let options = LoaderOptions { size, workers: schedule.data.workers, most_bad: schedule.data.most_bad };
            let loader = Loader::new(std::sync::Arc::clone(source), options)
                .map_err(|error| TrainError::from_diagnostic(&error))?;
            let sampler = Sampler::for_stage(source.as_ref(), stage, schedule.seed)
                .map_err(|error| TrainError::from_diagnostic(&error))?;
            Some(files_of(&mut trial, loader, &sampler, size, limit, emit)?)
        }
        _ => None,
    };
    let evaluation = wanted.evaluation.then(|| evaluation_of(&trial, size, limit));
    Ok(Measured {
        machine: machine(place),
        model: model_name,
        batch: trial.batch as u64,
        classes,
        precision: if compute == Kind::Float { "fp32" } else { "bf16" }.to_owned(),
        loss: stage.loss.name().to_owned(),
        optimizer: trial.optimizer.rule.name().to_owned(),
        start_seconds,
        step: rate,
        files,
        evaluation,
        peak_memory: peak_memory(),
    })
}

/// Steps on images that lie on the device.
fn synthetic(trial: &mut Trial<'_>, (width, height): (u32, u32), limit: Duration) -> Rate {
    let shape = [trial.batch as i64, i64::from(height), i64::from(width), 3];
    // Batches of the same four persons and of others, so that triplets have all kinds of pairs.
    let labels: Vec<Vec<i64>> = (0..4usize)
        .map(|batch| (0..trial.batch).map(|image| ((image / 4 + batch * 31) * 7919 % trial.classes) as i64).collect())
        .collect();
    let batches: Vec<(Tensor, Tensor)> = labels
        .iter()
        .map(|labels| {
            let bytes = Tensor::randint(256, shape.as_slice(), (Kind::Uint8, trial.device));
            (crate::nn::network::normalize_images(&bytes), Tensor::from_slice(labels).to_device(trial.device))
        })
        .collect();
    measure(trial.device, limit, trial.batch, |turn| {
        let (images, known) = &batches[turn % batches.len()];
        drop(trial.step(images, known, &labels[turn % labels.len()]));
    })
}

/// Steps from the files, as a run takes them.
fn files_of(
    trial: &mut Trial<'_>,
    mut loader: Loader,
    sampler: &Sampler,
    size: (u32, u32),
    limit: Duration,
    emit: &Emit,
) -> Result<FromFiles, TrainError> {
    let mut epoch = 0;
    let (mut images, mut steps) = (0u64, 0usize);
    let mut waited = Duration::ZERO;
    let mut began = Instant::now();
    'all: loop {
        epoch += 1;
        loader.start_epoch(sampler.plan(epoch));
        loop {
            let asked = Instant::now();
            let next = loader.next_batch();
            let wait = asked.elapsed();
            for bad in loader.take_bad_images() {
                emit(crate::event::Event::BadImage { path: bad.name, reason: bad.reason, count: bad.count });
            }
            let Some(batch) = next else { break };
            let batch = batch.map_err(|error| TrainError::from_diagnostic(&error))?;
            if batch.labels.is_empty() {
                continue;
            }
            check_labels(&batch.labels, trial.classes)?;
            let (tensor, labels) = to_device(&batch, size, trial.device, trial.stage.augment);
            drop(trial.step(&tensor, &labels, &batch.labels));
            steps += 1;
            // The first batches had a queue that was empty; the last of an epoch may be small.
            if steps == WARM {
                wait_for(trial.device);
                (began, waited, images) = (Instant::now(), Duration::ZERO, 0);
            } else {
                images += batch.labels.len() as u64;
                waited += wait;
            }
            loader.recycle(batch);
            if steps > WARM && began.elapsed() >= limit {
                break 'all;
            }
        }
    }
    wait_for(trial.device);
    let took = began.elapsed();
    Ok(FromFiles {
        images_per_second: images as f64 / took.as_secs_f64().max(1e-9),
        waited: (waited.as_secs_f64() / took.as_secs_f64().max(1e-9)).min(1.0),
        steps: steps - WARM,
    })
}

/// Embeddings of images and of their mirror images, as an evaluation makes them, from bytes on the host.
fn evaluation_of(trial: &Trial<'_>, (width, height): (u32, u32), limit: Duration) -> Rate {
    let one = width as usize * height as usize * 3;
    let bytes: Vec<u8> = (0..EVALUATED * one).map(|at| (at * 31 % 251) as u8).collect();
    measure(trial.device, limit, EVALUATED, |_| {
        drop(eval::model::embed(&trial.network, &bytes, EVALUATED, (width, height), true));
    })
}

/// The median time of a call.
fn measure(place: Device, limit: Duration, images: usize, mut call: impl FnMut(usize)) -> Rate {
    for turn in 0..WARM {
        call(turn);
    }
    wait_for(place);
    let began = Instant::now();
    let mut times = Vec::new();
    while times.len() < 3 || began.elapsed() < limit {
        let started = Instant::now();
        call(WARM + times.len());
        wait_for(place);
        times.push(started.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    let median = times[times.len() / 2];
    Rate { images_per_second: images as f64 / median, milliseconds: median * 1e3, steps: times.len() }
}

fn wait_for(place: Device) {
    if let Device::Cuda(number) = place {
        tch::Cuda::synchronize(number as i64);
    }
}

/// This machine.
pub fn machine(place: Device) -> Machine {
    let line = |path: &str, key: &str| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let found = text.lines().find_map(|line| line.strip_prefix(key)).map(str::to_owned);
        found.map(|value| value.trim_start_matches([' ', '\t', ':']).trim().to_owned())
    };
    Machine {
        processor: line("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
        threads: tch::get_num_threads() as u32,
        device: device::describe(place),
        system: line("/proc/version", "Linux version")
            .and_then(|text| text.split_whitespace().next().map(|kernel| format!("Linux {kernel}")))
            .unwrap_or_else(|| std::env::consts::OS.to_owned()),
        facetui: env!("CARGO_PKG_VERSION").to_owned(),
        libtorch: libtorch_version(),
    }
}

/// The libtorch in use: what lies beside its libraries says so, else the one it was built against.
fn libtorch_version() -> String {
    let beside = device::libtorch_folder().and_then(|folder| folder.parent().map(|root| root.join("version.py")));
    let text = beside.and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
    let version = text.lines().find_map(|line| line.strip_prefix("__version__ = "));
    version.map_or_else(|| "2.11.0".to_owned(), |version| version.trim_matches(['\'', '"']).to_owned())
}

/// The most memory that this process has held, in bytes; 0 where the system does not say.
pub fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()).unwrap_or_default() * 1024
}
