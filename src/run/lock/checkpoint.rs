//! The checkpoint lock: the right to write a schedule's checkpoints, which one process has at a time.

use super::{Lock, LockError, Owner};
use crate::run::clock::now;
use crate::run::launch::error::LaunchError;
use crate::schedule::Schedule;

/// The locks of a schedule's checkpoints: while this lives, no other process can have them.
#[derive(Debug)]
pub struct CheckpointLock {
    locks: Vec<Lock>,
}

impl CheckpointLock {
    /// Locks the checkpoints of a schedule, those of its branches included.
    ///
    /// # Errors
    /// Another process trains them, or their folder cannot be written.
    pub fn take(schedule: &Schedule) -> Result<Self, LaunchError> {
        let folder = &schedule.checkpoints;
        let failed = |source| LaunchError::Checkpoints { folder: folder.clone(), source };
        fs_err::create_dir_all(folder).map_err(failed)?;
        let owner = Owner::this(&schedule.name, &schedule.runs, now());
        let branches = schedule.branches.iter().map(|branch| format!("{}_{}", schedule.name, branch.name));
        let mut locks = Vec::new();
        for name in std::iter::once(schedule.name.clone()).chain(branches) {
            let taken = Lock::take(&folder.join(format!("{name}.lock")), &owner, false);
            locks.push(taken.map_err(|error| match error {
                LockError::Held { owner, .. } => LaunchError::Taken { name, owner },
                LockError::Io(source) => failed(source),
            })?);
        }
        Ok(Self { locks })
    }

    /// Tells whoever is refused where the run is.
    pub(in crate::run) fn set_owner(&self, owner: &Owner) {
        for lock in &self.locks {
            // Without these facts a second trainer is refused with fewer words.
            let _ = lock.write(owner);
        }
    }
}
