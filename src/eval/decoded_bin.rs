//! A bin's images on their way to figures: decoded once, embedded batch by batch.

use miette::Diagnostic;
use rayon::prelude::*;
use thiserror::Error;

use super::similarity::{MetricsError, PairSimilarities, RunningSimilarities};
use crate::crash;
use crate::data::bin::EvalBin;
use crate::data::decode::decode_into;

/// A bin whose images are decoded.
#[derive(Debug, Clone)]
pub struct DecodedBin {
    /// The bin's name.
    pub name: String,
    /// Width and height.
    pub size: (u32, u32),
    /// (images, H, W, 3), bytes; an image that several pairs show is there once.
    pub images: Vec<u8>,
    /// The two images of each pair, as places in `images`.
    pub pairs: Vec<[u32; 2]>,
    /// Whether each pair shows one person.
    pub same: Vec<bool>,
}

/// A bin with an image that cannot be decoded.
#[derive(Debug, Error, Diagnostic)]
#[error("image {index} of the bin `{}` {reason}", path.display())]
#[diagnostic(help("the bin is damaged: fetch it again, or leave it out of `data.bins`"))]
pub struct DecodeBinError {
    path: std::path::PathBuf,
    index: usize,
    reason: String,
}

impl DecodedBin {
    /// Decodes all images in parallel, to (width, height).
    ///
    /// # Errors
    /// The first image that cannot be decoded.
    pub fn decode(bin: &EvalBin, size: (u32, u32)) -> Result<Self, DecodeBinError> {
        let one = size.0 as usize * size.1 as usize * 3;
        let mut images = vec![0; bin.images.len() * one];
        images.par_chunks_exact_mut(one).zip(&bin.images).enumerate().try_for_each(|(index, (pixels, bytes))| {
            decode_into(bytes, size, pixels).map(|_| ()).map_err(|error| {
                let index = bin.pairs.as_flattened().iter().position(|place| *place as usize == index).unwrap_or(index);
                DecodeBinError { path: bin.path.clone(), index, reason: error.to_string() }
            })
        })?;
        Ok(Self { name: bin.name.clone(), size, images, pairs: bin.pairs.clone(), same: bin.same.clone() })
    }
}

/// From images (count, H, W, 3) to raw embeddings (count, E), averaged with those of the mirrored images.
pub type Embed<'a, E> = &'a mut dyn FnMut(&[u8], usize) -> Result<Vec<f32>, E>;

/// Embeds a bin and makes `figures` of its pairs. Pairs are measured and figures made on a thread beside the embedding, so
/// that little of it is left when the last image is embedded. `progress` is told (done, all).
///
/// # Errors
/// What `embed` fails with, or embeddings that are not finite.
///
/// # Panics
/// When `figures` does, or the system gives no thread.
pub fn evaluate<T: Send, E: From<MetricsError>>(
    bin: &DecodedBin,
    batch: usize,
    embed: Embed<'_, E>,
    progress: &dyn Fn(usize, usize),
    figures: impl FnOnce(PairSimilarities) -> T + Send,
) -> Result<T, E> {
    let one = bin.size.0 as usize * bin.size.1 as usize * 3;
    let total = bin.images.len() / one.max(1);
    std::thread::scope(|scope| {
        // No longer than the batches of the bin.
        let (sender, rows) = crossbeam_channel::unbounded::<(Vec<f32>, usize)>();
        let measure = move || {
            crash::test("figures");
            let mut measuring = RunningSimilarities::new(&bin.pairs);
            for (rows, count) in rows {
                measuring.add(&rows, count);
            }
            measuring.finish().map(figures)
        };
        let measured = std::thread::Builder::new().name("figures".into()).spawn_scoped(scope, measure);
        let measured = measured.unwrap_or_else(|error| panic!("the system gives no thread for the figures: {error}"));
        let mut done = 0;
        progress(0, total);
        for images in bin.images.chunks(one * batch) {
            let count = images.len() / one;
            // Where the thread panicked, joining it tells.
            let _ = sender.send((embed(images, count)?, count));
            done += count;
            progress(done, total);
        }
        drop(sender);
        Ok(measured.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four images of a pixel, embedded as two of their colours.
    fn bin() -> DecodedBin {
        let images = vec![200, 100, 0, 100, 200, 0, 50, 60, 0, 60, 50, 0];
        DecodedBin { name: "x".into(), size: (1, 1), images, pairs: vec![[0, 1], [2, 3]], same: vec![true, false] }
    }

    fn embedding(images: &[u8]) -> Vec<f32> {
        images.chunks_exact(3).flat_map(|pixel| [f32::from(pixel[0]), f32::from(pixel[1])]).collect()
    }

    #[test]
    fn figures_are_made_beside_the_embedding() {
        let bin = bin();
        let told = std::cell::RefCell::new(Vec::new());
        let mut embed = |images: &[u8], _: usize| Ok::<_, MetricsError>(embedding(images));
        let progress = |done, all| told.borrow_mut().push((done, all));
        let figures = |measured: PairSimilarities| (measured, std::thread::current().name().map(str::to_owned));
        let (measured, thread) = evaluate(&bin, 3, &mut embed, &progress, figures).expect("figures");
        assert_eq!(Ok(measured), PairSimilarities::new(&embedding(&bin.images), &bin.pairs));
        assert_eq!(thread.as_deref(), Some("figures"));
        assert_eq!(*told.borrow(), [(0, 4), (3, 4), (4, 4)]);
    }

    #[test]
    fn what_fails_comes_back() {
        let bin = bin();
        let mut asked = 0;
        let mut ends = |images: &[u8], _: usize| {
            asked += 1;
            if asked == 2 { Err(MetricsError::NotFinite(77)) } else { Ok(embedding(images)) }
        };
        let never = |_: PairSimilarities| unreachable!("there are no figures");
        assert_eq!(evaluate(&bin, 2, &mut ends, &|_, _| {}, never), Err::<(), _>(MetricsError::NotFinite(77)));
        let mut spoiled = |_: &[u8], count: usize| Ok(vec![f32::NAN; count * 2]);
        let wrong = evaluate(&bin, 2, &mut spoiled, &|_, _| {}, |_| ());
        assert_eq!(wrong, Err(MetricsError::NotFinite(0)));
    }
}
