//! Follows a journal as it grows (`tail -f`): for those who may read a run's files and nothing else. The file may lie on another
//! machine's disk, so it is polled every half second instead of waiting to be told.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::file::path;
use super::line::{is_damaged, parse};
use super::reader::damaged_line_warning;
use crate::event::{Event, Record};
use crate::run::lock::{self, LockState, PROCESS_FILE};
use crate::run::socket::lines::Lines;

/// How often the file is polled.
const INTERVAL: Duration = Duration::from_millis(500);

/// Longest line that is read, in bytes.
const LONGEST: usize = 16 << 20;

/// Polls after which the run's process is asked after.
const ASK_EVERY: u32 = 4;

/// Reads what was added to a journal since the last poll.
#[derive(Debug)]
pub struct JournalTail {
    path: PathBuf,
    file: Option<File>,
    at: u64,
    lines: Lines,
    /// Lines so far, those of them that are damaged, and the moment of the newest record.
    number: u64,
    damaged: usize,
    newest: f64,
}

impl JournalTail {
    /// Follows the journal at `path`, which need not be there yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let lines = Lines::new(LONGEST);
        Self { path: path.into(), file: None, at: 0, lines, number: 0, damaged: 0, newest: 0.0 }
    }

    /// The records since the last poll. A last line that is not whole yet is given when it is; in the
    /// place of one that is damaged comes a warning that names it. A journal that was put in another's place is read from where the old one was.
    ///
    /// # Errors
    /// The file is not there or cannot be read; the next poll may succeed.
    pub fn poll(&mut self, mut take: impl FnMut(Record)) -> io::Result<()> {
        let there = fs_err::metadata(&self.path)?;
        let same =
            self.file.as_ref().and_then(|file| file.metadata().ok()).is_some_and(|open| open.ino() == there.ino());
        if !same {
            self.file = Some(fs_err::File::open(&self.path)?.into_parts().0);
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        if there.len() < self.at {
            // Cut short: nobody does that to a journal, and what was read stays read.
            self.at = there.len();
            self.lines = Lines::new(LONGEST);
        }
        file.seek(SeekFrom::Start(self.at))?;
        let mut bytes = vec![0; 1 << 16];
        loop {
            let count = match file.read(&mut bytes) {
                Ok(0) => return Ok(()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            self.at += count as u64;
            let (number, damaged, newest, path) = (&mut self.number, &mut self.damaged, &mut self.newest, &self.path);
            self.lines.push(&bytes[..count], |line| {
                *number += 1;
                if let Some(record) = line.as_ref().ok().and_then(|line| parse(line)) {
                    *newest = record.at;
                    take(record);
                } else if line.map_or(true, is_damaged) {
                    if let Some(warning) = damaged_line_warning(path, *number, *damaged, *newest) {
                        take(warning);
                    }
                    *damaged += 1;
                }
            });
        }
    }
}

/// The records of a run's folder, those there are and those to come, on a channel. It closes after the last one, or when
/// the run's process has ended without one.
///
/// # Errors
/// There is no journal, or no thread.
pub fn tail(folder: &Path) -> io::Result<UnboundedReceiver<Arc<Record>>> {
    let path = path(folder);
    fs_err::File::open(&path)?;
    let process = folder.join(PROCESS_FILE);
    let (sender, events) = unbounded_channel();
    let mut tail = JournalTail::new(path);
    let work = move || {
        for round in 0_u32.. {
            // Asked before the poll, so that its last words are not missed.
            let gone = round % ASK_EVERY == 0 && matches!(lock::probe(&process), Some(LockState::Free(_)));
            let mut ended = false;
            // A disk that is away may come back.
            let _ = tail.poll(|record| {
                ended |= matches!(record.event, Event::Finished { .. });
                ended |= sender.send(Arc::new(record)).is_err();
            });
            if ended || gone || sender.is_closed() {
                return;
            }
            thread::sleep(INTERVAL);
        }
    };
    thread::Builder::new().name("tail".to_owned()).spawn(work)?;
    Ok(events)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::event::Level;
    use crate::run::journal::line::line;

    #[test]
    fn a_line_is_given_when_it_is_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = path(folder.path());
        let record =
            |message: &str| Record { at: 1.0, event: Event::Log { level: Level::Info, message: message.to_owned() } };
        let mut tail = JournalTail::new(&path);
        let mut poll = || {
            let mut got = Vec::new();
            tail.poll(|record| got.push(record)).map(|()| got)
        };
        assert!(poll().is_err(), "it is not there yet");
        let mut file = File::create(&path).expect("makes");
        let two = line(&record("two"));
        file.write_all(&line(&record("one"))).and_then(|()| file.write_all(&two[..9])).expect("writes");
        assert_eq!(poll().expect("reads"), [record("one")]);
        assert_eq!(poll().expect("reads"), []);
        file.write_all(&two[9..]).and_then(|()| file.write_all(b"garbage\n{\"at\":2")).expect("writes");
        let named = format!("line 3 of `{}` is damaged and was skipped", path.display());
        let warning = Record { at: 1.0, event: Event::Log { level: Level::Warning, message: named } };
        assert_eq!(poll().expect("reads"), [record("two"), warning]);
        file.set_len(3).expect("cuts");
        assert_eq!(poll().expect("reads"), []);
    }
}
