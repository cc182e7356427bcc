//! What lies behind a bin's figures: how the scores of its pairs lie, the curve, and the hardest pairs with their faces.
//!
//! [`Detail::new`] makes it from measured pairs, [`write()`] puts it beside a run's journal, [`read`] gets it back for a
//! screen. A file holds everything, the faces as one JPEG, so that figures and faces always belong together.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::decoded_bin::DecodedBin;
use super::hardest_pairs::{Face, HardPair, Sheet, hardest};
use super::roc::{RocPoint, Scores};
use super::similarity::PairSimilarities;
use crate::checkpoint::CheckpointError;
use crate::checkpoint::atomic::write_atomically;
use crate::checkpoint::json_checksum;
use crate::checkpoint::npy::{self, Matrix};
use crate::event::BinResult;

/// Where the files lie in a run's folder.
pub const FOLDER: &str = "evaluation";

/// Buckets of the histogram of scores, from -1 to 1.
pub const BUCKETS: usize = 100;

/// Most points of a curve that are kept.
const CURVE: usize = 120;

/// No file is longer.
const LARGEST_FILE: u64 = 8 << 20;

/// Everything that is told of a bin's newest or best figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Detail {
    /// Position of the epoch in the history, from 1.
    pub index: u32,
    /// Steps of that epoch, when it was evaluated between two of them.
    pub step: Option<u64>,
    /// The figures.
    pub result: BinResult,
    /// Pairs of one person.
    pub positives: u64,
    /// Pairs of two persons.
    pub negatives: u64,
    /// How many scores of pairs of one person lie in each of [`BUCKETS`] equal parts of -1 to 1.
    pub same: Vec<u32>,
    /// The same of pairs of two persons.
    pub different: Vec<u32>,
    /// False and true accept rates, each rising from 0 to 1.
    pub roc: Vec<(f64, f64)>,
    /// Pairs of two persons with the highest scores, highest first.
    pub accepts: Vec<HardPair>,
    /// Pairs of one person with the lowest scores, lowest first.
    pub rejects: Vec<HardPair>,
    /// Their faces; none when they cannot be shown.
    pub sheet: Option<Sheet>,
}

/// A detail file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DetailError {
    /// It cannot be read.
    #[error("`{path}` cannot be read: {reason}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// It is not what it should be.
    #[error("`{path}` is damaged: {reason}", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl Detail {
    /// Looks behind the figures of measured pairs.
    pub fn new(
        bin: &DecodedBin,
        measured: &PairSimilarities,
        result: BinResult,
        index: u32,
        step: Option<u64>,
    ) -> Self {
        let scores = Scores::new(&measured.similarities, &bin.same);
        let histogram = |wanted: bool| {
            let mut counts = vec![0; BUCKETS];
            for (score, same) in measured.similarities.iter().zip(&bin.same) {
                counts[bucket(*score)] += u32::from(*same == wanted);
            }
            counts
        };
        let hardest = |wanted: bool| hardest(&measured.similarities, &bin.same, result.threshold, wanted);
        let (accepts, rejects) = (hardest(false), hardest(true));
        let sheet = Sheet::draw(bin, accepts.iter().chain(&rejects));
        Self {
            index,
            step,
            positives: scores.positives() as u64,
            negatives: scores.negatives() as u64,
            same: histogram(true),
            different: histogram(false),
            roc: thinned(&scores.roc()),
            accepts,
            rejects,
            sheet,
            result,
        }
    }

    /// The faces of every hard pair, those of `accepts` first; empty where there are none to show.
    ///
    /// # Errors
    /// Why they cannot be shown, as a sentence.
    pub fn faces(&self) -> Result<Vec<[Face; 2]>, String> {
        let Some(sheet) = &self.sheet else { return Ok(Vec::new()) };
        sheet.faces((self.accepts.len() + self.rejects.len()) as u32)
    }

    /// What is wrong with a detail that was read.
    fn problem(&self) -> Option<String> {
        if self.same.len() != BUCKETS || self.different.len() != BUCKETS {
            return Some(format!("a histogram of {} and {} parts", self.same.len(), self.different.len()));
        }
        let finite = self.roc.iter().all(|(far, tar)| far.is_finite() && tar.is_finite());
        (!finite || self.roc.len() > CURVE).then(|| "the curve".to_owned())
    }
}

/// The part of the histogram that a score lies in.
pub fn bucket(score: f64) -> usize {
    ((f64::midpoint(score, 1.0) * BUCKETS as f64) as usize).min(BUCKETS - 1)
}

/// At most [`CURVE`] points of a curve: those where it rises most, on a logarithmic axis of false accept rates.
fn thinned(roc: &[RocPoint]) -> Vec<(f64, f64)> {
    let place = |far: f64| far.max(1e-7).log10();
    let mut kept: Vec<(f64, f64)> = Vec::new();
    let mut last = f64::NEG_INFINITY;
    for (at, point) in roc.iter().enumerate() {
        let edge = at == 0 || at + 1 == roc.len();
        // Seven decades in steps of a seventeenth of one.
        if edge || place(point.far) - last >= 1.0 / 17.0 {
            last = place(point.far);
            kept.push((point.far, point.tar));
        }
    }
    kept.truncate(CURVE);
    kept
}

/// The file of a bin's newest details, or of its best. It lies in the run's folder, whatever the bin is called.
pub fn path(run: &Path, bin: &str, best: bool) -> PathBuf {
    let bin = bin.replace(['/', '\0'], "_");
    run.join(FOLDER).join(format!("{bin}{}.json", if best { "_best" } else { "" }))
}

/// Writes a bin's details, and the scores of all pairs (float32, a row a pair: score, and 1 where it shows one person).
///
/// # Errors
/// A file cannot be written.
pub fn write(
    run: &Path,
    detail: &Detail,
    measured: &PairSimilarities,
    same: &[bool],
    best: bool,
) -> Result<(), CheckpointError> {
    let path = path(run, &detail.result.bin, best);
    let failed = |error: std::io::Error| CheckpointError::write(&path, error);
    fs_err::create_dir_all(run.join(FOLDER)).map_err(failed)?;
    let rows = measured.similarities.iter().zip(same);
    let data: Vec<f32> = rows.flat_map(|(score, same)| [*score as f32, f32::from(u8::from(*same))]).collect();
    npy::write(&path.with_extension("npy"), &Matrix { shape: [data.len() / 2, 2], data })?;
    let text = json_checksum::append(serde_json::to_vec(detail).map_err(|error| failed(error.into()))?);
    write_atomically::<CheckpointError>(&path, |temporary| fs_err::write(temporary, &text).map_err(failed))?;
    Ok(())
}

/// Reads a bin's details.
///
/// # Errors
/// A file that is not there, or damaged.
pub fn read(path: &Path) -> Result<Detail, DetailError> {
    let failed =
        |reason: &dyn std::fmt::Display| DetailError::Read { path: path.to_path_buf(), reason: reason.to_string() };
    let damaged = |reason: String| DetailError::Damaged { path: path.to_path_buf(), reason };
    let bytes = std::fs::metadata(path).map_err(|error| failed(&error))?.len();
    if bytes > LARGEST_FILE {
        return Err(damaged(format!("it has {bytes} bytes")));
    }
    let text = std::fs::read(path).map_err(|error| failed(&error))?;
    let detail: Detail = json_checksum::parse(&text).map_err(damaged)?;
    match detail.problem() {
        Some(reason) => Err(damaged(reason)),
        None => Ok(detail),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bin of `same.len()` pairs of grey 8x8 faces, each pair a shade of its own.
    fn bin(same: &[bool]) -> DecodedBin {
        let count = same.len() as u32;
        DecodedBin {
            name: "lfw".into(),
            size: (8, 8),
            images: (0..2 * count).flat_map(|at| vec![(at * 8 % 250) as u8; 192]).collect(),
            pairs: (0..count).map(|pair| [2 * pair, 2 * pair + 1]).collect(),
            same: same.to_vec(),
        }
    }

    fn result(threshold: f64) -> BinResult {
        BinResult {
            bin: "lfw".into(),
            accuracy: 0.5,
            threshold,
            fold_mean: None,
            fold_deviation: None,
            pairs: 4,
            seconds: 0.1,
            rates: Vec::new(),
        }
    }

    fn detail() -> (DecodedBin, PairSimilarities, Detail) {
        let bin = bin(&[true, false, true, false]);
        let measured = PairSimilarities { similarities: vec![0.9, 0.8, -1.0, 0.1], distances: vec![0.0; 4] };
        let detail = Detail::new(&bin, &measured, result(0.5), 3, Some(40));
        (bin, measured, detail)
    }

    #[test]
    fn the_hardest_pairs_come_first_and_say_whether_they_are_wrong() {
        let (_, _, detail) = detail();
        let told =
            |pairs: &[HardPair]| -> Vec<(u32, bool)> { pairs.iter().map(|pair| (pair.pair, pair.wrong)).collect() };
        assert_eq!(told(&detail.accepts), [(1, true), (3, false)]);
        assert_eq!(told(&detail.rejects), [(2, true), (0, false)]);
        assert_eq!((detail.positives, detail.negatives), (2, 2));
        assert_eq!((detail.same[0], detail.same[bucket(0.9)], detail.different[bucket(0.8)]), (1, 1, 1));
        assert_eq!((bucket(1.0), bucket(-1.0), bucket(f64::NAN)), (BUCKETS - 1, 0, 0));
        assert_eq!((detail.roc[0].0, detail.roc.last().copied()), (0.0, Some((1.0, 1.0))));
    }

    #[test]
    fn what_is_written_is_read_with_its_faces() {
        let (bin, measured, detail) = detail();
        let run = tempfile::tempdir().expect("a folder");
        write(run.path(), &detail, &measured, &bin.same, false).expect("writes");
        let back = read(&path(run.path(), "lfw", false)).expect("reads");
        assert_eq!(back, detail);
        let faces = back.faces().expect("faces");
        assert_eq!(faces.len(), 4);
        // The first row is pair 1: images 2 and 3, whose shades are 16 and 24.
        for (face, shade) in faces[0].iter().zip([16_u8, 24]) {
            assert_eq!(face.pixels.len(), 192);
            assert!(face.pixels.iter().all(|value| value.abs_diff(shade) <= 4), "{:?}", &face.pixels[..6]);
        }
        let scores = npy::read(&path(run.path(), "lfw", false).with_extension("npy")).expect("reads");
        assert_eq!((scores.shape, &scores.data[..4]), ([4, 2], &[0.9, 1.0, 0.8, 0.0][..]));
    }

    #[test]
    fn damage_is_told_and_never_believed() {
        let (bin, measured, detail) = detail();
        let run = tempfile::tempdir().expect("a folder");
        write(run.path(), &detail, &measured, &bin.same, true).expect("writes");
        let path = path(run.path(), "lfw", true);
        let text = std::fs::read_to_string(&path).expect("reads");
        for cut in (0..text.len()).step_by(37) {
            std::fs::write(&path, &text[..cut]).expect("writes");
            assert!(matches!(read(&path), Err(DetailError::Damaged { .. })));
        }
        let short = Detail { same: vec![1], ..detail.clone() };
        std::fs::write(&path, serde_json::to_vec(&short).expect("JSON")).expect("writes");
        assert!(read(&path).is_err());
        let sheet = |size| Some(Sheet { size, jpeg: detail.sheet.clone().expect("one").jpeg });
        for size in [(0, 8), (8, 9), (100_000, 100_000)] {
            assert!(Detail { sheet: sheet(size), ..detail.clone() }.faces().is_err());
        }
        let nonsense = Some(Sheet { size: (8, 8), jpeg: "???".into() });
        assert!(Detail { sheet: nonsense, ..detail }.faces().is_err());
        assert!(matches!(read(Path::new("/nonexistent.json")), Err(DetailError::Read { .. })));
    }

    #[test]
    fn a_long_curve_is_thinned_to_its_ends_and_decades() {
        let point = |at: usize| RocPoint { threshold: 0.0, far: at as f64 / 5000.0, tar: at as f64 / 5000.0 };
        let roc: Vec<RocPoint> = (0..=5000).map(point).collect();
        let kept = thinned(&roc);
        assert!(kept.len() <= CURVE && kept.len() > 40, "{}", kept.len());
        assert_eq!((kept[0], kept.last().copied()), ((0.0, 0.0), Some((1.0, 1.0))));
        assert!(kept.iter().any(|(far, _)| (*far - 0.0002).abs() < 1e-9));
    }
}
