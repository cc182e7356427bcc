//! Takes an event in: it is folded into the state, then the lints run over the result.

use super::RunState;
use crate::event::Record;
use crate::run::lints;

impl RunState {
    /// Folds one event into the state, and lets the lints look at it.
    pub fn apply(&mut self, record: &Record) {
        self.fold(record);
        let warnings = std::mem::take(&mut self.warnings);
        self.warnings = lints::run(warnings, self, record);
    }
}
