//! What a user chose to do next, on leaving the front end.

use std::path::{Path, PathBuf};

use crate::tui::Next;

/// What is to be done next.
pub(super) struct FollowUp {
    /// What.
    pub(super) next: Next,
    /// The folder of runs that it was chosen in.
    pub(super) runs: PathBuf,
}

impl FollowUp {
    /// What was chosen in the history of the folder `runs`, if anything was.
    pub(super) fn of(next: Option<Next>, runs: &Path) -> Option<Self> {
        next.map(|next| Self { next, runs: runs.to_path_buf() })
    }
}
