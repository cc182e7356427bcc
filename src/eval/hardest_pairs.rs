//! The hardest pairs of a bin: those of two persons that look most alike, those of one person that look least, with their
//! faces as one picture.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jpeg_encoder::{ColorType, Encoder};
use serde::{Deserialize, Serialize};

use super::decoded_bin::DecodedBin;
use crate::data::decode;

/// The hardest pairs of each kind that are kept.
pub const HARDEST: usize = 12;

/// Longest side of a face that is kept, in pixels.
const LONGEST: u32 = 112;

/// A pair that is told apart, or together, with the greatest trouble.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HardPair {
    /// Its place in the bin, from 0.
    pub pair: u32,
    /// Its cosine similarity.
    pub score: f64,
    /// Whether the threshold puts it on the wrong side.
    pub wrong: bool,
}

/// The faces of the hardest pairs: rows of two, those of two persons first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sheet {
    /// Width and height of one face.
    pub size: (u32, u32),
    /// JPEG of all of them, base64.
    pub(super) jpeg: String,
}

/// A face as it is shown: RGB, rows of pixels of three channels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Face {
    /// Pixels of a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// The pixels.
    pub pixels: Vec<u8>,
}

/// The hardest pairs of one person (`wanted`: lowest scores first) or of two persons (highest scores first).
pub(super) fn hardest(similarities: &[f64], same: &[bool], threshold: f64, wanted: bool) -> Vec<HardPair> {
    let of_kind = similarities.iter().zip(same).enumerate();
    let mut pairs: Vec<HardPair> = of_kind
        .filter(|(_, (_, same))| **same == wanted)
        .map(|(at, (score, _))| HardPair { pair: at as u32, score: *score, wrong: (*score > threshold) != wanted })
        .collect();
    pairs.sort_by(|a, b| if wanted { a.score.total_cmp(&b.score) } else { b.score.total_cmp(&a.score) });
    pairs.truncate(HARDEST);
    pairs
}

impl Sheet {
    /// Puts the faces of pairs into one picture.
    pub(super) fn draw<'a>(bin: &DecodedBin, pairs: impl Iterator<Item = &'a HardPair>) -> Option<Self> {
        let (width, height) = bin.size;
        let one = width as usize * height as usize * 3;
        let longest = width.max(height).max(1);
        let scale = |side: u32| (side * LONGEST.min(longest) / longest).max(1);
        let size = (scale(width), scale(height));
        let mut pixels = Vec::new();
        let mut count = 0;
        for pair in pairs {
            let places = bin.pairs.get(pair.pair as usize)?;
            let mut faces = Vec::with_capacity(2);
            for place in places {
                let face = bin.images.get(*place as usize * one..)?.get(..one)?;
                faces.push(shrunk(face, bin.size, size)?);
            }
            let row = size.0 as usize * 3;
            for y in 0..size.1 as usize {
                for face in &faces {
                    pixels.extend_from_slice(&face[y * row..][..row]);
                }
            }
            count += 1;
        }
        if count == 0 {
            return None;
        }
        let mut jpeg = Vec::new();
        let (wide, high) = (u16::try_from(2 * size.0).ok()?, u16::try_from(count * size.1).ok()?);
        Encoder::new(&mut jpeg, 85).encode(&pixels, wide, high, ColorType::Rgb).ok()?;
        Some(Self { size, jpeg: BASE64.encode(jpeg) })
    }

    /// The faces of so many pairs.
    ///
    /// # Errors
    /// Why they cannot be shown, as a sentence.
    pub(super) fn faces(&self, count: u32) -> Result<Vec<[Face; 2]>, String> {
        let (width, height) = self.size;
        if width == 0 || height == 0 || width > LONGEST || height > LONGEST || count > 2 * HARDEST as u32 {
            return Err(format!("{count} pairs of faces of {width}x{height} pixels"));
        }
        let bytes = BASE64.decode(&self.jpeg).map_err(|error| format!("the faces: {error}"))?;
        let picture = decode::decode_whole(&bytes).map_err(|error| format!("the faces: {error}"))?;
        if (picture.width, picture.height) != (2 * width, count * height) {
            return Err(format!("the faces are {}x{} pixels", picture.width, picture.height));
        }
        let row = picture.width as usize * 3;
        let face = |pair: u32, column: u32| {
            let rows = (pair * height) as usize..((pair + 1) * height) as usize;
            let left = (column * width) as usize * 3;
            let pixels = rows.flat_map(|y| &picture.pixels[y * row + left..][..width as usize * 3]).copied().collect();
            Face { width, height, pixels }
        };
        Ok((0..count).map(|pair| [face(pair, 0), face(pair, 1)]).collect())
    }
}

/// RGB pixels in another size.
fn shrunk(face: &[u8], from: (u32, u32), to: (u32, u32)) -> Option<Vec<u8>> {
    if from == to {
        return Some(face.to_vec());
    }
    let image = image::RgbImage::from_raw(from.0, from.1, face.to_vec())?;
    Some(image::imageops::resize(&image, to.0, to.1, image::imageops::FilterType::Triangle).into_raw())
}
