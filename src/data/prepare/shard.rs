//! A data set in several parts that hold all classes between them: every part has its share of each class, and the labels
//! of the whole.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Layout, Made, PrepareError, Progress};
use crate::data::random::{Stream, Use};
use crate::data::source::{ImageError, Source};

/// Some images of a source, under its labels.
pub struct Shard {
    source: Arc<dyn Source>,
    /// Images of the source, in its order.
    images: Vec<u32>,
}

/// Splits `source` into `count` parts. The images of a class go round the parts, in the set's order or, with a seed, in
/// one that is drawn; the part that the next class begins with is the one after the last.
pub fn split(source: &Arc<dyn Source>, count: usize, seed: Option<u64>) -> Vec<Shard> {
    let labels = source.labels();
    let mut order: Vec<u32> = (0..labels.len() as u32).collect();
    if let Some(seed) = seed {
        Stream::new(seed, 0, Use::Shards, 0).shuffle(&mut order);
    }
    order.sort_by_key(|image| labels[*image as usize]);
    let mut parts = vec![Vec::with_capacity(order.len() / count + 1); count];
    for (place, image) in order.into_iter().enumerate() {
        parts[place % count].push(image);
    }
    let shard = |mut images: Vec<u32>| {
        images.sort_unstable();
        Shard { source: Arc::clone(source), images }
    };
    parts.into_iter().map(shard).collect()
}

/// Writes every part into a folder of its own below `to`, `0`, `1`, ... in the given layout; the folders, and what was
/// written of all.
///
/// # Errors
/// As of sets that are written whole.
pub fn shards(
    parts: &[Shard],
    to: &Path,
    layout: Layout,
    progress: Progress<'_>,
) -> Result<(Vec<PathBuf>, Made), PrepareError> {
    let mut made = Made { total: 0, written: 0 };
    let width = (parts.len() - 1).to_string().len();
    let mut folders = Vec::with_capacity(parts.len());
    for (number, part) in parts.iter().enumerate() {
        let folder = to.join(format!("{number:0width$}"));
        let tell = |what: &str, done, total| {
            progress(&format!("{what}, part {} of {}", number + 1, parts.len()), done, total);
        };
        let Made { total, written } = layout.write(part, &folder, &tell)?;
        made = Made { total: made.total + total, written: made.written + written };
        folders.push(folder);
    }
    Ok((folders, made))
}

impl Source for Shard {
    fn len(&self) -> usize {
        self.images.len()
    }

    fn classes(&self) -> usize {
        self.source.classes()
    }

    fn label(&self, index: usize) -> u32 {
        self.source.label(self.images[index] as usize)
    }

    fn names_of_classes(&self) -> Vec<String> {
        self.source.names_of_classes()
    }

    fn has_names(&self) -> bool {
        self.source.has_names()
    }

    fn number(&self, index: usize) -> u64 {
        self.source.number(self.images[index] as usize)
    }

    fn name(&self, index: usize) -> String {
        self.source.name(self.images[index] as usize)
    }

    fn encoded(&self, index: usize, bytes: &mut Vec<u8>) -> Result<(), ImageError> {
        self.source.encoded(self.images[index] as usize, bytes)
    }
}
