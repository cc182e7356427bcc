//! Reads a journal: the records that count, and the numbers of damaged lines.
//!
//! An [`Event::Continued`] takes back what was recorded beyond its point ([`truncate_at`]), so that what is left are the
//! records of a run without interruption. `src/event.rs` has the grammar.

use std::cmp::Ordering;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use fs_err::File;

use super::line::{is_damaged, is_progress, parse};
use crate::event::{Event, Level, Point, Record};

/// Most damaged lines that are named one by one.
const MAX_NAMED: usize = 20;

/// Reads what counts of a journal: lines that are no records (a torn last line) are skipped, and what a resumed run took
/// back is left out. With `steps` false the events of single steps are skipped unread, which makes a list
/// of many runs quick.
///
/// # Errors
/// The file cannot be read.
pub fn read(path: &Path, steps: bool) -> io::Result<Vec<Record>> {
    read_noting_damage(path, steps).map(|(records, _)| records)
}

/// As [`read`], with the numbers, from 1, of the damaged lines, which were skipped. The last line, and those that
/// were torn when a run was killed, are not among them.
///
/// # Errors
/// The file cannot be read.
pub fn read_noting_damage(path: &Path, steps: bool) -> io::Result<(Vec<Record>, Vec<u64>)> {
    let mut records = Vec::new();
    let mut damaged = Vec::new();
    let mut number = 0;
    let mut reader = BufReader::with_capacity(1 << 20, File::open(path)?);
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 {
            return Ok((records, damaged));
        }
        number += 1;
        if !steps && is_progress(&line) {
            continue;
        }
        match parse(&line) {
            Some(record) => push(&mut records, record),
            None if line.ends_with(b"\n") && is_damaged(&line) => damaged.push(number),
            None => {}
        }
    }
}

/// What front ends say of a damaged line, from 1, at the moment `at`: the first ones have a sentence each, `before` says how
/// many were named already. None when enough was said.
pub fn damaged_line_warning(path: &Path, number: u64, before: usize, at: f64) -> Option<Record> {
    let more = match before.cmp(&MAX_NAMED) {
        Ordering::Less => "",
        Ordering::Equal => ", and so are further lines that are not listed",
        Ordering::Greater => return None,
    };
    let message = format!("line {number} of `{}` is damaged and was skipped{more}", path.display());
    Some(Record { at, event: Event::Log { level: Level::Warning, message } })
}

/// Adds a journal's next record to those that count: an [`Event::Continued`] takes back what was recorded beyond its point, so
/// that what is left are the records of a run without interruption, and the event that it resumed.
pub fn push(records: &mut Vec<Record>, record: Record) {
    if let Event::Continued(continuation) = &record.event {
        truncate_at(records, continuation.point);
    }
    records.push(record);
}

/// Takes back what lies beyond `point`.
///
/// What counts ends with the end of the epoch before the point's, or with the last step of its epoch that counts, or with
/// the end of the last branch that counts. Where that record is missing (it was never written, or steps were left out)
/// the epoch's beginning is taken; where that is missing too, all counts but the run's end.
pub fn truncate_at(records: &mut Vec<Record>, point: Point) {
    let (mut ended, mut within) = (0, false);
    let mut length = None;
    let mut surplus = 0;
    for (at, record) in records.iter().enumerate() {
        let after = Some(at + 1);
        match &record.event {
            Event::BranchStarted { .. } => within = true,
            Event::BranchEnded { .. } => {
                (ended, within) = (ended + 1, false);
                if !point.within && ended == point.branches {
                    length = after;
                }
            }
            _ => {}
        }
        let in_line = ended == point.branches && within == point.within && (within || ended == 0);
        match &record.event {
            _ if !in_line => {}
            Event::RunStarted(_) if point.index <= 1 => length = after,
            Event::EpochEnded { index, .. } if point.step == 0 && index + 1 == point.index => length = after,
            Event::EpochStarted { index, .. } if point.step > 0 && *index == point.index => length = after,
            Event::Steps { index, step, loss, .. } if point.step > 0 && *index == point.index => {
                if *step <= point.step {
                    length = after;
                } else if step - (loss.len() as u64).min(*step) < point.step {
                    length = after;
                    surplus = (step - point.step) as usize;
                }
            }
            _ => {}
        }
    }
    match length {
        Some(length) => records.truncate(length),
        None => records.retain(|record| !matches!(record.event, Event::Finished { .. })),
    }
    if surplus > 0
        && let Some(Record { event: Event::Steps { step, loss, accuracy, .. }, .. }) = records.last_mut()
    {
        *step -= surplus as u64;
        loss.truncate(loss.len().saturating_sub(surplus));
        accuracy.truncate(accuracy.len().saturating_sub(surplus));
    }
}
