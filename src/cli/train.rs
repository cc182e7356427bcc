//! Trains a schedule under the terminal front end, or with lines where there is no terminal.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use crossbeam_channel::Sender;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::UnboundedReceiver;

use super::{Failure, paths, resume, say, warn};
use crate::event::{Command, Outcome, Record, StopKind};
use crate::report::headless::Headless;
use crate::report::summary;
use crate::run::history::RunFolders;
use crate::run::launch::{self, Launched};
use crate::run::state::{Phase, RunState};
use crate::schedule::{self, Loaded};
use crate::tui;

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
}

/// Trains the schedule of a file.
pub(super) fn train(request: &Request) -> Result<(), Failure> {
    let loaded = schedule::load(&request.schedule, &request.overrides).map_err(|error| Failure::Usage(error.into()))?;
    let text = fs_err::read_to_string(&request.schedule).unwrap_or_default();
    start(loaded, &text, request)
}

/// Trains a checked schedule whose text is `text`.
pub(super) fn start(loaded: Loaded, text: &str, request: &Request) -> Result<(), Failure> {
    warn(&loaded);
    paths(&loaded)?;
    let runs = loaded.schedule.runs.clone();
    let plan = resume::plan(&loaded.schedule, request)?;
    let launched = launch::launch(loaded.schedule, text, plan).map_err(|error| {
        Failure::Run(miette::miette!(
            help = "make it writable, or choose another with `runs:` in the schedule or `--set runs=DIR`",
            "the run's folder cannot be made: {error}"
        ))
    })?;
    let state = if request.headless || !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        headless(launched, request.json)?
    } else {
        on_screen(launched, runs)?
    };
    match &state.phase {
        Phase::Ended(Outcome::Completed | Outcome::Stopped) => Ok(()),
        Phase::Ended(Outcome::Failed { .. }) => Err(Failure::Told(1)),
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
    tui::run(None, Box::new(RunFolders::new(runs)), tui::TuiOptions::default())
        .map(|_| ())
        .map_err(|error| Failure::Run(miette::Report::new(error)))
}

fn on_screen(launched: Launched, runs: PathBuf) -> Result<RunState, Failure> {
    let options = tui::TuiOptions { log_file: Some(launched.folder.join("output.log")), ..tui::TuiOptions::default() };
    let (events, commands, threads) = launched.split();
    let live = tui::LiveRun { events, commands };
    let left = tui::run(Some(live), Box::new(RunFolders::new(runs)), options)
        .map_err(|error| Failure::Run(miette::Report::new(error)))?;
    let state = left.state.unwrap_or_default();
    if state.is_ended() {
        threads.join();
    }
    say(&summary::text(&state));
    Ok(state)
}

fn headless(launched: Launched, json: bool) -> Result<RunState, Failure> {
    let earlier = launched.earlier;
    let (events, commands, threads) = launched.split();
    // The engine's panics come as events; the default hook would print them between the lines.
    quiet_engine_panics();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Run(miette::miette!("no runtime can be started: {error}")))?;
    let mut printer = Headless::new(std::io::stdout(), json, earlier);
    runtime.block_on(listen(events, &commands, &mut printer))?;
    let state = printer.into_state();
    if state.is_ended() {
        threads.join();
    }
    if !json {
        say(&summary::text(&state));
    }
    Ok(state)
}

/// Prints events until the last one. The first interrupt stops after the epoch, the second now, the third leaves.
async fn listen(
    mut events: UnboundedReceiver<std::sync::Arc<Record>>,
    commands: &Sender<Command>,
    printer: &mut Headless<std::io::Stdout>,
) -> Result<(), Failure> {
    let listen = |kind| signal(kind).map_err(|error| Failure::Run(miette::miette!("no signal can be heard: {error}")));
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupts = 0;
    loop {
        let stop = tokio::select! {
            biased;
            _ = interrupt.recv() => {
                interrupts += 1;
                match interrupts {
                    1 => StopKind::AfterEpoch,
                    2 => StopKind::Now,
                    _ => return Ok(()),
                }
            }
            _ = terminate.recv() => StopKind::Now,
            record = events.recv() => match record {
                Some(record) => {
                    printer.take(&record);
                    continue;
                }
                None => return Ok(()),
            },
        };
        // An engine that has just ended hears nothing, and needs not.
        let _ = commands.send(Command::Stop(stop));
    }
}

fn quiet_engine_panics() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().name() != Some("engine") {
            print(panic);
        }
    }));
}
