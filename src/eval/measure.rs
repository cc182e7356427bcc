//! From a model and items to embeddings, batch by batch; from a set of pairs to everything that is told of it.

use std::time::Instant;

use miette::Diagnostic;
use thiserror::Error;

use super::metrics::{Figures, Measured, MetricsError};
use super::model::{Model, normalize};
use super::pairs::PairSet;
use super::roc::{Operating, RocPoint, Scores};
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

/// Why there are no embeddings or figures.
#[derive(Debug, Error, Diagnostic)]
pub enum MeasureError {
    /// The images cannot be listed.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Items(#[from] ItemsError),
    /// No threads.
    #[error("no decoding thread can be started: {0}")]
    Threads(#[from] std::io::Error),
    /// A model of another format that fails on the way.
    #[error("the model cannot be run: {0}")]
    Model(String),
    /// A bin that is not whole.
    #[error("{name} {reason}")]
    #[diagnostic(help("the bin is damaged: fetch it again"))]
    Image {
        /// The image and its bin.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The embeddings give no figures.
    #[error("`{name}`: {source}")]
    Figures {
        /// The set.
        name: String,
        /// Why not.
        source: MetricsError,
    },
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
    E: From<MeasureError>,
{
    let length = model.length();
    let mut stream = Stream::new(items, model.size(), how.batch).map_err(MeasureError::from)?;
    let mut counts = Counts::default();
    let mut rows: Vec<f32> = Vec::new();
    while let Some(decoded) = stream.next_batch() {
        let decoded = decoded.map_err(MeasureError::from)?;
        let mut embeddings = model.embed(&decoded.images, decoded.count(), how.flip).map_err(MeasureError::Model)?;
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
                    listener.bad(item, "has an embedding that is not finite");
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

/// Everything that is told of a set of pairs.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// The set's name.
    pub name: String,
    /// Where it lies.
    pub path: std::path::PathBuf,
    /// Accuracy, threshold, folds.
    pub figures: Figures,
    /// Pairs of one person.
    pub positives: usize,
    /// Pairs of two persons.
    pub negatives: usize,
    /// Pairs left out because an image cannot be used.
    pub left_out: usize,
    /// The threshold for each rate that was asked for; none where there are too few pairs.
    pub rates: Vec<(f64, Option<Operating>)>,
    /// The curve.
    pub roc: Vec<RocPoint>,
    /// Images embedded.
    pub counts: Counts,
    /// How long it took.
    pub seconds: f64,
}

/// Evaluates a set as the reference does: each embedding is the mean with that of the mirror image, scaled to length 1.
/// `rates` are the false accept rates whose thresholds are wanted, above 0 and below 1.
///
/// # Errors
/// A bin with an image that cannot be read, or embeddings that give no figures. Images of a folder that cannot be read
/// are told to `listener` and their pairs left out.
pub fn evaluate(
    model: &Model,
    set: &PairSet,
    batch: usize,
    rates: &[f64],
    listener: &mut dyn Listener,
) -> Result<Evaluation, MeasureError> {
    let started = Instant::now();
    let length = model.length();
    let mut embeddings: Vec<f32> = Vec::with_capacity(set.items.len() * length);
    let how = Embedding { batch, flip: true, normalize: false };
    let items = set.items.iter().map(|item| Ok(item.clone()));
    let counts = if set.whole {
        let mut strict = Strict { listener, first: None };
        let result = embed_items(model, items, how, &mut strict, |_, rows| {
            embeddings.extend_from_slice(rows);
            Ok::<(), MeasureError>(())
        });
        if let Some((name, reason)) = strict.first {
            return Err(MeasureError::Image { name, reason });
        }
        result?
    } else {
        embed_items(model, items, how, listener, |_, rows| {
            embeddings.extend_from_slice(rows);
            Ok::<(), MeasureError>(())
        })?
    };
    let usable: Vec<bool> = embeddings.chunks_exact(length).map(|row| row.iter().all(|v| v.is_finite())).collect();
    let good = |pair: &[u32; 2]| pair.iter().all(|image| usable.get(*image as usize).copied().unwrap_or(false));
    let kept: Vec<(usize, [u32; 2])> = set.pairs.iter().copied().enumerate().filter(|(_, pair)| good(pair)).collect();
    // Rows are numbered anew, so that each is in a pair.
    let mut used: Vec<u32> = kept.iter().flat_map(|(_, pair)| *pair).collect();
    used.sort_unstable();
    used.dedup();
    let place = |image: u32| used.binary_search(&image).map_or(0, |place| place as u32);
    let pairs: Vec<[u32; 2]> = kept.iter().map(|(_, [a, b])| [place(*a), place(*b)]).collect();
    let same: Vec<bool> = kept.iter().map(|(at, _)| set.same[*at]).collect();
    let rows: Vec<f32> =
        used.iter().flat_map(|image| &embeddings[*image as usize * length..][..length]).copied().collect();
    let measured =
        Measured::new(&rows, &pairs).map_err(|source| MeasureError::Figures { name: set.name.clone(), source })?;
    let scores = Scores::new(&measured.similarities, &same);
    Ok(Evaluation {
        name: set.name.clone(),
        path: set.path.clone(),
        figures: measured.figures(&same),
        positives: scores.positives(),
        negatives: scores.negatives(),
        left_out: set.pairs.len() - pairs.len(),
        rates: rates.iter().map(|rate| (*rate, scores.tar_at_far(*rate))).collect(),
        roc: scores.roc(),
        counts,
        seconds: started.elapsed().as_secs_f64(),
    })
}

/// Keeps the first image that cannot be used, instead of telling it.
struct Strict<'a> {
    listener: &'a mut dyn Listener,
    first: Option<(String, String)>,
}

impl Listener for Strict<'_> {
    fn done(&mut self, counts: Counts) {
        self.listener.done(counts);
    }

    fn bad(&mut self, item: &Item, reason: &str) {
        self.first.get_or_insert_with(|| (item.name(), reason.to_owned()));
    }
}
