//! The two files that hold the states before the newest one, in turn. Whatever happens to the newest, one of them is whole.

use std::path::{Path, PathBuf};

use crate::checkpoint::atomic;
use crate::train::paths::OutputPaths;
use crate::train::saver::job::Kept;
use crate::train::state::saved::{Found, SavedState};

/// Which state lies in which file, by their numbers in the run from 1; 0 where there is none.
#[derive(Debug)]
pub struct SnapshotFiles {
    files: [PathBuf; 2],
    /// What lies in them.
    held: [u64; 2],
    /// What lies in the whole model's file, which is written after each epoch.
    model: u64,
}

impl SnapshotFiles {
    /// The files of `paths`; those that are there count when they hold states of the run `run_id`.
    pub fn new(paths: &OutputPaths, run_id: &str) -> Self {
        let number = |path: &Path| match SavedState::read(path) {
            Ok(Found::State(state)) if state.identity.run_id == run_id => state.sequence,
            _ => 0,
        };
        let files = paths.snapshots();
        Self { held: [number(&files[0]), number(&files[1])], model: number(&paths.model()), files }
    }

    /// Position of the file whose state is the older one.
    fn older(&self) -> usize {
        usize::from(self.held[1] < self.held[0])
    }

    /// Where the state of this number goes: over the older one, or over itself, when it is written again.
    pub fn place(&self, number: u64) -> PathBuf {
        let again = self.held.iter().position(|held| *held == number && number > 0);
        self.files[again.unwrap_or_else(|| self.older())].clone()
    }

    /// Keeps the file of the epoch before, which is about to be written over, unless newer states, or it, lie here already.
    pub fn keep_before(&mut self, model: &Path) {
        let older = self.older();
        if self.model <= self.held[older] || self.held.contains(&self.model) {
            return;
        }
        // Whatever of this fails: the file at `model` is written over in one go or not at all.
        if atomic::link(model, &self.files[older]).is_ok() {
            self.held[older] = self.model;
        }
    }

    /// The state of this number lies at `path`, perhaps not yet for good: its folder may not be synced.
    pub fn placed(&mut self, kept: Kept, path: &Path, number: u64) {
        match kept {
            Kept::Epoch => self.model = number,
            Kept::Snapshot => {
                if let Some(at) = self.files.iter().position(|file| file == path) {
                    self.held[at] = number;
                }
            }
            Kept::Extra { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with files that hold numbers instead of states, and who writes them.
    struct Files {
        _folder: tempfile::TempDir,
        paths: OutputPaths,
        snapshots: SnapshotFiles,
    }

    impl Files {
        fn new() -> Self {
            let folder = tempfile::tempdir().expect("a folder");
            let paths = OutputPaths::new(folder.path(), "x").expect("is writable");
            let snapshots = SnapshotFiles::new(&paths, "a run");
            Self { _folder: folder, paths, snapshots }
        }

        /// As checkpoints are written: a new file in the place of the old, unless the disk takes nothing.
        fn save(&mut self, kept: Kept, number: u64, taken: bool) -> [u64; 3] {
            let path = if kept == Kept::Epoch { self.paths.model() } else { self.snapshots.place(number) };
            if kept == Kept::Epoch {
                self.snapshots.keep_before(&path);
            }
            if taken {
                let fresh = path.with_file_name("fresh");
                std::fs::write(&fresh, number.to_string()).expect("writes");
                std::fs::rename(&fresh, &path).expect("renames");
                self.snapshots.placed(kept, &path, number);
            }
            let [a, b] = self.paths.snapshots();
            let number = |path| std::fs::read_to_string(path).map_or(0, |text| text.parse().expect("a number"));
            [self.paths.model(), a, b].map(number)
        }
    }

    #[test]
    fn there_are_always_two_states() {
        let mut files = Files::new();
        for (number, (kept, wanted)) in (1..).zip([
            (Kept::Snapshot, [0, 1, 0]),
            (Kept::Snapshot, [0, 1, 2]),
            (Kept::Snapshot, [0, 3, 2]),
            (Kept::Epoch, [4, 3, 2]),
            (Kept::Epoch, [5, 3, 4]),
            (Kept::Snapshot, [5, 6, 4]),
            (Kept::Epoch, [7, 6, 5]),
            (Kept::Epoch, [8, 6, 7]),
        ]) {
            assert_eq!(files.save(kept, number, true), wanted, "after {number}");
        }
    }

    #[test]
    fn an_epoch_that_cannot_be_written_costs_no_state() {
        let mut files = Files::new();
        for (number, kept) in [(1, Kept::Snapshot), (2, Kept::Snapshot), (3, Kept::Epoch)] {
            files.save(kept, number, true);
        }
        for _ in 0..3 {
            assert_eq!(files.save(Kept::Epoch, 4, false), [3, 3, 2]);
        }
    }

    #[test]
    fn an_older_epoch_that_is_written_late_takes_no_newer_snapshot() {
        let mut files = Files::new();
        files.save(Kept::Epoch, 1, true);
        assert_eq!(files.save(Kept::Epoch, 2, false), [1, 1, 0]);
        assert_eq!(files.save(Kept::Snapshot, 3, true), [1, 1, 3]);
        // There is room again: what waits is written in order.
        assert_eq!(files.save(Kept::Epoch, 2, true), [2, 1, 3]);
        assert_eq!(files.save(Kept::Snapshot, 3, true), [2, 1, 3], "over itself");
        assert_eq!(files.save(Kept::Epoch, 4, false), [2, 2, 3]);
        assert_eq!(files.save(Kept::Epoch, 4, true), [4, 2, 3]);
    }

    /// Whatever is written when, and whatever fails: the newest state stays, and one beside it.
    #[test]
    fn no_order_of_saves_and_failures_costs_the_newest_states() {
        let mut random = 1_u64;
        let mut draw = |below: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % below
        };
        for _ in 0..200 {
            let mut files = Files::new();
            // The saver keeps an older epoch that was not written when a snapshot follows, never the other way round.
            let mut owed: Vec<(Kept, u64)> = Vec::new();
            let (mut newest, mut states, mut two) = (0, [0; 3], false);
            for number in 1..30 {
                let kept = if draw(2) == 0 { Kept::Epoch } else { Kept::Snapshot };
                owed.retain(|(older, _)| *older != kept && kept != Kept::Epoch);
                owed.push((kept, number));
                owed.retain(|&(kept, number)| {
                    let taken = draw(3) > 0;
                    states = files.save(kept, number, taken);
                    let most = states.into_iter().max().unwrap_or_default();
                    assert!(most >= newest, "{states:?} after {newest}");
                    newest = most;
                    // One in four is placed and not synced, and written once more.
                    !taken || draw(4) == 0
                });
                let mut held: Vec<u64> = states.into_iter().filter(|state| *state > 0).collect();
                held.sort_unstable();
                held.dedup();
                assert!(held.len() >= 2 || !two, "{states:?}");
                two = held.len() >= 2;
            }
        }
    }
}
