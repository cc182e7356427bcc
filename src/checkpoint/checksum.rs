//! The checksum of a checkpoint or `.npy` file, behind its last byte: it tells a damaged file from a whole one.
//!
//! Layout, 32 bytes: `facetui seal 1\r\n`, the length of what comes before as 8 bytes, its CRC-32 as 4 bytes, 4 bytes of
//! zero; numbers are little-endian. HDF5 looks at nothing behind the end that its own header names, so a file with a checksum
//! opens everywhere. A file without one (an older one, or another program's) counts as undamaged. JSON files have theirs
//! inside: `json_checksum`.

use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use fs_err::File;

/// How a checksum begins; the number is its version.
const MAGIC: &[u8; 16] = b"facetui seal 1\r\n";
/// Its length.
pub(super) const LENGTH: u64 = 32;
/// Bytes written at a time.
const PIECE: usize = 1 << 18;

/// What a file's checksum says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checksum {
    /// The file is as it was written.
    Whole,
    /// It is not.
    Broken,
    /// There is none.
    None,
}

/// A file that is written from its beginning to its end, with its checksum behind it.
#[derive(Debug)]
pub struct ChecksumWriter {
    /// Small arrays go to the disk together.
    file: BufWriter<File>,
    sum: crc32fast::Hasher,
    length: u64,
    /// Bytes of numbers.
    buffer: Vec<u8>,
}

impl ChecksumWriter {
    /// Makes the file, or empties it.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = BufWriter::with_capacity(PIECE, File::create(path)?);
        Ok(Self { file, sum: crc32fast::Hasher::new(), length: 0, buffer: Vec::new() })
    }

    /// Writes bytes.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        // Piece by piece: each is in the processor's cache for the checksum and the copy.
        for piece in bytes.chunks(PIECE) {
            self.sum.update(piece);
            self.file.write_all(piece)?;
        }
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Writes numbers as this machine has them.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn put_floats(&mut self, numbers: &[f32]) -> io::Result<()> {
        let mut buffer = std::mem::take(&mut self.buffer);
        for piece in numbers.chunks(PIECE / size_of::<f32>()) {
            buffer.clear();
            buffer.extend(piece.iter().flat_map(|value| value.to_ne_bytes()));
            self.put(&buffer)?;
        }
        self.buffer = buffer;
        Ok(())
    }

    /// Puts the checksum behind it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn finish(mut self) -> io::Result<()> {
        self.file.write_all(&of(self.length, self.sum.finalize()))?;
        self.file.flush()
    }
}

/// The checksum of a file of so many bytes with this CRC-32.
pub(super) fn of(length: u64, sum: u32) -> [u8; LENGTH as usize] {
    let mut trailer = [0; LENGTH as usize];
    trailer[..16].copy_from_slice(MAGIC);
    trailer[16..24].copy_from_slice(&length.to_le_bytes());
    trailer[24..28].copy_from_slice(&sum.to_le_bytes());
    trailer
}

/// Reads a whole file and compares it with its checksum.
///
/// # Errors
/// The file cannot be read.
pub fn check(path: &Path) -> io::Result<Checksum> {
    let mut file = File::open(path)?;
    let Some(length) = file.metadata()?.len().checked_sub(LENGTH) else { return Ok(Checksum::None) };
    file.seek(SeekFrom::Start(length))?;
    let mut trailer = [0; LENGTH as usize];
    file.read_exact(&mut trailer)?;
    if &trailer[..16] != MAGIC {
        return Ok(Checksum::None);
    }
    file.seek(SeekFrom::Start(0))?;
    let sum = checksum(&mut file, length)?;
    let same = trailer[16..24] == length.to_le_bytes() && trailer[24..28] == sum.to_le_bytes();
    Ok(if same { Checksum::Whole } else { Checksum::Broken })
}

/// The CRC-32 of the first `length` bytes from where `file` stands.
fn checksum(file: &mut File, length: u64) -> io::Result<u32> {
    let mut sum = crc32fast::Hasher::new();
    let mut buffer = vec![0; 1 << 20];
    let mut left = length;
    while left > 0 {
        let most = left.min(buffer.len() as u64) as usize;
        let read = file.read(&mut buffer[..most])?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        sum.update(&buffer[..read]);
        left -= read as u64;
    }
    Ok(sum.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_changed_byte_is_noticed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.h5");
        let content: Vec<u8> = (0..300u32).map(|at| (at * 7) as u8).collect();
        std::fs::write(&path, &content).expect("writes");
        assert_eq!(check(&path).expect("reads"), Checksum::None);
        let mut writer = ChecksumWriter::create(&path).expect("is made");
        writer.put(&content[..101]).expect("writes");
        writer.put(&content[101..]).expect("writes");
        writer.finish().expect("finishes");
        assert_eq!(check(&path).expect("reads"), Checksum::Whole);
        let whole = std::fs::read(&path).expect("reads");
        for at in 0..whole.len() - 4 {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << (at % 8);
            std::fs::write(&path, &damaged).expect("writes");
            let wanted = if (300..316).contains(&at) { Checksum::None } else { Checksum::Broken };
            assert_eq!(check(&path).expect("reads"), wanted, "byte {at}");
        }
        std::fs::write(&path, "").expect("writes");
        assert_eq!(check(&path).expect("reads"), Checksum::None);
    }

    #[test]
    fn numbers_are_their_bytes() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.h5");
        let numbers: Vec<f32> = (0..PIECE as u32 / 2 + 3).map(|at| at as f32 * 0.37).collect();
        let mut writer = ChecksumWriter::create(&path).expect("is made");
        writer.put_floats(&numbers).expect("writes");
        writer.finish().expect("finishes");
        assert_eq!(check(&path).expect("reads"), Checksum::Whole);
        let written = std::fs::read(&path).expect("reads");
        assert!(
            written[..written.len() - LENGTH as usize]
                == *numbers.iter().flat_map(|x| x.to_ne_bytes()).collect::<Vec<_>>()
        );
    }
}
