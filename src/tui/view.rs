//! What the front end itself remembers: the open tab, dialogs, scroll positions, how charts are drawn. Nothing of it is
//! about the run, and nothing of it is drawn here.

use ratatui::layout::Rect;

use crate::event::StopKind;

use super::action::{Motion, Tab};
use super::drill::Drill;
use super::layout::{Border, Borders, Pane};
use super::prompt::Typing;
use super::scale::{Axis, Scale};
use super::watched::STRENGTH;

/// The part of the x axis that was chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Window {
    pub(super) from: f64,
    pub(super) to: f64,
    /// It moves with the end of the run.
    pub(super) follow: bool,
}

/// How charts are drawn; the same for all of them, so that they can be compared.
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "switches of their own")]
pub(super) struct ChartOptions {
    pub(super) axis: Axis,
    /// Logarithmic y axis of loss, learning rate and gradient norm.
    pub(super) log_y: bool,
    /// Smoothed curves, the raw ones behind them.
    pub(super) smooth: bool,
    /// Index into [`STRENGTHS`].
    pub(super) strength: usize,
    /// Only the newest stage.
    pub(super) stage_only: bool,
    /// The y axes leave out the few wildest raw values.
    pub(super) calm: bool,
    /// The whole run, or its newest stage, unless given.
    pub(super) window: Option<Window>,
    /// The part of one chart's y axis that was chosen.
    pub(super) y: Option<(Pane, (f64, f64))>,
    /// Where the crosshair stands, on the x axis.
    pub(super) cross: Option<f64>,
    /// The cells of a chart that are being chosen with the mouse.
    pub(super) selection: Option<(Pane, Rect)>,
}

/// Weights of the past in a smoothed curve; each about twice as smooth as the one before.
pub(super) const STRENGTHS: [f64; 10] = [0.3, 0.6, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999];

impl Default for ChartOptions {
    fn default() -> Self {
        Self {
            axis: Axis::Steps,
            log_y: false,
            smooth: true,
            strength: STRENGTHS.iter().position(|strength| *strength >= STRENGTH).unwrap_or(0),
            stage_only: false,
            calm: false,
            window: None,
            y: None,
            cross: None,
            selection: None,
        }
    }
}

impl ChartOptions {
    /// First and last x that are shown of a run.
    pub(super) fn span(&self, scale: &Scale<'_>) -> (f64, f64) {
        let whole = scale.whole(self.stage_only);
        match self.window {
            Some(Window { from, to, follow: true }) => (whole.1 - (to - from), whole.1),
            Some(Window { from, to, follow: false }) => (from, to),
            None => whole,
        }
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
    /// Whether a past run goes to the trash.
    Delete,
    /// Whether a past run's schedule goes on or begins anew.
    Train,
    /// How two schedules differ.
    Difference,
    /// Whether to end at once.
    StopNow,
    /// The prompt for the learning rate.
    Rate,
    /// The warnings in full.
    Warnings,
    /// How busy the machine is.
    Machine,
}

/// What a mouse button that is down does.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Drag {
    /// Chooses a part of a chart, from this cell on.
    Select { pane: Pane, from: (u16, u16) },
    /// Moves along the x axis: the column it was pressed on, and the window then.
    Pan { pane: Pane, from: u16, window: (f64, f64), moved: bool },
    /// Moves a border.
    Border(Border),
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
#[expect(clippy::struct_excessive_bools, reason = "flags of their own")]
pub(super) struct View {
    pub(super) tab: Tab,
    pub(super) dialog: Option<Dialog>,
    pub(super) focus: Pane,
    pub(super) zoomed: bool,
    pub(super) charts: ChartOptions,
    /// The charts, those that are shown on small screens first.
    pub(super) order: [Pane; Pane::CHARTS.len()],
    /// Borders between panes that were moved.
    pub(super) borders: Borders,
    /// What the mouse holds while a button is down.
    pub(super) drag: Option<Drag>,
    /// Whether a border was moved since the button went down.
    pub(super) border_moved: bool,
    /// The crosshair stands where the mouse is.
    pub(super) hovers: bool,
    /// The mouse is ours; released, it selects text as in any program.
    pub(super) mouse: bool,
    /// Log lines below the screen; 0 follows the newest.
    pub(super) log_scroll: usize,
    pub(super) help_scroll: usize,
    /// What is being typed.
    pub(super) prompt: Option<Typing>,
    /// The chosen one of the commands that fit.
    pub(super) offered: usize,
    pub(super) request: Option<Request>,
    /// What was asked for waits until a paused evaluation goes on.
    pub(super) waits: bool,
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
            order: Pane::CHARTS,
            borders: Borders::default(),
            drag: None,
            border_moved: false,
            hovers: false,
            mouse: true,
            log_scroll: 0,
            help_scroll: 0,
            prompt: None,
            offered: 0,
            request: None,
            waits: false,
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
