//! Images a second from records and from folders: `cargo bench --bench loader [-- SET]`, with a set of 112x112 faces, or
//! 4000 drawn ones where none is named.
//!
//! A line a case; the first is the limit: the same decoder over bytes that lie in memory, on one core. Machines are
//! noisy, so compare figures of one run. `benches/loader_peers.py` measures PyTorch and TensorFlow on the same folders.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use facetui::data::augment::apply;
use facetui::data::loader::{Loader, LoaderOptions};
use facetui::data::sampler::Sampler;
use facetui::data::source::Source;
use facetui::data::{decode, open, prepare};
use facetui::synth::{FACES, SynthOptions, generate};
use tch::Tensor;

const SIZE: (u32, u32) = (112, 112);
const BATCH: usize = 128;
/// Images that are read at most in a case.
const MOST: usize = 20_000;

fn report(name: &str, images: usize, started: Instant) {
    println!("{name:44} {:10.0} images/s", images as f64 / started.elapsed().as_secs_f64());
}

/// One thread reads and decodes images in an order that is drawn.
fn one_core(name: &str, source: &dyn Source, order: &[u32]) {
    let (mut scratch, mut pixels) = (Vec::new(), vec![0; decode::image_bytes(SIZE)]);
    let started = Instant::now();
    for image in order {
        source.read(*image as usize, SIZE, &mut scratch, &mut pixels).expect("decodes");
    }
    report(name, order.len(), started);
}

/// The loader as training uses it, with or without augmentation after it.
fn loaded(name: &str, source: &Arc<dyn Source>, workers: usize, augment: Option<u8>) {
    let options = LoaderOptions { size: SIZE, workers: Some(workers), most_bad: 0.0 };
    let mut loader = Loader::new(Arc::clone(source), options).expect("starts");
    let mut plan = Sampler::shuffled(source.len(), BATCH, 1).expect("is valid").plan(1);
    plan.order.truncate(MOST);
    let started = Instant::now();
    let mut images = 0;
    loader.start_epoch(plan);
    while let Some(batch) = loader.next_batch() {
        let batch = batch.expect("decodes");
        images += batch.labels.len();
        if let Some(level) = augment {
            let bytes = Tensor::from_slice(&batch.images).view([-1, 112, 112, 3]);
            drop(apply(&bytes, &batch.variations, level));
        }
        loader.recycle(batch);
    }
    report(name, images, started);
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
    let (records, folders) = (set(&records), set(&extracted));

    let mut order = Sampler::shuffled(records.len(), BATCH, 1).expect("is valid").plan(0).order;
    order.truncate(MOST);
    let mut held = vec![Vec::new(); order.len()];
    for (bytes, image) in held.iter_mut().zip(&order) {
        records.encoded(*image as usize, bytes).expect("reads");
    }
    let mut pixels = vec![0; decode::image_bytes(SIZE)];
    let started = Instant::now();
    for bytes in &held {
        decode::decode_into(bytes, SIZE, &mut pixels).expect("decodes");
    }
    report("decoder alone, from memory, one core", held.len(), started);
    one_core("records, read and decoded, one core", &*records, &order);
    one_core("folders, read and decoded, one core", &*folders, &order);
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    for (name, source) in [("records", &records), ("folders", &folders)] {
        loaded(&format!("{name}, loader, one worker"), source, 1, None);
        loaded(&format!("{name}, loader, {cores} workers"), source, cores, None);
        loaded(&format!("{name}, loader, {cores} workers, augment 3"), source, cores, Some(3));
    }
}
