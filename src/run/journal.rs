//! The journal: a run's events as JSON lines, appended as they happen. It is the one record that everything about a run
//! is folded from, so it survives a torn last line and events of a newer facetui.

use std::cmp::Ordering;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use fs_err::File;

use crate::event::{Event, Level, Point, Record};

/// What comes before a line's checksum, the CRC-32 of all before it in eight digits, its last member.
const SUM: &[u8] = b",\"crc\":\"";

/// What ends a line that was torn, when a run goes on behind it.
const TORN: &[u8] = b" #torn\n";

/// Most damaged lines that are named one by one.
const MOST_NAMED: usize = 20;

/// The journal's name in a run's folder.
pub const FILE_NAME: &str = "journal.jsonl";

/// Values of a line at most, far beyond what any event has (the stages of a run have a dozen each). More would take many times
/// their bytes to read.
const MOST_VALUES: usize = 1 << 17;

/// Most bytes that wait for a disk that takes nothing. Beyond that steps and the like are left out; beyond twice that
/// everything.
const MOST_WAITING: usize = 64 << 20;

/// Appends records to a journal. A line is handed to the operating system at once and synced to the disk when an
/// epoch ends, so that a crash of the machine costs at most the steps since. What the disk does not take waits in memory
/// and goes first when it takes something again.
#[derive(Debug)]
pub struct JournalWriter {
    folder: PathBuf,
    /// None after it failed: it is opened anew, since the disk that is there again may not be the one that went away.
    file: Option<File>,
    /// How long the file is, as far as it was written here.
    length: u64,
    /// Whole lines that wait.
    waiting: Vec<u8>,
    /// Bytes of the first of them that were taken.
    begun: usize,
    /// Lines that were left out.
    left_out: u64,
}

impl JournalWriter {
    /// Opens the journal of a run folder for appending. A last line that was torn is ended, so that it costs no other.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let (file, length) = open_behind_lines(folder)?;
        let (folder, file) = (folder.to_path_buf(), Some(file));
        Ok(Self { folder, file, length, waiting: Vec::new(), begun: 0, left_out: 0 })
    }

    /// The journal of a run folder that may not be there yet: it is opened with the first line.
    pub const fn later(folder: PathBuf) -> Self {
        Self { folder, file: None, length: 0, waiting: Vec::new(), begun: 0, left_out: 0 }
    }

    /// The run's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// How long the journal is when everything that waits is written, in bytes.
    pub const fn end(&self) -> u64 {
        self.length + (self.waiting.len() - self.begun) as u64
    }

    /// Makes sure that all of it is on the disk.
    ///
    /// # Errors
    /// The disk is gone.
    pub fn sync(&mut self) -> io::Result<()> {
        self.write_out()?;
        self.sync_file()
    }

    fn sync_file(&mut self) -> io::Result<()> {
        let synced = self.file.as_ref().map_or(Ok(()), File::sync_data);
        if synced.is_err() {
            self.file = None;
        }
        synced
    }

    /// Appends one record.
    ///
    /// # Errors
    /// The disk is full, or gone. The record waits: the next call tries again.
    pub fn append(&mut self, record: &Record) -> io::Result<()> {
        self.append_line(&line(record), record)
    }

    /// Appends a record whose line is known.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub fn append_line(&mut self, line: &[u8], record: &Record) -> io::Result<()> {
        self.keep(line);
        self.write_out()?;
        let border = matches!(
            record.event,
            Event::EpochEnded { .. } | Event::BranchEnded { .. } | Event::Finished { .. } | Event::RunStarted(_)
        );
        if border { self.sync_file() } else { Ok(()) }
    }

    /// Keeps a line for the next time that something is written.
    pub(super) fn keep(&mut self, line: &[u8]) {
        let most = if is_progress(line) { MOST_WAITING } else { 2 * MOST_WAITING };
        if self.waiting.len() + line.len() > most {
            self.left_out += 1;
        } else {
            self.waiting.extend_from_slice(line);
        }
    }

    /// Writes what waits. A part of it may have been taken when this fails; the rest follows where that ends.
    fn write_out(&mut self) -> io::Result<()> {
        if self.file.is_none() {
            self.reopen()?;
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        let mut outcome = Ok(());
        let mut written = self.begun;
        while written < self.waiting.len() {
            match file.write(&self.waiting[written..]) {
                Ok(0) => outcome = Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => (written, self.length) = (written + count, self.length + count as u64),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => outcome = Err(error),
            }
            if outcome.is_err() {
                break;
            }
        }
        // A line that was begun stays until it is whole: another file would need all of it.
        let whole = self.waiting[..written].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        self.waiting.drain(..whole);
        self.begun = written - whole;
        if outcome.is_err() {
            self.file = None;
        } else if self.left_out > 0 {
            let message = format!("{} lines were left out of the journal while it could not be written", self.left_out);
            self.left_out = 0;
            let at = super::launch::now();
            self.waiting.extend(line(&Record { at, event: Event::Log { level: Level::Warning, message } }));
            return self.write_out();
        }
        outcome
    }

    /// Opens the file anew, and goes on where it ends.
    fn reopen(&mut self) -> io::Result<()> {
        let path = path(&self.folder);
        let there =
            fs_err::OpenOptions::new().append(true).open(&path).and_then(|file| Ok((file.metadata()?.len(), file)));
        match there {
            Ok((length, file)) if length == self.length => self.file = Some(file),
            // It is gone, or was changed: whole lines behind whatever lies there.
            _ => {
                fs_err::create_dir_all(&self.folder)?;
                let (file, length) = open_behind_lines(&self.folder)?;
                (self.file, self.length, self.begun) = (Some(file), length, 0);
            }
        }
        Ok(())
    }
}

/// Opens the journal of a folder for appending behind its last line, which is ended where it was torn. Returns its length.
fn open_behind_lines(folder: &Path) -> io::Result<(File, u64)> {
    let mut file = fs_err::OpenOptions::new().read(true).create(true).append(true).open(path(folder))?;
    let mut length = file.metadata()?.len();
    if length > 0 {
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            let end = if last == *b"}" { &b"\n"[..] } else { TORN };
            file.write_all(end)?;
            length += end.len() as u64;
        }
    }
    Ok((file, length))
}

/// A record as the journal's line, its end included.
pub fn line(record: &Record) -> Vec<u8> {
    // Plain data without maps of strange keys cannot fail to be written.
    let mut line = serde_json::to_vec(record).unwrap_or_default();
    // Version 1 of the checksum: of all that comes before its comma.
    if line.pop() == Some(b'}') {
        let sum = crc32fast::hash(&line);
        line.extend_from_slice(SUM);
        line.extend_from_slice(format!("{sum:08x}\"}}").as_bytes());
    }
    line.push(b'\n');
    line
}

/// The record of a line, with its end or without; none when it is no record, or not as it was written, or has more than
/// `MOST_VALUES`. Lines of versions without a checksum are taken as they are.
pub fn parse(line: &[u8]) -> Option<Record> {
    let line = line.trim_ascii_end();
    // A value, or a member, stands behind each of these.
    let begins = |byte: &&u8| matches!(byte, b',' | b'[' | b'{');
    if line.len() > MOST_VALUES && line.iter().filter(begins).count() > MOST_VALUES {
        return None;
    }
    if has_sum(line) == Some(false) {
        return None;
    }
    serde_json::from_slice(line).ok()
}

/// Whether a line's checksum is that of its bytes; none when it has none.
fn has_sum(line: &[u8]) -> Option<bool> {
    let place = line.len().checked_sub(SUM.len() + 10).filter(|place| line[*place..].starts_with(SUM))?;
    let stated = &line[place + SUM.len()..line.len() - 2];
    Some(stated == format!("{:08x}", crc32fast::hash(&line[..place])).as_bytes())
}

/// Reads what counts of a journal: lines that are no records (a torn last line) are passed over, and what a run that
/// went on took back is left out. With `steps` false the events of single steps are skipped unread, which makes a list
/// of many runs quick.
///
/// # Errors
/// The file cannot be read.
pub fn read(path: &Path, steps: bool) -> io::Result<Vec<Record>> {
    read_noting(path, steps).map(|(records, _)| records)
}

/// As [`read`], with the numbers, from 1, of the lines that are damaged and were passed over. The last line, and those that
/// were torn when a run was killed, are not among them.
///
/// # Errors
/// The file cannot be read.
pub fn read_noting(path: &Path, steps: bool) -> io::Result<(Vec<Record>, Vec<u64>)> {
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
            Some(record) => put(&mut records, record),
            None if line.ends_with(b"\n") && is_damaged(&line) => damaged.push(number),
            None => {}
        }
    }
}

/// What front ends say of a damaged line, from 1, at the moment `at`: the first ones have a sentence each, `before` says how
/// many were named already. None when enough was said.
pub fn damage(path: &Path, number: u64, before: usize, at: f64) -> Option<Record> {
    let more = match before.cmp(&MOST_NAMED) {
        Ordering::Less => "",
        Ordering::Equal => ", and others behind it that are not named",
        Ordering::Greater => return None,
    };
    let message = format!("line {number} of `{}` is damaged and passed over{more}", path.display());
    Some(Record { at, event: Event::Log { level: Level::Warning, message } })
}

/// Whether a line that is no record is one that was damaged, and not one that was torn when a run was killed or that a newer
/// facetui wrote.
pub fn is_damaged(line: &[u8]) -> bool {
    let line = line.trim_ascii_end();
    !line.is_empty() && !line.ends_with(TORN.trim_ascii()) && has_sum(line) != Some(true)
}

/// Adds a journal's next record to those that count: an [`Event::Continued`] takes back what was recorded beyond its point, so
/// that what is left are the records of a run without interruption, and the words that it went on.
pub fn put(records: &mut Vec<Record>, record: Record) {
    if let Event::Continued(continuation) = &record.event {
        keep(records, continuation.point);
    }
    records.push(record);
}

/// Takes back what lies beyond `point`.
///
/// What counts ends with the end of the epoch before the point's, or with the last step of its epoch that counts, or with
/// the end of the last branch that counts. Where that record is missing (it was never written, or steps were left out)
/// the epoch's beginning is taken; where that is missing too, all counts but the run's end.
pub fn keep(records: &mut Vec<Record>, point: Point) {
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

/// Whether a line is one of the many that only say how far something is.
pub(super) fn is_progress(line: &[u8]) -> bool {
    let head = &line[..line.len().min(80)];
    let holds = |needle: &[u8]| head.windows(needle.len()).any(|window| window == needle);
    holds(br#""event":"steps""#)
        || holds(br#""event":"evaluating""#)
        || holds(br#""event":"preparing""#)
        || holds(br#""event":"machine""#)
}

/// Where the journal of a run folder lies.
pub fn path(folder: &Path) -> PathBuf {
    folder.join(FILE_NAME)
}

#[cfg(test)]
mod tests;
