//! The framing of records, as dmlc writes it: magic number, a word of kind and length, bytes, padding to four.
//!
//! Records are read at their place with `pread`, never through a map: a file that another program cuts short gives an
//! error for the image that is gone, not the end of this process.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// How every part of a record begins.
pub(crate) const MAGIC: [u8; 4] = 0xced7_230a_u32.to_le_bytes();

/// Bytes of a record's header: flag, label, id, id2.
pub(crate) const HEADER: usize = 24;

/// Bytes of a part's first words: magic number, kind and length.
const WORDS: usize = 8;

/// A part is shorter than this.
pub(crate) const LONGEST: usize = 1 << 29;

/// Bytes asked for at first: most faces of 112x112 are smaller.
const GUESS: usize = 16 << 10;

/// An open file of records.
#[derive(Debug)]
pub(crate) struct Frames {
    file: File,
    /// Bytes when it was opened.
    length: u64,
}

/// The first words of a part.
struct Part {
    kind: u32,
    begin: u64,
    length: usize,
}

impl Part {
    const fn next(&self) -> u64 {
        self.begin + self.length.next_multiple_of(4) as u64
    }
}

impl Frames {
    /// Opens a file.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn open(path: &Path) -> std::io::Result<Self> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        Ok(Self { file, length })
    }

    /// Bytes when it was opened.
    pub(crate) const fn len(&self) -> u64 {
        self.length
    }

    /// The bytes of the record at `offset` into `bytes`, its parts joined; where the next record begins.
    ///
    /// # Errors
    /// What is wrong there, in words.
    pub(crate) fn record(&self, offset: u64, bytes: &mut Vec<u8>) -> Result<u64, String> {
        bytes.clear();
        let mut at = offset;
        let mut parts = 0;
        loop {
            let from = bytes.len();
            bytes.resize(from + GUESS, 0);
            let read = self.fill(at, &mut bytes[from..])?;
            let part = self.part(at, &bytes[from..from + read])?;
            // What was read of the part beyond its first words moves to its place; the rest is read there.
            let held = part.length.min(read - WORDS);
            bytes.copy_within(from + WORDS..from + WORDS + held, from);
            bytes.truncate(from + held);
            if held < part.length {
                bytes.resize(from + part.length, 0);
                self.exact(part.begin + held as u64, &mut bytes[from + held..])?;
            }
            // 0 is a whole record; 1, 2 and 3 are the first, a middle and the last part of one.
            match (part.kind, parts) {
                (0, 0) | (3, 1..) => return Ok(part.next()),
                (1, 0) | (2, 1..) => bytes.extend(MAGIC),
                (kind, _) => return Err(format!("a part of kind {kind} stands where none can be")),
            }
            parts += 1;
            at = part.next();
        }
    }

    /// The record's first bytes, `HEADER + 4` of them or all there are, and its length where it is in one part.
    ///
    /// # Errors
    /// What is wrong there, in words.
    pub(crate) fn head(&self, offset: u64, bytes: &mut Vec<u8>) -> Result<usize, String> {
        let mut start = [0; WORDS + HEADER + 4];
        let read = self.fill(offset, &mut start)?;
        let part = self.part(offset, &start[..read])?;
        if part.kind != 0 {
            self.record(offset, bytes)?;
            return Ok(bytes.len());
        }
        bytes.clear();
        bytes.extend(&start[WORDS..read.min(WORDS + part.length)]);
        Ok(part.length)
    }

    /// Where the record after the one at `offset` begins; only first words are read.
    ///
    /// # Errors
    /// What is wrong there, in words.
    pub(crate) fn skip(&self, offset: u64) -> Result<u64, String> {
        let (mut at, mut parts) = (offset, 0);
        loop {
            let mut start = [0; WORDS];
            let read = self.fill(at, &mut start)?;
            let part = self.part(at, &start[..read])?;
            match (part.kind, parts) {
                (0, 0) | (3, 1..) => return Ok(part.next()),
                (1, 0) | (2, 1..) => {}
                (kind, _) => return Err(format!("a part of kind {kind} stands where none can be")),
            }
            parts += 1;
            at = part.next();
        }
    }

    /// What the first words of the part at `at` say; the part lies within the file as it was opened.
    fn part(&self, at: u64, start: &[u8]) -> Result<Part, String> {
        if at >= self.length {
            return Err(format!("it lies beyond the file's end at byte {}", self.length));
        }
        let Some(words) = start.first_chunk::<WORDS>() else {
            return Err("the file is cut short in the record's first words".to_owned());
        };
        let (magic, word) = (&words[..4], u32::from_le_bytes([words[4], words[5], words[6], words[7]]));
        if *magic != MAGIC {
            return Err(format!("no record begins at byte {at}: found `{}`", magic.escape_ascii()));
        }
        let part = Part { kind: word >> 29, begin: at + WORDS as u64, length: (word & 0x1fff_ffff) as usize };
        let left = self.length.saturating_sub(part.begin);
        if part.length as u64 > left {
            return Err(format!("{} bytes were announced, {left} are left: cut short", part.length));
        }
        Ok(part)
    }

    /// Reads as much as there is.
    fn fill(&self, at: u64, bytes: &mut [u8]) -> Result<usize, String> {
        let mut read = 0;
        while read < bytes.len() {
            match self.file.read_at(&mut bytes[read..], at.saturating_add(read as u64)) {
                Ok(0) => break,
                Ok(more) => read += more,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(read)
    }

    fn exact(&self, at: u64, bytes: &mut [u8]) -> Result<(), String> {
        let read = self.fill(at, bytes)?;
        if read == bytes.len() {
            return Ok(());
        }
        Err(format!("the file was cut short while it was in use: {} bytes of it are missing", bytes.len() - read))
    }
}

/// A record in its frame, ready to be appended: split where its bytes hold the magic number at a multiple of four, as
/// dmlc's writer does.
///
/// # Errors
/// A record that is too long, in words.
pub(crate) fn frame(record: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
    if record.len() >= LONGEST {
        return Err(format!("it has {} bytes; a record takes less than {LONGEST}", record.len()));
    }
    let mut part = |kind: u32, bytes: &[u8]| {
        out.extend(MAGIC);
        out.extend((kind << 29 | bytes.len() as u32).to_le_bytes());
        out.extend(bytes);
    };
    let mut from = 0;
    for (at, word) in record.chunks_exact(4).enumerate() {
        if *word == MAGIC {
            part(if from == 0 { 1 } else { 2 }, &record[from..at * 4]);
            from = at * 4 + 4;
        }
    }
    part(if from == 0 { 0 } else { 3 }, &record[from..]);
    out.resize(out.len() + record.len().next_multiple_of(4) - record.len(), 0);
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_record_that_begins_with_the_magic_number_is_split_there() {
        let mut out = Vec::new();
        frame(&[&MAGIC[..], b"ab"].concat(), &mut out).expect("fits");
        assert_eq!(out[4..8], (1u32 << 29).to_le_bytes());
        assert_eq!(out[12..16], (3u32 << 29 | 2).to_le_bytes());
        assert_eq!(&out[16..], b"ab\0\0");
    }

    proptest! {
        /// Words that are the magic number, and others, at any length.
        #[test]
        fn what_is_framed_is_read_again(
            words in proptest::collection::vec(prop_oneof![Just(MAGIC), any::<[u8; 4]>()], 0..20),
            tail in proptest::collection::vec(any::<u8>(), 0..4),
        ) {
            let record = [words.concat(), tail].concat();
            let mut out = Vec::new();
            frame(&record, &mut out).expect("fits");
            let one = out.len() as u64;
            frame(b"next", &mut out).expect("fits");
            let file = tempfile::NamedTempFile::new().expect("a file");
            std::fs::write(file.path(), &out).expect("writes");
            let frames = Frames::open(file.path()).expect("opens");
            let mut bytes = Vec::new();
            prop_assert_eq!(frames.record(0, &mut bytes).expect("reads"), one);
            prop_assert_eq!(&bytes, &record);
            prop_assert_eq!(frames.skip(0).expect("skips"), one);
            prop_assert_eq!(frames.head(0, &mut bytes).expect("reads"), record.len());
            prop_assert_eq!(frames.record(one, &mut bytes).expect("reads"), out.len() as u64);
        }
    }
}
