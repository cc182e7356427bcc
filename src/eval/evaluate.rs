//! From a set of pairs to everything that is told of it: accuracy, threshold, folds, rates and the curve.

use std::time::Instant;

use super::embed::{Counts, Embedding, Listener, embed_items};
use super::error::EvalError;
use super::metrics::Figures;
use super::model::Model;
use super::pair_set::PairSet;
use super::roc::{Operating, RocPoint, Scores};
use super::similarity::PairSimilarities;
use crate::data::items::Item;

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
) -> Result<Evaluation, EvalError> {
    let started = Instant::now();
    let length = model.length();
    let mut embeddings: Vec<f32> = Vec::with_capacity(set.items.len() * length);
    let how = Embedding { batch, flip: true, normalize: false };
    let items = set.items.iter().map(|item| Ok(item.clone()));
    let counts = if set.whole {
        let mut strict = Strict { listener, first: None };
        let result = embed_items(model, items, how, &mut strict, |_, rows| {
            embeddings.extend_from_slice(rows);
            Ok::<(), EvalError>(())
        });
        if let Some((name, reason)) = strict.first {
            return Err(EvalError::Image { name, reason });
        }
        result?
    } else {
        embed_items(model, items, how, listener, |_, rows| {
            embeddings.extend_from_slice(rows);
            Ok::<(), EvalError>(())
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
        PairSimilarities::new(&rows, &pairs).map_err(|source| EvalError::Figures { name: set.name.clone(), source })?;
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
