//! The loops that can be written for an instruction set, and the choice among them when the program runs.
//!
//! Everything is compiled once as it stands, for any processor, and once for x86-64 with AVX2 and BMI2, where the transform and the
//! colours are written by hand ([`avx2`]). Both give the same bytes.

#[cfg(target_arch = "x86_64")]
mod avx2;

use crate::JpegError;
use crate::header::Image;
use crate::scan::Work;
use crate::{idct, pixels, scan};

/// Which instructions are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Level {
    #[default]
    Portable,
    /// Only [`Level::detect`] gives it.
    #[cfg(target_arch = "x86_64")]
    Avx2(avx2::Avx2),
}

impl Level {
    /// The best that this processor has.
    pub(crate) fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(found) = avx2::Avx2::detect() {
            return Self::Avx2(found);
        }
        Self::Portable
    }
}

/// Loops for an instruction set.
pub(crate) trait Kernels {
    /// Coefficients times their steps, transformed to eight rows of eight samples, `stride` apart.
    fn transform(coefficients: &[i16; 64], steps: &[i16; 64], out: &mut [u8], stride: usize);

    /// Rows of Y, Cb and Cr, read to a multiple of [`pixels::GROUP`], to a row of RGB pixels.
    fn colours(first: &[u8], second: &[u8], third: &[u8], out: &mut [u8]);

    /// Two samples of each sum: three parts of it and one of the sum before or after.
    #[inline(always)]
    fn across<const BEFORE: u16, const AFTER: u16, const SHIFT: u32>(sums: &[u16], wide: &mut [u8]) {
        pixels::across::<BEFORE, AFTER, SHIFT>(sums, wide);
    }
}

/// No instructions by hand.
struct Portable;

impl Kernels for Portable {
    fn transform(coefficients: &[i16; 64], steps: &[i16; 64], out: &mut [u8], stride: usize) {
        idct::whole(coefficients, steps, out, stride);
    }

    fn colours(first: &[u8], second: &[u8], third: &[u8], out: &mut [u8]) {
        pixels::colours(first, second, third, out);
    }
}

/// Decodes an image with the instructions of `level`.
pub(crate) fn decode(level: Level, work: &mut Work, image: &Image<'_>, pixels: &mut [u8]) -> Result<(), JpegError> {
    match level {
        Level::Portable => scan::decode::<Portable>(work, image, pixels),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2(found) => found.decode(work, image, pixels),
    }
}
