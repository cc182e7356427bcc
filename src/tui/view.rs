//! What the front end itself remembers: the open tab, dialogs, scroll positions, how charts are drawn. Nothing of it is
//! about the run, and nothing of it is drawn here.

use crate::event::StopKind;

use super::action::Tab;
use super::app::text_input::TextInput;
use super::bin_details::BinView;
use super::charts::options::ChartOptions;
use super::layout::{Border, Borders, Pane};

/// What lies over the panes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialog {
    /// The keys.
    Help,
    /// Whether to quit while a run is trained.
    Quit,
    /// How the run ended.
    Result,
    /// The branches side by side.
    Branches,
    /// Whether a past run goes to the trash.
    Delete,
    /// Whether a past run resumes or starts from the beginning.
    Train,
    /// How two schedules differ.
    ScheduleDiff,
    /// Whether to end at once.
    StopNow,
    /// The prompt for the learning rate.
    LearningRate,
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

/// A request that was sent to the engine and that no event has confirmed yet.
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
pub(super) struct RateInput {
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
    pub(super) prompt: Option<TextInput>,
    /// The chosen one of the commands that fit.
    pub(super) offered: usize,
    pub(super) request: Option<Request>,
    /// A request waits until a paused evaluation resumes.
    pub(super) waits: bool,
    /// What became of the plot that was asked for last; until the next key, or for some seconds of a training.
    pub(super) notice: Option<String>,
    /// Seconds since that was said.
    pub(super) notice_age: u32,
    /// A plot is being written.
    pub(super) plotting: bool,
    /// How often Ctrl-C was pressed since the last change of mind.
    pub(super) interrupts: u32,
    pub(super) rate: RateInput,
    /// The bin that is chosen in the table.
    pub(super) bin: usize,
    /// The open bin.
    pub(super) open_bin: Option<BinView>,
    /// Quit as soon as the run ends well.
    pub(super) quit_when_ended: bool,
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
            rate: RateInput::default(),
            bin: 0,
            open_bin: None,
            quit_when_ended: false,
        }
    }
}
