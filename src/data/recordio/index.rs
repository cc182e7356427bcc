//! The index of a record file: where its images are and what their labels are, read from `train.idx`, or from the records
//! themselves where there is none.

use std::io::BufRead;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;

use super::error::RecordError;
use super::frame::Frames;
use super::header::Header;

/// What is known of the images, in the order of their records.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Index {
    /// Where each record begins.
    pub(super) offsets: Vec<u64>,
    /// The records' numbers.
    pub(super) numbers: Vec<u32>,
    pub(super) labels: Vec<u32>,
}

/// Labels are below this; so are the record numbers that a 32-bit float holds exactly.
const MOST_CLASSES: f32 = 16_777_216.0;

/// Numbers, offsets and labels of the images of a file.
pub(super) fn read_index(
    path: &Path,
    frames: &Frames,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<Index, RecordError> {
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
    let records = (&index.offsets, &index.numbers).into_par_iter();
    let labels = records.clone().map_init(Vec::new, |scratch, (offset, number)| {
        let label = label(path, frames, (*number, *offset), scratch)?;
        let done = done.fetch_add(1, Ordering::Relaxed) + 1;
        if done.is_multiple_of(10_000) || done == total {
            progress(done, total);
        }
        Ok(label)
    });
    index.labels = labels.collect::<Result<_, RecordError>>().map_err(|error| {
        // That is the error of whichever thread was first: of many damaged records the first is named.
        let first =
            records.find_map_first(|(offset, number)| label(path, frames, (*number, *offset), &mut Vec::new()).err());
        first.unwrap_or(error)
    })?;
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
        let near = all[first..].iter().take_while(|(number, _)| u64::from(*number) <= end.saturating_add(off));
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
