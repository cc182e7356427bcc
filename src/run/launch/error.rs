//! Why a run was not started.

use std::path::PathBuf;

use crate::run::lock::Owner;

/// Why a run was not started.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum LaunchError {
    /// Another process trains these files.
    #[error("`{name}` is already being trained{}", by_whom(owner.as_deref()))]
    #[diagnostic(help("{}", what_to_do(owner.as_deref())))]
    Taken {
        /// The name of the checkpoints.
        name: String,
        /// Who trains them, where that is known.
        owner: Option<Box<Owner>>,
    },
    /// The checkpoints cannot be locked.
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
    #[error("the run's folder cannot be created: {0}")]
    #[diagnostic(help("make it writable, or choose another with `runs:` in the schedule or `--set runs=DIR`"))]
    Folder(#[from] std::io::Error),
}

fn by_whom(owner: Option<&Owner>) -> String {
    owner.map_or_else(
        || " by an unknown process".to_owned(),
        |owner| {
            format!(
                " by run `{}`, process {} on `{}`, in `{}`",
                owner.run,
                owner.pid,
                owner.host,
                owner.folder.display()
            )
        },
    )
}

fn what_to_do(owner: Option<&Owner>) -> String {
    let other = "give this schedule another `name` to train beside it";
    owner.map_or_else(
        || other.to_owned(),
        |owner| format!("`facetui attach {0}` shows it, `facetui stop {0}` stops it; or {other}", owner.run),
    )
}
