//! What a run's events give reason to worry about, each in a plain sentence with what to do: the lints.
//!
//! [`Watch`] is a part of the folded state, so that a live screen, an attached one, the history and the headless lines
//! all say the same. A lint is a pure function of what has been folded so far (see `lints`); a worry that is over stays in the
//! list, marked so, and one that comes back is not told twice.

mod lints;
mod track;

#[cfg(test)]
mod tests;

use crate::event::{Event, Record};

use super::state::RunState;
use lints::Found;
use track::Track;

/// What kind of trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A loss or an accuracy is no number.
    NotFinite,
    /// The loss grows.
    Diverging,
    /// A bin is told apart worse than before.
    AccuracyDrop,
    /// A disk that the next checkpoint hardly fits on.
    Disk,
    /// The images come too slowly.
    Starvation,
    /// The GPU waits.
    IdleGpu,
    /// A bin's threshold wanders.
    ThresholdDrift,
    /// Nothing gets better.
    Plateau,
}

impl Kind {
    /// The kind in two words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotFinite => "not a number",
            Self::Diverging => "diverging loss",
            Self::AccuracyDrop => "accuracy drop",
            Self::Disk => "disk nearly full",
            Self::Starvation => "slow data",
            Self::IdleGpu => "idle GPU",
            Self::ThresholdDrift => "threshold drift",
            Self::Plateau => "plateau",
        }
    }
}

/// What a lint says.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What it is about, where there are several: a bin.
    pub about: Option<String>,
    /// What is the matter, a sentence without its full stop.
    pub sentence: String,
    /// What to do about it, likewise.
    pub advice: &'static str,
}

/// A worry.
#[derive(Debug, Clone, PartialEq)]
pub struct Warning {
    /// What kind.
    pub kind: Kind,
    /// What it says, in its newest words.
    pub finding: Finding,
    /// When it was raised last, in seconds since the Unix epoch.
    pub at: f64,
    /// The number of the epoch that it was raised in, as the reference prints it.
    pub epoch: Option<u32>,
    /// How often it was raised.
    pub times: u32,
    /// Whether it still holds.
    pub active: bool,
}

/// The lints at work.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Watch {
    /// Every worry there has been, in the order they were raised first.
    warnings: Vec<Warning>,
    track: Track,
}

impl Watch {
    /// Every worry there has been, in the order they were raised first.
    pub const fn warnings(&self) -> &[Warning] {
        self.warnings.as_slice()
    }

    /// Those that still hold.
    pub fn active(&self) -> impl Iterator<Item = &Warning> {
        self.warnings.iter().filter(|warning| warning.active)
    }

    /// Looks at a run into which `record` has been folded.
    pub fn hear(&mut self, state: &RunState, record: &Record) {
        self.track.hear(state, record);
        match &record.event {
            // What comes is another run, and what ended needs no advice.
            Event::BranchStarted { .. } | Event::Finished { .. } => {
                for warning in &mut self.warnings {
                    // What ended the run stays true of it.
                    warning.active &= warning.kind == Kind::NotFinite && matches!(record.event, Event::Finished { .. });
                }
            }
            event => {
                for lint in lints::ALL.iter().filter(|lint| (lint.when)(event)) {
                    self.settle(lint.kind, (lint.check)(state, &self.track, &self.warnings), state, record.at);
                }
            }
        }
    }

    /// Raises what was found, and puts what was not found any more to rest.
    fn settle(&mut self, kind: Kind, found: Found, state: &RunState, at: f64) {
        let Found::These(found) = found else { return };
        for warning in self.warnings.iter_mut().filter(|warning| warning.kind == kind) {
            warning.active &= found.iter().any(|finding| finding.about == warning.finding.about);
        }
        for finding in found {
            let epoch = state.current.as_ref().map(|now| now.epoch);
            let known =
                self.warnings.iter_mut().find(|warning| warning.kind == kind && warning.finding.about == finding.about);
            match known {
                // The words follow the numbers; the moment is that of the beginning.
                Some(warning) if warning.active => warning.finding = finding,
                Some(warning) => {
                    *warning = Warning { kind, finding, at, epoch, times: warning.times + 1, active: true };
                }
                None => self.warnings.push(Warning { kind, finding, at, epoch, times: 1, active: true }),
            }
        }
    }
}

/// Whether a worry of this kind holds: a lint lets go later than it takes hold, so that it does not flicker.
fn holds(warnings: &[Warning], kind: Kind, about: Option<&str>) -> bool {
    warnings.iter().any(|warning| warning.active && warning.kind == kind && warning.finding.about.as_deref() == about)
}
