//! Trains a schedule under the terminal front end, or with lines where there is no terminal.

use std::io::IsTerminal as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::SignalKind;
use tokio::sync::mpsc::UnboundedReceiver;

use super::check::{paths, warn};
use super::exit_code::ExitCode;
use super::failure::Failure;
use super::follow_up::FollowUp;
use super::headless_loop::{Ended, HeadlessLoop};
use super::output::{say, say_error};
use super::output_log::LOG_FILE;
use super::resume::{self, OnUnfinished};
use super::screen::{settings, state_file};
use super::{detach, overrides};
use crate::crash;
use crate::event::{Level, Record};
use crate::report::summary;
use crate::run::history::HistoryIndex;
use crate::run::journal;
use crate::run::launch::{self, LaunchOptions};
use crate::run::lock::checkpoint::CheckpointLock;
use crate::run::state::RunState;
use crate::schedule::{self, Loaded};
use crate::tui::{self, Retrain};

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
    pub unfinished: OnUnfinished,
    /// As a process of its own.
    pub detach: bool,
    /// How long a signal leaves for the epoch.
    pub grace: Option<Duration>,
    /// How long a run that has ended keeps trying to write what a disk does not take.
    pub keep_trying: Option<Duration>,
}

/// Trains the schedule of a file.
pub(super) fn train(request: &Request) -> Result<Option<FollowUp>, Failure> {
    let loaded = schedule::load(&request.schedule, &request.overrides).map_err(|error| Failure::Usage(error.into()))?;
    let text = fs_err::read_to_string(&request.schedule).unwrap_or_default();
    start(loaded, &text, request)
}

/// Trains a checked schedule whose text is `text`.
pub(super) fn start(loaded: Loaded, text: &str, request: &Request) -> Result<Option<FollowUp>, Failure> {
    let detached = request.detach && detach::is_child();
    if !detached {
        warn(&loaded);
    }
    paths(&loaded)?;
    if detached {
        detach::leave_session();
    } else if request.detach {
        return detach::start().map(|()| None);
    }
    let (runs, name) = (loaded.schedule.runs.clone(), loaded.schedule.name.clone());
    let failed = |error: launch::LaunchError| Failure::Run(error.into());
    let terminal = std::io::stdout().is_terminal() && std::io::stdin().is_terminal();
    let lines = request.headless || detached || !terminal;
    // Before anything is begun: a run whose front end cannot be opened is not trained unseen.
    let settings = if lines { tui::Settings::default() } else { settings()? };
    let checkpoints = CheckpointLock::take(&loaded.schedule).map_err(failed)?;
    let options = resume::plan(&loaded.schedule, request.unfinished)?;
    let options = LaunchOptions { keep_trying: request.keep_trying, ..options };
    let launched = launch::launch(loaded.schedule, text, checkpoints, options).map_err(failed)?;
    crash::install_hook(&launched.folder);
    if let Some(message) = overrides::save(&launched.folder, &name, &request.overrides) {
        launched.log.add(Level::Warning, message);
    }
    if detached {
        detach::report(&launched.id, &launched.folder)?;
    }
    let earlier = launched.earlier;
    let (headless, mut events, threads) = HeadlessLoop::of(launched, request.grace);
    let mut threads = Some(threads);
    let ended = if lines {
        // What an earlier part of the run printed is not printed again.
        let mut state = RunState::default();
        for _ in 0..earlier {
            if let Ok(record) = events.try_recv() {
                state.apply(&record);
            }
        }
        headless.run(events, request.json, state, None)?
    } else {
        on_screen(headless, events, runs.clone(), settings, &mut threads)?
    };
    if (ended.state.is_ended() || crash::happened().is_some())
        && let Some(threads) = threads.take()
    {
        threads.join();
        if ended.then.is_some() && crash::happened().is_none() {
            return Ok(FollowUp::of(ended.then, &runs));
        }
    }
    if let Some(report) = crash::report() {
        say_error(&format!("the panic is described in `{}`", report.display()));
    }
    Failure::told(ExitCode::of_run(&ended.state, ended.signal)).map(|()| None)
}

/// Trains the schedule of a past run as it was trained.
pub(super) fn retrain(again: Retrain) -> Result<Option<FollowUp>, Failure> {
    let Retrain { schedule, name, fresh } = again;
    let overrides = overrides::read(schedule.parent().unwrap_or(Path::new("")))?
        .unwrap_or_else(|| vec![format!("name={}", serde_json::Value::from(name))]);
    train(&Request {
        schedule,
        overrides,
        headless: false,
        json: false,
        unfinished: if fresh { OnUnfinished::StartOver } else { OnUnfinished::Ask },
        detach: false,
        grace: None,
        keep_trying: None,
    })
}

/// Waits for the end of a run whose screen panicked: the engine was told.
fn end_without_screen(folder: &Path, threads: &mut Option<launch::RunThreads>) -> Ended {
    say_error("the screen failed: the run stops, with its state saved");
    if let Some(threads) = threads.take() {
        threads.join();
    }
    let records = journal::read(&journal::path(folder), true).unwrap_or_default();
    let state = RunState::replay(&records);
    say(&summary::text(&state));
    Ended { state, signal: None, then: None }
}

/// Shows the run, and continues without a screen when the screen ends before the run does.
fn on_screen(
    headless: HeadlessLoop,
    events: UnboundedReceiver<Arc<Record>>,
    runs: PathBuf,
    settings: tui::Settings,
    threads: &mut Option<launch::RunThreads>,
) -> Result<Ended, Failure> {
    let options = tui::TuiOptions {
        log_file: Some(headless.folder.join(LOG_FILE)),
        journal: Some(journal::path(&headless.folder)),
        state_file: state_file(),
        settings,
        ..tui::TuiOptions::default()
    };
    let live = tui::LiveRun { events, commands: headless.commands.clone() };
    let shown = catch_unwind(AssertUnwindSafe(|| tui::run(Some(live), Box::new(HistoryIndex::new(runs)), options)));
    let Ok(shown) = shown else { return Ok(end_without_screen(&headless.folder, threads)) };
    let left = shown.map_err(|error| Failure::Run(miette::Report::new(error)))?;
    let state = left.state.unwrap_or_default();
    let signal = left.signal.or(left.gone.map(|_| SignalKind::hangup().as_raw_value()));
    match (left.live, signal) {
        (Some(live), Some(signal)) if !state.is_ended() => headless.run(live.events, false, state, Some(signal)),
        _ => {
            say(&summary::text(&state));
            Ok(Ended { state, signal: None, then: left.then })
        }
    }
}
