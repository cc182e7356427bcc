//! The embedded demo data: drawn faces in the layout of real face-recognition data, so that everything can be tried,
//! tested and shown without a download.
//!
//! A person is a set of lasting parameters (`identity`); a picture adds pose, light, expression, age, cover, backdrop
//! and camera (`capture`); `render` draws it. The training folder holds all kinds of pictures, mostly near frontal;
//! each evaluation bin asks one question about people who are not in that folder:
//!
//! | bin | the two pictures of a pair | as in |
//! |---|---|---|
//! | `frontal.bin` | both near frontal | LFW |
//! | `pose.bin` | one near frontal, one turned by 38 to 62 degrees | CFP-FP |
//! | `age.bin` | 18 to 30 and 55 to 75 years old | AgeDB-30 |
//!
//! The same options give the same bytes, on any number of threads. (Between machines they may differ in the last bit of
//! a pixel: sine and powers are the platform's.)
//!
//! Nothing of the user's is ever deleted or overwritten: see [`generate`].

mod bins;
mod capture;
mod draw;
mod error;
mod identity;
mod noise;
mod options;
mod random;
mod render;
mod store;
mod vector;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;

use bins::Bin;
use capture::Scene;
use draw::draw_jpeg;
use random::Purpose;
use store::Store;

use crate::data::pickle::write;

pub use draw::draw;
pub use error::SynthError;
pub use options::SynthOptions;

/// Name of the folder of training pictures inside the data set, one folder an identity: `0/1.jpg`, `0/2.jpg`, ...
pub const FACES: &str = "faces_112x112_folders";

/// Pairs of each evaluation bin: ten folds of 30 pairs of one person and 30 pairs of two.
pub const PAIRS: u32 = 600;

/// What is there after [`generate`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SynthReport {
    /// The training folder, `DIR/faces_112x112_folders`.
    pub faces: PathBuf,
    /// The evaluation bins, in the order frontal, pose, age; empty without [`SynthOptions::bins`].
    pub bins: Vec<PathBuf>,
    /// Pictures in the training folder.
    pub images: u64,
    /// Pictures drawn by this call, bins included: 0 when the data set was there already.
    pub drawn: u64,
}

/// Draws a data set into `dir`, on all of rayon's threads, and reports pictures done and to do after each picture (from
/// any thread, in no particular order).
///
/// `dir` is created when it is missing; it must be empty or hold the same data set. A finished data set is left as it is
/// and the call returns at once; one that was interrupted is completed: pictures already written are kept. A file
/// `synth.json` says what the folder holds. Everything is drawn in a subfolder `.synth-partial` and moved into place
/// when complete, so whatever stands in `dir` under its final name is whole.
///
/// # Errors
/// [`SynthError::Foreign`] and [`SynthError::Other`] when `dir` holds something else (which stays untouched), and
/// whatever the file system refuses.
pub fn generate(
    dir: &Path,
    options: &SynthOptions,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<SynthReport, SynthError> {
    if options.identities == 0 || options.images == 0 || options.identities.checked_mul(options.images).is_none() {
        return Err(SynthError::Size { identities: options.identities, images: options.images });
    }
    let store = Store::open(dir, options)?;
    let images = u64::from(options.identities) * u64::from(options.images);
    let bins: &[Bin] = if options.bins { &Bin::ALL } else { &[] };
    let mut report = SynthReport {
        faces: store.path(FACES),
        bins: bins.iter().map(|bin| store.path(bin.file())).collect(),
        images,
        drawn: 0,
    };
    let faces_missing = !report.faces.exists();
    let missing: Vec<Bin> = bins.iter().copied().filter(|bin| !store.path(bin.file()).exists()).collect();
    if store.complete() && !faces_missing && missing.is_empty() {
        return Ok(report);
    }

    store.begin()?;
    let total = if faces_missing { images } else { 0 } + missing.len() as u64 * 2 * u64::from(PAIRS);
    let done = AtomicU64::new(0);
    let step = || progress(done.fetch_add(1, Ordering::Relaxed) + 1, total);
    if faces_missing {
        report.drawn += faces(&store, options, &step)?;
    }
    for bin in missing {
        let pairs = bin.draw(options.seed, PAIRS, &step)?;
        store.write(bin.file(), &write::pairs(&pairs.jpegs, &pairs.same))?;
        report.drawn += pairs.jpegs.len() as u64;
    }
    store.finish()?;
    Ok(report)
}

/// Writes the training folder; returns how many pictures had to be drawn.
fn faces(store: &Store, options: &SynthOptions, step: &(dyn Fn() + Sync)) -> Result<u64, SynthError> {
    let drawn = AtomicU64::new(0);
    for identity in 0..options.identities {
        store.begin_folder(&format!("{FACES}/{identity}"))?;
    }
    (0..options.identities * options.images).into_par_iter().try_for_each(|index| {
        let (identity, picture) = (index / options.images, index % options.images);
        let file = format!("{FACES}/{identity}/{}.jpg", index + 1);
        if !store.holds_jpeg(&file) {
            let jpeg = draw_jpeg(options.seed, Purpose::Training, identity, picture, Scene::Any)?;
            store.begin_file(&file, &jpeg)?;
            drawn.fetch_add(1, Ordering::Relaxed);
        }
        step();
        Ok::<(), SynthError>(())
    })?;
    store.publish(FACES)?;
    Ok(drawn.into_inner())
}

#[cfg(test)]
mod tests;
