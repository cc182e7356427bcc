//! The loop of a run without a screen: prints its lines, and listens to signals ([`super::signals`]). SIGHUP, or a terminal
//! that went away, ends nothing: what would have been printed there goes to the run's `output.log`.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Sender;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep_until};

use super::failure::Failure;
use super::output::say;
use super::output_log::{LOG_FILE, redirect_to};
use super::signals::StopSignals;
use crate::disk_watch;
use crate::event::{Command, Event, Level, Record};
use crate::report::headless::Headless;
use crate::report::summary;
use crate::run::launch::{LaunchedRun, RunThreads};
use crate::run::log::RunLog;
use crate::run::state::RunState;

/// SIGHUP's number: the terminal went away.
const HANG_UP: i32 = SignalKind::hangup().as_raw_value();

/// A run without a screen.
pub(super) struct HeadlessLoop {
    pub(super) commands: Sender<Command>,
    pub(super) folder: PathBuf,
    log: RunLog,
    /// How its name is written in messages.
    id: String,
    stops: StopSignals,
    /// Standard output and error, as far as they were terminals.
    terminals: [bool; 2],
}

/// How the loop, or the screen, ended.
pub(super) struct Ended {
    /// The run's state, ended or not.
    pub(super) state: RunState,
    /// The signal that asked for its end, if one did.
    pub(super) signal: Option<i32>,
    /// What the user wants to do next.
    pub(super) then: Option<crate::tui::Next>,
}

impl HeadlessLoop {
    /// Separates a launched run into its loop, its events and its threads. `grace` is what `--grace` says.
    pub(super) fn of(
        launched: LaunchedRun,
        grace: Option<Duration>,
    ) -> (Self, UnboundedReceiver<Arc<Record>>, RunThreads) {
        let (log, id, folder) = (launched.log.clone(), launched.id.clone(), launched.folder.clone());
        let (events, commands, threads) = launched.split();
        let terminals = [std::io::stdout().is_terminal(), std::io::stderr().is_terminal()];
        let stops = StopSignals::new(commands.clone(), log.clone(), grace);
        (Self { commands, folder, log, id, stops, terminals }, events, threads)
    }

    /// Prints a run's events until the last one, or until it is left. `state` is what was shown of it before, `signal` what
    /// ended that.
    pub(super) fn run(
        mut self,
        events: UnboundedReceiver<Arc<Record>>,
        json: bool,
        state: RunState,
        signal: Option<i32>,
    ) -> Result<Ended, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::Run(miette::miette!("no runtime can be started: {error}")))?;
        let mut printer = Headless::resumed(std::io::stdout(), json, state);
        if let Some(signal) = signal {
            self.on_signal(signal);
        }
        runtime.block_on(self.listen(events, &mut printer))?;
        let state = printer.into_state();
        if !json {
            say(&summary::text(&state));
        }
        Ok(Ended { state, signal: self.stops.first(), then: None })
    }

    async fn listen(
        &mut self,
        mut events: UnboundedReceiver<Arc<Record>>,
        printer: &mut Headless<std::io::Stdout>,
    ) -> Result<(), Failure> {
        let listen =
            |kind| signal(kind).map_err(|error| Failure::Run(miette::miette!("signals cannot be received: {error}")));
        let mut interrupt = listen(SignalKind::interrupt())?;
        let mut terminate = listen(SignalKind::terminate())?;
        let mut hang_up = listen(SignalKind::hangup())?;
        // The moment after which a run that has ended is not waited for: its disk does not answer.
        let mut latest = None;
        loop {
            let deadline = self.stops.deadline();
            let received = tokio::select! {
                biased;
                _ = interrupt.recv() => SignalKind::interrupt(),
                _ = terminate.recv() => SignalKind::terminate(),
                _ = hang_up.recv() => SignalKind::hangup(),
                () = until(deadline) => {
                    self.stops.on_deadline();
                    continue;
                }
                record = events.recv() => match record {
                    Some(record) => {
                        printer.take(&record);
                        if matches!(record.event, Event::Finished { .. }) {
                            latest = Instant::now().checked_add(2 * disk_watch::silence_limit());
                        }
                        continue;
                    }
                    None => return Ok(()),
                },
                () = until(latest) => return Ok(()),
            };
            if self.on_signal(received.as_raw_value()) {
                return Ok(());
            }
        }
    }

    /// Does what a signal asks for; returns whether to leave.
    fn on_signal(&mut self, signal: i32) -> bool {
        if signal == HANG_UP {
            self.leave_terminal();
            return false;
        }
        self.stops.on_signal(signal)
    }

    /// Continues without the terminal.
    fn leave_terminal(&mut self) {
        let moved = redirect_to(&self.folder.join(LOG_FILE), std::mem::take(&mut self.terminals));
        let message = match moved {
            Ok(()) => format!("the terminal is gone; training continues, `facetui attach {}` shows it", self.id),
            Err(error) => {
                format!("the terminal is gone, and `{LOG_FILE}` cannot be written: {error}; training continues")
            }
        };
        self.log.add(Level::Warning, message);
    }
}

/// Waits for a moment, when there is one.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
