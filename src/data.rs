//! Images on their way to the network: where they come from, in which order, how they are decoded and varied.
//!
//! ```text
//! folder (or any other Source) ─┐
//! sampler ── EpochPlan ─────────┴→ loader: worker threads decode ahead ─→ Batch (u8 NHWC) ─→ augment (tensor, device)
//! files, folders, lists ── items ── stream: worker threads decode ahead ─→ Decoded (u8 NHWC), to be embedded
//! bin: pickled evaluation pairs, decoded once by the room `eval`
//! ```
//! A Source is a folder of folders or an MXNet record file: [`open`] tells which.
//!
//! Everything random is drawn from `(seed, epoch, image)` by [`random`], never from a shared generator: neither the
//! number of threads nor a restart in the middle of a run changes what an epoch consists of.

pub mod augment;
pub mod bin;
pub mod classes;
pub mod concat;
pub mod decode;
pub mod folder;
pub mod items;
pub mod loader;
pub mod pickle;
pub mod prepare;
pub mod random;
pub mod recordio;
pub mod sampler;
pub mod source;
pub mod stream;
pub mod survey;

use std::path::Path;
use std::sync::Arc;

use miette::Diagnostic;
use thiserror::Error;

use crate::schedule::TrainSet;
use source::Source;

/// Why there is no training set.
#[derive(Debug, Error, Diagnostic)]
pub enum OpenError {
    /// As a folder of folders.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Folder(#[from] folder::FolderError),
    /// As a record file.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Records(#[from] recordio::RecordError),
    /// Together.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Concat(#[from] concat::TooMany),
}

/// Opens the training set at `path`: a `.rec` file, a folder that holds `train.rec`, or a folder of class folders, whose
/// listing is kept in the user's cache. `progress` is told (done, all) from any thread.
///
/// # Errors
/// Whatever is not a training set.
pub fn open(path: &Path, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<Arc<dyn Source>, OpenError> {
    if recordio::is_record_set(path) {
        let cache = folder::default_cache();
        return Ok(Arc::new(recordio::RecordFile::open_cached(path, cache.as_deref(), progress)?));
    }
    Ok(Arc::new(folder::FolderSet::open(path, folder::default_cache().as_deref(), progress)?))
}

/// Number of classes of the training sets of a schedule. That of a folder is read from the names of its folders; others
/// are opened, which the run after it does again from their kept listings.
///
/// # Errors
/// As [`open`].
pub fn count_classes(sets: &[TrainSet]) -> Result<usize, OpenError> {
    match sets {
        [one] if !recordio::is_record_set(&one.path) => Ok(folder::count_classes(&one.path)?),
        sets => Ok(open_all(sets, &|_, _| {})?.classes()),
    }
}

/// Opens the training sets of a schedule, as one where there are several ([`mod@concat`]). `progress` as in [`open`], for
/// each of them.
///
/// # Errors
/// As [`open`].
pub fn open_all(sets: &[TrainSet], progress: &(dyn Fn(u64, u64) + Sync)) -> Result<Arc<dyn Source>, OpenError> {
    if let [one] = sets {
        return open(&one.path, progress);
    }
    let sources = sets.iter().map(|set| {
        let name = set.path.display().to_string();
        Ok(concat::Set { name, source: open(&set.path, progress)?, labels: set.labels })
    });
    Ok(Arc::new(concat::Concat::new(&sources.collect::<Result<Vec<_>, OpenError>>()?)?))
}
