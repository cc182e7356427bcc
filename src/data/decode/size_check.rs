//! Whether an image's data can hold the pixels that its header claims, and whether these are not out of all proportion to the file,
//! asked before memory is.
//!
//! Deflate makes at most 1,032 bytes of one, so a PNG has a 1,032th of its scan lines' bytes at least. Of a large one that
//! is much smaller than its scan lines, the data are inflated once without being kept, to see whether they suffice. In a JPEG, progressive
//! or not, every block of 8x8 samples of every component has a code of its own in the first scan that tells its brightness
//! (runs without codes are for the scans behind it alone), and a code has a bit at least. No image that is whole is longer
//! than that.

use flate2::{Decompress, FlushDecompress};

/// Bytes that deflate can make of one: 258 of two bits.
const DEFLATE: u64 = 1_032;

/// Bytes of scan lines that are not looked into.
const SMALL: u64 = 16 << 20;

/// Nor are those that are not this many times their file.
const USUAL: u64 = 8;

/// Bytes of memory that any image may take: fourteen million pixels or more.
const FREE: u64 = 56 << 20;

/// Bytes of memory that an image may take beyond that, times its length. Photographs take some bytes for one of their file's; what
/// takes more is large and strongly compressed, blank, or made to fill memory.
const TIMES: u64 = 9;

/// Whether a file of so many bytes may take so much memory.
pub(super) fn may_take(length: usize, memory: u64) -> bool {
    memory <= FREE + TIMES * length as u64
}

/// Whether the data suffice for a PNG of this size.
pub(super) fn png_suffices(bytes: &[u8], (width, height): (u32, u32)) -> bool {
    // The first chunk is the header, or the file is none of PNG: then the decoder says so.
    let (depth, kind) = match bytes.get(12..26) {
        Some(header) if header.starts_with(b"IHDR") => (u64::from(header[12]), header[13]),
        _ => (1, 0),
    };
    let channels = match kind {
        2 => 3,
        4 => 2,
        6 => 4,
        _ => 1,
    };
    let line = (u64::from(width) * depth * channels).div_ceil(8);
    // Each line has a byte that says how it is filtered.
    let lines = (line + 1) * u64::from(height);
    let length = bytes.len() as u64;
    lines <= SMALL.min(DEFLATE * length) || lines <= USUAL * length || inflates_to(bytes, lines)
}

/// Whether the data of a PNG make so many bytes.
fn inflates_to(bytes: &[u8], wanted: u64) -> bool {
    let mut inflate = Decompress::new(true);
    let mut thrown_away = vec![0; 64 << 10];
    let mut rest = bytes.get(8..).unwrap_or_default();
    while let Some((head, behind)) = rest.split_first_chunk::<8>() {
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let mut data = &behind[..length.min(behind.len())];
        while head[4..] == *b"IDAT" && inflate.total_out() < wanted {
            let (read, made) = (inflate.total_in(), inflate.total_out());
            if inflate.decompress(data, &mut thrown_away, FlushDecompress::None).is_err() {
                return false;
            }
            data = &data[(inflate.total_in() - read) as usize..];
            if inflate.total_in() == read && inflate.total_out() == made {
                break;
            }
        }
        // The check sum, and the next chunk.
        let Some(next) = behind.get(length.saturating_add(4)..) else { break };
        rest = next;
    }
    inflate.total_out() >= wanted
}

/// Whether the data suffice for a JPEG of this size.
pub(super) fn jpeg_suffices(bytes: &[u8], (width, height): (u32, u32)) -> bool {
    let size = (u64::from(width), u64::from(height));
    let blocks = match samplings(bytes) {
        Some(samplings) => blocks(samplings, size),
        None => size.0.div_ceil(8) * size.1.div_ceil(8),
    };
    blocks <= 8 * bytes.len() as u64
}

/// Blocks of all components.
fn blocks(samplings: &[u8], (width, height): (u64, u64)) -> u64 {
    let factors =
        || samplings.chunks_exact(3).map(|part| (u64::from(part[1] >> 4).max(1), u64::from(part[1] & 15).max(1)));
    let across = factors().map(|(across, _)| across).max().unwrap_or(1);
    let down = factors().map(|(_, down)| down).max().unwrap_or(1);
    factors().map(|(wide, high)| (width * wide).div_ceil(8 * across) * (height * high).div_ceil(8 * down)).sum()
}

/// The components as the frame's header lists them, three bytes each; none without a header.
fn samplings(bytes: &[u8]) -> Option<&[u8]> {
    let mut rest = bytes;
    loop {
        let marker =
            rest.windows(2).position(|pair| pair[0] == 0xff && !matches!(pair[1], 0 | 1 | 0xd0..=0xd8 | 0xff))?;
        let kind = rest[marker + 1];
        rest = &rest[marker + 2..];
        let length = usize::from(u16::from_be_bytes(*rest.first_chunk::<2>()?)).max(2);
        let part = rest.get(2..length)?;
        match kind {
            0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                let count = usize::from(*part.get(5)?);
                return part.get(6..6 + 3 * count).filter(|_| count > 0);
            }
            // The data begin, or the file ends.
            0xd9 | 0xda => return None,
            _ => rest = &rest[length..],
        }
    }
}
