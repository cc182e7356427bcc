//! Why a record file cannot be used, in words.

use std::path::PathBuf;

/// Why records are no data set.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum RecordError {
    /// Not there, or not readable.
    #[error("the RecordIO file `{}` cannot be read: {reason}", path.display())]
    #[diagnostic(help("give a folder that holds train.rec and train.idx, or the .rec file itself"))]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The index is damaged.
    #[error("line {line} of the index `{}` is `{found}`; expected a record's number and its offset", path.display())]
    #[diagnostic(help("remove the index: the records are then listed anew at every start"))]
    Index {
        /// The index.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What it says.
        found: String,
    },
    /// A record is not what it must be.
    #[error("record {record} of `{}`, at byte {offset}: {reason}", path.display())]
    #[diagnostic(help("the file or its index is damaged or incomplete: compare their sizes with the originals"))]
    Record {
        /// The file.
        path: PathBuf,
        /// The record's number.
        record: u64,
        /// Where it begins.
        offset: u64,
        /// What was found, and what was expected.
        reason: String,
    },
    /// More than can be numbered.
    #[error("`{}` holds {images} records, more than {} can be numbered", path.display(), u32::MAX)]
    TooMany {
        /// The file.
        path: PathBuf,
        /// How many.
        images: usize,
    },
    /// Nothing to train on.
    #[error("`{}` holds {images} images of {classes} classes", path.display())]
    #[diagnostic(help("training needs images of two identities at least"))]
    TooFew {
        /// The file.
        path: PathBuf,
        /// Images.
        images: usize,
        /// Classes.
        classes: usize,
    },
}
