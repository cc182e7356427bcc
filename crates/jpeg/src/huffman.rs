//! Tables of Huffman codes: one look gives a code's length, the zeros before its coefficient and the bits of its value.

use crate::JpegError;

/// Bits that are looked up at once. With the bits of a value after it a short code has at most 25.
pub(crate) const LOOK: u32 = 10;

/// What is added to the position at the end of a block, so that it lies beyond any that a coefficient leads to.
pub(crate) const END: usize = 128;

/// A decoded code, in the bytes of a word from the lowest: bits of code and value together; 63 less the bits of the value; steps
/// to the position after the coefficient; bits of the code. 0 is no code.
pub(crate) type Entry = u32;

/// The codes of a table.
pub(crate) struct Table {
    /// The bytes that it was built from.
    source: Vec<u8>,
    /// By the next [`LOOK`] bits; 0 for longer codes and for none.
    fast: [Entry; 1 << LOOK],
    /// The first 16 bits that are beyond the codes of each length.
    limits: [u32; 17],
    /// What is added to a code of a length to find its entry, wrapping.
    places: [u32; 17],
    entries: [Entry; 256],
}

impl Default for Table {
    fn default() -> Self {
        Self { source: Vec::new(), fast: [0; 1 << LOOK], limits: [0; 17], places: [0; 17], entries: [0; 256] }
    }
}

impl Table {
    /// Makes it the table of `source`: sixteen counts, by length, and the symbols. Nothing is done where it is already.
    pub(crate) fn set(&mut self, source: &[u8], dc: bool) -> Result<(), JpegError> {
        if self.source == source {
            return Ok(());
        }
        self.source.clear();
        let (counts, symbols) = source.split_at(16);
        self.fast.fill(0);
        self.entries.fill(0);
        let (mut code, mut place) = (0_u32, 0);
        for length in 1..=16_u32 {
            let count = u32::from(counts[length as usize - 1]);
            self.places[length as usize] = (place as u32).wrapping_sub(code);
            for symbol in &symbols[place..place + count as usize] {
                let entry =
                    entry(*symbol, length, dc).ok_or(JpegError::Broken("its Huffman table has no such symbols"))?;
                self.entries[place] = entry;
                if length <= LOOK && code < 1 << length {
                    let first = (code << (LOOK - length)) as usize;
                    self.fast[first..first + (1 << (LOOK - length))].fill(entry);
                }
                (code, place) = (code + 1, place + 1);
            }
            if code > 1 << length {
                return Err(JpegError::Broken("its Huffman table has more codes than there are"));
            }
            self.limits[length as usize] = code << (16 - length);
            code <<= 1;
        }
        self.source.extend_from_slice(source);
        Ok(())
    }

    /// The entry of the code that `next` begins with, from its highest bit; 0 for none.
    #[inline(always)]
    pub(crate) const fn short(&self, next: u64) -> Entry {
        self.fast[(next >> (64 - LOOK)) as usize]
    }

    /// The same for codes longer than [`LOOK`].
    #[cold]
    pub(crate) fn long(&self, next: u64) -> Entry {
        let next = (next >> 48) as u32;
        for length in LOOK + 1..=16 {
            if next < self.limits[length as usize] {
                let place = (next >> (16 - length)).wrapping_add(self.places[length as usize]);
                return self.entries.get(place as usize).copied().unwrap_or(0);
            }
        }
        0
    }
}

/// The entry of a symbol whose code has `length` bits; none for a symbol that cannot be.
const fn entry(symbol: u8, length: u32, dc: bool) -> Option<Entry> {
    let (run, size) = (symbol as u32 >> 4, symbol as u32 & 15);
    if dc && run != 0 {
        return None;
    }
    let steps = if !dc && size == 0 && run < 15 { END as u32 } else { run + 1 };
    Some(u32::from_le_bytes([(length + size) as u8, (63 - size) as u8, steps as u8, length as u8]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_every_length_are_found() {
        // One code of each length but the longest, which has two: 0, 10, 110, ...
        let source: Vec<u8> = [1; 15].into_iter().chain([2]).chain(1..=17).collect();
        let mut table = Table::default();
        table.set(&source, false).expect("is complete");
        for length in 1..=16_u32 {
            let next = !(u64::MAX >> (length - 1)) | 0x5555 >> length;
            let found = if length <= LOOK { table.short(next) } else { table.long(next) };
            assert_eq!(found >> 24, length);
            assert_eq!(found, entry(length as u8, length, false).expect("an entry"));
        }
        assert_eq!(table.long(u64::MAX), entry(17, 16, false).expect("an entry"));
    }

    #[test]
    fn tables_that_cannot_be_are_refused() {
        let mut table = Table::default();
        let mut many = vec![3];
        many.extend([0; 15]);
        many.extend([1, 2, 3]);
        assert!(table.set(&many, false).is_err());
        let mut wide = vec![1];
        wide.extend([0; 15]);
        wide.push(0x10);
        assert!(table.set(&wide, true).is_err());
        table.set(&wide, false).expect("a run");
        assert_ne!(table.short(0), 0);
        assert_eq!((table.short(u64::MAX), table.long(u64::MAX)), (0, 0), "no such code");
    }
}
