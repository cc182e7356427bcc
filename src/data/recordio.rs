//! MXNet's `RecordIO` data sets: `train.rec`, with `train.idx` and `property` beside it.
//!
//! A record is a magic number, a word of length and flag, its bytes and padding to four; a record whose bytes hold the
//! magic number is split there. An image's record begins with a header (flag, label, id, id2): with a flag above 0 that
//! many labels follow, of which the first is the class. Record 0, where it has such labels, says at which record the
//! images end.
//!
//! The file is mapped into memory, never copied; it must not be cut short while it is in use.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use rayon::prelude::*;

use super::decode;
use super::source::{ImageError, ImageRead, Source};

/// How every part of a record begins.
const MAGIC: [u8; 4] = 0xced7_230a_u32.to_le_bytes();

/// Bytes of a record's header: flag, label, id, id2.
const HEADER: usize = 24;

/// File name of the records in a data set's folder.
pub const FILE: &str = "train.rec";

/// Whether `path` is a `.rec` file, or a folder that holds [`FILE`].
pub fn is_record_set(path: &Path) -> bool {
    let named = path.extension().is_some_and(|kind| kind.eq_ignore_ascii_case("rec"));
    if path.is_dir() { path.join(FILE).is_file() } else { named && path.is_file() }
}

/// Labels are below this.
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

/// A mapped `RecordIO` data set. Images are numbered from 0 in the order of their records.
#[derive(Debug)]
pub struct RecordFile {
    path: PathBuf,
    map: Mmap,
    /// Number and offset of each image's record.
    records: Vec<(u64, u64)>,
    labels: Vec<u32>,
    classes: usize,
}

impl RecordFile {
    /// Opens `path`: a folder that holds `train.rec`, or a `.rec` file. The `.idx` file of the same name is used when it
    /// is there, else the records are listed one by one. `progress` is told (done, all) of the labels that are read.
    ///
    /// # Errors
    /// Files that are missing or damaged, a label that is no class, fewer than two classes.
    pub fn open(path: &Path, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<Self, RecordError> {
        let set = Self::open_any(path, progress)?;
        if set.classes < 2 {
            return Err(RecordError::TooFew { path: set.path, images: set.labels.len(), classes: set.classes });
        }
        Ok(set)
    }

    /// As [`RecordFile::open`], for images that are not trained on: one class, or none, will do.
    ///
    /// # Errors
    /// Files that are missing or damaged, a label that is no class.
    pub fn open_any(path: &Path, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<Self, RecordError> {
        let path = if path.is_dir() { path.join(FILE) } else { path.to_owned() };
        let read = |error: std::io::Error| RecordError::Read { path: path.clone(), reason: error.to_string() };
        let file = std::fs::File::open(&path).map_err(read)?;
        #[expect(unsafe_code, reason = "a mapped file that another program cuts short ends this one")]
        // SAFETY: the map is only read, as bytes; nothing relies on them staying the same.
        let map = unsafe { Mmap::map(&file) }.map_err(read)?;
        let index = path.with_extension("idx");
        let all = match std::fs::read_to_string(&index) {
            Ok(text) => parse_index(&text).map_err(|(line, found)| RecordError::Index { path: index, line, found })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => list(&path, &map)?,
            Err(error) => return Err(RecordError::Read { path: index, reason: error.to_string() }),
        };
        let records = images(&path, &map, all)?;
        let total = records.len() as u64;
        let done = std::sync::atomic::AtomicU64::new(0);
        let labels: Vec<u32> = records
            .par_iter()
            .map(|record| {
                let label = label(&path, &map, *record)?;
                let done = done.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
                if done.is_multiple_of(10_000) || done == total {
                    progress(done, total);
                }
                Ok(label)
            })
            .collect::<Result<_, RecordError>>()?;
        let classes = labels.iter().max().map_or(0, |highest| *highest as usize + 1);
        if u32::try_from(labels.len()).is_err() {
            return Err(RecordError::TooFew { path, images: labels.len(), classes });
        }
        let set = Self { path, map, records, labels, classes };
        if let Some(declared) = set.declared_classes()
            && declared != classes
        {
            tracing::warn!("{}: `property` says {declared} classes, the labels {classes}", set.path.display());
        }
        Ok(set)
    }

    /// Number of images.
    pub const fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are no images; never true of a file that was opened.
    pub const fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Class of image `index`, counted from 0.
    pub fn label(&self, index: usize) -> u32 {
        self.labels[index]
    }

    /// The encoded image `index`, counted from 0; borrowed from the file but for the rare split record.
    ///
    /// # Errors
    /// A record that changed since the file was opened.
    pub fn image_bytes(&self, index: usize) -> Result<Cow<'_, [u8]>, RecordError> {
        let (record, offset) = self.records[index];
        let wrong = |reason| RecordError::Record { path: self.path.clone(), record, offset, reason };
        let (bytes, _) = payload(&self.map, offset).map_err(wrong)?;
        let header = Header::read(&bytes).map_err(wrong)?;
        Ok(match bytes {
            Cow::Borrowed(bytes) => Cow::Borrowed(&bytes[header.end..]),
            Cow::Owned(mut bytes) => Cow::Owned(bytes.split_off(header.end)),
        })
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

    fn name(&self, index: usize) -> String {
        format!("record {} of {}", self.records[index].0, self.path.display())
    }

    fn read(
        &self,
        index: usize,
        size: (u32, u32),
        _scratch: &mut Vec<u8>,
        pixels: &mut [u8],
    ) -> Result<ImageRead, ImageError> {
        let bytes = self.image_bytes(index).map_err(std::io::Error::other)?;
        Ok(decode::decode_into(&bytes, size, pixels)?)
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
    fn read(bytes: &[u8]) -> Result<Self, String> {
        let word = |at: usize| bytes.get(at..)?.first_chunk::<4>().copied();
        let short = || format!("it holds {} bytes, less than its header", bytes.len());
        let (flag, label) = word(0).zip(word(4)).filter(|_| bytes.len() >= HEADER).ok_or_else(short)?;
        let flag = u32::from_le_bytes(flag);
        let end = usize::try_from(flag).ok().and_then(|flag| flag.checked_mul(4)?.checked_add(HEADER));
        let end = end.filter(|end| *end <= bytes.len()).ok_or_else(|| {
            format!("its header promises {flag} labels, more than its {} bytes can hold", bytes.len())
        })?;
        let label = if flag == 0 { label } else { word(HEADER).ok_or_else(short)? };
        Ok(Self { flag, label: f32::from_le_bytes(label), end })
    }
}

/// The bytes of the record at `offset`, its parts joined, and where the next record begins.
fn payload(file: &[u8], offset: u64) -> Result<(Cow<'_, [u8]>, u64), String> {
    let mut at = usize::try_from(offset).ok().filter(|at| *at < file.len());
    let mut joined: Option<Vec<u8>> = None;
    loop {
        let Some(place) = at else { return Err(format!("it lies beyond the file's end at byte {}", file.len())) };
        let Some(start) = file[place..].first_chunk::<8>() else {
            return Err("the file is cut short in the record's first words".to_owned());
        };
        let (magic, word) = (&start[..4], u32::from_le_bytes([start[4], start[5], start[6], start[7]]));
        if *magic != MAGIC {
            return Err(format!("no record begins at byte {place}: found `{}`", magic.escape_ascii()));
        }
        let (part, length) = (word >> 29, (word & 0x1fff_ffff) as usize);
        let begin = place + 8;
        let Some(bytes) = file[begin..].get(..length) else {
            return Err(format!("{length} bytes were announced, {} are left: cut short", file.len() - begin));
        };
        let next = begin + length.next_multiple_of(4);
        // 0 is a whole record; 1, 2 and 3 are the first, a middle and the last part of one.
        match (part, &mut joined) {
            (0, None) => return Ok((Cow::Borrowed(bytes), next as u64)),
            (1, None) => joined = Some(bytes.to_vec()),
            (2 | 3, Some(joined)) => {
                joined.extend(MAGIC);
                joined.extend(bytes);
            }
            (part, _) => return Err(format!("a part of kind {part} stands where none can be")),
        }
        if part == 3
            && let Some(joined) = joined.take()
        {
            return Ok((Cow::Owned(joined), next as u64));
        }
        at = Some(next).filter(|next| *next < file.len());
    }
}

/// Number and offset of every record, from the lines of an index; the line that is wrong otherwise.
fn parse_index(text: &str) -> Result<Vec<(u64, u64)>, (usize, String)> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(at, line)| {
            let mut words = line.split_whitespace().map(str::parse);
            match (words.next(), words.next(), words.next()) {
                (Some(Ok(number)), Some(Ok(offset)), None) => Ok((number, offset)),
                _ => Err((at + 1, line.chars().take(40).collect())),
            }
        })
        .collect()
}

/// Number and offset of every record, read from the records.
fn list(path: &Path, file: &[u8]) -> Result<Vec<(u64, u64)>, RecordError> {
    let mut records = Vec::new();
    let mut offset = 0;
    while offset < file.len() as u64 {
        let record = records.len() as u64;
        let (_, next) = payload(file, offset).map_err(|reason| RecordError::Record {
            path: path.to_owned(),
            record,
            offset,
            reason,
        })?;
        records.push((record, offset));
        offset = next;
    }
    Ok(records)
}

/// The records that are images: 1 up to what record 0 says, or all when it is an image itself.
fn images(path: &Path, file: &[u8], mut all: Vec<(u64, u64)>) -> Result<Vec<(u64, u64)>, RecordError> {
    all.sort_unstable();
    all.dedup_by_key(|(number, _)| *number);
    let Some(&(0, offset)) = all.first() else { return Ok(all) };
    let wrong = |reason| RecordError::Record { path: path.to_owned(), record: 0, offset, reason };
    let header = payload(file, offset).and_then(|(bytes, _)| Header::read(&bytes)).map_err(wrong)?;
    if header.flag == 0 {
        return Ok(all);
    }
    if !(header.label >= 1.0 && header.label.fract() == 0.0) {
        return Err(wrong(format!("it should say at which record the images end, but says {}", header.label)));
    }
    let end = header.label as u64;
    all.retain(|(number, _)| (1..end).contains(number));
    if all.len() as u64 != end - 1 {
        return Err(wrong(format!("it promises {} images, but the index has {} of them", end - 1, all.len())));
    }
    Ok(all)
}

fn label(path: &Path, file: &[u8], (record, offset): (u64, u64)) -> Result<u32, RecordError> {
    let wrong = |reason| RecordError::Record { path: path.to_owned(), record, offset, reason };
    let (bytes, _) = payload(file, offset).map_err(wrong)?;
    let label = Header::read(&bytes).map_err(wrong)?.label;
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
            assert_eq!(&*set.image_bytes(0).expect("reads"), b"abcde");
            let joined = [&b"xy"[..], &MAGIC, b"1234", &MAGIC, b"z"].concat();
            assert_eq!(&*set.image_bytes(1).expect("reads"), joined);
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
