//! Where a run's journal lies.

use std::path::{Path, PathBuf};

/// The journal's name in a run's folder.
pub const FILE_NAME: &str = "journal.jsonl";

/// Where the journal of a run folder lies.
pub fn path(folder: &Path) -> PathBuf {
    folder.join(FILE_NAME)
}
