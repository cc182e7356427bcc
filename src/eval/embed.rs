//! A bin's images on their way to figures: decoded once, embedded batch by batch.

use miette::Diagnostic;
use rayon::prelude::*;
use thiserror::Error;

use super::metrics::{self, Measured};
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

/// Embeds a bin and measures its pairs. `progress` is told (done, all).
///
/// # Errors
/// What `embed` fails with, or embeddings that are not finite.
pub fn evaluate<E: From<metrics::MetricsError>>(
    bin: &DecodedBin,
    batch: usize,
    embed: Embed<'_, E>,
    progress: &dyn Fn(usize, usize),
) -> Result<Measured, E> {
    let one = bin.size.0 as usize * bin.size.1 as usize * 3;
    let total = bin.images.len() / one.max(1);
    let mut embeddings = Vec::new();
    let mut done = 0;
    progress(0, total);
    for images in bin.images.chunks(one * batch) {
        let count = images.len() / one;
        embeddings.extend(embed(images, count)?);
        done += count;
        progress(done, total);
    }
    Ok(Measured::new(&embeddings, &bin.pairs)?)
}
