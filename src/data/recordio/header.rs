//! The header of an image's record: its labels, and where the image begins.

use super::frame::{Frames, HEADER};

/// A record's header.
pub(super) struct Header {
    /// Labels after it; 0 when the label is the one in it.
    pub(super) flag: u32,
    /// The label in it, or the first after it.
    pub(super) label: f32,
    /// Where the image begins.
    pub(super) end: usize,
}

impl Header {
    /// Reads it from a record's first `bytes`; the whole record has `length`.
    pub(super) fn read(bytes: &[u8], length: usize) -> Result<Self, String> {
        let word = |at: usize| bytes.get(at..)?.first_chunk::<4>().copied();
        let short = || format!("it holds {length} bytes, less than its header");
        let (flag, label) = word(0).zip(word(4)).filter(|_| bytes.len() >= HEADER).ok_or_else(short)?;
        let flag = u32::from_le_bytes(flag);
        let end = usize::try_from(flag).ok().and_then(|flag| flag.checked_mul(4)?.checked_add(HEADER));
        let end = end
            .filter(|end| *end <= length)
            .ok_or_else(|| format!("its header promises {flag} labels, more than its {length} bytes can hold"))?;
        let label = if flag == 0 { label } else { word(HEADER).ok_or_else(short)? };
        Ok(Self { flag, label: f32::from_le_bytes(label), end })
    }

    /// The header of the record at `offset`, and whether an image follows it.
    pub(super) fn at(frames: &Frames, offset: u64, scratch: &mut Vec<u8>) -> Result<(Self, bool), String> {
        let length = frames.head(offset, scratch)?;
        let header = Self::read(scratch, length)?;
        let image = header.end < length;
        Ok((header, image))
    }
}
