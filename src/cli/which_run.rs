//! The run that a command means: found by name or folder, and its socket.

use std::path::{Path, PathBuf};

use super::failure::Failure;
use crate::run::find::{self, Found, Wanted};
use crate::run::socket::client::ClientError;

/// The run that is meant.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct WhichRun {
    /// The run: its name, the beginning of its name, or its folder; by default the only run that is training
    pub run: Option<String>,
    /// Folder of the runs
    #[arg(long, default_value = "runs")]
    pub runs: PathBuf,
}

impl WhichRun {
    /// The run of a folder.
    pub(super) fn at(folder: &Path, runs: &Path) -> Self {
        Self { run: Some(folder.to_string_lossy().into_owned()), runs: runs.to_path_buf() }
    }

    pub(super) fn find(&self, wanted: Wanted) -> Result<Found, Failure> {
        find::find(self.run.as_deref(), &self.runs, wanted).map_err(|error| Failure::Usage(error.into()))
    }
}

/// The socket of a live run.
pub(super) fn socket(found: &Found) -> Result<PathBuf, Failure> {
    let owner = found.owner();
    if let Some(socket) = owner.and_then(|owner| owner.socket.clone()) {
        return Ok(socket);
    }
    Err(Failure::Run(miette::miette!(
        help =
            format!("`facetui watch {0}` shows it; its log says why: `facetui watch {0} --headless | head`", found.id),
        "`{}` is training, but has no socket to attach to",
        found.id
    )))
}

/// The failure to reach a run over its socket, with what to do instead.
pub(super) fn unreachable(found: &Found, error: &ClientError) -> Failure {
    let help = match (error, found.owner()) {
        (ClientError::Nobody { .. }, Some(owner)) if !owner.is_here() => {
            format!("it runs on `{}`: log in there; or `facetui watch {}`", owner.host, found.id)
        }
        (ClientError::Nobody { .. }, Some(owner)) => format!(
            "`facetui watch {}` shows it, `kill {}` stops it after the epoch if it still runs",
            found.id, owner.pid
        ),
        _ => format!("`facetui watch {}` needs only its journal", found.id),
    };
    Failure::Run(miette::miette!(help = help, "`{}` cannot be reached: {error}", found.id))
}
