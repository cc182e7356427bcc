//! A data set as `train.rec`, `train.idx` and `property`, as mxnet and `InsightFace`'s loaders read them, and the names of
//! the classes beside them where they have some.
//!
//! Record 0 is a header with two labels: the number of the first record that is not an image, and of the first that is
//! none at all. Records 1 to n are the images, class by class; then comes one record for each class, whose two labels
//! are its first image and the one after its last.
//!
//! The records grow in `train.rec.partial`; what is whole in it is kept when the work goes on. The file comes into place
//! once all of it was read again.

use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;

use super::marker::Marker;
use super::{Made, PrepareError, Progress, io, no_link, write_file};
use crate::data::classes::{BESIDE_RECORDS, Classes};
use crate::data::decode;
use crate::data::recordio::FILE;
use crate::data::recordio::frame::{Frames, frame};
use crate::data::source::Source;

/// Images that are read at a time.
const BATCH: usize = 1024;

/// Writes `source` as a set of records into `to`.
///
/// # Errors
/// A source that cannot be read, a place that is taken or full, a file that reads differently from what was written.
pub fn records(source: &dyn Source, to: &Path, progress: Progress<'_>) -> Result<Made, PrepareError> {
    let total = source.len() as u64;
    let marker = Marker::claim(to, "records", source)?;
    let names = to.join(BESIDE_RECORDS);
    if source.has_names() && !names.exists() {
        let text = Classes::of(source).to_text().map_err(io(&names))?;
        write_file(&names, &text, true)?;
    }
    if marker.complete() {
        return Ok(Made { total, written: 0 });
    }
    let plan = Plan::new(source);
    let (partial, whole) = (to.join(format!("{FILE}.partial")), to.join(FILE));
    let mut offsets = Vec::with_capacity(plan.records());
    let mut written = 0;
    // A run that was interrupted after this left the whole file, checked.
    let growing = if whole.exists() { &whole } else { &partial };
    no_link(growing)?;
    let mut file =
        std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(growing).map_err(io(growing))?;
    let end = kept(growing, &plan, &mut offsets)?;
    file.set_len(end).map_err(io(growing))?;
    file.seek(SeekFrom::End(0)).map_err(io(growing))?;
    let mut end = end;
    while offsets.len() < plan.records() {
        let from = offsets.len();
        let part = from..(from + BATCH).min(plan.records());
        let framed: Vec<Vec<u8>> =
            part.clone().into_par_iter().map(|record| plan.framed(source, record)).collect::<Result<_, _>>()?;
        for bytes in &framed {
            offsets.push(end);
            end += bytes.len() as u64;
        }
        file.write_all(&framed.concat()).map_err(io(growing))?;
        written += part.filter(|record| plan.image(*record).is_some()).count() as u64;
        progress("images written", (offsets.len() as u64 - 1).min(total), total);
    }
    file.sync_all().map_err(io(growing))?;
    drop(file);
    check(growing, source, &plan, &offsets, progress)?;
    write_file(&to.join("train.idx"), index(&offsets).as_bytes(), true)?;
    let (height, width) = first_size(source);
    let property = to.join("property");
    write_file(&property, format!("{},{height},{width}\n", source.classes()).as_bytes(), true)?;
    if growing == &partial {
        std::fs::rename(&partial, &whole).map_err(io(&whole))?;
    }
    marker.finish()?;
    Ok(Made { total, written })
}

/// What each record is.
struct Plan {
    /// The images in the order of their records.
    order: Vec<u32>,
    /// First image of each class in that order, and the end.
    starts: Vec<u32>,
}

impl Plan {
    fn new(source: &dyn Source) -> Self {
        let labels = source.labels();
        let mut order: Vec<u32> = (0..labels.len() as u32).collect();
        if !labels.is_sorted() {
            order.par_sort_by_key(|image| labels[*image as usize]);
        }
        let mut starts = vec![0; source.classes() + 1];
        for label in labels {
            starts[label as usize + 1] += 1;
        }
        for class in 1..starts.len() {
            starts[class] += starts[class - 1];
        }
        Self { order, starts }
    }

    const fn images(&self) -> usize {
        self.order.len()
    }

    /// The header, the images, the classes.
    const fn records(&self) -> usize {
        1 + self.order.len() + self.starts.len() - 1
    }

    /// The image of a record, when it has one.
    fn image(&self, record: usize) -> Option<usize> {
        self.order.get(record.checked_sub(1)?).map(|image| *image as usize)
    }

    /// The bytes of a record.
    fn bytes(&self, source: &dyn Source, record: usize) -> Result<Vec<u8>, PrepareError> {
        let Some(image) = self.image(record) else {
            let (from, to) = match record.checked_sub(1 + self.images()) {
                None => (1 + self.images(), self.records()),
                Some(class) => (1 + self.starts[class] as usize, 1 + self.starts[class + 1] as usize),
            };
            let mut bytes = header(2, 0.0, record);
            bytes.extend((from as f32).to_le_bytes());
            bytes.extend((to as f32).to_le_bytes());
            return Ok(bytes);
        };
        let mut encoded = Vec::new();
        source
            .encoded(image, &mut encoded)
            .map_err(|error| PrepareError::Image { name: source.name(image), source: error })?;
        let mut bytes = header(0, source.label(image) as f32, record);
        bytes.extend(encoded);
        Ok(bytes)
    }

    fn framed(&self, source: &dyn Source, record: usize) -> Result<Vec<u8>, PrepareError> {
        let bytes = self.bytes(source, record)?;
        let mut out = Vec::with_capacity(bytes.len() + 12);
        frame(&bytes, &mut out).map_err(|reason| {
            let name = self.image(record).map_or_else(|| format!("record {record}"), |image| source.name(image));
            PrepareError::Record { name, reason }
        })?;
        Ok(out)
    }
}

/// Flag, label, id, and a second id that is 0.
fn header(flag: u32, label: f32, id: usize) -> Vec<u8> {
    let mut bytes = flag.to_le_bytes().to_vec();
    bytes.extend(label.to_le_bytes());
    bytes.extend((id as u64).to_le_bytes());
    bytes.extend(0u64.to_le_bytes());
    bytes
}

/// Finds the whole records of an earlier call and where they end.
fn kept(path: &Path, plan: &Plan, offsets: &mut Vec<u64>) -> Result<u64, PrepareError> {
    let frames = Frames::open(path).map_err(io(path))?;
    let mut end = 0;
    while offsets.len() < plan.records() && end < frames.len() {
        match frames.skip(end) {
            // The padding must be there too.
            Ok(next) if next <= frames.len() => {
                offsets.push(end);
                end = next;
            }
            _ => break,
        }
    }
    Ok(end)
}

/// Reads everything again.
fn check(
    path: &Path,
    source: &dyn Source,
    plan: &Plan,
    offsets: &[u64],
    progress: Progress<'_>,
) -> Result<(), PrepareError> {
    let frames = Frames::open(path).map_err(io(path))?;
    let done = AtomicU64::new(0);
    offsets.par_iter().enumerate().try_for_each_init(Vec::new, |found, (record, offset)| {
        let differs = |reason| PrepareError::Differs { path: path.to_owned(), reason };
        frames.record(*offset, found).map_err(|reason| differs(format!("record {record}: {reason}")))?;
        if *found != plan.bytes(source, record)? {
            return Err(differs(format!("record {record} is another")));
        }
        progress("records checked", done.fetch_add(1, Ordering::Relaxed) + 1, offsets.len() as u64);
        Ok(())
    })
}

/// The lines of `train.idx`: a record's number and its offset.
fn index(offsets: &[u64]) -> String {
    use std::fmt::Write;

    let mut text = String::with_capacity(offsets.len() * 16);
    for (record, offset) in offsets.iter().enumerate() {
        let _ = writeln!(text, "{record}\t{offset}");
    }
    text
}

/// Height and width of the first image that can be decoded; faces are 112x112 otherwise.
fn first_size(source: &dyn Source) -> (u32, u32) {
    let mut bytes = Vec::new();
    (0..source.len().min(100))
        .find_map(|index| {
            source.encoded(index, &mut bytes).ok()?;
            decode::decode_whole(&bytes).ok().map(|picture| (picture.height, picture.width))
        })
        .unwrap_or((decode::FACE_SIZE.1, decode::FACE_SIZE.0))
}
