//! From a model and items to embeddings, batch by batch.

use super::error::EvalError;
use super::model::{Model, normalize};
use crate::data::items::{Item, ItemsError};
use crate::data::stream::Stream;

/// How images are embedded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Embedding {
    /// Images at a time.
    pub batch: usize,
    /// Whether the mean with the mirror image's embedding is taken.
    pub flip: bool,
    /// Whether the result is scaled to length 1.
    pub normalize: bool,
}

/// Images whose embeddings were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Images in all.
    pub images: u64,
    /// Those that cannot be read: their rows are NaN.
    pub unreadable: u64,
    /// Those that can be read, but whose embeddings are not finite.
    pub not_finite: u64,
}

impl Counts {
    /// Images with an embedding.
    pub const fn good(&self) -> u64 {
        self.images - self.unreadable - self.not_finite
    }
}

/// Who hears what happens on the way.
pub trait Listener {
    /// A batch is done.
    fn done(&mut self, counts: Counts);
    /// An image cannot be used.
    fn bad(&mut self, item: &Item, reason: &str);
}

/// Embeds `items` in their order and hands each batch's items and rows (n, E) to `take`, one row an item: an image that
/// cannot be read has a row of NaN. Never holds more than a few batches.
///
/// # Errors
/// Items that cannot be listed, or what `take` fails with.
pub fn embed_items<I, E>(
    model: &Model,
    items: I,
    how: Embedding,
    listener: &mut dyn Listener,
    mut take: impl FnMut(&[Item], &[f32]) -> Result<(), E>,
) -> Result<Counts, E>
where
    I: Iterator<Item = Result<Item, ItemsError>>,
    E: From<EvalError>,
{
    let length = model.length();
    let mut stream = Stream::new(items, model.size(), how.batch).map_err(EvalError::from)?;
    let mut counts = Counts::default();
    let mut rows: Vec<f32> = Vec::new();
    while let Some(decoded) = stream.next_batch() {
        let decoded = decoded.map_err(EvalError::from)?;
        let mut embeddings = model.embed(&decoded.images, decoded.count(), how.flip).map_err(EvalError::Model)?;
        if how.normalize {
            normalize(&mut embeddings, length);
        }
        rows.clear();
        let (mut bad, mut good) = (decoded.bad.iter().peekable(), embeddings.chunks_exact(length));
        for (at, item) in decoded.items.iter().enumerate() {
            if let Some((_, reason)) = bad.next_if(|(place, _)| *place == at) {
                counts.unreadable += 1;
                listener.bad(item, reason);
                rows.resize(rows.len() + length, f32::NAN);
            } else if let Some(row) = good.next() {
                if row.iter().any(|value| !value.is_finite()) {
                    counts.not_finite += 1;
                    listener.bad(item, "has an embedding with NaN or infinite values");
                }
                rows.extend_from_slice(row);
            }
        }
        counts.images += decoded.items.len() as u64;
        take(&decoded.items, &rows)?;
        listener.done(counts);
        stream.recycle(decoded);
    }
    Ok(counts)
}
