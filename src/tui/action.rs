//! What a user can ask of the front end, and what the front end asks of the loop in return.
//!
//! Keys become [`Action`]s (see the table in `keymap`), `App::act` turns an action into changes
//! of the view and a list of [`Effect`]s, and the loop carries those out. Nothing in between touches a terminal, a file
//! or a channel, so that whole journeys are tested as plain function calls.

use std::path::PathBuf;

use crate::event::{Command, Record};
use crate::run::history::schedule_diff::Change;
use crate::run::history::{Marks, PastRun};
use crate::run::state::RunState;

use super::drill::{Look, Wish};
use super::remembered::Remembered;

/// The tabs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tab {
    /// The run that is being trained.
    Training,
    /// Past runs.
    History,
}

/// A movement in whatever scrolls: the log, the list of runs, the help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Motion {
    /// One line towards the beginning.
    Up,
    /// One line towards the end.
    Down,
    /// A screenful towards the beginning.
    PageUp,
    /// A screenful towards the end.
    PageDown,
    /// To the beginning.
    Home,
    /// To the end.
    End,
}

/// What can be changed about the charts. All of them change together, so that they can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charting {
    /// Over steps, epochs or time.
    Axis,
    /// Logarithmic or linear y axis of loss, learning rate and gradient norm.
    Log,
    /// Smoothed or raw curves.
    Smoothing,
    /// Smooth less.
    Weaker,
    /// Smooth more.
    Stronger,
    /// Leave the few wildest raw values out of the y axes, or not.
    Calm,
    /// The whole run or the current stage.
    Stage,
    /// Show less of the x axis.
    ZoomIn,
    /// Show more of the x axis.
    ZoomOut,
    /// Show everything again.
    Whole,
    /// Show what was before.
    PanLeft,
    /// Show what came after.
    PanRight,
    /// Keep the end of the run in view.
    Follow,
    /// Show or hide the crosshair.
    Cross,
    /// Move the crosshair by a little: back or on.
    CrossBy(i8),
}

/// What can be done with past runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Past {
    /// Draw the chosen run beside others, or no longer.
    Compare,
    /// Measure the compared runs against the chosen one.
    Pin,
    /// Compare nothing.
    Clear,
    /// Type which runs are shown.
    Filter,
    /// Sort by the next column.
    Sort,
    /// Turn the order around.
    Reverse,
    /// Type the chosen run's tags.
    Tags,
    /// Type the chosen run's note.
    Note,
    /// Show how its schedule differs from the baseline's, or from the run before.
    Difference,
    /// Move the chosen run to the trash; asks.
    Delete,
    /// The answer: yes.
    DeleteForSure,
    /// Show it with all its keys, while another process trains it.
    Attach,
    /// Train its schedule; asks how.
    Train,
    /// The answer: go on where it ended.
    Resume,
    /// The answer: from the beginning.
    Repeat,
}

/// A past run's schedule that is to be trained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Again {
    /// The copy of the schedule's text in the run's folder.
    pub schedule: PathBuf,
    /// The run's name.
    pub name: String,
    /// From the beginning, instead of where it ended.
    pub fresh: bool,
}

/// What the program does once the front end has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Train a past run's schedule.
    Train(Again),
    /// Show the run of this folder, which another process trains.
    Attach(PathBuf),
}

/// What a user asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Show the other tab.
    NextTab,
    /// Ask for a stop after this epoch, or take that back.
    ToggleStop,
    /// Hold the training, or go on.
    TogglePause,
    /// Ask whether to end at once.
    AskStopNow,
    /// End at once, as was confirmed.
    StopNow,
    /// End after the epoch instead.
    StopGently,
    /// Evaluate the bins before the next step.
    EvaluateNow,
    /// Save the model before the next step.
    SaveNow,
    /// Open the prompt for the learning rate's multiplier.
    AskRate,
    /// A letter typed into it.
    Type(char),
    /// The last letter taken back.
    Erase,
    /// The next multiplier of a series, up or down.
    StepRate(bool),
    /// Send it.
    ApplyRate,
    /// Look into the chosen bin.
    Look,
    /// Look into the next bin, or the one before.
    LookBeside(bool),
    /// The bin's newest figures, or its best.
    ToggleBest,
    /// The hardest pairs of two persons, or those of one.
    ToggleKind,
    /// The warnings in full.
    Warnings,
    /// How busy the machine is.
    Machine,
    /// Leave; asks first while a run is trained here.
    Leave,
    /// Leave a run that another process trains; it goes on.
    Detach,
    /// Ctrl-C: stop after the epoch, then now, then leave; only leave a run that another process trains.
    Interrupt,
    /// Go to the background (Ctrl-Z).
    Suspend,
    /// Draw the whole screen anew (Ctrl-L).
    Redraw,
    /// Show or hide the help.
    Help,
    /// Close the topmost thing: a dialog, a zoomed pane, an opened run.
    Close,
    /// Change how the charts are drawn.
    Chart(Charting),
    /// Show or hide the table of branches.
    Branches,
    /// Move the focus to the next pane.
    FocusNext,
    /// Move the focus to the pane before.
    FocusPrevious,
    /// Focus a pane, by its number.
    Focus(u8),
    /// Give the focused pane the whole screen, or take it back.
    Zoom,
    /// Put the borders between panes back to where they were.
    ResetBorders,
    /// Give the mouse to the terminal, for selecting text, or take it back.
    ToggleMouse,
    /// Scroll, or choose a run in the history.
    Move(Motion),
    /// Write the plot of the shown run beside its journal.
    Plot,
    /// Show the chosen run of the history on the whole screen.
    Open,
    /// Read the list of runs again.
    Refresh,
    /// Do something with past runs.
    Past(Past),
    /// Choose what to do by its name.
    Command,
    /// The quit dialog's first answer: stop after this epoch, then leave.
    StopAfterEpochAndLeave,
    /// The quit dialog's second answer: stop now, then leave.
    StopNowAndLeave,
}

/// What happened outside the user's fingers.
#[derive(Debug)]
pub enum News<'a> {
    /// An event of the live run.
    Event(&'a Record),
    /// A line that a native library printed.
    Printed(&'a Record),
    /// The live run's events ended without [`crate::event::Event::Finished`].
    Silence,
    /// The list of past runs.
    Listed(Vec<PastRun>),
    /// A past run's state, or why it could not be read.
    Opened {
        /// Which run.
        id: String,
        /// Its state, or a sentence.
        state: Box<Result<RunState, String>>,
    },
    /// A compared run's state, or why it could not be read.
    Compared {
        /// Which run.
        id: String,
        /// Its state, or a sentence.
        state: Box<Result<RunState, String>>,
    },
    /// What became of a change of a past run, in a sentence either way.
    Kept(Result<String, String>),
    /// How two schedules differ, or why that cannot be told.
    Differs {
        /// The two runs.
        names: String,
        /// The lines.
        lines: Result<Vec<(Change, String)>, String>,
    },
    /// A plot was written there, or why it was not.
    Plotted(Result<PathBuf, String>),
    /// What lies behind a bin's figures, or why it cannot be shown.
    Looked(Wish, Box<Result<Look, String>>),
    /// A second passed.
    Tick,
}

/// What the loop has to do after an update.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Tell the engine.
    Send(Command),
    /// List the past runs, off this thread.
    ListRuns,
    /// Read a past run, off this thread.
    OpenRun(Box<PastRun>),
    /// Read a run that is compared, off this thread.
    Compare(Box<PastRun>),
    /// Keep what the user noted of a run, off this thread.
    Mark(Box<PastRun>, Marks),
    /// Move a run to the trash, off this thread.
    Discard(Box<PastRun>),
    /// Compare the schedules of two runs, off this thread.
    Difference(Box<PastRun>, Box<PastRun>),
    /// End the front end, and do something else.
    Then(Next),
    /// Take the mouse, or give it to the terminal.
    Mouse(bool),
    /// Keep what was chosen about the screen for the next time, off this thread.
    Remember(Remembered),
    /// Write the plot of the run of this journal, off this thread; of the live run when none is given.
    Plot(Option<PathBuf>),
    /// Write one plot of the runs of these journals, off this thread.
    PlotTogether(Vec<PathBuf>),
    /// Read what lies behind a bin's figures, off this thread.
    Look(Wish),
    /// Go to the background.
    Suspend,
    /// Draw the whole screen anew, whatever was written over it.
    Redraw,
    /// End the front end.
    Leave,
}
