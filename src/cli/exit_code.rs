//! The exit codes of the program.
//!
//! | code | why |
//! |---|---|
//! | 0 | the run completed, or was stopped on request; the command did its work |
//! | 1 | something failed |
//! | 2 | the arguments, the schedule or the settings are wrong |
//! | 3 | the run ended, and its last files could not be written |
//! | 129, 130, 143 | SIGHUP, SIGINT or SIGTERM ended the run before its schedule was done (128 and the signal's number) |

use tokio::signal::unix::SignalKind;

use crate::event::Outcome;
use crate::run::state::{Phase, RunState};

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitCode {
    /// All is well.
    Success,
    /// Something failed.
    Failed,
    /// The arguments, the schedule or the settings are wrong.
    Usage,
    /// The last files of a run could not be written.
    Unsaved,
    /// SIGHUP ended the front end.
    HungUp,
    /// SIGINT ended the run, or its user left it while it was running.
    Interrupted,
    /// SIGTERM ended the run.
    Terminated,
    /// The code of the process that trains, passed on by `--detach`.
    OfChild(u8),
}

impl ExitCode {
    /// The number that the shell sees.
    pub const fn number(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Unsaved => 3,
            Self::HungUp => 129,
            Self::Interrupted => 130,
            Self::Terminated => 143,
            Self::OfChild(code) => code,
        }
    }

    /// That of a run that a signal ended.
    pub const fn of_signal(signal: i32) -> Self {
        if signal == SignalKind::hangup().as_raw_value() {
            Self::HungUp
        } else if signal == SignalKind::terminate().as_raw_value() {
            Self::Terminated
        } else {
            Self::Interrupted
        }
    }

    /// That of a run which this process trained; `signal` is the one that asked for its end.
    pub(super) fn of_run(state: &RunState, signal: Option<i32>) -> Self {
        match (&state.phase, signal) {
            (Phase::Ended(_), _) if state.has_unsaved_files() => Self::Unsaved,
            (Phase::Ended(Outcome::Stopped), Some(signal)) => Self::of_signal(signal),
            (Phase::Ended(Outcome::Completed | Outcome::Stopped), _) => Self::Success,
            (Phase::Ended(Outcome::Failed { .. }), _) => Self::Failed,
            _ => Self::Interrupted,
        }
    }

    /// That of showing a run to its end which another process trained.
    pub(super) const fn of_shown_run(state: &RunState) -> Self {
        if matches!(state.phase, Phase::Ended(Outcome::Failed { .. })) { Self::Failed } else { Self::Success }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Saved;
    use crate::run::state::Unsaved;

    #[test]
    fn the_numbers_stay() {
        let codes = [
            (ExitCode::Success, 0),
            (ExitCode::Failed, 1),
            (ExitCode::Usage, 2),
            (ExitCode::Unsaved, 3),
            (ExitCode::HungUp, 129),
            (ExitCode::Interrupted, 130),
            (ExitCode::Terminated, 143),
            (ExitCode::OfChild(101), 101),
        ];
        for (code, number) in codes {
            assert_eq!(code.number(), number, "{code:?}");
        }
        let signals = [(SignalKind::hangup(), 129), (SignalKind::interrupt(), 130), (SignalKind::terminate(), 143)];
        for (signal, number) in signals {
            assert_eq!(ExitCode::of_signal(signal.as_raw_value()).number(), number, "128 and the signal's number");
        }
    }

    #[test]
    fn a_run_ends_with_what_became_of_it() {
        let ended = |outcome| RunState { phase: Phase::Ended(outcome), ..RunState::default() };
        let failed = || ended(Outcome::Failed { error: "no space".into(), help: None });
        let (term, int) = (SignalKind::terminate().as_raw_value(), SignalKind::interrupt().as_raw_value());
        let cases = [
            (ended(Outcome::Completed), false, None, 0),
            (ended(Outcome::Completed), false, Some(term), 0),
            (ended(Outcome::Stopped), false, None, 0),
            (ended(Outcome::Stopped), false, Some(term), 143),
            (ended(Outcome::Stopped), false, Some(int), 130),
            (failed(), false, None, 1),
            (failed(), false, Some(term), 1),
            (failed(), true, None, 3),
            (ended(Outcome::Completed), true, None, 3),
            (ended(Outcome::Stopped), true, Some(term), 3),
            (RunState::default(), false, None, 130),
            (RunState::default(), true, None, 130),
        ];
        for (mut state, is_unsaved, signal, number) in cases {
            if is_unsaved {
                state.unsaved.push(Unsaved { of: Saved::Files, since: 1, reason: "no space".into() });
            }
            let code = ExitCode::of_run(&state, signal);
            assert_eq!(code.number(), number, "{:?}, unsaved {is_unsaved}, signal {signal:?}", state.phase);
        }
        assert_eq!(ExitCode::of_shown_run(&failed()), ExitCode::Failed);
        assert_eq!(ExitCode::of_shown_run(&ended(Outcome::Stopped)), ExitCode::Success);
    }
}
