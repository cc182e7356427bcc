//! `facetui attach`, `watch` and `stop`: a run that another process trains.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedReceiver;

use super::{Failure, again, say, train};
use crate::event::{Command, Outcome, Record, StopKind};
use crate::report::headless::Headless;
use crate::report::summary;
use crate::run::find::{self, Found, Wanted};
use crate::run::history::RunFolders;
use crate::run::socket::client::{self, ClientError, Connection};
use crate::run::socket::protocol::ToClient;
use crate::run::state::{Phase, RunState};
use crate::run::{follow, journal};
use crate::tui::{self, Role};

/// How long a run may take to answer; it looks for wishes between two steps.
const ANSWER: Duration = Duration::from_mins(1);

/// A run that is meant.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct Which {
    /// The run: its name, the beginning of its name, or its folder; the only one that goes on unless given
    pub run: Option<String>,
    /// Folder of the runs
    #[arg(long, default_value = "runs")]
    pub runs: PathBuf,
}

impl Which {
    /// The run of a folder.
    pub(super) fn at(folder: &Path, runs: &Path) -> Self {
        Self { run: Some(folder.to_string_lossy().into_owned()), runs: runs.to_path_buf() }
    }

    fn find(&self, wanted: Wanted) -> Result<Found, Failure> {
        find::find(self.run.as_deref(), &self.runs, wanted).map_err(|error| Failure::Usage(error.into()))
    }
}

/// `facetui watch`.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct WatchRequest {
    #[command(flatten)]
    which: Which,
    /// Print lines instead of opening the terminal front end
    #[arg(long)]
    headless: bool,
    /// Print every event as a JSON line (implies --headless)
    #[arg(long)]
    json: bool,
}

/// `facetui stop`.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct StopRequest {
    #[command(flatten)]
    which: Which,
    /// Stop after the current step instead of after the epoch
    #[arg(long)]
    now: bool,
    /// Wait until the run has ended
    #[arg(long)]
    wait: bool,
}

/// Shows a live run with all keys.
pub(super) fn attach(which: &Which) -> Result<(), Failure> {
    if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        return Err(Failure::Usage(miette::miette!(
            help = "`facetui watch --headless` prints lines",
            "`facetui attach` needs a terminal"
        )));
    }
    let found = which.find(Wanted::Live)?;
    let socket = socket(&found)?;
    let attached = client::attach(&found.folder, &socket).map_err(|error| unreachable(&found, &error))?;
    show(&found, tui::LiveRun { events: attached.events, commands: attached.commands }, Role::Attached)
}

/// Shows a run of which only the journal is read.
pub(super) fn watch(request: &WatchRequest) -> Result<(), Failure> {
    let found = request.which.find(Wanted::Any)?;
    let events = follow::follow(&found.folder).map_err(|error| {
        Failure::Run(miette::miette!("`{}` cannot be read: {error}", journal::path(&found.folder).display()))
    })?;
    if request.headless || request.json || !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        return print(events, request.json);
    }
    let (commands, _nobody) = crossbeam_channel::unbounded();
    show(&found, tui::LiveRun { events, commands }, Role::Watching)
}

fn print(mut events: UnboundedReceiver<Arc<Record>>, json: bool) -> Result<(), Failure> {
    let mut printer = Headless::going_on(std::io::stdout(), json, RunState::default());
    while let Some(record) = events.blocking_recv() {
        printer.take(&record);
    }
    let state = printer.into_state();
    if !state.is_ended() {
        return Err(Failure::Run(miette::miette!(
            help = "its files of the last epoch are whole; start the schedule again to go on",
            "the process that trained ended without a last word"
        )));
    }
    if !json {
        say(&summary::text(&state));
    }
    ended(&state)
}

fn show(found: &Found, live: tui::LiveRun, role: Role) -> Result<(), Failure> {
    let runs = found.folder.parent().unwrap_or_else(|| Path::new("runs"));
    let journal = Some(journal::path(&found.folder));
    let options = tui::TuiOptions {
        role,
        journal,
        state_file: train::state_file(),
        settings: train::settings()?,
        ..tui::TuiOptions::default()
    };
    let left = tui::run(Some(live), Box::new(RunFolders::new(runs)), options)
        .map_err(|error| Failure::Run(miette::Report::new(error)))?;
    let state = left.state.unwrap_or_default();
    if let Some(then) = left.then {
        return next(then, runs);
    }
    if state.is_ended() {
        say(&summary::text(&state));
        return ended(&state);
    }
    let verb = if role == Role::Attached { "attach" } else { "watch" };
    say(&format!(
        "{id} goes on, {done} of {planned} epochs done; `facetui {verb} {id}` shows it again\n",
        id = found.id,
        done = state.done_epochs(),
        planned = state.planned_epochs()
    ));
    left.signal.map_or(Ok(()), |signal| Err(Failure::Told(128 + signal as u8)))
}

/// What a user wanted of the history's list.
pub(super) fn next(then: tui::Next, runs: &Path) -> Result<(), Failure> {
    match then {
        tui::Next::Train(again) => again::again(again),
        tui::Next::Attach(folder) => attach(&Which::at(&folder, runs)),
    }
}

/// The exit code of a run that ended.
fn ended(state: &RunState) -> Result<(), Failure> {
    match state.phase {
        Phase::Ended(Outcome::Failed { .. }) => Err(Failure::Told(1)),
        _ => Ok(()),
    }
}

/// Where a live run listens.
fn socket(found: &Found) -> Result<PathBuf, Failure> {
    let owner = found.owner();
    if let Some(socket) = owner.and_then(|owner| owner.socket.clone()) {
        return Ok(socket);
    }
    Err(Failure::Run(miette::miette!(
        help =
            format!("`facetui watch {0}` shows it; its log says why, `facetui watch {0} --headless | head`", found.id),
        "`{}` goes on but listens to nobody",
        found.id
    )))
}

fn unreachable(found: &Found, error: &ClientError) -> Failure {
    let help = match (error, found.owner()) {
        (ClientError::Nobody { .. }, Some(owner)) if !owner.is_here() => {
            format!("it runs on `{}`: log in there; or `facetui watch {}`", owner.host, found.id)
        }
        (ClientError::Nobody { .. }, Some(owner)) => format!(
            "`facetui watch {}` shows it, `kill {}` stops it after the epoch if it still runs",
            found.id, owner.pid
        ),
        _ => format!("`facetui watch {}` needs its journal only", found.id),
    };
    Failure::Run(miette::miette!(help = help, "`{}` cannot be reached: {error}", found.id))
}

/// Asks a run to stop and says what came of it.
pub(super) fn stop(request: &StopRequest) -> Result<(), Failure> {
    let found = request.which.find(Wanted::Live)?;
    let mut connection = Connection::open(&socket(&found)?).map_err(|error| unreachable(&found, &error))?;
    let kind = if request.now { StopKind::Now } else { StopKind::AfterEpoch };
    let broken = |error: std::io::Error| Failure::Run(miette::miette!("`{}` does not answer: {error}", found.id));
    connection.patience(Some(ANSWER)).map_err(broken)?;
    let mut state = RunState::default();
    let mut asked = false;
    let mut told = false;
    let since = Instant::now();
    while !state.is_ended() {
        let answered = asked && (state.stop == Some(kind) || state.stop == Some(StopKind::Now));
        if answered && !told {
            told = true;
            let when = match state.stop {
                Some(StopKind::Now) => "now",
                _ => "after its epoch",
            };
            let epoch = state.current.as_ref().map_or_else(String::new, |now| format!(", in epoch {}", now.epoch));
            say(&format!("{} stops {when}{epoch}\n", found.id));
            if !request.wait {
                return Ok(());
            }
            connection.patience(None).map_err(broken)?;
        }
        if asked && !told && since.elapsed() > ANSWER {
            return Err(broken(std::io::ErrorKind::TimedOut.into()));
        }
        match connection.hear().map_err(broken)? {
            Some(ToClient::Record(record)) => state.apply(&record),
            Some(ToClient::Live) if !asked => {
                asked = true;
                connection.send(Command::Stop(kind)).map_err(broken)?;
            }
            Some(ToClient::Refused(reason)) => return Err(unreachable(&found, &ClientError::Refused(reason))),
            Some(_) => {}
            None => break,
        }
    }
    if !state.is_ended() {
        return Err(Failure::Run(miette::miette!("`{}` ended without a last word", found.id)));
    }
    say(&summary::text(&state));
    Ok(())
}
