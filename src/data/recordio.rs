//! MXNet's `RecordIO` data sets: `train.rec`, with `train.idx` and `property` beside it.
//!
//! A record is a magic number, a word of length and flag, its bytes and padding to four; a record whose bytes hold the
//! magic number is split there (`frame`). An image's record begins with a header (flag, label, id, id2): with a flag
//! above 0 that many labels follow, of which the first is the class. Record 0, where it has such labels, says at which
//! record the images end.
//!
//! In memory an image is its record's number, its offset and its label: 16 bytes. They are kept in the user's cache
//! folder (`cache`), since reading the labels of millions of records takes minutes on a slow disk.

mod cache;
mod error;
pub(crate) mod frame;
mod header;
mod index;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::classes::{BESIDE_RECORDS, Classes};
use super::source::{ImageError, Source};
pub use error::RecordError;
use frame::Frames;
use header::Header;
use index::{Index, read_index};

/// File name of the records in a data set's folder.
pub const FILE: &str = "train.rec";

/// Whether `path` is a `.rec` file, or a folder that holds [`FILE`].
pub fn is_record_set(path: &Path) -> bool {
    let named = path.extension().is_some_and(|kind| kind.eq_ignore_ascii_case("rec"));
    if path.is_dir() { path.join(FILE).is_file() } else { named && path.is_file() }
}

/// An open `RecordIO` data set. Images are numbered from 0 in the order of their records.
#[derive(Debug)]
pub struct RecordFile {
    path: PathBuf,
    frames: Frames,
    index: Index,
    classes: usize,
    /// The names of the classes; none where they have numbers alone.
    names: Option<Vec<String>>,
    from_cache: bool,
}

impl RecordFile {
    /// Opens `path`: a folder that holds `train.rec`, or a `.rec` file. The `.idx` file of the same name is used when it
    /// is there, else the records are listed one by one. `progress` is told (done, all) of the labels that are read.
    ///
    /// # Errors
    /// Files that are missing or damaged, a label that is not a class, fewer than two classes.
    pub fn open(path: &Path, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<Self, RecordError> {
        Self::open_cached(path, None, progress)
    }

    /// As [`RecordFile::open`], with the folder of kept indices; none reads the records anew and keeps nothing.
    ///
    /// # Errors
    /// As [`RecordFile::open`].
    pub fn open_cached(
        path: &Path,
        cache: Option<&Path>,
        progress: &(dyn Fn(u64, u64) + Sync),
    ) -> Result<Self, RecordError> {
        let set = Self::open_with(path, cache, progress)?;
        if set.classes < 2 {
            return Err(RecordError::TooFew { path: set.path, images: set.index.labels.len(), classes: set.classes });
        }
        Ok(set)
    }

    /// As [`RecordFile::open`], for images that are not trained on: one class, or none, will do.
    ///
    /// # Errors
    /// Files that are missing or damaged, a label that is not a class.
    pub fn open_any(path: &Path, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<Self, RecordError> {
        Self::open_with(path, None, progress)
    }

    fn open_with(path: &Path, cache: Option<&Path>, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<Self, RecordError> {
        let path = if path.is_dir() { path.join(FILE) } else { path.to_owned() };
        let read = |error: std::io::Error| RecordError::Read { path: path.clone(), reason: error.to_string() };
        let frames = Frames::open(&path).map_err(read)?;
        let facts = cache::Facts::of(&path);
        let kept = cache.zip(facts).and_then(|(cache, facts)| cache::load(cache, &path, facts));
        let from_cache = kept.is_some();
        let index = match kept {
            Some(index) => index,
            None => read_index(&path, &frames, progress)?,
        };
        let classes = index.labels.par_iter().max().map_or(0, |highest| *highest as usize + 1);
        if u32::try_from(index.labels.len()).is_err() {
            return Err(RecordError::TooFew { path, images: index.labels.len(), classes });
        }
        if let Some((cache, facts)) = cache.zip(facts)
            && !from_cache
            && let Err(error) = cache::store(cache, &path, facts, &index)
        {
            tracing::warn!("the index of `{}` could not be kept in `{}`: {error}", path.display(), cache.display());
        }
        let names = read_names(&path, classes);
        let set = Self { path, frames, index, classes, names, from_cache };
        if let Some(declared) = set.declared_classes()
            && declared != classes
        {
            tracing::warn!("{}: `property` says {declared} classes, the labels {classes}", set.path.display());
        }
        Ok(set)
    }

    /// Number of images.
    pub const fn len(&self) -> usize {
        self.index.offsets.len()
    }

    /// Whether there are no images; never true of a file that was opened.
    pub const fn is_empty(&self) -> bool {
        self.index.offsets.is_empty()
    }

    /// Class of image `index`, counted from 0.
    pub fn label(&self, index: usize) -> u32 {
        self.index.labels[index]
    }

    /// Whether the index came from the cache.
    pub const fn from_cache(&self) -> bool {
        self.from_cache
    }

    /// The encoded image `index`, counted from 0.
    ///
    /// # Errors
    /// A record that changed since the file was opened.
    pub fn image_bytes(&self, index: usize) -> Result<Vec<u8>, RecordError> {
        let mut bytes = Vec::new();
        self.read_bytes(index, &mut bytes)?;
        Ok(bytes)
    }

    fn read_bytes(&self, index: usize, bytes: &mut Vec<u8>) -> Result<(), RecordError> {
        let (record, offset) = (u64::from(self.index.numbers[index]), self.index.offsets[index]);
        let wrong = |reason| RecordError::Record { path: self.path.clone(), record, offset, reason };
        self.frames.record(offset, bytes).map_err(wrong)?;
        let header = Header::read(bytes, bytes.len()).map_err(wrong)?;
        bytes.drain(..header.end);
        Ok(())
    }

    /// The number of classes that the file `property` gives (`classes,height,width`), where there is one.
    pub fn declared_classes(&self) -> Option<usize> {
        let text = std::fs::read_to_string(self.path.with_file_name("property")).ok()?;
        text.split(',').next()?.trim().parse().ok()
    }
}

impl Source for RecordFile {
    fn len(&self) -> usize {
        self.len()
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn label(&self, index: usize) -> u32 {
        self.label(index)
    }

    fn labels(&self) -> Vec<u32> {
        self.index.labels.clone()
    }

    fn names_of_classes(&self) -> Vec<String> {
        self.names.clone().unwrap_or_else(|| (0..self.classes).map(|label| label.to_string()).collect())
    }

    fn has_names(&self) -> bool {
        self.names.is_some()
    }

    fn number(&self, index: usize) -> u64 {
        u64::from(self.index.numbers[index])
    }

    fn name(&self, index: usize) -> String {
        format!("record {} of {}", self.index.numbers[index], self.path.display())
    }

    fn encoded(&self, index: usize, bytes: &mut Vec<u8>) -> Result<(), ImageError> {
        Ok(self.read_bytes(index, bytes).map_err(std::io::Error::other)?)
    }
}

/// The names of the classes of the set at `path`, which `prepare` keeps beside it; none where there are none, or not those
/// of its classes, which is told.
fn read_names(path: &Path, classes: usize) -> Option<Vec<String>> {
    let file = path.with_file_name(BESIDE_RECORDS);
    match Classes::read(&file) {
        Ok(None) => None,
        Ok(Some(mut found)) if found.classes.len() >= classes => {
            // Classes behind the last one that has an image.
            found.classes.truncate(classes);
            Some(found.classes)
        }
        Ok(Some(found)) => {
            let names = found.classes.len();
            tracing::warn!("`{}` names {names} classes of {classes}: they go by their numbers", file.display());
            None
        }
        Err(reason) => {
            tracing::warn!("{reason}: the classes go by their numbers");
            None
        }
    }
}
