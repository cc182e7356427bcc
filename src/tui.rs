//! The terminal front end: live charts of a run that is trained, and the history of past ones.
//!
//! TEA-lite. Two states: what is known (a [`RunState`] folded from events, and the list of past runs) and how it is looked
//! at (tab, focus, scroll positions, dialogs). Keys become `Action`s, events become `News`, both
//! change the state in plain functions that return `Effect`s, and only the loop touches the terminal, the
//! channels and the signals. Drawing is a function of the state. No tensor, no file format and no folder is known here.
//!
//! | file | what it does |
//! |---|---|
//! | `event_loop`, `librarian`, `terminal`, `stdio` | the world: keys, signals, the screen, what native libraries print |
//! | `action`, `keymap`, `app`, `wishes`, `drill`, `view`, `watched`, `remembered` | the states and how they change |
//! | `draw`, `layout`, `pane/*`, `still` | the screen |
//! | `chart`, `series`, `scale`, `estimate`, `format`, `picture`, `theme` | what panes share |
//! | `shelf`, `prompt` | the past runs, and texts that are typed |
//! | `settings` | the user's colours and keys |

mod action;
mod app;
mod chart;
mod draw;
mod drill;
mod estimate;
mod event_loop;
mod format;
mod keymap;
mod layout;
mod librarian;
mod pane;
mod picture;
mod prompt;
mod remembered;
mod scale;
mod series;
mod settings;
mod shelf;
mod stdio;
mod still;
mod terminal;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod theme;
mod view;
mod watched;
mod wishes;

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::event::{Command, Record};
use crate::run::history::HistorySource;
use crate::run::state::RunState;

pub use action::{Again, Next};
pub use picture::{Graphics, Means};
pub use settings::{Settings, SettingsError};
pub use still::Still;
pub use theme::Abilities;

/// What the front end needs of a run that is being trained.
#[derive(Debug)]
pub struct LiveRun {
    /// The engine's events, in order. The channel may close after [`crate::event::Event::Finished`] only.
    pub events: tokio::sync::mpsc::UnboundedReceiver<Arc<Record>>,
    /// Where wishes go.
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
    pub pictures: Option<Means>,
    /// Called before every frame, for tests of what a frame that goes wrong leaves behind.
    pub before_frame: Option<fn()>,
    /// The zone that times are shown in; the system's unless given.
    pub zone: Option<TimeZone>,
    /// The user's colours and keys.
    pub settings: Settings,
}

/// Every action that keys can be given in the settings: its name, its keys, and what it does.
pub fn actions() -> Vec<(String, String, &'static str)> {
    let mut actions: Vec<(String, String, &'static str)> = Vec::new();
    for binding in keymap::Keymap::default().bindings() {
        let name = keymap::id(binding.action);
        if !actions.iter().any(|(known, ..)| *known == name) {
            actions.push((name, keymap::names(binding), binding.help));
        }
    }
    actions
}

/// How the front end was left.
#[derive(Debug)]
pub struct Left {
    /// The live run as last seen; it has not ended when the user (or a signal) did not wait for it.
    pub state: Option<RunState>,
    /// The signal that ended the front end, if one did.
    pub signal: Option<i32>,
    /// What the user wants now: to train a past run's schedule, or to see another process's run.
    pub then: Option<Next>,
    /// What the terminal said last, if it went away.
    pub gone: Option<io::Error>,
    /// The live run's other end, for whoever goes on with it.
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

/// Shows a live run and the history until the user leaves; blocks. Without a live run it opens the history.
///
/// Native libraries' output to standard output and error is captured meanwhile. The terminal is as it was when this
/// returns, panics included. The run is not waited for: its state tells whether it ended. A terminal that goes away ends the
/// front end, not the run.
///
/// SIGINT, SIGTERM and SIGHUP are listened to, and the process goes on ignoring them afterwards: leave the program soon
/// after this returns.
///
/// # Errors
/// [`TuiError`] when there is no usable terminal; nothing was drawn then and no command was sent.
pub fn run(live: Option<LiveRun>, history: Box<dyn HistorySource>, options: TuiOptions) -> Result<Left, TuiError> {
    if !io::stdin().is_terminal() {
        return Err(TuiError::NotATerminal("input"));
    }
    if !io::stdout().is_terminal() {
        return Err(TuiError::NotATerminal("output"));
    }
    if std::env::var_os("TERM").is_some_and(|term| term == "dumb") {
        return Err(TuiError::Dumb);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(TuiError::Terminal)?;
    let left = runtime.block_on(event_loop::main(live, history, options)).map_err(TuiError::Terminal);
    // The thread that waits for keys may sit in a read for as long as the user types nothing.
    runtime.shutdown_background();
    left
}
