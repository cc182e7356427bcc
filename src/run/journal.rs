//! The journal: a run's events as JSON lines, appended as they happen. It is the one record that everything about a run
//! is folded from, so it survives a torn last line and events of a newer facetui.

use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use fs_err::File;

use crate::event::{Event, Level, Point, Record};

/// What comes before a line's checksum, the CRC-32 of all before it in eight digits, its last member.
const SUM: &[u8] = b",\"crc\":\"";

/// What ends a line that was torn, when a run goes on behind it.
const TORN: &[u8] = b" #torn\n";

/// The journal's name in a run's folder.
pub const FILE_NAME: &str = "journal.jsonl";

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
        let most = if is_progress(line) { MOST_WAITING } else { 2 * MOST_WAITING };
        if self.waiting.len() + line.len() > most {
            self.left_out += 1;
        } else {
            self.waiting.extend_from_slice(line);
        }
        self.write_out()?;
        let border = matches!(
            record.event,
            Event::EpochEnded { .. } | Event::BranchEnded { .. } | Event::Finished { .. } | Event::RunStarted(_)
        );
        if border { self.sync_file() } else { Ok(()) }
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

/// The record of a line, with its end or without; none when it is no record, or not as it was written. Lines of versions
/// without a checksum are taken as they are.
pub fn parse(line: &[u8]) -> Option<Record> {
    let line = line.trim_ascii_end();
    if let Some(place) = line.len().checked_sub(SUM.len() + 10)
        && line[place..].starts_with(SUM)
    {
        let stated = std::str::from_utf8(&line[place + SUM.len()..line.len() - 2]).ok()?;
        if stated != format!("{:08x}", crc32fast::hash(&line[..place])) {
            return None;
        }
    }
    serde_json::from_slice(line).ok()
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
            return Ok((effective(records), damaged));
        }
        number += 1;
        if !steps && is_progress(&line) {
            continue;
        }
        match parse(&line) {
            Some(record) => records.push(record),
            None if line.ends_with(b"\n") && !line.ends_with(TORN) && !line.trim_ascii().is_empty() => {
                damaged.push(number);
            }
            None => {}
        }
    }
}

/// What counts of a journal's records: every [`Event::Continued`] takes back what was recorded beyond its point, so that
/// what is left are the records of a run without interruption, and the words that it went on.
pub fn effective(records: Vec<Record>) -> Vec<Record> {
    let mut kept = Vec::with_capacity(records.len());
    for record in records {
        if let Event::Continued(continuation) = &record.event {
            keep(&mut kept, continuation.point);
        }
        kept.push(record);
    }
    kept
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
fn is_progress(line: &[u8]) -> bool {
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn log(message: &str) -> Record {
        Record { at: 1.0, event: Event::Log { level: Level::Info, message: message.to_owned() } }
    }

    #[test]
    fn a_torn_last_line_costs_that_line_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut writer = JournalWriter::open(folder.path()).expect("opens");
        writer.append(&log("one")).expect("appends");
        writer.append(&log("two")).expect("appends");
        let path = path(folder.path());
        let whole = std::fs::read(&path).expect("reads");
        std::fs::write(&path, &whole[..whole.len() - 5]).expect("writes");
        assert_eq!(read(&path, true).expect("reads"), [log("one")]);
    }

    #[test]
    fn a_journal_goes_on_behind_a_torn_line() {
        let folder = tempfile::tempdir().expect("a folder");
        JournalWriter::open(folder.path()).expect("opens").append(&log("one")).expect("appends");
        let path = path(folder.path());
        let mut torn = std::fs::read(&path).expect("reads");
        torn.extend_from_slice(br#"{"at":1.0,"eve"#);
        std::fs::write(&path, torn).expect("writes");
        let mut writer = JournalWriter::open(folder.path()).expect("opens");
        writer.append(&log("two")).expect("appends");
        assert_eq!(writer.end(), std::fs::metadata(&path).expect("there").len());
        assert_eq!(read(&path, true).expect("reads"), [log("one"), log("two")]);
    }

    #[test]
    fn what_a_disk_did_not_take_follows_when_it_is_back() {
        let place = tempfile::tempdir().expect("a folder");
        let folder = place.path().join("run");
        std::fs::create_dir(&folder).expect("makes");
        let mut writer = JournalWriter::open(&folder).expect("opens");
        writer.append(&log("one")).expect("appends");
        // The mount is gone, and a file is in its place.
        let away = place.path().join("away");
        std::fs::rename(&folder, &away).expect("moves");
        std::fs::write(&folder, "").expect("writes");
        writer.file = None;
        assert!(writer.append(&log("two")).is_err() && writer.append(&log("three")).is_err());
        std::fs::remove_file(&folder).and_then(|()| std::fs::rename(&away, &folder)).expect("moves back");
        // A part of a line was taken before.
        let two = line(&log("two"));
        let mut file = fs_err::OpenOptions::new().append(true).open(path(&folder)).expect("opens");
        file.write_all(&two[..7]).expect("writes");
        (writer.begun, writer.length) = (7, writer.length + 7);
        writer.append(&log("four")).expect("appends");
        let all = [log("one"), log("two"), log("three"), log("four")];
        assert_eq!(read(&path(&folder), true).expect("reads"), all);
        assert_eq!(writer.end(), std::fs::metadata(path(&folder)).expect("there").len());
        // The disk that is back has lost it all.
        writer.file = None;
        std::fs::remove_dir_all(&folder).expect("removes");
        writer.append(&log("five")).expect("appends");
        assert_eq!(read(&path(&folder), true).expect("reads"), [log("five")]);
    }

    #[test]
    fn steps_can_be_left_out() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut writer = JournalWriter::open(folder.path()).expect("opens");
        let steps = Event::Steps {
            index: 1,
            step: 1,
            loss: vec![1.0],
            accuracy: vec![],
            images_per_second: 1.0,
            waited: 0.0,
            memory: 0,
            gradient_norm: None,
        };
        writer.append(&Record { at: 1_700_000_000.123, event: steps }).expect("appends");
        writer.append(&log("steps")).expect("appends");
        assert_eq!(read(&path(folder.path()), false).expect("reads"), [log("steps")]);
        assert_eq!(read(&path(folder.path()), true).expect("reads").len(), 2);
    }

    #[test]
    fn every_changed_byte_of_a_line_is_noticed_and_older_lines_are_read() {
        let whole = line(&log("a \\ \" line"));
        assert_eq!(parse(&whole), Some(log("a \\ \" line")));
        for at in 0..whole.len() - 1 {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            // What makes the checksum no checksum any more leaves a member that nobody knows.
            let is_sum = damaged[whole.len() - 19..].starts_with(SUM);
            assert!(parse(&damaged).is_none() || !is_sum, "byte {at}");
        }
        let older = br#"{"at":1.0,"event":"log","level":"info","message":"one"}"#;
        assert_eq!(parse(older), Some(log("one")));
    }

    #[test]
    fn a_damaged_line_is_named_and_passed_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut writer = JournalWriter::open(folder.path()).expect("opens");
        for text in ["one", "two", "three"] {
            writer.append(&log(text)).expect("appends");
        }
        let path = path(folder.path());
        let text = std::fs::read_to_string(&path).expect("reads").replace("\"two\"", "\"twp\"");
        std::fs::write(&path, text + "{\"at\":1").expect("writes");
        drop(JournalWriter::open(folder.path()).and_then(|mut writer| writer.append(&log("four"))));
        let (records, damaged) = read_noting(&path, true).expect("reads");
        assert_eq!((records, damaged), (vec![log("one"), log("three"), log("four")], vec![2]));
    }

    #[test]
    fn a_line_is_never_put_behind_a_torn_one() {
        let folder = tempfile::tempdir().expect("a folder");
        JournalWriter::open(folder.path()).and_then(|mut writer| writer.append(&log("one"))).expect("appends");
        let path = path(folder.path());
        let mut torn = std::fs::read(&path).expect("reads");
        torn.extend_from_slice(&torn.clone()[..20]);
        std::fs::write(&path, torn).expect("writes");
        JournalWriter::open(folder.path()).and_then(|mut writer| writer.append(&log("two"))).expect("appends");
        assert_eq!(read(&path, true).expect("reads"), [log("one"), log("two")]);
    }

    fn at(event: Event) -> Record {
        Record { at: 1.0, event }
    }

    fn steps(index: u32, step: u64, count: usize) -> Record {
        let loss = (0..count).map(|back| (step as usize - count + back + 1) as f32).collect();
        let (accuracy, images_per_second, waited, memory) = (Vec::new(), 1.0, 0.0, 0);
        at(Event::Steps { index, step, loss, accuracy, images_per_second, waited, memory, gradient_norm: None })
    }

    fn started(index: u32) -> Record {
        at(Event::EpochStarted { stage: 0, epoch: index, index, steps: 9, learning_rate: 0.1 })
    }

    fn ended(index: u32) -> Record {
        at(Event::EpochEnded {
            stage: 0,
            epoch: index,
            index,
            loss: 1.0,
            accuracy: None,
            learning_rate: 0.1,
            seconds: 1.0,
            images_per_second: 1.0,
            waited: 0.0,
        })
    }

    fn kept(records: &[Record], point: Point) -> Vec<Record> {
        let mut records = records.to_vec();
        keep(&mut records, point);
        records
    }

    #[test]
    fn what_lies_beyond_the_point_is_taken_back() {
        let line = [
            started(1),
            steps(1, 9, 9),
            ended(1),
            log("a"),
            started(2),
            steps(2, 3, 3),
            steps(2, 9, 6),
            ended(2),
            log("b"),
        ];
        let point = |index, step| Point { index, step, ..Point::default() };
        assert_eq!(kept(&line, point(2, 0)), line[..3]);
        assert_eq!(kept(&line, point(3, 0)), line[..8]);
        assert_eq!(kept(&line, point(2, 3)), line[..6]);
        assert_eq!(kept(&line, point(2, 9)), line[..7]);
        let cut = kept(&line, point(2, 5));
        assert_eq!((&cut[..6], &cut[6]), (&line[..6], &steps(2, 5, 2)));
        // Without steps the epoch has begun, with a journal that lacks it nothing is lost.
        let few: Vec<Record> = line.iter().filter(|r| !matches!(r.event, Event::Steps { .. })).cloned().collect();
        assert_eq!(kept(&few, point(2, 3)), few[..4]);
        assert_eq!(kept(&line, point(7, 0)), line);
    }

    #[test]
    fn branches_are_told_apart() {
        let branch = |branch| at(Event::BranchStarted { branch, name: "b".into(), run_id: "b".into() });
        let done = |branch| {
            let row = crate::event::BranchRow {
                name: "b".into(),
                epoch: 1,
                loss: None,
                accuracy: None,
                bins: Vec::new(),
                seconds: 1.0,
                steps: 9,
                outcome: Some(crate::event::Outcome::Completed),
            };
            at(Event::BranchEnded { branch, row })
        };
        let whole = [
            ended(1),
            branch(0),
            started(1),
            ended(1),
            done(0),
            log("c"),
            branch(1),
            started(1),
            steps(1, 4, 4),
            ended(1),
            done(1),
        ];
        let point = |branches, within, index, step| Point { branches, within, index, step };
        assert_eq!(kept(&whole, point(0, false, 2, 0)), whole[..1]);
        assert_eq!(kept(&whole, point(0, true, 2, 0)), whole[..4]);
        assert_eq!(kept(&whole, point(1, false, 0, 0)), whole[..5]);
        assert_eq!(kept(&whole, point(1, true, 1, 4)), whole[..9]);
        assert_eq!(kept(&whole, point(1, true, 2, 0)), whole[..10]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let folder = tempfile::tempdir().expect("a folder");
            std::fs::write(path(folder.path()), bytes).expect("writes");
            let records = read(&path(folder.path()), true).expect("reads");
            crate::run::state::RunState::replay(&records);
        }
    }
}
