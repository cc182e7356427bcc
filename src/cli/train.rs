//! Trains a schedule under the terminal front end, or with lines where there is no terminal.

use std::io::{IsTerminal as _, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::SignalKind;
use tokio::sync::mpsc::UnboundedReceiver;

use super::keeper::{Keeper, Kept, LOG_FILE};
use super::{Failure, again, attach, detach, paths, resume, say, warn};
use crate::crash;
use crate::event::{Level, Outcome, Record};
use crate::report::summary;
use crate::run::history::RunFolders;
use crate::run::journal;
use crate::run::launch;
use crate::run::state::{Phase, RunState};
use crate::schedule::{self, Loaded};
use crate::tui;

/// The exit code of a run whose last files could not be written.
const UNSAVED: u8 = 3;

/// A run that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The schedule file.
    pub schedule: PathBuf,
    /// Values put over it.
    pub overrides: Vec<String>,
    /// Lines instead of a screen.
    pub headless: bool,
    /// JSON lines.
    pub json: bool,
    /// What becomes of an unfinished run.
    pub unfinished: resume::Wish,
    /// As a process of its own.
    pub detach: bool,
    /// How long a signal leaves for the epoch.
    pub grace: Option<Duration>,
    /// How long a run that has ended tries to write what a disk does not take.
    pub patience: Option<Duration>,
}

/// Trains the schedule of a file.
pub(super) fn train(request: &Request) -> Result<(), Failure> {
    let loaded = schedule::load(&request.schedule, &request.overrides).map_err(|error| Failure::Usage(error.into()))?;
    let text = fs_err::read_to_string(&request.schedule).unwrap_or_default();
    start(loaded, &text, request)
}

/// Trains a checked schedule whose text is `text`.
pub(super) fn start(loaded: Loaded, text: &str, request: &Request) -> Result<(), Failure> {
    let detached = request.detach && detach::is_child();
    if !detached {
        warn(&loaded);
    }
    paths(&loaded)?;
    if detached {
        detach::leave_session();
    } else if request.detach {
        return detach::start();
    }
    let (runs, name) = (loaded.schedule.runs.clone(), loaded.schedule.name.clone());
    let failed = |error: launch::LaunchError| Failure::Run(error.into());
    let terminal = std::io::stdout().is_terminal() && std::io::stdin().is_terminal();
    let lines = request.headless || detached || !terminal;
    // Before anything is begun: settings that are wrong are no reason to train unseen.
    let settings = if lines { tui::Settings::default() } else { settings()? };
    let claim = launch::claim(&loaded.schedule).map_err(failed)?;
    let plan = resume::plan(&loaded.schedule, request)?;
    let plan = launch::Plan { patience: request.patience, ..plan };
    let launched = launch::launch(loaded.schedule, text, claim, plan).map_err(failed)?;
    crash::watch(&launched.folder);
    if let Some(told) = again::keep(&launched.folder, &name, &request.overrides) {
        launched.notes.say(Level::Warning, told);
    }
    if detached {
        detach::report(&launched.id, &launched.folder)?;
    }
    let earlier = launched.earlier;
    let (keeper, mut events, threads) = Keeper::of(launched, request.grace);
    let mut threads = Some(threads);
    let kept = if lines {
        // What an earlier part of the run printed is not printed again.
        let mut state = RunState::default();
        for _ in 0..earlier {
            if let Ok(record) = events.try_recv() {
                state.apply(&record);
            }
        }
        keeper.keep(events, request.json, state, None)?
    } else {
        on_screen(keeper, events, runs.clone(), settings, &mut threads)?
    };
    if (kept.state.is_ended() || crash::happened().is_some())
        && let Some(threads) = threads.take()
    {
        threads.join();
        if let Some(then) = kept.then
            && crash::happened().is_none()
        {
            return attach::next(then, &runs);
        }
    }
    if let Some(report) = crash::report() {
        say_error(&format!("what panicked is in `{}`", report.display()));
    }
    match (&kept.state.phase, kept.signal) {
        (Phase::Ended(_), _) if kept.state.has_unsaved_files() => Err(Failure::Told(UNSAVED)),
        (Phase::Ended(Outcome::Stopped), Some(signal)) => Err(Failure::Told(128 + signal as u8)),
        (Phase::Ended(Outcome::Completed | Outcome::Stopped), _) => Ok(()),
        (Phase::Ended(Outcome::Failed { .. }), _) => Err(Failure::Told(1)),
        _ => Err(Failure::Told(130)),
    }
}

/// Opens the history without a run.
pub(super) fn history(runs: &Path) -> Result<(), Failure> {
    if !std::io::stdout().is_terminal() {
        return Err(Failure::Usage(miette::miette!(
            help = "give a schedule to train, or see `facetui --help`",
            "the history needs a terminal"
        )));
    }
    loop {
        let options = tui::TuiOptions { settings: settings()?, state_file: state_file(), ..tui::TuiOptions::default() };
        let left = tui::run(None, Box::new(RunFolders::new(runs)), options)
            .map_err(|error| Failure::Run(miette::Report::new(error)))?;
        match left.then {
            // Back to the list afterwards, where the run was chosen.
            Some(tui::Next::Attach(folder)) => attach::attach(&attach::Which::at(&folder, runs))?,
            then => return then.map_or(Ok(()), |then| attach::next(then, runs)),
        }
    }
}

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

/// Waits for the end of a run whose screen panicked: the engine was told.
fn unseen_end(folder: &Path, threads: &mut Option<launch::Threads>) -> Kept {
    say_error("the screen failed: the run ends, with its state saved");
    if let Some(threads) = threads.take() {
        threads.join();
    }
    let records = journal::read(&journal::path(folder), true).unwrap_or_default();
    let state = RunState::replay(&records);
    say(&summary::text(&state));
    Kept { state, signal: None, then: None }
}

/// Says something where libraries print.
fn say_error(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Shows the run, and goes on without a screen where that ends before the run does.
fn on_screen(
    keeper: Keeper,
    events: UnboundedReceiver<Arc<Record>>,
    runs: PathBuf,
    settings: tui::Settings,
    threads: &mut Option<launch::Threads>,
) -> Result<Kept, Failure> {
    let options = tui::TuiOptions {
        log_file: Some(keeper.folder.join(LOG_FILE)),
        journal: Some(journal::path(&keeper.folder)),
        state_file: state_file(),
        settings,
        ..tui::TuiOptions::default()
    };
    let live = tui::LiveRun { events, commands: keeper.commands.clone() };
    let shown = catch_unwind(AssertUnwindSafe(|| tui::run(Some(live), Box::new(RunFolders::new(runs)), options)));
    let Ok(shown) = shown else { return Ok(unseen_end(&keeper.folder, threads)) };
    let left = shown.map_err(|error| Failure::Run(miette::Report::new(error)))?;
    let state = left.state.unwrap_or_default();
    let signal = left.signal.or(left.gone.map(|_| SignalKind::hangup().as_raw_value()));
    match (left.live, signal) {
        (Some(live), Some(signal)) if !state.is_ended() => keeper.keep(live.events, false, state, Some(signal)),
        _ => {
            say(&summary::text(&state));
            Ok(Kept { state, signal: None, then: left.then })
        }
    }
}
