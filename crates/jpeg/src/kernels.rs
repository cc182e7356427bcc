//! The loops that can be written for an instruction set: the transform, the upsampling and the colours, here in portable code.
//!
//! Everything that calls them is compiled once as it stands, for any processor, and once for x86-64 with AVX2 and BMI2, where the
//! transform and the colours are written by hand ([`avx2`]). Both give the same bytes. `dispatch` chooses when the program runs.

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;

use crate::idct;

/// Pixels that are converted at once; rows are read to a multiple of it.
pub(crate) const GROUP: usize = 16;

/// Loops for an instruction set.
pub(crate) trait Kernels {
    /// Coefficients times their steps, transformed to eight rows of eight samples, `stride` apart.
    fn transform(coefficients: &[i16; 64], steps: &[i16; 64], out: &mut [u8], stride: usize);

    /// Rows of Y, Cb and Cr, read to a multiple of [`GROUP`], to a row of RGB pixels.
    fn colours(first: &[u8], second: &[u8], third: &[u8], out: &mut [u8]);

    /// Two samples of each sum: three parts of it and one of the sum before or after.
    #[inline(always)]
    fn across<const BEFORE: u16, const AFTER: u16, const SHIFT: u32>(sums: &[u16], wide: &mut [u8]) {
        across::<BEFORE, AFTER, SHIFT>(sums, wide);
    }
}

/// No instructions by hand.
pub(crate) struct Portable;

impl Kernels for Portable {
    fn transform(coefficients: &[i16; 64], steps: &[i16; 64], out: &mut [u8], stride: usize) {
        idct::whole(coefficients, steps, out, stride);
    }

    fn colours(first: &[u8], second: &[u8], third: &[u8], out: &mut [u8]) {
        colours(first, second, third, out);
    }
}

/// Two samples of each sum: three parts of it and one of the sum before or after.
#[inline(always)]
fn across<const BEFORE: u16, const AFTER: u16, const SHIFT: u32>(sums: &[u16], wide: &mut [u8]) {
    let count = sums.len() - 2;
    let (before, here, after) = (&sums[..count], &sums[1..=count], &sums[2..]);
    let wide = &mut wide.as_chunks_mut::<2>().0[..count];
    for index in 0..count {
        let here = here[index].wrapping_mul(3);
        let left = here.wrapping_add(before[index]).wrapping_add(BEFORE) >> SHIFT;
        let right = here.wrapping_add(after[index]).wrapping_add(AFTER) >> SHIFT;
        wide[index] = (left | right << 8).to_le_bytes();
    }
}

/// The parts of red and blue, of green, and of both that a difference of colour adds, in 65536ths.
const RED: i32 = 91881;

const GREEN: (i32, i32) = (22554, 46802);

const BLUE: i32 = 116_130;

/// `YCbCr` to RGB, as libjpeg's tables have it.
#[inline(always)]
fn colours(first: &[u8], second: &[u8], third: &[u8], out: &mut [u8]) {
    for (out, ((y, cb), cr)) in out.as_chunks_mut::<3>().0.iter_mut().zip(first.iter().zip(second).zip(third)) {
        let (y, cb, cr) = (i32::from(*y), i32::from(*cb) - 128, i32::from(*cr) - 128);
        *out = [
            y + ((RED * cr + 32768) >> 16),
            y + ((32768 - GREEN.0 * cb - GREEN.1 * cr) >> 16),
            y + ((BLUE * cb + 32768) >> 16),
        ]
        .map(|value| value.clamp(0, 255) as u8);
    }
}
