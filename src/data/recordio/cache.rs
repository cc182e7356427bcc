//! The index of a record file kept on disk: numbers, offsets and labels, so that 42 million records open in seconds.
//!
//! It is used while it is whole (length and checksum) and the file and its `.idx` have the size and the time of change
//! they had. As with folders, a file that changed within two seconds before it was read is not trusted.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::index::Index;

const MAGIC: &[u8; 24] = b"facetui record index 1 \n";

/// Nanoseconds after a change in which a second change may not show.
const TICK: u64 = 2_000_000_000;

/// Bytes of an image in the file.
const ENTRY: u64 = 16;

/// Bytes moved at a time.
const BLOCK: usize = 1 << 20;

/// What the two files were when they were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Facts {
    /// Size and time of change of the records, then of their index; zeros where there is none.
    words: [u64; 4],
}

impl Facts {
    /// The facts of a record file, as they are now.
    pub(super) fn of(records: &Path) -> Option<Self> {
        let facts = |path: &Path| {
            let facts = std::fs::metadata(path).ok()?;
            Some([facts.len(), nanoseconds(facts.modified().ok()?)])
        };
        let [length, changed] = facts(records)?;
        let [index, index_changed] = facts(&records.with_extension("idx")).unwrap_or_default();
        Some(Self { words: [length, changed, index, index_changed] })
    }

    /// Whether a change a moment before `now` could have gone unseen.
    fn fresh(self, now: u64) -> bool {
        self.words[1].max(self.words[3]).saturating_add(TICK) > now
    }
}

fn nanoseconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

fn file(cache: &Path, records: &Path) -> PathBuf {
    let mut sum = Sum::default();
    sum.add(records.as_os_str().as_bytes());
    cache.join(format!("{:016x}.records", sum.0))
}

/// FNV-1a over words of eight bytes: finds torn and half-written files.
struct Sum(u64);

impl Default for Sum {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Sum {
    /// Adds bytes; all but the last call with a multiple of eight.
    fn add(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        let last = (!rest.is_empty()).then(|| {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            last
        });
        for word in words.iter().chain(&last) {
            self.0 = (self.0 ^ u64::from_le_bytes(*word)).wrapping_mul(0x0100_0000_01b3).rotate_left(23);
        }
    }
}

/// The kept index of `records`, if it is still true.
pub(super) fn load(cache: &Path, records: &Path, facts: Facts) -> Option<Index> {
    let records = records.canonicalize().ok()?;
    let opened = File::open(file(cache, &records)).ok()?;
    let length = opened.metadata().ok()?.len();
    let mut reader = Reader { file: BufReader::with_capacity(BLOCK, opened), sum: Sum::default() };
    if reader.block::<24>()? != *MAGIC {
        return None;
    }
    let path = records.as_os_str().as_bytes();
    if reader.word()? != path.len() as u64 {
        return None;
    }
    let padded = path.len().next_multiple_of(8);
    let mut kept = vec![0; padded];
    reader.bytes(&mut kept)?;
    if kept[..path.len()] != *path {
        return None;
    }
    for word in facts.words {
        if reader.word()? != word {
            return None;
        }
    }
    let images = reader.word()?;
    let expected = (24 + 8 * 7 + padded as u64).checked_add(images.checked_mul(ENTRY)?)?.checked_add(images % 2 * 8)?;
    if expected != length {
        return None;
    }
    let count = images as usize;
    let mut index = Index::default();
    index.offsets.reserve_exact(count);
    reader.values::<8>(count, |bytes| index.offsets.push(u64::from_le_bytes(bytes)))?;
    index.numbers.reserve_exact(count);
    reader.values::<4>(count, |bytes| index.numbers.push(u32::from_le_bytes(bytes)))?;
    index.labels.reserve_exact(count);
    reader.values::<4>(count, |bytes| index.labels.push(u32::from_le_bytes(bytes)))?;
    let sum = reader.sum.0;
    (reader.word()? == sum).then_some(index)
}

/// Keeps the index of `records`: written beside its place, synced, renamed.
pub(super) fn store(cache: &Path, records: &Path, facts: Facts, index: &Index) -> std::io::Result<()> {
    if facts.fresh(nanoseconds(SystemTime::now())) {
        return Ok(());
    }
    let records = records.canonicalize()?;
    std::fs::create_dir_all(cache)?;
    let mut written = tempfile::NamedTempFile::new_in(cache)?;
    let mut writer = Writer { file: BufWriter::with_capacity(BLOCK, written.as_file_mut()), sum: Sum::default() };
    writer.bytes(MAGIC)?;
    let mut path = records.as_os_str().as_bytes().to_vec();
    writer.bytes(&(path.len() as u64).to_le_bytes())?;
    path.resize(path.len().next_multiple_of(8), 0);
    writer.bytes(&path)?;
    for word in facts.words {
        writer.bytes(&word.to_le_bytes())?;
    }
    writer.bytes(&(index.offsets.len() as u64).to_le_bytes())?;
    writer.values(&index.offsets, u64::to_le_bytes)?;
    writer.values(&index.numbers, u32::to_le_bytes)?;
    writer.values(&index.labels, u32::to_le_bytes)?;
    let sum = writer.sum.0;
    writer.file.write_all(&sum.to_le_bytes())?;
    writer.file.flush()?;
    drop(writer);
    written.as_file().sync_all()?;
    written.persist(file(cache, &records))?;
    Ok(())
}

struct Reader {
    file: BufReader<File>,
    sum: Sum,
}

impl Reader {
    fn bytes(&mut self, bytes: &mut [u8]) -> Option<()> {
        self.file.read_exact(bytes).ok()?;
        self.sum.add(bytes);
        Some(())
    }

    fn block<const N: usize>(&mut self) -> Option<[u8; N]> {
        let mut block = [0; N];
        self.bytes(&mut block)?;
        Some(block)
    }

    fn word(&mut self) -> Option<u64> {
        self.block().map(u64::from_le_bytes)
    }

    /// `count` values of `N` bytes each, and padding to eight.
    fn values<const N: usize>(&mut self, count: usize, mut take: impl FnMut([u8; N])) -> Option<()> {
        let mut left = count * N;
        let mut block = vec![0; BLOCK];
        while left > 0 {
            let now = left.min(BLOCK);
            let padded = now.next_multiple_of(8);
            self.bytes(&mut block[..padded])?;
            block[..now].as_chunks::<N>().0.iter().for_each(|value| take(*value));
            left -= now;
        }
        Some(())
    }
}

struct Writer<W: Write> {
    file: W,
    sum: Sum,
}

impl<W: Write> Writer<W> {
    fn bytes(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.sum.add(bytes);
        self.file.write_all(bytes)
    }

    /// The values, and padding to eight.
    fn values<T: Copy, const N: usize>(&mut self, values: &[T], give: impl Fn(T) -> [u8; N]) -> std::io::Result<()> {
        let mut block = Vec::with_capacity(BLOCK);
        for part in values.chunks(BLOCK / N) {
            block.clear();
            for value in part {
                block.extend(give(*value));
            }
            block.resize(block.len().next_multiple_of(8), 0);
            self.bytes(&block)?;
        }
        Ok(())
    }
}
