//! Appends records to one journal file, and keeps what the disk does not take until it takes something again.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use fs_err::File;

use super::file::path;
use super::line::{TORN, is_progress, line};
use crate::event::{Event, Level, Record};
use crate::run::clock::now;

/// Most bytes that wait for a disk that takes nothing. Beyond that progress lines (steps and the like) are left out; beyond
/// twice that everything.
const MAX_WAITING: usize = 64 << 20;

/// Appends records to a journal. A line is handed to the operating system at once and synced to the disk when an
/// epoch ends, so that a crash of the machine costs at most the steps since. What the disk does not take waits in memory
/// and goes first when it takes something again.
#[derive(Debug)]
pub struct JournalWriter {
    folder: PathBuf,
    /// None after it failed: it is opened anew, since the disk that is there again may not be the one that went away.
    pub(super) file: Option<File>,
    /// How long the file is, as far as it was written here.
    pub(super) length: u64,
    /// Whole lines that wait.
    waiting: Vec<u8>,
    /// Bytes of the first of them that were taken.
    pub(super) begun: usize,
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
        self.queue(line);
        self.write_out()?;
        let border = matches!(
            record.event,
            Event::EpochEnded { .. } | Event::BranchEnded { .. } | Event::Finished { .. } | Event::RunStarted(_)
        );
        if border { self.sync_file() } else { Ok(()) }
    }

    /// Keeps a line for the next time that something is written.
    pub(super) fn queue(&mut self, line: &[u8]) {
        let most = if is_progress(line) { MAX_WAITING } else { 2 * MAX_WAITING };
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
            let message =
                format!("{} lines are missing from the journal: it could not be written for a while", self.left_out);
            self.left_out = 0;
            let at = now();
            self.waiting.extend(line(&Record { at, event: Event::Log { level: Level::Warning, message } }));
            return self.write_out();
        }
        outcome
    }

    /// Opens the file anew, and continues where it ends.
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
