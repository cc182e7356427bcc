//! What the front end is given, and what it gives back.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::tz::TimeZone;

use super::action::Next;
use super::settings::Settings;
use super::terminal::abilities::Abilities;
use super::terminal::pictures::PictureMode;
use crate::event::{Command, Record};
use crate::run::state::RunState;

/// What the front end needs of a run that is being trained.
#[derive(Debug)]
pub struct LiveRun {
    /// The engine's events, in order. The channel may close after [`crate::event::Event::Finished`] only.
    pub events: tokio::sync::mpsc::UnboundedReceiver<Arc<Record>>,
    /// Where requests go.
    pub commands: crossbeam_channel::Sender<Command>,
}

/// Whose run it is that the front end shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// This process trains it: leaving means to end it.
    #[default]
    Trainer,
    /// Another process trains it and does what it is asked; leaving means nothing to it.
    Attached,
    /// Only its journal is read.
    Watching,
}

/// What can be chosen about the front end.
#[derive(Debug, Clone, Default)]
pub struct TuiOptions {
    /// Whose run is shown.
    pub role: Role,
    /// The live run's journal; beside it plots are written.
    pub journal: Option<PathBuf>,
    /// Where the lines that native libraries print are appended, besides the log pane.
    pub log_file: Option<PathBuf>,
    /// Where moved borders and the like are kept from one time to the next; nowhere unless given.
    pub state_file: Option<PathBuf>,
    /// What the terminal can show; asked of the environment unless given.
    pub abilities: Option<Abilities>,
    /// How it shows pictures; asked of the environment unless given.
    pub pictures: Option<PictureMode>,
    /// Called before every frame, for tests of what a frame that goes wrong leaves behind.
    pub before_frame: Option<fn()>,
    /// The zone that times are shown in; the system's unless given.
    pub zone: Option<TimeZone>,
    /// The user's colours and keys.
    pub settings: Settings,
}

/// How the front end was left.
#[derive(Debug)]
pub struct TuiExit {
    /// The live run as last seen; it has not ended when the user (or a signal) did not wait for it.
    pub state: Option<RunState>,
    /// The signal that ended the front end, if one did.
    pub signal: Option<i32>,
    /// What the user wants now: to train a past run's schedule, or to see another process's run.
    pub then: Option<Next>,
    /// What the terminal said last, if it went away.
    pub gone: Option<io::Error>,
    /// The live run's other end, for whoever continues it.
    pub live: Option<LiveRun>,
}

/// Why there is no front end.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum TuiError {
    /// Standard input or output is a file or a pipe.
    #[error("standard {0} is not a terminal")]
    #[diagnostic(help("run without the screen, for example in scripts: `facetui --headless SCHEDULE.yaml`"))]
    NotATerminal(&'static str),
    /// `TERM=dumb`.
    #[error("this terminal cannot move its cursor (`TERM` is `dumb`)")]
    #[diagnostic(help("set `TERM` to what the terminal is, or run without the screen"))]
    Dumb,
    /// The terminal refused something.
    #[error("the terminal does not answer")]
    Terminal(#[source] io::Error),
}
