//! Keeps a run going without a screen: prints its lines, and turns signals into stops.
//!
//! SIGTERM and SIGINT ask for the end after the epoch, with a deadline; a second one, or the deadline, asks for the end
//! now, with the state saved; a third SIGINT leaves. SIGHUP, or a terminal that went away, ends nothing: what would have
//! been printed there goes to the run folder's `output.log`.

use std::io::{IsTerminal as _, PipeWriter};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crossbeam_channel::Sender;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep_until};

use super::{Failure, say};
use crate::event::{Command, Event, Level, Record, StopKind};
use crate::report::headless::Headless;
use crate::report::summary;
use crate::run::launch::{Launched, Notes, Threads};
use crate::run::state::RunState;
use crate::stall;

/// What libraries print, and what a run without a terminal prints, in its folder.
pub(super) const LOG_FILE: &str = "output.log";

/// Seconds that SIGTERM leaves for the epoch, unless told: Slurm and Kubernetes kill after 30.
const GRACE: Duration = Duration::from_secs(20);

/// SIGHUP's number: the terminal went away.
const HANG_UP: i32 = SignalKind::hangup().as_raw_value();
/// SIGINT's.
const INTERRUPT: i32 = SignalKind::interrupt().as_raw_value();

/// A run without a screen.
pub(super) struct Keeper {
    pub(super) commands: Sender<Command>,
    pub(super) notes: Notes,
    /// How its name is written in messages.
    pub(super) id: String,
    pub(super) folder: PathBuf,
    /// What `--grace` says.
    pub(super) grace: Option<Duration>,
    /// Signals that asked for the end.
    asked: u32,
    /// When the gentle stop becomes one at once.
    deadline: Option<Instant>,
    /// Whether a deadline has passed.
    over: bool,
    /// The signal that asked first.
    signal: Option<i32>,
    /// Standard output and error, as far as they were terminals.
    terminals: [bool; 2],
}

/// How a run was kept.
pub(super) struct Kept {
    /// Its state, ended or not.
    pub(super) state: RunState,
    /// The signal that asked for its end, if one did.
    pub(super) signal: Option<i32>,
    /// What the user wants after it.
    pub(super) then: Option<crate::tui::Next>,
}

impl Keeper {
    /// Separates a launched run into what keeps it, its events and its threads.
    pub(super) fn of(launched: Launched, grace: Option<Duration>) -> (Self, UnboundedReceiver<Arc<Record>>, Threads) {
        let (notes, id, folder) = (launched.notes.clone(), launched.id.clone(), launched.folder.clone());
        let (events, commands, threads) = launched.split();
        let terminals = [std::io::stdout().is_terminal(), std::io::stderr().is_terminal()];
        let keeper =
            Self { commands, notes, id, folder, grace, asked: 0, deadline: None, over: false, signal: None, terminals };
        (keeper, events, threads)
    }

    /// Prints a run's events until the last one, or until it is left. `state` is what was shown of it before, `signal` what
    /// ended that.
    pub(super) fn keep(
        mut self,
        events: UnboundedReceiver<Arc<Record>>,
        json: bool,
        state: RunState,
        signal: Option<i32>,
    ) -> Result<Kept, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::Run(miette::miette!("no runtime can be started: {error}")))?;
        let mut printer = Headless::going_on(std::io::stdout(), json, state);
        if let Some(signal) = signal {
            self.hear(signal);
        }
        runtime.block_on(self.listen(events, &mut printer))?;
        let state = printer.into_state();
        if !json {
            say(&summary::text(&state));
        }
        Ok(Kept { state, signal: self.signal, then: None })
    }

    async fn listen(
        &mut self,
        mut events: UnboundedReceiver<Arc<Record>>,
        printer: &mut Headless<std::io::Stdout>,
    ) -> Result<(), Failure> {
        let listen =
            |kind| signal(kind).map_err(|error| Failure::Run(miette::miette!("no signal can be heard: {error}")));
        let mut interrupt = listen(SignalKind::interrupt())?;
        let mut terminate = listen(SignalKind::terminate())?;
        let mut hang_up = listen(SignalKind::hangup())?;
        // The moment after which a run that has ended is not waited for: its disk does not answer.
        let mut latest = None;
        loop {
            let deadline = self.deadline;
            let heard = tokio::select! {
                biased;
                _ = interrupt.recv() => SignalKind::interrupt(),
                _ = terminate.recv() => SignalKind::terminate(),
                _ = hang_up.recv() => SignalKind::hangup(),
                () = until(deadline) => {
                    let again = std::mem::replace(&mut self.over, true);
                    self.deadline = if again { None } else { self.later() };
                    let what = if again { "the time for its files is over too" } else { "the time for the epoch is over: stopping now" };
                    self.notes.say(Level::Warning, what.to_owned());
                    // Once more, it gives up files that a disk does not take.
                    self.ask(StopKind::Now);
                    continue;
                }
                record = events.recv() => match record {
                    Some(record) => {
                        printer.take(&record);
                        if matches!(record.event, Event::Finished { .. }) {
                            latest = Instant::now().checked_add(2 * stall::silent());
                        }
                        continue;
                    }
                    None => return Ok(()),
                },
                () = until(latest) => return Ok(()),
            };
            if self.hear(heard.as_raw_value()) {
                return Ok(());
            }
        }
    }

    /// Does what a signal asks for; whether to leave.
    fn hear(&mut self, signal: i32) -> bool {
        if signal == HANG_UP {
            self.go_dark();
            return false;
        }
        self.asked += 1;
        self.signal.get_or_insert(signal);
        let name = if signal == INTERRUPT { "SIGINT" } else { "SIGTERM" };
        match self.asked {
            1 => {
                // A user at the keyboard has a second Ctrl-C; a batch system kills.
                let grace = self.grace.or((signal != INTERRUPT).then_some(GRACE));
                if grace == Some(Duration::ZERO) {
                    self.notes.say(Level::Info, format!("{name}: stopping now"));
                    self.ask(StopKind::Now);
                } else {
                    let latest = grace.map_or_else(
                        || "; once more stops now".to_owned(),
                        |grace| format!(", or now in {} s; once more stops now", grace.as_secs()),
                    );
                    self.notes.say(Level::Info, format!("{name}: stopping after this epoch{latest}"));
                    self.deadline = grace.and_then(|grace| Instant::now().checked_add(grace));
                    self.ask(StopKind::AfterEpoch);
                }
                false
            }
            3.. if signal == INTERRUPT => true,
            _ => {
                self.deadline = None;
                self.notes.say(Level::Info, format!("{name} again: stopping now"));
                self.ask(StopKind::Now);
                false
            }
        }
    }

    /// When what is asked for now must be done.
    fn later(&self) -> Option<Instant> {
        Instant::now().checked_add(self.grace.unwrap_or(GRACE))
    }

    fn ask(&self, kind: StopKind) {
        // An engine that has just ended hears nothing, and needs not.
        let _ = self.commands.send(Command::Stop(kind));
    }

    /// Goes on without the terminal.
    fn go_dark(&mut self) {
        let moved = leave_terminal(&self.folder.join(LOG_FILE), std::mem::take(&mut self.terminals));
        let message = match moved {
            Ok(()) => format!("the terminal is gone; training goes on, `facetui attach {}` shows it", self.id),
            Err(error) => {
                format!("the terminal is gone, and `{LOG_FILE}` cannot be written: {error}; training goes on")
            }
        };
        self.notes.say(Level::Warning, message);
    }
}

/// Points standard output and error, where asked, at the end of a file, and standard input at a pipe that nobody writes to: whoever
/// still reads keys sleeps there. crossterm's thread does for as long as the process lives, and at a file's end, or a terminal
/// that is gone, it would read again and again.
pub(super) fn leave_terminal(log: &Path, [out, err]: [bool; 2]) -> std::io::Result<()> {
    static NOBODY: OnceLock<PipeWriter> = OnceLock::new();
    if !out && !err {
        return Ok(());
    }
    let log = fs_err::OpenOptions::new().create(true).append(true).open(log)?;
    if out {
        rustix::stdio::dup2_stdout(log.file())?;
    }
    if err {
        rustix::stdio::dup2_stderr(log.file())?;
    }
    let (silence, end) = std::io::pipe()?;
    rustix::stdio::dup2_stdin(&silence)?;
    let _ = NOBODY.set(end);
    Ok(())
}

/// Waits for a moment, when there is one.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
