//! An image's data: cut at restart markers, freed of stuffed bytes, read bit by bit.

use crate::JpegError;
use crate::huffman::Entry;

/// Zeros after the data, so that eight bytes can be read wherever a bit is due.
const PADDING: [u8; 16] = [0; 16];

/// The parts of the data between restart markers.
pub(crate) struct Parts<'a> {
    rest: &'a [u8],
    marker: u8,
}

impl<'a> Parts<'a> {
    pub(crate) const fn new(data: &'a [u8]) -> Self {
        Self { rest: data, marker: 0xd0 }
    }

    /// Copies the next part into `part`, without the zeros that are stuffed behind each 0xff, and [`PADDING`].
    ///
    /// # Errors
    /// Restart markers out of order.
    pub(crate) fn next(&mut self, part: &mut Vec<u8>) -> Result<(), JpegError> {
        part.clear();
        while let Some(found) = memchr::memchr(0xff, self.rest) {
            match self.rest.get(found + 1) {
                Some(0) => {
                    part.extend_from_slice(&self.rest[..=found]);
                    self.rest = &self.rest[found + 2..];
                }
                // A marker may have more than one 0xff before it.
                Some(0xff) => {
                    part.extend_from_slice(&self.rest[..found]);
                    self.rest = &self.rest[found + 1..];
                }
                Some(marker @ 0xd0..=0xd7) => {
                    part.extend_from_slice(&self.rest[..found]);
                    if *marker != self.marker {
                        return Err(JpegError::Broken("its restart markers are out of order"));
                    }
                    self.marker = 0xd0 | (marker + 1) & 7;
                    self.rest = &self.rest[found + 2..];
                    part.extend_from_slice(&PADDING);
                    return Ok(());
                }
                _ => {
                    part.extend_from_slice(&self.rest[..found]);
                    self.rest = &[];
                }
            }
        }
        part.extend_from_slice(self.rest);
        self.rest = &[];
        part.extend_from_slice(&PADDING);
        Ok(())
    }
}

/// Reads bits, the highest of a byte first.
pub(crate) struct Bits<'a> {
    data: &'a [u8],
    /// Where the next bytes are read.
    at: usize,
    /// The next bits, from the highest; those beyond `count` are right or zero.
    buffer: u64,
    count: u32,
}

impl<'a> Bits<'a> {
    /// Reads a part with its padding.
    pub(crate) const fn new(data: &'a [u8]) -> Self {
        Self { data, at: 0, buffer: 0, count: 0 }
    }

    /// The next bits, from the highest.
    #[inline(always)]
    pub(crate) const fn next(&self) -> u64 {
        self.buffer
    }

    /// Makes at least 56 bits ready; none where the data, padding and all, are at their end.
    #[inline(always)]
    pub(crate) fn refill(&mut self) -> Option<()> {
        let bytes = self.data.get(self.at..)?.first_chunk::<8>()?;
        self.buffer |= u64::from_be_bytes(*bytes) >> (self.count & 63);
        self.at += ((63 ^ (self.count & 63)) >> 3) as usize;
        self.count |= 0b11_1000;
        Some(())
    }

    /// Passes a code and the value behind it, which is returned.
    #[inline(always)]
    pub(crate) const fn value(&mut self, entry: Entry) -> i32 {
        let behind = self.buffer << ((entry >> 24) & 63);
        let unused = (entry >> 8) & 63;
        self.buffer <<= entry & 63;
        self.count = self.count.wrapping_sub(entry & 63);
        let bits = (behind >> 1) >> unused;
        // A value whose first bit is 0 is negative: its bits less those of all ones.
        let ones = (u64::MAX >> 1) >> unused;
        let positive = ((behind as i64) >> 63) as u64;
        bits.wrapping_sub(ones & !positive) as i32
    }

    /// Whether more bits were taken than the part had.
    pub(crate) const fn overrun(&self) -> bool {
        self.at * 8 > (self.data.len() - PADDING.len()) * 8 + self.count as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_cut_and_freed_of_stuffing() {
        let data = [1, 0xff, 0, 2, 0xff, 0xff, 0xd0, 3, 0xff, 0xd1, 4, 0xff, 0xd9, 5];
        let mut parts = Parts::new(&data);
        let mut part = Vec::new();
        for expected in [&[1, 0xff, 2][..], &[3], &[4], &[]] {
            parts.next(&mut part).expect("in order");
            assert_eq!(part.strip_suffix(&PADDING), Some(expected));
        }
        assert!(Parts::new(&[1, 0xff, 0xd3]).next(&mut part).is_err());
        Parts::new(&[1, 0xff]).next(&mut part).expect("a cut marker ends it");
        assert_eq!(part.strip_suffix(&PADDING), Some(&[1][..]));
    }

    #[test]
    fn values_and_their_ends_are_found() {
        let mut data = vec![0b0110_1001];
        data.extend(PADDING);
        let mut bits = Bits::new(&data);
        // A code of one bit and values of so many.
        let entry = |size: u8| u32::from_le_bytes([1 + size, 63 - size, 0, 1]);
        bits.refill().expect("bytes");
        assert_eq!(bits.value(entry(2)), 3);
        assert_eq!(bits.value(entry(0)), 0);
        assert_eq!(bits.value(entry(1)), -1);
        assert!(!bits.overrun());
        assert_eq!(bits.value(entry(0)), 0);
        bits.value(entry(0));
        assert!(!bits.overrun());
        bits.value(entry(0));
        assert!(bits.overrun());
        for _ in 0..2 {
            let _ = bits.refill();
            bits.count = 0;
        }
        assert!(bits.refill().is_none());
    }
}
