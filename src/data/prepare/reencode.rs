//! A bin of any dialect as one that the reference reads: JPEG bytes, protocol 4.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use rayon::prelude::*;

use super::{Made, PrepareError, Progress, io, write_bin};
use crate::data::bin::{BinError, EvalBin};
use crate::data::decode::{self, DecodeError};
use crate::data::pickle::write;
use crate::data::source::ImageError;

/// Quality of JPEG images that are made of others: the finest, since accuracies should not change.
const QUALITY: u8 = 100;

/// Writes the bin `from` to `to`. JPEG images keep their bytes; others are encoded at the finest quality, colour in full
/// resolution.
///
/// # Errors
/// A bin that cannot be read, an image that cannot be decoded, a place that is taken, a result that reads differently.
pub fn reencode(from: &Path, to: &Path, progress: Progress<'_>) -> Result<Made, PrepareError> {
    let bin = EvalBin::open(from)?;
    let total = bin.images.len() as u64;
    let done = AtomicU64::new(0);
    let images: Vec<Vec<u8>> = bin
        .images
        .par_iter()
        .enumerate()
        .map(|(at, bytes)| {
            let jpeg = encode(bytes).map_err(|error| PrepareError::Image {
                name: format!("image {at} of {}", from.display()),
                source: ImageError::Decode(error),
            })?;
            progress("images encoded", done.fetch_add(1, Ordering::Relaxed) + 1, total);
            Ok(jpeg)
        })
        .collect::<Result<_, PrepareError>>()?;
    if let Some(folder) = to.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(io(folder))?;
    }
    let places = bin.pairs.as_flattened();
    let bytes = write::bin(&images, places, &bin.same);
    let read = EvalBin::read(to, &bytes)?;
    let image =
        |bin: &EvalBin, place: usize| bin.pairs.as_flattened().get(place).map(|at| bin.images[*at as usize].clone());
    let same = read.same == bin.same
        && (0..places.len()).all(|place| image(&read, place).as_ref() == images.get(places[place] as usize));
    if !same {
        let reason = "it does not read as it was written".to_owned();
        return Err(PrepareError::Bin(BinError::Shape { path: to.to_owned(), reason }));
    }
    write_bin(to, &bytes, bin.same.len() as u64)
}

/// An image as JPEG; must be one that can be decoded.
fn encode(bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let picture = decode::decode_whole(bytes)?;
    if picture.format == "JPEG" {
        return Ok(bytes.to_vec());
    }
    let (Ok(width), Ok(height)) = (u16::try_from(picture.width), u16::try_from(picture.height)) else {
        return Err(DecodeError::Broken(format!("{}x{} is too large for JPEG", picture.width, picture.height)));
    };
    let mut jpeg = Vec::new();
    let mut encoder = Encoder::new(&mut jpeg, QUALITY);
    encoder.set_sampling_factor(SamplingFactor::F_1_1);
    encoder
        .encode(&picture.pixels, width, height, ColorType::Rgb)
        .map_err(|error| DecodeError::Broken(error.to_string()))?;
    Ok(jpeg)
}
