//! Every key binding, once: the table that keys are looked up in, and that the footer and the help are drawn from.
//!
//! Its order is the footer's: what matters most comes first, since a narrow screen cuts the end.

use crossterm::event::KeyCode;

use super::key::{Key, control, letter, plain, shifted};
use crate::tui::action::{Action, ChartAction, HistoryAction, Motion};

/// Where a binding is listened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tui) enum Scope {
    /// A run that is being trained here.
    Live,
    /// The panes of a run, live or past.
    Run,
    /// The table of bins has the focus.
    Bins,
    /// An open bin.
    BinView,
    /// The list of past runs.
    History,
    /// The question whether to stop now.
    StopNow,
    /// The prompt for the learning rate.
    LearningRate,
    /// A window to be read: the warnings, the machine.
    Window,
    /// The question whether to quit.
    Quit,
    /// The same question, where another process trains the run.
    Detach,
    /// The help overlay.
    Help,
    /// The summary at the end.
    Result,
    /// The table of branches.
    Branches,
    /// The question whether a past run goes to the trash.
    Delete,
    /// The question how a past run's schedule is trained.
    Train,
    /// How two schedules differ.
    ScheduleDiff,
    /// No dialog is open.
    Everywhere,
    /// Whatever is open.
    Always,
}

/// One line of the table.
#[derive(Debug, Clone, Copy)]
pub(in crate::tui) struct Binding {
    pub(in crate::tui) scope: Scope,
    pub(in crate::tui) keys: &'static [Key],
    pub(in crate::tui) action: Action,
    /// What the help says.
    pub(in crate::tui) help: &'static str,
    /// What the footer says; none leaves it out.
    pub(in crate::tui) footer: Option<&'static str>,
}

const fn bind(
    scope: Scope,
    keys: &'static [Key],
    action: Action,
    help: &'static str,
    footer: Option<&'static str>,
) -> Binding {
    Binding { scope, keys, action, help, footer }
}

/// A key that changes the charts.
const fn chart(keys: &'static [Key], action: ChartAction, help: &'static str, footer: Option<&'static str>) -> Binding {
    bind(Scope::Run, keys, Action::Chart(action), help, footer)
}

/// A number key. The help explains the first one for all of them.
const fn number(keys: &'static [Key], pane: u8) -> Binding {
    bind(Scope::Run, keys, Action::Focus(pane), "", None)
}

/// A key of the list of past runs.
const fn history(
    keys: &'static [Key],
    action: HistoryAction,
    help: &'static str,
    footer: Option<&'static str>,
) -> Binding {
    bind(Scope::History, keys, Action::History(action), help, footer)
}

/// A key that scrolls.
const fn scroll(scope: Scope, keys: &'static [Key], motion: Motion, help: &'static str) -> Binding {
    bind(scope, keys, Action::Move(motion), help, None)
}

const ESC: Key = plain(KeyCode::Esc);
const ENTER: Key = plain(KeyCode::Enter);
const UP: &[Key] = &[plain(KeyCode::Up), letter('k')];
const DOWN: &[Key] = &[plain(KeyCode::Down), letter('j')];
const PAGE_UP: &[Key] = &[plain(KeyCode::PageUp)];
const PAGE_DOWN: &[Key] = &[plain(KeyCode::PageDown)];
const SCROLL_UP: &str = "scroll up";
const SCROLL_DOWN: &str = "scroll down";

/// The table.
pub(super) const BINDINGS: &[Binding] = &[
    bind(Scope::Live, &[letter('n')], Action::ToggleStop, "stop after this epoch, or cancel the stop", Some("stop")),
    bind(Scope::Live, &[letter('p')], Action::TogglePause, "pause or resume training", Some("pause")),
    bind(Scope::Bins, &[ENTER], Action::OpenBin, "open the chosen bin", Some("open bin")),
    bind(Scope::BinView, &[plain(KeyCode::Left)], Action::PreviousBin, "previous bin", None),
    bind(Scope::BinView, &[plain(KeyCode::Right)], Action::NextBin, "next bin", Some("next bin")),
    bind(Scope::BinView, &[letter('b')], Action::ToggleBest, "newest or best figures", Some("best")),
    bind(
        Scope::BinView,
        &[letter('v')],
        Action::TogglePairKind,
        "pairs of different persons or of the same person",
        Some("other pairs"),
    ),
    bind(Scope::Run, &[letter('!')], Action::Warnings, "show all warnings", Some("warnings")),
    bind(Scope::History, &[ENTER], Action::OpenRun, "open the chosen run", Some("open")),
    bind(Scope::History, &[letter('P')], Action::SavePlot, "save a plot of the chosen or the compared runs", None),
    history(
        &[letter(' ')],
        HistoryAction::Compare,
        "add the chosen run to the comparison, or remove it",
        Some("compare"),
    ),
    history(&[letter('/')], HistoryAction::Filter, "filter: words, !not, tag:x, lfw>0.99, /regex/", Some("filter")),
    history(&[letter('o')], HistoryAction::Sort, "sort by the next column", Some("sort")),
    history(&[letter('O')], HistoryAction::Reverse, "reverse the order", None),
    history(&[letter('v')], HistoryAction::PinBaseline, "make the chosen run the baseline", None),
    history(&[letter('x')], HistoryAction::ClearComparison, "clear the comparison", None),
    history(
        &[letter('d')],
        HistoryAction::DiffSchedules,
        "diff its schedule with the baseline or next run",
        Some("diff"),
    ),
    history(&[letter('t')], HistoryAction::Tags, "edit its tags", Some("tags")),
    history(&[letter('e')], HistoryAction::Note, "edit its note", Some("note")),
    history(&[letter('a')], HistoryAction::Attach, "attach to a run of another process", Some("attach")),
    history(&[letter('T')], HistoryAction::TrainAgain, "train again: resume, or from the beginning", Some("train")),
    history(&[plain(KeyCode::Delete), letter('D')], HistoryAction::Delete, "move to the trash; asks first", None),
    bind(Scope::History, &[letter('r')], Action::Refresh, "reload the list of runs", Some("refresh")),
    bind(Scope::Everywhere, &[ESC], Action::Close, "close, or go back", Some("back")),
    bind(Scope::Everywhere, &[letter('q')], Action::Quit, "quit; asks first while a run is trained", Some("quit")),
    bind(Scope::Everywhere, &[letter('?'), plain(KeyCode::F(1))], Action::Help, "show this help", Some("help")),
    bind(Scope::Everywhere, &[letter(':')], Action::Commands, "find a command by name", Some("commands")),
    bind(
        Scope::Everywhere,
        &[plain(KeyCode::Tab)],
        Action::NextTab,
        "switch between training and history",
        Some("tab"),
    ),
    bind(Scope::Run, &[letter('b')], Action::Branches, "show the table of branches", Some("branches")),
    chart(&[letter('x')], ChartAction::NextXAxis, "x axis: steps, epochs or time", Some("x axis")),
    chart(&[letter('y')], ChartAction::ToggleLogY, "y axis: logarithmic or linear", Some("log y")),
    chart(&[letter('s')], ChartAction::ToggleSmoothing, "curves: smoothed or raw", Some("smooth")),
    bind(Scope::Run, &[letter('z')], Action::ZoomPane, "focused pane: whole screen or not", Some("zoom")),
    chart(&[letter('[')], ChartAction::SmoothLess, "less smoothing", None),
    chart(&[letter(']')], ChartAction::SmoothMore, "more smoothing", None),
    chart(&[letter('o')], ChartAction::ToggleOutliers, "y axis: ignore outliers or not", None),
    chart(&[letter('t')], ChartAction::ToggleStage, "x axis: whole run or current stage", None),
    chart(&[letter('c')], ChartAction::ToggleCrosshair, "show or hide the crosshair", Some("crosshair")),
    chart(&[plain(KeyCode::Left), letter('h')], ChartAction::MoveCrosshair(-1), "crosshair left", None),
    chart(&[plain(KeyCode::Right), letter('l')], ChartAction::MoveCrosshair(1), "crosshair right", None),
    chart(&[shifted(KeyCode::Left), letter('H')], ChartAction::MoveCrosshair(-10), "crosshair left, fast", None),
    chart(&[shifted(KeyCode::Right), letter('L')], ChartAction::MoveCrosshair(10), "crosshair right, fast", None),
    chart(&[letter('+'), letter('=')], ChartAction::ZoomIn, "zoom in at the crosshair or the end", None),
    chart(&[letter('-')], ChartAction::ZoomOut, "zoom out", None),
    chart(&[letter(',')], ChartAction::PanLeft, "pan left", None),
    chart(&[letter('.')], ChartAction::PanRight, "pan right", None),
    chart(&[letter('f')], ChartAction::ToggleFollow, "follow the end of the run or not", None),
    chart(&[letter('0')], ChartAction::ResetZoom, "reset zoom", None),
    bind(Scope::Run, &[letter('1')], Action::Focus(1), "focus pane 1 (loss); 2 to 9 likewise", None),
    number(&[letter('2')], 2),
    number(&[letter('3')], 3),
    number(&[letter('4')], 4),
    number(&[letter('5')], 5),
    number(&[letter('6')], 6),
    number(&[letter('7')], 7),
    number(&[letter('8')], 8),
    number(&[letter('9')], 9),
    bind(Scope::Run, &[letter('w')], Action::FocusNext, "focus the next pane", None),
    bind(Scope::Run, &[letter('W')], Action::FocusPrevious, "focus the previous pane", None),
    bind(Scope::Run, &[letter('R')], Action::ResetBorders, "reset moved borders", None),
    bind(
        Scope::Everywhere,
        &[letter('m')],
        Action::ToggleMouse,
        "mouse on, or off to select text in the terminal",
        None,
    ),
    bind(Scope::Run, &[letter('P')], Action::SavePlot, "save plot.svg beside the run's journal", None),
    bind(Scope::Run, &[letter('v')], Action::OpenBin, "open a bin: scores, ROC, hardest pairs", Some("bins")),
    bind(Scope::Run, &[letter('M')], Action::Machine, "show the load of the machine", Some("machine")),
    bind(Scope::Live, &[letter('E')], Action::EvaluateNow, "evaluate the bins before the next step", Some("evaluate")),
    bind(Scope::Live, &[letter('S')], Action::SaveNow, "save the current model to a separate file", Some("save")),
    bind(Scope::Live, &[letter('*')], Action::EditLearningRate, "multiply the learning rate", Some("rate")),
    bind(Scope::Live, &[letter('N')], Action::AskStopNow, "stop now; asks first", Some("stop now")),
    scroll(Scope::Everywhere, UP, Motion::Up, "scroll up, or choose the previous run"),
    scroll(Scope::Everywhere, DOWN, Motion::Down, "scroll down, or choose the next run"),
    scroll(Scope::Everywhere, PAGE_UP, Motion::PageUp, "page up"),
    scroll(Scope::Everywhere, PAGE_DOWN, Motion::PageDown, "page down"),
    scroll(Scope::Everywhere, &[plain(KeyCode::Home)], Motion::Home, "scroll to the start"),
    scroll(Scope::Everywhere, &[plain(KeyCode::End)], Motion::End, "scroll to the end; the log follows again"),
    bind(Scope::Detach, &[letter('q')], Action::Detach, "quit; training continues", None),
    bind(Scope::Quit, &[letter('n')], Action::StopAfterEpochAndQuit, "stop after this epoch, then quit", None),
    bind(Scope::Quit, &[letter('s')], Action::StopNowAndQuit, "stop now, then quit", None),
    bind(Scope::Quit, &[ESC], Action::Close, "cancel", None),
    bind(Scope::StopNow, &[letter('s')], Action::StopNow, "stop now", None),
    bind(Scope::StopNow, &[letter('n')], Action::StopAfterEpoch, "stop after this epoch instead", None),
    bind(Scope::StopNow, &[ESC], Action::Close, "cancel", None),
    bind(Scope::LearningRate, &[ENTER], Action::ApplyLearningRate, "apply from the next step", Some("apply")),
    bind(Scope::LearningRate, &[plain(KeyCode::Up)], Action::LearningRateUp, "increase", None),
    bind(Scope::LearningRate, &[plain(KeyCode::Down)], Action::LearningRateDown, "decrease", None),
    bind(Scope::LearningRate, &[plain(KeyCode::Backspace)], Action::Erase, "delete a character", None),
    bind(Scope::LearningRate, &[ESC], Action::Close, "cancel", Some("cancel")),
    bind(Scope::Window, &[ESC, letter('!'), letter('M'), letter('q')], Action::Close, "close", Some("close")),
    scroll(Scope::Window, UP, Motion::Up, SCROLL_UP),
    scroll(Scope::Window, DOWN, Motion::Down, SCROLL_DOWN),
    bind(Scope::Help, &[ESC, letter('?'), letter('q')], Action::Close, "close the help", Some("close")),
    scroll(Scope::Help, UP, Motion::Up, SCROLL_UP),
    scroll(Scope::Help, DOWN, Motion::Down, SCROLL_DOWN),
    bind(Scope::Branches, &[ESC, letter('b'), letter('q')], Action::Close, "close the table", Some("close")),
    bind(Scope::Delete, &[letter('y')], Action::History(HistoryAction::ConfirmDelete), "move to the trash", None),
    bind(Scope::Delete, &[ESC, letter('n')], Action::Close, "cancel", None),
    bind(
        Scope::Train,
        &[letter('r')],
        Action::History(HistoryAction::Resume),
        "resume (a finished run starts from the beginning)",
        None,
    ),
    bind(Scope::Train, &[letter('n')], Action::History(HistoryAction::Restart), "start from the beginning", None),
    bind(Scope::Train, &[ESC], Action::Close, "cancel", None),
    bind(Scope::ScheduleDiff, &[ESC, letter('d'), letter('q')], Action::Close, "close the diff", Some("close")),
    scroll(Scope::ScheduleDiff, UP, Motion::Up, SCROLL_UP),
    scroll(Scope::ScheduleDiff, DOWN, Motion::Down, SCROLL_DOWN),
    scroll(Scope::ScheduleDiff, PAGE_UP, Motion::PageUp, "page up"),
    scroll(Scope::ScheduleDiff, PAGE_DOWN, Motion::PageDown, "page down"),
    bind(Scope::Result, &[letter('q')], Action::Quit, "quit", Some("quit")),
    bind(Scope::Result, &[ESC, ENTER], Action::Close, "back to the run", Some("back to the run")),
    bind(Scope::Always, &[control('c')], Action::Interrupt, "stop after the epoch; again: now; again: quit", None),
    bind(Scope::Always, &[control('z')], Action::Suspend, "suspend to the background", None),
    bind(Scope::Always, &[control('l')], Action::Redraw, "redraw the screen", None),
];
