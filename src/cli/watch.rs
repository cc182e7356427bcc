//! `facetui watch`: shows a run of which only the journal is read, on a screen or as lines.

use std::io::IsTerminal as _;
use std::sync::Arc;

use tokio::sync::mpsc::UnboundedReceiver;

use super::exit_code::ExitCode;
use super::failure::Failure;
use super::follow_up::FollowUp;
use super::output::say;
use super::screen;
use super::which_run::WhichRun;
use crate::event::Record;
use crate::report::headless::Headless;
use crate::report::summary;
use crate::run::find::Wanted;
use crate::run::journal::{self, tail};
use crate::run::state::RunState;
use crate::tui::{LiveRun, Role};

/// `facetui watch`.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct Request {
    #[command(flatten)]
    which: WhichRun,
    /// Print lines instead of opening the terminal front end
    #[arg(long)]
    headless: bool,
    /// Print every event as a JSON line (implies --headless)
    #[arg(long)]
    json: bool,
}

/// Shows a run of which only the journal is read.
pub(super) fn watch(request: &Request) -> Result<Option<FollowUp>, Failure> {
    let found = request.which.find(Wanted::Any)?;
    let events = tail::tail(&found.folder).map_err(|error| {
        Failure::Run(miette::miette!("`{}` cannot be read: {error}", journal::path(&found.folder).display()))
    })?;
    if request.headless || request.json || !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        return print(events, request.json).map(|()| None);
    }
    let (commands, _nobody) = crossbeam_channel::unbounded();
    screen::show(&found, LiveRun { events, commands }, Role::Watching)
}

fn print(mut events: UnboundedReceiver<Arc<Record>>, json: bool) -> Result<(), Failure> {
    let mut printer = Headless::resumed(std::io::stdout(), json, RunState::default());
    while let Some(record) = events.blocking_recv() {
        printer.take(&record);
    }
    let state = printer.into_state();
    if !state.is_ended() {
        return Err(Failure::Run(miette::miette!(
            help = "its files of the last epoch are whole; train the schedule again to resume",
            "the process that trained was killed"
        )));
    }
    if !json {
        say(&summary::text(&state));
    }
    Failure::told(ExitCode::of_shown_run(&state))
}
