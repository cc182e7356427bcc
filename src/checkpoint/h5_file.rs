//! An opened `.h5` file and the limits it is read under: what is read from it never exceeds what it holds, however
//! large its tables say they are, and nothing is read from other files that it points to.

use std::cell::{Cell, RefCell};
use std::io::Read as _;
use std::path::Path;

use hdf5::{File, FileBuilder};

use super::global_heaps::{Heaps, Reference};
use super::{CheckpointError, byte_scan, local_heaps};

/// How a zip archive begins.
const ZIP: [u8; 4] = *b"PK\x03\x04";

/// How files are opened: without HDF5's own lock. Files are written under a temporary name, and renamed, so a lock guards
/// nothing; network disks may have none, and a process that was started meanwhile would hold it on.
pub(super) fn unlocked() -> FileBuilder {
    let mut builder = FileBuilder::new();
    builder.with_fapl(|access| access.file_locking(false));
    builder
}

/// A file that is being read.
pub(super) struct H5File {
    /// The file.
    pub(super) file: File,
    /// The same file, read without HDF5.
    plain: RefCell<fs_err::File>,
    /// Where its texts of variable length lie.
    heaps: Heaps,
    /// Where its HDF5 part begins.
    base: u64,
    /// Its length in bytes.
    length: u64,
    /// Bytes of it that may still be read.
    left: Cell<u64>,
}

impl H5File {
    /// Opens a file.
    ///
    /// # Errors
    /// It is missing, no file, a `.keras` archive, or no HDF5 file.
    pub(super) fn open(path: &Path) -> Result<Self, CheckpointError> {
        let failed = |reason: String| CheckpointError::Read { path: path.to_path_buf(), reason };
        let metadata = fs_err::metadata(path).map_err(|error| failed(error.to_string()))?;
        if !metadata.is_file() {
            return Err(failed("it is not a file".to_owned()));
        }
        let mut start = [0; 4];
        let mut plain = fs_err::File::open(path).map_err(|error| failed(error.to_string()))?;
        let read = plain.read(&mut start).map_err(|error| failed(error.to_string()))?;
        if read == 4 && start == ZIP {
            return Err(CheckpointError::Archive { path: path.to_path_buf() });
        }
        let base = byte_scan::base(&mut plain, metadata.len()).map_err(failed)?;
        local_heaps::check(&mut plain, metadata.len(), base).map_err(failed)?;
        let heaps = Heaps::find(&mut plain, metadata.len()).map_err(failed)?;
        let file =
            unlocked().open(path).map_err(|_ignored| failed("it is not an HDF5 file, or it is damaged".to_owned()))?;
        let length = metadata.len();
        Ok(Self { file, plain: RefCell::new(plain), heaps, base, length, left: Cell::new(length) })
    }

    /// The file's length in bytes.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Takes note of bytes that are about to be read, each of which can be read once.
    ///
    /// # Errors
    /// More than the file holds.
    pub(super) fn spend(&self, bytes: u64) -> Result<(), String> {
        let left = self.left.get().checked_sub(bytes);
        self.left.set(left.ok_or_else(|| format!("holds more than the whole file of {} bytes", self.length))?);
        Ok(())
    }

    /// Reads a text of variable length.
    ///
    /// # Errors
    /// The file does not hold it, in words.
    pub(super) fn text(&self, reference: Reference) -> Result<Vec<u8>, String> {
        self.spend(if reference.is_null() { 0 } else { u64::from(reference.length) })?;
        self.heaps.text(&mut *self.plain.borrow_mut(), self.base, reference)
    }

    /// Whether an object lies in this file and not in one that it points to.
    pub(super) fn owns(&self, object: &hdf5::Location) -> bool {
        object.filename() == self.file.filename()
    }
}
