//! Baseline JPEG to RGB, to the very pixels of libjpeg-turbo with its defaults, which Pillow, `OpenCV`, mxnet and torchvision
//! decode with: accurate inverse transform, smooth upsampling, its integer tables of colours.
//!
//! What data sets of faces are made of is decoded: one or three components of 8 bits in one scan, Huffman coded, sequential,
//! chroma whole or halved either way, with or without restart markers. [`Image::parse`] tells anything else
//! ([`JpegError::Unsupported`]), which is left to another decoder. A [`Decoder`] is kept from image to image: its buffers stay,
//! and a table is built again only when its bytes differ from those of the image before.
//!
//! The bytes may be anyone's. Parsing is safe code with bounds, memory is bounded by the length of the data (a block takes at
//! least two bits) and data that end early are an error, not grey pixels. `unsafe` is in `kernels` alone: loads and stores
//! of whole vectors, and calling what was compiled for a processor that was detected.

#![allow(
    clippy::inline_always,
    reason = "the loops are compiled once for each instruction set, with all that they call"
)]

mod bits;
mod dispatch;
mod header;
mod huffman;
mod idct;
mod kernels;
mod pixels;
mod scan;
#[cfg(test)]
mod tests;

pub use header::Image;

use dispatch::Level;
use scan::Work;

/// Why bytes are not decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JpegError {
    /// Not a JPEG of the usual kind, or its header is broken: for another decoder to judge.
    #[error("not a baseline JPEG of the usual kind: {0}")]
    Unsupported(&'static str),
    /// The image's data are damaged.
    #[error("{0}")]
    Broken(&'static str),
    /// The buffer for the pixels does not have `width * height * 3` bytes: a mistake of the caller.
    #[error("the buffer has {0} bytes, expected {1}")]
    Buffer(usize, usize),
}

impl JpegError {
    const EARLY: Self = Self::Broken("its data end early");
}

/// Decodes one image after the other; each thread has its own.
#[derive(Default)]
pub struct Decoder {
    level: Level,
    work: Box<Work>,
}

impl Decoder {
    /// A decoder that uses what this processor has.
    pub fn new() -> Self {
        Self { level: Level::detect(), work: Box::default() }
    }

    /// A decoder that uses no vector instructions by hand: the same pixels, for comparison.
    pub fn portable() -> Self {
        Self::default()
    }

    /// Decodes an image into `pixels`: RGB, rows of pixels of three channels, `width * height * 3` bytes.
    ///
    /// # Errors
    /// Damaged data; a buffer of another length. What `pixels` holds is unspecified then.
    pub fn decode(&mut self, image: &Image<'_>, pixels: &mut [u8]) -> Result<(), JpegError> {
        let expected = image.width() * image.height() * 3;
        if pixels.len() != expected {
            return Err(JpegError::Buffer(pixels.len(), expected));
        }
        let decoded = dispatch::decode(self.level, &mut self.work, image, pixels);
        self.work.let_go();
        decoded
    }
}
