//! Signals that stop a run without a screen. SIGTERM and SIGINT ask for the end after the epoch, with a grace period; a second
//! one, or the end of the grace period, asks for the end now, with the state saved; a third SIGINT leaves.

use std::time::Duration;

use crossbeam_channel::Sender;
use tokio::signal::unix::SignalKind;
use tokio::time::Instant;

use crate::event::{Command, Level, StopKind};
use crate::run::log::RunLog;

/// The grace period of SIGTERM unless `--grace` is given: Slurm and Kubernetes kill after 30 seconds.
const DEFAULT_GRACE: Duration = Duration::from_secs(20);

/// SIGINT's number.
const INTERRUPT: i32 = SignalKind::interrupt().as_raw_value();

/// Turns signals into stops.
pub(super) struct StopSignals {
    commands: Sender<Command>,
    log: RunLog,
    /// What `--grace` says.
    grace: Option<Duration>,
    /// Signals that asked for the end.
    count: u32,
    /// When the stop after the epoch becomes one now.
    deadline: Option<Instant>,
    /// Whether a deadline has passed.
    is_overdue: bool,
    /// The signal that asked first.
    first: Option<i32>,
}

impl StopSignals {
    /// Sends stops to `commands`, and says so in the run's log.
    pub(super) const fn new(commands: Sender<Command>, log: RunLog, grace: Option<Duration>) -> Self {
        Self { commands, log, grace, count: 0, deadline: None, is_overdue: false, first: None }
    }

    /// The signal that asked first, if one did.
    pub(super) const fn first(&self) -> Option<i32> {
        self.first
    }

    /// When [`Self::on_deadline`] is to be called.
    pub(super) const fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Asks for the end that a signal means; returns whether to leave at once.
    pub(super) fn on_signal(&mut self, signal: i32) -> bool {
        self.count += 1;
        self.first.get_or_insert(signal);
        let name = if signal == INTERRUPT { "SIGINT" } else { "SIGTERM" };
        match self.count {
            1 => {
                // A user at the keyboard has a second Ctrl-C; a batch system kills.
                let grace = self.grace.or((signal != INTERRUPT).then_some(DEFAULT_GRACE));
                if grace == Some(Duration::ZERO) {
                    self.log.add(Level::Info, format!("{name}: stopping now"));
                    self.ask(StopKind::Now);
                } else {
                    let latest = grace.map_or_else(
                        || "; a second signal stops now".to_owned(),
                        |grace| format!(", or now in {} s; a second signal stops now", grace.as_secs()),
                    );
                    self.log.add(Level::Info, format!("{name}: stopping after this epoch{latest}"));
                    self.deadline = grace.and_then(|grace| Instant::now().checked_add(grace));
                    self.ask(StopKind::AfterEpoch);
                }
                false
            }
            3.. if signal == INTERRUPT => true,
            _ => {
                self.deadline = None;
                self.log.add(Level::Info, format!("{name} again: stopping now"));
                self.ask(StopKind::Now);
                false
            }
        }
    }

    /// The grace period is over: asks for the end now. After another one, the files that a disk does not take are given up.
    pub(super) fn on_deadline(&mut self) {
        let was_overdue = std::mem::replace(&mut self.is_overdue, true);
        self.deadline =
            if was_overdue { None } else { Instant::now().checked_add(self.grace.unwrap_or(DEFAULT_GRACE)) };
        let message = if was_overdue {
            "the grace period for writing files is over"
        } else {
            "the grace period of the epoch is over: stopping now"
        };
        self.log.add(Level::Warning, message.to_owned());
        self.ask(StopKind::Now);
    }

    fn ask(&self, kind: StopKind) {
        // An engine that has just ended receives nothing, and needs not.
        let _ = self.commands.send(Command::Stop(kind));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMINATE: i32 = SignalKind::terminate().as_raw_value();

    #[test]
    fn a_second_signal_or_the_end_of_the_grace_period_stops_now() {
        let (after_epoch, now) = (Command::Stop(StopKind::AfterEpoch), Command::Stop(StopKind::Now));
        let signals = |grace| {
            let (commands, asked) = crossbeam_channel::unbounded();
            let (log, lines) = RunLog::channel();
            (StopSignals::new(commands, log, grace), asked, lines)
        };
        let (mut term, asked, _lines) = signals(None);
        assert!(!term.on_signal(TERMINATE) && term.deadline().is_some(), "it has a grace period");
        term.on_deadline();
        assert!(term.deadline().is_some(), "and another one for the files");
        term.on_deadline();
        assert_eq!((asked.try_iter().collect::<Vec<_>>(), term.deadline()), (vec![after_epoch, now, now], None));

        let (mut int, asked, _lines) = signals(None);
        assert!(!int.on_signal(INTERRUPT) && int.deadline().is_none(), "a user has time");
        assert!(!int.on_signal(INTERRUPT) && int.on_signal(INTERRUPT), "the third one leaves");
        assert_eq!((asked.try_iter().collect::<Vec<_>>(), int.first()), (vec![after_epoch, now], Some(INTERRUPT)));

        let (mut none, asked, _lines) = signals(Some(Duration::ZERO));
        assert!(!none.on_signal(TERMINATE));
        assert_eq!(asked.try_iter().collect::<Vec<_>>(), [now]);
    }
}
