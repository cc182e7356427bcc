//! What a run has to show, which decides how much room its panes get.

use super::panes::Pane;
use crate::run::state::RunState;

/// What there is to show of a run.
#[derive(Debug, Clone, Copy)]
pub(in crate::tui) struct Needs {
    pub(in crate::tui) stages: usize,
    pub(in crate::tui) bins: usize,
    /// 0 for a run without branches; their table takes the place of a chart on a medium screen, and has none on a smaller
    /// one (a key shows it).
    pub(in crate::tui) branches: usize,
    /// Lines about the machine; 0 where it was not looked at. Medium screens and larger ones have a pane of it.
    pub(in crate::tui) machine: usize,
    /// The charts, those that matter most first.
    pub(in crate::tui) charts: [Pane; Pane::CHARTS.len()],
}

impl Needs {
    /// Of a run.
    pub(in crate::tui) fn of(state: &RunState, charts: [Pane; Pane::CHARTS.len()]) -> Self {
        Self {
            stages: state.stages.len(),
            bins: state.bins.len(),
            branches: state.comparison.as_ref().map_or(0, |comparison| comparison.total()),
            machine: machine_lines(state),
            charts,
        }
    }
}

/// Lines that there are about the machine; none before it was sampled.
pub(in crate::tui) fn machine_lines(state: &RunState) -> usize {
    state.machine.back().map_or(0, |sample| sample.gpus.len() + 2 + usize::from(sample.disk_free.is_some()))
}
