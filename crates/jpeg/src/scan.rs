//! The scan: blocks of coefficients, decoded and transformed one after the other into the components' planes.

use crate::JpegError;
use crate::bits::{Bits, Parts};
use crate::header::Image;
use crate::huffman::{END, Entry, Table};
use crate::idct::mean;
use crate::kernels::Kernels;
use crate::pixels::{Plane, Rows, convert};

/// Bytes of buffers that are kept from image to image; a larger image's are let go.
const KEPT: usize = 4 << 20;

/// Places of the coefficients, in the order that they come. What lies beyond the last goes into a place that is not read.
const PLACES: [u8; 256] = {
    let mut places = [64; 256];
    let (mut row, mut column, mut index) = (0_i32, 0_i32, 0);
    while index < 64 {
        places[index] = (row * 8 + column) as u8;
        let up = (row + column) % 2 == 0;
        let (next_row, next_column) = if up { (row - 1, column + 1) } else { (row + 1, column - 1) };
        (row, column) = match (up, next_row, next_column) {
            (true, _, 8) => (row + 1, column),
            (true, -1, _) | (false, 8, _) => (row, column + 1),
            (false, _, -1) => (row + 1, column),
            _ => (next_row, next_column),
        };
        index += 1;
    }
    places
};

/// Steps of quantisation, by place in the block, and the bytes that they were read from.
struct Steps {
    source: Vec<u8>,
    steps: [i16; 64],
}

impl Default for Steps {
    fn default() -> Self {
        Self { source: Vec::new(), steps: [0; 64] }
    }
}

impl Steps {
    fn set(&mut self, source: &[u8]) {
        if self.source == source {
            return;
        }
        let wide = source.len() == 128;
        for (index, place) in PLACES[..64].iter().enumerate() {
            let step = if wide {
                u16::from_be_bytes([source[2 * index], source[2 * index + 1]])
            } else {
                u16::from(source[index])
            };
            self.steps[usize::from(*place)] = step.cast_signed();
        }
        self.source.clear();
        self.source.extend_from_slice(source);
    }
}

/// What a decoder keeps from image to image.
#[derive(Default)]
pub(crate) struct Work {
    dc: [Table; 4],
    ac: [Table; 4],
    steps: [Steps; 4],
    part: Vec<u8>,
    planes: [Plane; 3],
    rows: Rows,
}

impl Work {
    /// Lets go of buffers that a large image left.
    pub(crate) fn let_go(&mut self) {
        let planes: usize = self.planes.iter().map(|plane| plane.samples.capacity()).sum();
        if planes + self.part.capacity() + self.rows.capacity() > KEPT {
            (self.part, self.planes, self.rows) = Default::default();
        }
    }

    fn set_tables(&mut self, image: &Image<'_>) -> Result<(), JpegError> {
        for component in &image.components[..image.count()] {
            self.dc[component.dc].set(image.dc[component.dc], true)?;
            self.ac[component.ac].set(image.ac[component.ac], false)?;
            self.steps[component.quantisation].set(image.quantisation[component.quantisation]);
        }
        Ok(())
    }
}

/// Decodes the whole image.
#[inline(always)]
pub(crate) fn decode<K: Kernels>(work: &mut Work, image: &Image<'_>, pixels: &mut [u8]) -> Result<(), JpegError> {
    work.set_tables(image)?;
    let (across, down) = (image.sampling.across, image.sampling.down);
    let (wide, high) = image.units();
    for (number, plane) in work.planes[..image.count()].iter_mut().enumerate() {
        let (across, down) = if number == 0 { (across, down) } else { (1, 1) };
        plane.shape(wide * across * 8, high * down * 8);
    }
    let mut parts = Parts::new(image.data);
    let count = if image.restart == 0 { wide * high } else { image.restart };
    let (mut row, mut column) = (0, 0);
    while row < high {
        parts.next(&mut work.part)?;
        let mut bits = Bits::new(&work.part);
        let mut means = [0; 3];
        for _ in 0..count {
            for (number, component) in image.components[..image.count()].iter().enumerate() {
                let (across, down) = if number == 0 { (across, down) } else { (1, 1) };
                let (dc, ac) = (&work.dc[component.dc], &work.ac[component.ac]);
                let steps = &work.steps[component.quantisation].steps;
                let Plane { samples, stride } = &mut work.planes[number];
                for below in 0..down {
                    for right in 0..across {
                        let place = (row * down + below) * 8 * *stride + (column * across + right) * 8;
                        block::<K>(&mut bits, dc, ac, &mut means[number], steps, &mut samples[place..], *stride)?;
                    }
                }
            }
            column += 1;
            if column == wide {
                (row, column) = (row + 1, 0);
                if row == high {
                    break;
                }
            }
        }
        if bits.overrun() {
            return Err(JpegError::EARLY);
        }
    }
    convert::<K>(image, &work.planes, &mut work.rows, pixels);
    Ok(())
}

const NO_CODE: JpegError = JpegError::Broken("its data are damaged: they hold a code that its table does not");
const TOO_LONG: JpegError = JpegError::Broken("its data are damaged: a block has more than 64 coefficients");

/// Decodes one block and writes its samples.
#[inline(always)]
fn block<K: Kernels>(
    bits: &mut Bits<'_>,
    dc: &Table,
    ac: &Table,
    mean_before: &mut i32,
    steps: &[i16; 64],
    out: &mut [u8],
    stride: usize,
) -> Result<(), JpegError> {
    // As many places again take what lies beyond the block.
    let mut coefficients = [0_i16; 128];
    // 56 bits are enough for a code of any length with its value (31) and a short one (25).
    bits.refill().ok_or(JpegError::EARLY)?;
    let mut entry = dc.short(bits.next());
    if entry == 0 {
        entry = long(dc, bits)?;
    }
    *mean_before = mean_before.wrapping_add(bits.value(entry));
    coefficients[0] = *mean_before as i16;
    let mut position = 0;
    let mut place = |position: &mut usize, bits: &mut Bits<'_>, entry: Entry| {
        *position += ((entry >> 16) & 255) as usize;
        let value = bits.value(entry);
        coefficients[usize::from(PLACES[*position & 255] & 127)] = value as i16;
    };
    while position < 63 {
        entry = ac.short(bits.next());
        if entry == 0 {
            bits.refill().ok_or(JpegError::EARLY)?;
            entry = long(ac, bits)?;
        }
        place(&mut position, bits, entry);
        if position >= 63 {
            break;
        }
        bits.refill().ok_or(JpegError::EARLY)?;
        entry = ac.short(bits.next());
        if entry == 0 {
            entry = long(ac, bits)?;
        }
        place(&mut position, bits, entry);
    }
    if position == END {
        let sample = mean(coefficients[0], steps[0]);
        for row in out.chunks_mut(stride).take(8) {
            row[..8].fill(sample);
        }
        return Ok(());
    }
    if position > 63 && position < END {
        return Err(TOO_LONG);
    }
    let Some(coefficients) = coefficients.first_chunk::<64>() else { return Ok(()) };
    K::transform(coefficients, steps, out, stride);
    Ok(())
}

/// A code of more than the bits that are looked up at once.
#[cold]
fn long(table: &Table, bits: &Bits<'_>) -> Result<Entry, JpegError> {
    match table.long(bits.next()) {
        0 => Err(NO_CODE),
        entry => Ok(entry),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coefficients_come_in_zigzag() {
        let start = [0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33];
        assert_eq!(PLACES[..20], start);
        assert_eq!(PLACES[60..68], [47, 55, 62, 63, 64, 64, 64, 64]);
        let mut all = PLACES[..64].to_vec();
        all.sort_unstable();
        assert_eq!(all, (0..64).collect::<Vec<u8>>());
    }
}
