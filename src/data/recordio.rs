//! MXNet's `RecordIO` data sets: `train.rec`, with `train.idx` and `property` beside it.
//!
//! A record is a magic number, a word of length and flag, its bytes and padding to four; a record whose bytes hold the
//! magic number is split there (`frame`). An image's record begins with a header (flag, label, id, id2): with a flag
//! above 0 that many labels follow, of which the first is the class. Record 0, where it has such labels, says at which
//! record the images end.
//!
//! In memory an image is its record's number, its offset and its label: 16 bytes. They are kept in the user's cache
//! folder (`cache`), since reading the labels of millions of records takes minutes on a slow disk.

mod cache;
pub(crate) mod frame;

use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;

use super::source::{ImageError, Source};
use frame::{Frames, HEADER};

/// File name of the records in a data set's folder.
pub const FILE: &str = "train.rec";

/// Whether `path` is a `.rec` file, or a folder that holds [`FILE`].
pub fn is_record_set(path: &Path) -> bool {
    let named = path.extension().is_some_and(|kind| kind.eq_ignore_ascii_case("rec"));
    if path.is_dir() { path.join(FILE).is_file() } else { named && path.is_file() }
}

/// Labels are below this; so are the record numbers that a 32-bit float holds exactly.
const MOST_CLASSES: f32 = 16_777_216.0;

/// Why records are no data set.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum RecordError {
    /// Not there, or not readable.
    #[error("the RecordIO file `{}` cannot be read: {reason}", path.display())]
    #[diagnostic(help("give a folder that holds train.rec and train.idx, or the .rec file itself"))]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The index is damaged.
    #[error("line {line} of the index `{}` is `{found}`; expected a record's number and its offset", path.display())]
    #[diagnostic(help("remove the index: the records are then listed anew at every start"))]
    Index {
        /// The index.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What it says.
        found: String,
    },
    /// A record is not what it must be.
    #[error("record {record} of `{}`, at byte {offset}: {reason}", path.display())]
    #[diagnostic(help("the file or its index is damaged or not whole: compare their sizes with the originals"))]
    Record {
        /// The file.
        path: PathBuf,
        /// The record's number.
        record: u64,
        /// Where it begins.
        offset: u64,
        /// What was found, and what was expected.
        reason: String,
    },
    /// More than can be numbered.
    #[error("`{}` holds {images} records, more than {} can be numbered", path.display(), u32::MAX)]
    TooMany {
        /// The file.
        path: PathBuf,
        /// How many.
        images: usize,
    },
    /// Nothing to train on.
    #[error("`{}` holds {images} images of {classes} classes", path.display())]
    #[diagnostic(help("training needs images of two identities at least"))]
    TooFew {
        /// The file.
        path: PathBuf,
        /// Images.
        images: usize,
        /// Classes.
        classes: usize,
    },
}

/// What is known of the images, in the order of their records.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Index {
    /// Where each record begins.
    offsets: Vec<u64>,
    /// The records' numbers.
    numbers: Vec<u32>,
    labels: Vec<u32>,
}

/// An open `RecordIO` data set. Images are numbered from 0 in the order of their records.
#[derive(Debug)]
pub struct RecordFile {
    path: PathBuf,
    frames: Frames,
    index: Index,
    classes: usize,
    from_cache: bool,
}

impl RecordFile {
    /// Opens `path`: a folder that holds `train.rec`, or a `.rec` file. The `.idx` file of the same name is used when it
    /// is there, else the records are listed one by one. `progress` is told (done, all) of the labels that are read.
    ///
    /// # Errors
    /// Files that are missing or damaged, a label that is no class, fewer than two classes.
    pub fn open(path: &Path, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<Self, RecordError> {
        Self::open_cached(path, None, progress)
    }

    /// As [`RecordFile::open`], with the folder of kept indices; none reads the records anew and keeps nothing.
    ///
    /// # Errors
    /// As [`RecordFile::open`].
    pub fn open_cached(
        path: &Path,
        cache: Option<&Path>,
        progress: &(dyn Fn(u64, u64) + Sync),
    ) -> Result<Self, RecordError> {
        let set = Self::open_with(path, cache, progress)?;
        if set.classes < 2 {
            return Err(RecordError::TooFew { path: set.path, images: set.index.labels.len(), classes: set.classes });
        }
        Ok(set)
    }

    /// As [`RecordFile::open`], for images that are not trained on: one class, or none, will do.
    ///
    /// # Errors
    /// Files that are missing or damaged, a label that is no class.
    pub fn open_any(path: &Path, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<Self, RecordError> {
        Self::open_with(path, None, progress)
    }

    fn open_with(path: &Path, cache: Option<&Path>, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<Self, RecordError> {
        let path = if path.is_dir() { path.join(FILE) } else { path.to_owned() };
        let read = |error: std::io::Error| RecordError::Read { path: path.clone(), reason: error.to_string() };
        let frames = Frames::open(&path).map_err(read)?;
        let facts = cache::Facts::of(&path);
        let kept = cache.zip(facts).and_then(|(cache, facts)| cache::load(cache, &path, facts));
        let from_cache = kept.is_some();
        let index = match kept {
            Some(index) => index,
            None => read_index(&path, &frames, progress)?,
        };
        let classes = index.labels.par_iter().max().map_or(0, |highest| *highest as usize + 1);
        if u32::try_from(index.labels.len()).is_err() {
            return Err(RecordError::TooFew { path, images: index.labels.len(), classes });
        }
        if let Some((cache, facts)) = cache.zip(facts)
            && !from_cache
            && let Err(error) = cache::store(cache, &path, facts, &index)
        {
            tracing::warn!("the index of `{}` could not be kept in `{}`: {error}", path.display(), cache.display());
        }
        let set = Self { path, frames, index, classes, from_cache };
        if let Some(declared) = set.declared_classes()
            && declared != classes
        {
            tracing::warn!("{}: `property` says {declared} classes, the labels {classes}", set.path.display());
        }
        Ok(set)
    }

    /// Number of images.
    pub const fn len(&self) -> usize {
        self.index.offsets.len()
    }

    /// Whether there are no images; never true of a file that was opened.
    pub const fn is_empty(&self) -> bool {
        self.index.offsets.is_empty()
    }

    /// Class of image `index`, counted from 0.
    pub fn label(&self, index: usize) -> u32 {
        self.index.labels[index]
    }

    /// Whether the index came from the cache.
    pub const fn from_cache(&self) -> bool {
        self.from_cache
    }

    /// The encoded image `index`, counted from 0.
    ///
    /// # Errors
    /// A record that changed since the file was opened.
    pub fn image_bytes(&self, index: usize) -> Result<Vec<u8>, RecordError> {
        let mut bytes = Vec::new();
        self.read_bytes(index, &mut bytes)?;
        Ok(bytes)
    }

    fn read_bytes(&self, index: usize, bytes: &mut Vec<u8>) -> Result<(), RecordError> {
        let (record, offset) = (u64::from(self.index.numbers[index]), self.index.offsets[index]);
        let wrong = |reason| RecordError::Record { path: self.path.clone(), record, offset, reason };
        self.frames.record(offset, bytes).map_err(wrong)?;
        let header = Header::read(bytes, bytes.len()).map_err(wrong)?;
        bytes.drain(..header.end);
        Ok(())
    }

    /// The number of classes that the file `property` gives (`classes,height,width`), where there is one.
    pub fn declared_classes(&self) -> Option<usize> {
        let text = std::fs::read_to_string(self.path.with_file_name("property")).ok()?;
        text.split(',').next()?.trim().parse().ok()
    }
}

impl Source for RecordFile {
    fn len(&self) -> usize {
        self.len()
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn label(&self, index: usize) -> u32 {
        self.label(index)
    }

    fn labels(&self) -> Vec<u32> {
        self.index.labels.clone()
    }

    fn number(&self, index: usize) -> u64 {
        u64::from(self.index.numbers[index])
    }

    fn name(&self, index: usize) -> String {
        format!("record {} of {}", self.index.numbers[index], self.path.display())
    }

    fn encoded(&self, index: usize, bytes: &mut Vec<u8>) -> Result<(), ImageError> {
        Ok(self.read_bytes(index, bytes).map_err(std::io::Error::other)?)
    }
}

/// A record's header.
struct Header {
    /// Labels after it; 0 when the label is the one in it.
    flag: u32,
    /// The label in it, or the first after it.
    label: f32,
    /// Where the image begins.
    end: usize,
}

impl Header {
    /// Reads it from a record's first `bytes`; the whole record has `length`.
    fn read(bytes: &[u8], length: usize) -> Result<Self, String> {
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
    fn at(frames: &Frames, offset: u64, scratch: &mut Vec<u8>) -> Result<(Self, bool), String> {
        let length = frames.head(offset, scratch)?;
        let header = Self::read(scratch, length)?;
        let image = header.end < length;
        Ok((header, image))
    }
}

/// Numbers, offsets and labels of the images of a file.
fn read_index(path: &Path, frames: &Frames, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<Index, RecordError> {
    let index = path.with_extension("idx");
    let all = match std::fs::File::open(&index) {
        Ok(file) => parse_index(&index, std::io::BufReader::with_capacity(1 << 20, file))?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => list(path, frames)?,
        Err(error) => return Err(RecordError::Read { path: index, reason: error.to_string() }),
    };
    let records = images(path, frames, all)?;
    let mut index = Index {
        offsets: records.iter().map(|(_, offset)| *offset).collect(),
        numbers: records.iter().map(|(number, _)| *number).collect(),
        labels: Vec::new(),
    };
    drop(records);
    let total = index.offsets.len() as u64;
    let done = AtomicU64::new(0);
    index.labels = (&index.offsets, &index.numbers)
        .into_par_iter()
        .map_init(Vec::new, |scratch, (offset, number)| {
            let label = label(path, frames, (*number, *offset), scratch)?;
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
            if done.is_multiple_of(10_000) || done == total {
                progress(done, total);
            }
            Ok(label)
        })
        .collect::<Result<_, RecordError>>()?;
    Ok(index)
}

/// Number and offset of every record, from the lines of an index.
fn parse_index(path: &Path, mut text: impl BufRead) -> Result<Vec<(u32, u64)>, RecordError> {
    /// No line of an index is longer.
    const LONGEST_LINE: u64 = 256;
    let mut records = Vec::new();
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read = std::io::Read::take(&mut text, LONGEST_LINE)
            .read_until(b'\n', &mut line)
            .map_err(|error| RecordError::Read { path: path.to_owned(), reason: error.to_string() })?;
        if read == 0 {
            break;
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let text = std::str::from_utf8(&line).ok();
        let entry = text.and_then(|text| {
            let mut words = text.split_whitespace();
            let entry = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
            words.next().is_none().then_some(entry)
        });
        records.push(entry.ok_or_else(|| RecordError::Index {
            path: path.to_owned(),
            line: number,
            found: String::from_utf8_lossy(&line).trim_end().chars().take(40).collect(),
        })?);
    }
    Ok(records)
}

/// Number and offset of every record, read from the records.
fn list(path: &Path, frames: &Frames) -> Result<Vec<(u32, u64)>, RecordError> {
    let mut records = Vec::new();
    let mut offset = 0;
    while offset < frames.len() {
        let Ok(record) = u32::try_from(records.len()) else {
            return Err(RecordError::TooMany { path: path.to_owned(), images: records.len() });
        };
        let next = frames.skip(offset).map_err(|reason| RecordError::Record {
            path: path.to_owned(),
            record: u64::from(record),
            offset,
            reason,
        })?;
        records.push((record, offset));
        offset = next;
    }
    Ok(records)
}

/// The records that are images: 1 up to what record 0 says, or all when it is an image itself.
fn images(path: &Path, frames: &Frames, mut all: Vec<(u32, u64)>) -> Result<Vec<(u32, u64)>, RecordError> {
    if !all.is_sorted() {
        all.par_sort_unstable();
    }
    all.dedup_by_key(|(number, _)| *number);
    let Some(&(0, offset)) = all.first() else { return Ok(all) };
    let wrong = |reason| RecordError::Record { path: path.to_owned(), record: 0, offset, reason };
    let mut scratch = Vec::new();
    let (header, _) = Header::at(frames, offset, &mut scratch).map_err(wrong)?;
    if header.flag == 0 {
        return Ok(all);
    }
    if !(header.label >= 1.0 && header.label.fract() == 0.0) {
        return Err(wrong(format!("it should say at which record the images end, but says {}", header.label)));
    }
    let mut end = header.label as u64;
    if header.label > MOST_CLASSES {
        // Rounded to what a 32-bit float holds: the images end where the first record without one lies nearby.
        let off = (f64::from(header.label.next_up()) - f64::from(header.label)) as u64;
        let first = all.partition_point(|(number, _)| u64::from(*number) < end.saturating_sub(off));
        let near = all[first..].iter().take_while(|(number, _)| u64::from(*number) <= end + off);
        let images = near.take_while(|(_, offset)| matches!(Header::at(frames, *offset, &mut scratch), Ok((_, true))));
        if let Some((last, _)) = images.last() {
            end = u64::from(*last) + 1;
        }
    }
    all.retain(|(number, _)| (1..end).contains(&u64::from(*number)));
    if all.len() as u64 != end - 1 {
        return Err(wrong(format!("it promises {} images, but the index has {} of them", end - 1, all.len())));
    }
    Ok(all)
}

fn label(
    path: &Path,
    frames: &Frames,
    (record, offset): (u32, u64),
    scratch: &mut Vec<u8>,
) -> Result<u32, RecordError> {
    let wrong = |reason| RecordError::Record { path: path.to_owned(), record: u64::from(record), offset, reason };
    let label = Header::at(frames, offset, scratch).map_err(wrong)?.0.label;
    if label.fract() == 0.0 && (0.0..MOST_CLASSES).contains(&label) {
        Ok(label as u32)
    } else {
        Err(wrong(format!("its label is {label}; expected a class, a whole number from 0")))
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use proptest::prelude::*;

    use super::frame::MAGIC;
    use super::*;

    fn part(kind: u32, bytes: &[u8]) -> Vec<u8> {
        let word = kind << 29 | bytes.len() as u32;
        let mut part = [&MAGIC[..], &word.to_le_bytes(), bytes].concat();
        part.resize(part.len().next_multiple_of(4), 0);
        part
    }

    fn image(labels: &[f32], bytes: &[u8]) -> Vec<u8> {
        let (flag, label) = if let [label] = labels { (0u32, *label) } else { (labels.len() as u32, 0.0) };
        let mut record = [&flag.to_le_bytes()[..], &label.to_le_bytes(), &[0; 16]].concat();
        if flag > 0 {
            record.extend(labels.iter().flat_map(|label| label.to_le_bytes()));
        }
        record.extend(bytes);
        record
    }

    /// A header, two images, the second of which holds the magic number, and a record of an identity.
    fn small() -> (Vec<u8>, String) {
        let second = image(&[1.0, 7.0], b"xy");
        let mut file = Vec::new();
        let mut index = String::new();
        for (number, record) in [
            part(0, &image(&[3.0, 4.0], b"")),
            part(0, &image(&[0.0], b"abcde")),
            [part(1, &second), part(2, b"1234"), part(3, b"z")].concat(),
            part(0, &image(&[1.0, 2.0], b"")),
        ]
        .iter()
        .enumerate()
        {
            writeln!(index, "{number}\t{}", file.len()).expect("a string takes it");
            file.extend(record);
        }
        (file, index)
    }

    fn open(file: &[u8], index: Option<&str>) -> Result<RecordFile, RecordError> {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join(FILE), file).expect("writes");
        if let Some(index) = index {
            std::fs::write(folder.path().join("train.idx"), index).expect("writes");
        }
        RecordFile::open(folder.path(), &|_, _| {})
    }

    #[test]
    fn images_and_labels_are_read_with_and_without_an_index() {
        let (file, index) = small();
        for index in [Some(index.as_str()), None] {
            let set = open(&file, index).expect("opens");
            assert_eq!((set.len(), set.classes(), set.label(0), set.label(1)), (2, 2, 0, 1));
            assert_eq!(set.image_bytes(0).expect("reads"), b"abcde");
            let joined = [&b"xy"[..], &MAGIC, b"1234", &MAGIC, b"z"].concat();
            assert_eq!(set.image_bytes(1).expect("reads"), joined);
            assert!(set.name(1).starts_with("record 2 of "), "{}", set.name(1));
        }
    }

    #[test]
    fn without_a_header_every_record_is_an_image() {
        let file = [part(0, &image(&[0.0], b"a")), part(0, &image(&[5.0], b"b"))].concat();
        let set = open(&file, None).expect("opens");
        assert_eq!((set.len(), set.classes()), (2, 6));
    }

    #[test]
    fn damage_is_named_by_record_and_offset() {
        let (file, index) = small();
        let message = |file: &[u8], index: Option<&str>| open(file, index).expect_err("is refused").to_string();
        assert!(message(b"JPEG and more", None).contains("record 0"), "{}", message(b"JPEG and more", None));
        assert!(message(&file[..60], Some(&index)).contains("record 1"), "{}", message(&file[..60], Some(&index)));
        assert!(message(&file, Some("0\t0\n1\tx\n")).contains("line 2"));
        assert!(message(&file, Some("0\t0\n1\t40\n")).contains("promises 2 images, but the index has 1"));
        assert!(message(&file, Some("0\t0\n1\t44\n2\t80\n")).contains("no record begins at byte 44"));
        assert!(message(&file, Some("0\t0\n1\t40\n2\t4000\n")).contains("beyond the file's end"));
        let odd = [part(0, &image(&[0.5], b"a")), part(0, &image(&[1.0], b"b"))].concat();
        assert!(message(&odd, None).contains("its label is 0.5"));
        let one = part(0, &image(&[0.0], b"a"));
        assert!(message(&one, None).contains("1 images of 1 classes"));
        let missing = RecordFile::open(Path::new("/nowhere/train.rec"), &|_, _| {}).expect_err("is missing");
        assert!(missing.to_string().contains("/nowhere/train.rec"));
    }

    #[test]
    fn a_file_that_shrinks_or_grows_bad_gives_errors_and_no_signal() {
        let (file, index) = small();
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join(FILE), &file).expect("writes");
        std::fs::write(folder.path().join("train.idx"), index).expect("writes");
        let set = RecordFile::open(folder.path(), &|_, _| {}).expect("opens");
        let written = std::fs::OpenOptions::new().write(true).open(folder.path().join(FILE)).expect("opens");
        written.set_len(60).expect("cuts");
        let mut pixels = vec![0; 12];
        for at in 0..2 {
            let error = set.image_bytes(at).expect_err("is gone").to_string();
            assert!(error.contains("cut short"), "{error}");
            assert!(set.read(at, (2, 2), &mut Vec::new(), &mut pixels).is_err());
        }
    }

    #[test]
    fn a_kept_index_is_used_until_a_file_changes() {
        let (file, index) = small();
        let folder = tempfile::tempdir().expect("a folder");
        let (rec, cache) = (folder.path().join(FILE), folder.path().join("cache"));
        std::fs::write(&rec, &file).expect("writes");
        std::fs::write(folder.path().join("train.idx"), index).expect("writes");
        let open = || RecordFile::open_cached(&rec, Some(&cache), &|_, _| {}).expect("opens");
        let age = |name: &str, minutes| {
            let past = std::time::SystemTime::now() - std::time::Duration::from_mins(minutes);
            let file = std::fs::File::options().append(true).open(folder.path().join(name)).expect("opens");
            file.set_modified(past).expect("sets the time");
        };
        open();
        assert!(!open().from_cache(), "changed a moment ago, so not to be trusted");
        age(FILE, 2);
        age("train.idx", 2);
        let (first, second) = (open(), open());
        assert!(!first.from_cache() && second.from_cache());
        assert_eq!(first.index, second.index);
        age("train.idx", 3);
        assert!(!open().from_cache() && open().from_cache());

        let kept = std::fs::read_dir(&cache).expect("reads").flatten().next().expect("a file").path();
        let whole = std::fs::read(&kept).expect("reads");
        let mut flipped = whole.clone();
        let last = flipped.len() - 12;
        flipped[last] ^= 1;
        for damaged in [&whole[..whole.len() - 8], &[], &flipped, &[whole.as_slice(), b"x"].concat()] {
            std::fs::write(&kept, damaged).expect("writes");
            let set = open();
            assert!(!set.from_cache());
            assert_eq!(set.index, first.index);
        }
    }

    proptest! {
        #[test]
        fn any_damage_ends_well(cut in 0usize..200, flips in proptest::collection::vec((0usize..200, 0u8..8), 0..4)) {
            let (mut file, index) = small();
            for (at, bit) in flips {
                let at = at % file.len();
                file[at] ^= 1 << bit;
            }
            file.truncate(file.len().saturating_sub(cut % 40));
            for index in [Some(index.as_str()), None] {
                if let Ok(set) = open(&file, index) {
                    for at in 0..set.len() {
                        let _ = set.image_bytes(at);
                    }
                }
            }
        }

        #[test]
        fn any_index_ends_well(text in "[0-9\t\n x-]{0,60}") {
            let _ = open(&small().0, Some(&text));
        }
    }
}
