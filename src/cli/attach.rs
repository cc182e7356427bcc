//! `facetui attach`: shows a live run of another process, with all keys.

use std::io::IsTerminal as _;
use std::path::Path;

use super::failure::Failure;
use super::follow_up::FollowUp;
use super::screen;
use super::which_run::{WhichRun, socket, unreachable};
use crate::run::find::Wanted;
use crate::run::socket::client;
use crate::tui::{LiveRun, Role};

/// Shows a live run with all keys.
pub(super) fn attach(which: &WhichRun) -> Result<Option<FollowUp>, Failure> {
    if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        return Err(Failure::Usage(miette::miette!(
            help = "`facetui watch --headless` prints lines",
            "`facetui attach` needs a terminal"
        )));
    }
    let found = which.find(Wanted::Live)?;
    let socket = socket(&found)?;
    let attached = client::attach(&found.folder, &socket).map_err(|error| unreachable(&found, &error))?;
    screen::show(&found, LiveRun { events: attached.events, commands: attached.commands }, Role::Attached)
}

/// Shows the live run of a folder.
pub(super) fn attach_to(folder: &Path, runs: &Path) -> Result<Option<FollowUp>, Failure> {
    attach(&WhichRun::at(folder, runs))
}
