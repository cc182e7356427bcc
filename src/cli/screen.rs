//! The front end as commands open it: the user's settings, where it keeps its state, and runs of other processes.

use std::path::{Path, PathBuf};

use super::exit_code::ExitCode;
use super::failure::Failure;
use super::follow_up::FollowUp;
use super::output::say;
use crate::report::summary;
use crate::run::find::Found;
use crate::run::history::HistoryIndex;
use crate::run::journal;
use crate::tui::{self, Role};

/// Where the front end keeps what was chosen about the screen: in the user's folder for such things.
pub(super) fn state_file() -> Option<PathBuf> {
    let folders = directories::ProjectDirs::from("", "", "facetui")?;
    Some(folders.state_dir().unwrap_or_else(|| folders.config_dir()).join("screen.json"))
}

/// The user's settings of the front end.
pub(super) fn settings() -> Result<tui::Settings, Failure> {
    let read = tui::Settings::place().map(|place| tui::Settings::read(&place)).transpose();
    read.map(Option::unwrap_or_default).map_err(|error| Failure::Usage(error.into()))
}

/// Shows a run that another process trains.
pub(super) fn show(found: &Found, live: tui::LiveRun, role: Role) -> Result<Option<FollowUp>, Failure> {
    let runs = found.folder.parent().unwrap_or_else(|| Path::new("runs"));
    let journal = Some(journal::path(&found.folder));
    let options = tui::TuiOptions {
        role,
        journal,
        state_file: state_file(),
        settings: settings()?,
        ..tui::TuiOptions::default()
    };
    let left = tui::run(Some(live), Box::new(HistoryIndex::new(runs)), options)
        .map_err(|error| Failure::Run(miette::Report::new(error)))?;
    let state = left.state.unwrap_or_default();
    if left.then.is_some() {
        return Ok(FollowUp::of(left.then, runs));
    }
    if state.is_ended() {
        say(&summary::text(&state));
        return Failure::told(ExitCode::of_shown_run(&state)).map(|()| None);
    }
    let verb = if role == Role::Attached { "attach" } else { "watch" };
    say(&format!(
        "{id} continues, {done} of {planned} epochs done; `facetui {verb} {id}` shows it again\n",
        id = found.id,
        done = state.done_epochs(),
        planned = state.planned_epochs()
    ));
    left.signal.map_or(Ok(None), |signal| Err(Failure::Told(ExitCode::of_signal(signal))))
}
