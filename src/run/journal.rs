//! The journal: a run's events as JSON lines, appended as they happen. It is the one record that everything about a run
//! is folded from, so it survives a torn last line and events of a newer facetui.

use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use fs_err::File;

use crate::event::{Event, Record};

/// The journal's name in a run's folder.
pub const FILE_NAME: &str = "journal.jsonl";

/// Appends records to a journal. A line is handed to the operating system at once and synced to the disk when an
/// epoch ends, so that a crash of the machine costs at most the steps since.
#[derive(Debug)]
pub struct JournalWriter {
    file: File,
    line: Vec<u8>,
}

impl JournalWriter {
    /// Opens the journal of a run folder for appending.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let path = folder.join(FILE_NAME);
        let file = fs_err::OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self { file, line: Vec::new() })
    }

    /// Appends one record.
    ///
    /// # Errors
    /// The disk is full, or gone.
    pub fn append(&mut self, record: &Record) -> io::Result<()> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, record)?;
        self.line.push(b'\n');
        self.file.write_all(&self.line)?;
        let border = matches!(
            record.event,
            Event::EpochEnded { .. } | Event::BranchEnded { .. } | Event::Finished { .. } | Event::RunStarted(_)
        );
        if border {
            self.file.sync_data()?;
        }
        Ok(())
    }
}

/// Reads a journal; lines that are no records (a torn last line) are passed over. With `steps` false the events of
/// single steps are skipped unread, which makes a list of many runs quick.
///
/// # Errors
/// The file cannot be read.
pub fn read(path: &Path, steps: bool) -> io::Result<Vec<Record>> {
    let mut records = Vec::new();
    let mut reader = BufReader::with_capacity(1 << 20, File::open(path)?);
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 {
            return Ok(records);
        }
        if !steps && is_progress(&line) {
            continue;
        }
        if let Ok(record) = serde_json::from_slice(&line) {
            records.push(record);
        }
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
    use crate::event::Level;

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
        };
        writer.append(&Record { at: 1_700_000_000.123, event: steps }).expect("appends");
        writer.append(&log("steps")).expect("appends");
        assert_eq!(read(&path(folder.path()), false).expect("reads"), [log("steps")]);
        assert_eq!(read(&path(folder.path()), true).expect("reads").len(), 2);
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
