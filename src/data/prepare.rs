//! Making data sets from data sets: folders from records, records from folders, bins of pairs, parts of a set.
//!
//! Whatever is made is complete or says that it is not: files come into place by renaming them, and a folder's
//! `prepare.json` says what it is made of and whether all of it is there. What was interrupted goes on where it was;
//! what is there already is left as it is. Everything written is read again and compared before it counts as done.

mod bins;
mod folders;
mod marker;
mod pairs;
mod records;
mod reencode;
mod shard;
mod subset;

use std::path::{Path, PathBuf};

use miette::Diagnostic;
use thiserror::Error;

use super::bin::BinError;
use super::source::ImageError;
use super::source::Source;
use super::{OpenError, recordio};

pub use bins::{from_pairs_file, from_people};
pub use folders::{folders, named_folders};
pub use records::records;
pub use reencode::reencode;
pub use shard::{Shard, shards, split};
pub use subset::{Subset, Wanted};

/// Told what is done, how many of it, of how many; from any thread.
pub type Progress<'a> = &'a (dyn Fn(&str, u64, u64) + Sync);

/// How a part of a set lies on the disk: as the set does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Class folders, with the names that the classes have.
    Folders,
    /// `train.rec`, `train.idx` and `property`.
    Records,
}

impl Layout {
    /// That of the set at `path`.
    pub fn of(path: &Path) -> Self {
        if recordio::is_record_set(path) { Self::Records } else { Self::Folders }
    }

    /// Writes `source` so into `to`.
    ///
    /// # Errors
    /// As [`named_folders`] and [`records()`].
    pub fn write(self, source: &dyn Source, to: &Path, progress: Progress<'_>) -> Result<Made, PrepareError> {
        match self {
            Self::Folders => named_folders(source, to, progress),
            Self::Records => records(source, to, progress),
        }
    }
}

/// What a call did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Made {
    /// Images (or pairs, for bins) that are there now.
    pub total: u64,
    /// Of these, written by this call; 0 where everything was there already.
    pub written: u64,
}

/// Why something could not be made.
#[derive(Debug, Error, Diagnostic)]
pub enum PrepareError {
    /// No data set to make it from.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Open(#[from] OpenError),
    /// No bin to make it from, or none that can be read again.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Bin(#[from] BinError),
    /// The system says no.
    #[error("`{}`: {source}", path.display())]
    #[diagnostic(help("what was made so far is kept: run the same command again to resume"))]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// An image of the source cannot be used.
    #[error("{name}: {source}")]
    #[diagnostic(help("`facetui data PATH` lists the images that cannot be read"))]
    Image {
        /// The image.
        name: String,
        /// Why.
        source: ImageError,
    },
    /// The place is taken.
    #[error("`{}` holds {found}", path.display())]
    #[diagnostic(help("choose another place, or remove what is there yourself: nothing is overwritten"))]
    Taken {
        /// The folder or file.
        path: PathBuf,
        /// What is there.
        found: String,
    },
    /// A class whose name would be a folder elsewhere, or one that no reader lists.
    #[error("class {label} is called `{}`, which is not a valid folder name in `{}`", name.escape_debug(), path.display())]
    #[diagnostic(help(
        "expected a name without `/`, without a zero byte and without a dot at its beginning: rename it where the set's \
         classes are named (its folder, or `classes.json` beside `train.rec`)"
    ))]
    ClassName {
        /// The folder to make.
        path: PathBuf,
        /// The class, counted from 0.
        label: u32,
        /// What it is called.
        name: String,
    },
    /// A link where a file or a folder of ours should be.
    #[error("`{}` is a link to `{}`", path.display(), to.display())]
    #[diagnostic(help("nothing is written through links: remove it, or choose another place"))]
    Link {
        /// The link.
        path: PathBuf,
        /// Where it leads.
        to: PathBuf,
    },
    /// What was written is not what was to be written.
    #[error("`{}` was written and read again, and is not the same: {reason}", path.display())]
    #[diagnostic(help("check the disk; remove the file and run the same command again"))]
    Differs {
        /// The file.
        path: PathBuf,
        /// What differs.
        reason: String,
    },
    /// Something that a record cannot hold.
    #[error("{name}: {reason}")]
    Record {
        /// The image.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// There are not as many pairs.
    #[error("{wanted} pairs of {what} are wanted, but there are {found}")]
    #[diagnostic(help("ask for fewer with --pairs, an even number, half of one person and half of two"))]
    TooFew {
        /// `one person` or `two persons`.
        what: &'static str,
        /// As asked for.
        wanted: u64,
        /// As there are.
        found: u64,
    },
    /// An odd number of pairs, or none.
    #[error("{0} pairs cannot be balanced")]
    #[diagnostic(help("ask for an even number above 0: half of one person and half of two"))]
    Odd(u64),
    /// A pairs file that is none.
    #[error("line {line} of `{}`: {reason}", path.display())]
    #[diagnostic(help(
        "as LFW's pairs.txt: `NAME 1 4` for two images of one person, `NAME 1 OTHER 2` for two; or `a.jpg b.jpg 1`, \
         with 1 for one person and 0 for two; the images lie below the folder of the file, or below that of --images"
    ))]
    Pairs {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// No class is left.
    #[error("{classes} classes with at least {least} images each are left of {all}; a training set needs two")]
    #[diagnostic(help("ask for fewer images a class with --min-images, or for more --classes"))]
    NothingLeft {
        /// Classes that are left.
        classes: usize,
        /// Images they must have.
        least: u64,
        /// Classes there are.
        all: usize,
    },
}

/// An error of the system at `path`.
fn io(path: &Path) -> impl Fn(std::io::Error) -> PrepareError {
    let path = path.to_owned();
    move |source| PrepareError::Io { path: path.clone(), source }
}

/// Refuses a link in the place of something to be written into.
fn no_link(path: &Path) -> Result<(), PrepareError> {
    match std::fs::read_link(path) {
        Ok(to) => Err(PrepareError::Link { path: path.to_owned(), to }),
        Err(_) => Ok(()),
    }
}

/// Puts `bytes` at `path`, whole or not at all.
fn write_file(path: &Path, bytes: &[u8], sync: bool) -> Result<(), PrepareError> {
    use std::io::Write;

    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut written = tempfile::Builder::new()
        .prefix(".prepare-")
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666))
        .tempfile_in(folder)
        .map_err(io(path))?;
    written.write_all(bytes).map_err(io(path))?;
    if sync {
        written.as_file().sync_all().map_err(io(path))?;
    }
    written.persist(path).map_err(|error| io(path)(error.error))?;
    Ok(())
}

/// Puts the bin `bytes` at `path` and reads it again; leaves the same bin that is there already.
fn write_bin(path: &Path, bytes: &[u8], pairs: u64) -> Result<Made, PrepareError> {
    if path.exists() {
        if std::fs::read(path).map_err(io(path))? == bytes {
            return Ok(Made { total: pairs, written: 0 });
        }
        return Err(PrepareError::Taken { path: path.to_owned(), found: "something else".to_owned() });
    }
    write_file(path, bytes, true)?;
    if std::fs::read(path).map_err(io(path))? != bytes {
        return Err(PrepareError::Differs { path: path.to_owned(), reason: "its bytes changed".to_owned() });
    }
    Ok(Made { total: pairs, written: pairs })
}
