//! Images a second from records and from folders, beside raw libjpeg-turbo: `cargo bench --profile dev --bench loader [--
//! SET]`, with a set of 112x112 faces, or 4000 drawn ones where none is named.
//!
//! Each case is measured several times, the cases taking turns, and the median is printed: machines are noisy. The
//! share beside a figure is of raw decoding on as many cores in the same run, by libjpeg-turbo where it is found
//! (`turbo.rs`), else by facetui's decoder. How many images libjpeg-turbo decodes to the same bytes is printed first. `peers.py` measures PyTorch and TensorFlow on the same folders.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod turbo;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use facetui::data::augment::to_device;
use facetui::data::loader::{Loader, LoaderOptions};
use facetui::data::sampler::Sampler;
use facetui::data::source::Source;
use facetui::data::{decode, open, prepare};
use facetui::synth::{FACES, SynthOptions, generate};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use tch::Device;
use turbo::Turbo;

const SIZE: (u32, u32) = (112, 112);
const BATCH: usize = 128;
/// Images that are read at most in a case.
const MOST: usize = 20_000;
/// Times each case is measured.
const ROUNDS: usize = 5;

/// Where images come from in a case.
#[derive(Clone, Copy)]
enum From {
    Turbo,
    Memory,
    Source(usize),
}

/// What is measured.
struct Case {
    name: String,
    from: From,
    cores: usize,
    augment: Option<u8>,
    /// Images a second, a round each.
    rates: Vec<f64>,
}

/// What the cases read.
struct Bench {
    turbo: Option<Turbo>,
    /// Records and folders of the same images.
    sources: [Arc<dyn Source>; 2],
    /// The encoded images in memory.
    held: Vec<Vec<u8>>,
    /// All cores that this process may use.
    all: CpuSet,
}

impl Bench {
    /// Restricts this thread, and those that it starts, to so many cores.
    fn restrict(&self, cores: usize) {
        let mut set = CpuSet::new();
        (0..CpuSet::MAX_CPU).filter(|core| self.all.is_set(*core)).take(cores).for_each(|core| set.set(core));
        sched_setaffinity(None, &set).expect("a thread may give up cores");
        tch::set_num_threads(cores as i32);
    }

    /// Decodes what is held, a share a thread.
    fn decoded(&self, cores: usize, decode: impl Fn(&[Vec<u8>], &mut [u8]) + Copy + Send + Sync) -> usize {
        std::thread::scope(|scope| {
            for part in self.held.chunks(self.held.len().div_ceil(cores)) {
                scope.spawn(move || decode(part, &mut vec![0; decode::image_bytes(SIZE)]));
            }
        });
        self.held.len()
    }

    /// An epoch through the loader as training uses it, with a decoding thread a core.
    fn loaded(source: &Arc<dyn Source>, cores: usize, augment: Option<u8>) -> usize {
        let options = LoaderOptions { size: SIZE, workers: Some(cores), most_bad: 0.0 };
        let mut loader = Loader::new(Arc::clone(source), options).expect("starts");
        let mut plan = Sampler::shuffled(source.len(), BATCH, 1).expect("is valid").plan(1);
        plan.order.truncate(MOST);
        let mut images = 0;
        loader.start_epoch(plan);
        while let Some(batch) = loader.next_batch() {
            let batch = batch.expect("decodes");
            images += batch.labels.len();
            if let Some(level) = augment {
                drop(to_device(&batch.images, SIZE, &batch.variations, level, Device::Cpu));
            }
            loader.recycle(batch);
        }
        images
    }

    fn measure(&self, case: &mut Case) {
        self.restrict(case.cores);
        let started = Instant::now();
        let images = match case.from {
            From::Turbo => self.decoded(case.cores, |part, pixels| {
                self.turbo.iter().for_each(|turbo| turbo.decode_all(part, SIZE, pixels));
            }),
            From::Memory => self.decoded(case.cores, |part, pixels| {
                for bytes in part {
                    decode::decode_into(bytes, SIZE, pixels).expect("decodes");
                }
            }),
            From::Source(number) => Self::loaded(&self.sources[number], case.cores, case.augment),
        };
        case.rates.push(images as f64 / started.elapsed().as_secs_f64());
    }
}

/// How many images have the pixels that libjpeg-turbo gives.
fn alike(turbo: &Turbo, held: &[Vec<u8>]) -> usize {
    let [mut ours, mut theirs] = [(); 2].map(|()| vec![0; decode::image_bytes(SIZE)]);
    let same = held.iter().filter(|bytes| {
        turbo.decode_all(std::slice::from_ref(*bytes), SIZE, &mut theirs);
        decode::decode_into(bytes, SIZE, &mut ours).expect("decodes");
        ours == theirs
    });
    same.count()
}

fn median(rates: &[f64]) -> f64 {
    let mut sorted = rates.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn main() {
    let kept = tempfile::tempdir().expect("a folder");
    let named = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).map(PathBuf::from);
    let folders = named.unwrap_or_else(|| {
        let options = SynthOptions { identities: 200, images: 20, seed: 1, bins: false };
        generate(kept.path(), &options, &|_, _| {}).expect("draws");
        kept.path().join(FACES)
    });
    let quiet = |_: &str, _: u64, _: u64| {};
    let set = |path: &Path| open(path, &|_, _| {}).expect("opens");
    let records = kept.path().join("set");
    prepare::records(&*set(&folders), &records, &quiet).expect("writes");
    let extracted = kept.path().join("folders");
    prepare::folders(&*set(&records), &extracted, &quiet).expect("writes");
    let sources = [set(&records), set(&extracted)];

    let mut order = Sampler::shuffled(sources[0].len(), BATCH, 1).expect("is valid").plan(0).order;
    order.truncate(MOST);
    let mut held = vec![Vec::new(); order.len()];
    for (bytes, image) in held.iter_mut().zip(&order) {
        sources[0].encoded(*image as usize, bytes).expect("reads");
    }
    let turbo = Turbo::load();
    if turbo.is_none() {
        println!(
            "libjpeg-turbo is not here: name its libturbojpeg.so.0 in FACETUI_TURBOJPEG (benches/loader/turbo.rs)"
        );
    }
    if let Some(turbo) = &turbo {
        println!("{} of {} images have the pixels of libjpeg-turbo", alike(turbo, &held), held.len());
    }
    let all = sched_getaffinity(None).expect("the system says");
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let bench = Bench { turbo, sources, held, all };

    let mut cases = Vec::new();
    for cores in if cores > 1 { vec![1, cores] } else { vec![1] } {
        let mut case = |name: String, from, augment| {
            cases.push(Case { name, from, cores, augment, rates: Vec::new() });
        };
        if bench.turbo.is_some() {
            case("libjpeg-turbo, from memory".to_owned(), From::Turbo, None);
        }
        case("facetui's decoder, from memory".to_owned(), From::Memory, None);
        for (number, name) in ["records", "folders"].into_iter().enumerate() {
            case(format!("{name}, loader"), From::Source(number), None);
            for level in [1, 3] {
                case(format!("{name}, loader, augment {level}"), From::Source(number), Some(level));
            }
        }
    }
    for _ in 0..ROUNDS {
        for case in &mut cases {
            bench.measure(case);
        }
    }
    let mut raw = (0, 1.0);
    for case in &cases {
        let rate = median(&case.rates);
        if case.cores != raw.0 {
            raw = (case.cores, rate);
        }
        let cores = if case.cores == 1 { "1 core".to_owned() } else { format!("{} cores", case.cores) };
        println!("{:34} {cores:8} {rate:9.0} images/s {:6.2} of raw", case.name, rate / raw.1);
    }
}
