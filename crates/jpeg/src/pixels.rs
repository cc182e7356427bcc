//! From the components' samples to RGB pixels: smooth upsampling (libjpeg's "fancy" one, a triangle filter) and colours.

use crate::header::{Colour, Image};
use crate::kernels::{GROUP, Kernels};

/// Samples of a component, in rows.
#[derive(Default)]
pub(crate) struct Plane {
    pub(crate) samples: Vec<u8>,
    pub(crate) stride: usize,
}

impl Plane {
    /// Makes room for so many samples, and for reading the last row to a multiple of [`GROUP`].
    pub(crate) fn shape(&mut self, stride: usize, rows: usize) {
        self.stride = stride;
        let length = stride * rows + GROUP;
        if self.samples.len() < length {
            self.samples.resize(length, 0);
        }
    }

    fn row(&self, row: usize, length: usize) -> &[u8] {
        &self.samples[row * self.stride..][..length]
    }
}

/// Room for rows of chroma.
#[derive(Default)]
pub(crate) struct Rows {
    /// Upsampled, each component.
    wide: [Vec<u8>; 2],
    /// Weighted sums of samples, with the first and the last twice.
    sums: Vec<u16>,
}

impl Rows {
    fn shape(&mut self, samples: usize) {
        self.sums.resize(samples + 2, 0);
        for wide in &mut self.wide {
            wide.resize((2 * samples).next_multiple_of(GROUP), 0);
        }
    }

    /// The bytes it holds.
    pub(crate) const fn capacity(&self) -> usize {
        self.wide[0].capacity() * 2 + self.sums.capacity() * 2
    }
}

/// Writes the pixels of an image whose planes are decoded.
#[inline(always)]
pub(crate) fn convert<K: Kernels>(image: &Image<'_>, planes: &[Plane; 3], rows: &mut Rows, pixels: &mut [u8]) {
    let (width, height) = (image.width(), image.height());
    let length = width.next_multiple_of(GROUP);
    let (across, down) = (image.sampling.across, image.sampling.down);
    let (narrow, low) = (width.div_ceil(across), height.div_ceil(down));
    if across == 2 {
        rows.shape(narrow);
    } else if down == 2 {
        rows.shape(width.div_ceil(2).next_multiple_of(GROUP));
    }
    for (row, out) in pixels.chunks_exact_mut(width * 3).enumerate() {
        let first = planes[0].row(row, length);
        if image.colour == Colour::Grey {
            for (out, grey) in out.as_chunks_mut::<3>().0.iter_mut().zip(first) {
                *out = [*grey; 3];
            }
            continue;
        }
        let near = row / down;
        // The nearer of the rows above and below; the image's own row at its edges.
        let far = if row % 2 == 0 { near.saturating_sub(1) } else { (near + 1).min(low - 1) };
        for (plane, wide) in planes[1..].iter().zip(&mut rows.wide) {
            // As libjpeg does, images of up to four pixels a row get each sample twice.
            match (across, down) {
                (2, 1 | 2) if narrow <= 2 => twice(plane.row(near, narrow), wide),
                (2, 1) => {
                    widened(plane.row(near, narrow), &mut rows.sums);
                    K::across::<1, 2, 2>(&rows.sums, wide);
                }
                (2, _) => {
                    weighted(plane.row(near, narrow), plane.row(far, narrow), &mut rows.sums);
                    K::across::<8, 7, 4>(&rows.sums, wide);
                }
                (_, 2) => {
                    let bias = if row % 2 == 0 { 1 } else { 2 };
                    between(plane.row(near, width), plane.row(far, width), bias, wide);
                }
                _ => {}
            }
        }
        let [second, third] = if across * down == 1 {
            [planes[1].row(row, length), planes[2].row(row, length)]
        } else {
            [&rows.wide[0][..length], &rows.wide[1][..length]]
        };
        if image.colour == Colour::Rgb {
            for (out, ((red, green), blue)) in
                out.as_chunks_mut::<3>().0.iter_mut().zip(first.iter().zip(second).zip(third))
            {
                *out = [*red, *green, *blue];
            }
        } else {
            K::colours(first, second, third, out);
        }
    }
}

/// Each sample twice.
fn twice(samples: &[u8], wide: &mut [u8]) {
    for (out, sample) in wide.as_chunks_mut::<2>().0.iter_mut().zip(samples) {
        *out = [*sample; 2];
    }
}

/// The first and the last of the sums are those beside them once more.
#[inline(always)]
const fn edges(sums: &mut [u16]) {
    let last = sums.len() - 1;
    (sums[0], sums[last]) = (sums[1], sums[last - 1]);
}

#[inline(always)]
fn widened(samples: &[u8], sums: &mut [u16]) {
    for (sum, sample) in sums[1..].iter_mut().zip(samples) {
        *sum = u16::from(*sample);
    }
    edges(sums);
}

/// Three parts of the row, one of the next.
#[inline(always)]
fn weighted(near: &[u8], far: &[u8], sums: &mut [u16]) {
    for (sum, (near, far)) in sums[1..].iter_mut().zip(near.iter().zip(far)) {
        *sum = u16::from(*near) * 3 + u16::from(*far);
    }
    edges(sums);
}

/// Three parts of the row, one of the next, where only rows are halved.
#[inline(always)]
fn between(near: &[u8], far: &[u8], bias: u16, out: &mut [u8]) {
    for (out, (near, far)) in out.iter_mut().zip(near.iter().zip(far)) {
        *out = ((u16::from(*near) * 3 + u16::from(*far) + bias) >> 2) as u8;
    }
}
