//! The right to write a schedule's checkpoints, which one process has at a time.

use std::path::PathBuf;

use super::launch::now;
use super::lock::{Lock, LockError, Owner};
use crate::schedule::Schedule;

/// Why a run was not started.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum LaunchError {
    /// Another process trains these files.
    #[error("`{name}` is trained already{}", by(owner.as_deref()))]
    #[diagnostic(help("{}", instead(owner.as_deref())))]
    Taken {
        /// The name of the checkpoints.
        name: String,
        /// Who trains them, where that is known.
        owner: Option<Box<Owner>>,
    },
    /// The checkpoint folder takes no lock.
    #[error("the checkpoint folder `{}` cannot be written: {source}", folder.display())]
    #[diagnostic(help(
        "make it writable, or choose another with `checkpoints:` in the schedule or `--set checkpoints=DIR`"
    ))]
    Checkpoints {
        /// The folder.
        folder: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The run's own folder cannot be made.
    #[error("the run's folder cannot be made: {0}")]
    #[diagnostic(help("make it writable, or choose another with `runs:` in the schedule or `--set runs=DIR`"))]
    Folder(#[from] std::io::Error),
}

fn by(owner: Option<&Owner>) -> String {
    owner.map_or_else(
        || ", by a process that does not say who it is".to_owned(),
        |owner| {
            format!(": run `{}`, process {} on `{}`, in `{}`", owner.run, owner.pid, owner.host, owner.folder.display())
        },
    )
}

fn instead(owner: Option<&Owner>) -> String {
    let other = "give this schedule another `name` to train beside it";
    owner.map_or_else(
        || other.to_owned(),
        |owner| format!("`facetui attach {0}` shows it, `facetui stop {0}` stops it; or {other}", owner.run),
    )
}

/// The right to write a schedule's checkpoints: while it lives, no other process can have it.
#[derive(Debug)]
pub struct Claim {
    locks: Vec<Lock>,
}

impl Claim {
    /// Tells whoever is refused where the run is.
    pub(super) fn tell(&self, owner: &Owner) {
        for lock in &self.locks {
            // Without these facts a second trainer is refused with fewer words.
            let _ = lock.write(owner);
        }
    }
}

/// Claims the checkpoints of a schedule, those of its branches included.
///
/// # Errors
/// Another process trains them, or their folder cannot be written.
pub fn claim(schedule: &Schedule) -> Result<Claim, LaunchError> {
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
    Ok(Claim { locks })
}
