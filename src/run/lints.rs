//! Lints over a run: what its events give reason to worry about (a loss that is NaN, a loader that starves the GPU), each
//! in a plain sentence with advice.
//!
//! [`Warnings`] are a part of the folded state, so that a live screen, an attached one, the history and the headless lines
//! all say the same. A lint is a pure function of what has been folded so far; a warning that no longer holds stays in the
//! list, marked so, and one that comes back is not told twice.
//!
//! | file | what it does |
//! |---|---|
//! | `checks` | the lints, in one table |
//! | `averages` | running averages that they look at |
//! | `warning` | what they raise |

mod averages;
mod checks;
mod warning;

#[cfg(test)]
mod tests;

pub use self::warning::{Finding, LintKind, Warning, Warnings};
use super::state::{Phase, RunState};
use crate::event::{Event, Record};

/// The warnings of a run into which `record` has just been folded; `warnings` are those before it.
pub(super) fn run(mut warnings: Warnings, state: &RunState, record: &Record) -> Warnings {
    warnings.averages.update(record, state.phase == Phase::Training);
    match &record.event {
        // What comes is another run.
        Event::BranchStarted { .. } => warnings.end(|_| false),
        // What ended needs no advice; but what ended the run stays true of it.
        Event::Finished { .. } => warnings.end(|warning| warning.kind == LintKind::NotFinite),
        event => {
            let epoch = state.current.as_ref().map(|now| now.epoch);
            for lint in checks::ALL.iter().filter(|lint| (lint.when)(event)) {
                if let checks::Found::These(found) = (lint.check)(state, &warnings) {
                    warnings.update(lint.kind, found, epoch, record.at);
                }
            }
        }
    }
    warnings
}
