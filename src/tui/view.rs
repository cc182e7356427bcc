//! What the front end itself remembers: the open tab, dialogs, scroll positions, how charts are drawn. Nothing of it is
//! about the run, and nothing of it is drawn here.

use crate::event::StopKind;
use crate::run::history_api::PastRun;

use super::action::{Motion, Tab};
use super::drill::Drill;
use super::layout::Pane;
use super::watched::Watched;

/// The x axis of the charts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Axis {
    /// Optimiser steps.
    #[default]
    Steps,
    /// Epochs of the history.
    Epochs,
}

/// How charts are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ChartOptions {
    pub(super) axis: Axis,
    /// Logarithmic y axis of the loss.
    pub(super) log_y: bool,
    /// Smoothed step curves, the raw ones behind them.
    pub(super) smooth: bool,
    /// Only the newest stage.
    pub(super) stage_only: bool,
}

impl Default for ChartOptions {
    fn default() -> Self {
        Self { axis: Axis::Steps, log_y: false, smooth: true, stage_only: false }
    }
}

/// What lies over the panes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialog {
    /// The keys.
    Help,
    /// Whether to leave a run that is still trained.
    Quit,
    /// How the run ended.
    Result,
    /// The branches side by side.
    Branches,
    /// Whether to end at once.
    StopNow,
    /// The prompt for the learning rate.
    Rate,
    /// The warnings in full.
    Warnings,
    /// How busy the machine is.
    Machine,
}

/// A wish that was sent to the engine and that no event has confirmed yet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Request {
    Stop(StopKind),
    Withdraw,
    Pause,
    Resume,
    Evaluate,
    Save,
    Rate(f64),
}

/// The prompt for the learning rate.
#[derive(Debug, Default)]
pub(super) struct Prompt {
    pub(super) text: String,
    /// Whether the next letter replaces what stands there.
    pub(super) fresh: bool,
}

/// The view.
#[derive(Debug)]
pub(super) struct View {
    pub(super) tab: Tab,
    pub(super) dialog: Option<Dialog>,
    pub(super) focus: Pane,
    pub(super) zoomed: bool,
    pub(super) charts: ChartOptions,
    /// Log lines below the screen; 0 follows the newest.
    pub(super) log_scroll: usize,
    pub(super) help_scroll: usize,
    pub(super) request: Option<Request>,
    /// What became of the plot that was asked for last; until the next key, or for some seconds of a training.
    pub(super) notice: Option<String>,
    /// Seconds since that was said.
    pub(super) notice_age: u32,
    /// A plot is being written.
    pub(super) plotting: bool,
    /// How often Ctrl-C was pressed since the last change of mind.
    pub(super) interrupts: u32,
    pub(super) rate: Prompt,
    /// The bin that is chosen in the table.
    pub(super) bin: usize,
    /// The bin that is looked into.
    pub(super) drill: Option<Drill>,
    /// The user wants to leave as soon as the run ends well.
    pub(super) leave_when_ended: bool,
}

impl View {
    pub(super) fn new(tab: Tab) -> Self {
        Self {
            tab,
            dialog: None,
            focus: Pane::default(),
            zoomed: false,
            charts: ChartOptions::default(),
            log_scroll: 0,
            help_scroll: 0,
            request: None,
            notice: None,
            notice_age: 0,
            plotting: false,
            interrupts: 0,
            rate: Prompt::default(),
            bin: 0,
            drill: None,
            leave_when_ended: false,
        }
    }
}

/// The history tab.
#[derive(Debug, Default)]
pub(super) struct History {
    pub(super) runs: Vec<PastRun>,
    /// Whether the list was read at all.
    pub(super) listed: bool,
    pub(super) selected: usize,
    /// The run that is shown, and what is known of it.
    pub(super) opened: Option<(String, Result<Watched, String>)>,
    /// Whether the opened run has the whole screen.
    pub(super) full: bool,
    /// Seconds since the list was read.
    pub(super) age: u32,
}

impl History {
    /// The chosen run.
    pub(super) fn chosen(&self) -> Option<&PastRun> {
        self.runs.get(self.selected)
    }

    /// The chosen run's state, once it was read.
    pub(super) fn shown(&self) -> Option<&Result<Watched, String>> {
        let chosen = self.chosen()?;
        self.opened.as_ref().filter(|(id, _)| *id == chosen.id).map(|(_, state)| state)
    }

    /// Takes a new list; the choice stays with its run.
    pub(super) fn take(&mut self, runs: Vec<PastRun>) {
        let chosen = self.chosen().map(|run| run.id.clone());
        self.selected = chosen.and_then(|id| runs.iter().position(|run| run.id == id)).unwrap_or(0);
        self.runs = runs;
        self.listed = true;
        self.age = 0;
    }
}

/// A position from 0 to `last` after a motion.
pub(super) fn moved(position: usize, last: usize, motion: Motion) -> usize {
    const PAGE: usize = 10;
    match motion {
        Motion::Up => position.saturating_sub(1),
        Motion::Down => position.saturating_add(1),
        Motion::PageUp => position.saturating_sub(PAGE),
        Motion::PageDown => position.saturating_add(PAGE),
        Motion::Home => 0,
        Motion::End => last,
    }
    .min(last)
}
