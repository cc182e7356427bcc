//! The two files that hold the states before the newest one, in turn. Whatever happens to the newest, one of them is whole.

use std::path::{Path, PathBuf};

use super::outputs::Outputs;
use super::saver::Kept;
use crate::checkpoint::atomic;

/// Which file is written over next.
#[derive(Debug)]
pub struct Rotation {
    files: [PathBuf; 2],
    /// The older one.
    turn: usize,
    /// Whether a snapshot was written since the last epoch ended.
    since: bool,
    /// Whether the file of the epoch before is kept already, for an epoch that could not be written yet.
    kept: bool,
}

impl Rotation {
    /// The files of `outputs`, of which some may be there.
    pub fn new(outputs: &Outputs) -> Self {
        let files = outputs.snapshots();
        let age = |path: &PathBuf| std::fs::metadata(path).and_then(|meta| meta.modified()).ok();
        let turn = usize::from(age(&files[1]) < age(&files[0]));
        Self { files, turn, since: false, kept: false }
    }

    /// Where the next state goes.
    pub fn next(&self) -> PathBuf {
        self.files[self.turn].clone()
    }

    /// Keeps the file of the epoch before, which is about to be written over, unless a newer state lies here already.
    pub fn keep_before(&mut self, model: &Path) {
        if self.since || self.kept || !model.is_file() {
            return;
        }
        let kept = &self.files[self.turn];
        // Whatever of this fails: the file at `model` is written over in one go or not at all.
        if atomic::link(model, kept).is_ok() {
            (self.turn, self.kept) = (1 - self.turn, true);
        }
    }

    /// A state lies in its place, but nobody knows whether it will stay there: its folder could not be synced. Until it is
    /// written again it may be the newest one, and nothing older takes its place.
    pub fn placed(&mut self, kept: Kept) {
        self.since |= kept == Kept::Snapshot;
    }

    /// A state was written.
    pub fn written(&mut self, kept: Kept) {
        match kept {
            Kept::Epoch => (self.since, self.kept) = (false, false),
            Kept::Snapshot => (self.since, self.turn) = (true, 1 - self.turn),
            Kept::Extra { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_that_cannot_be_written_costs_no_state() {
        let folder = tempfile::tempdir().expect("a folder");
        let outputs = Outputs::new(folder.path(), "x").expect("is writable");
        let [a, b] = outputs.snapshots();
        for (path, text) in [(outputs.model(), "2"), (a.clone(), "1"), (b.clone(), "0")] {
            std::fs::write(path, text).expect("writes");
        }
        let mut rotation = Rotation::new(&outputs);
        rotation.turn = 1;
        for _ in 0..3 {
            rotation.keep_before(&outputs.model());
        }
        let contents = [a, b].map(|path| std::fs::read_to_string(path).expect("reads"));
        assert_eq!(contents, ["1", "2"]);
    }

    #[test]
    fn a_snapshot_that_was_placed_but_not_synced_is_not_written_over_by_an_older_state() {
        let folder = tempfile::tempdir().expect("a folder");
        let outputs = Outputs::new(folder.path(), "x").expect("is writable");
        let [a, b] = outputs.snapshots();
        let mut rotation = Rotation::new(&outputs);
        for (path, text) in [(outputs.model(), "1"), (b.clone(), "2"), (rotation.next(), "3")] {
            std::fs::write(path, text).expect("writes");
        }
        rotation.placed(Kept::Snapshot);
        // The epoch ends before the snapshot was tried again.
        rotation.keep_before(&outputs.model());
        let contents = [a, b].map(|path| std::fs::read_to_string(path).expect("reads"));
        assert_eq!(contents, ["3", "2"]);
    }

    #[test]
    fn there_are_always_two_states() {
        let folder = tempfile::tempdir().expect("a folder");
        let outputs = Outputs::new(folder.path(), "x").expect("is writable");
        let mut rotation = Rotation::new(&outputs);
        let contents = || {
            let [a, b] = outputs.snapshots();
            [outputs.model(), a, b].map(|path| std::fs::read_to_string(path).unwrap_or_default())
        };
        let mut number = 0;
        for (kept, wanted) in [
            (Kept::Snapshot, ["", "1", ""]),
            (Kept::Snapshot, ["", "1", "2"]),
            (Kept::Snapshot, ["", "3", "2"]),
            (Kept::Epoch, ["4", "3", "2"]),
            (Kept::Epoch, ["5", "3", "4"]),
            (Kept::Snapshot, ["5", "6", "4"]),
            (Kept::Epoch, ["7", "6", "4"]),
            (Kept::Epoch, ["8", "6", "7"]),
        ] {
            number += 1;
            let path = if kept == Kept::Epoch { outputs.model() } else { rotation.next() };
            if kept == Kept::Epoch {
                rotation.keep_before(&path);
            }
            // As checkpoints are written: a new file in the place of the old.
            let fresh = folder.path().join("fresh");
            std::fs::write(&fresh, number.to_string()).expect("writes");
            std::fs::rename(&fresh, &path).expect("renames");
            rotation.written(kept);
            assert_eq!(contents(), wanted.map(str::to_owned), "after {number}");
        }
    }
}
