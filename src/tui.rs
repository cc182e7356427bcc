//! The terminal front end: live charts of a run that is trained, and the history of past ones.
//!
//! TEA-lite. Two states: what is known (a [`RunState`](crate::run::state::RunState) folded from events, and the list of past runs) and how it is looked
//! at (tab, focus, scroll positions, dialogs). Keys become `Action`s, events become `News`, both
//! change the state in plain functions that return `Effect`s, and only the loop touches the terminal, the
//! channels and the signals. Drawing is a function of the state. No tensor, no file format and no folder is known here.
//!
//! | file | what it does |
//! |---|---|
//! | `event_loop` | the loop: waits for keys, events, signals and the clock, lets the state change, draws |
//! | `app`, `app/*` | the state, and how it changes on keys, the mouse and news |
//! | `view` | how it is looked at: tab, focus, scroll positions, dialogs |
//! | `action` | what the user can ask for, what happens, and what the loop has to do |
//! | `draw`, `layout`, `pane`, `pane/*` | the screen, a file for each pane |
//! | `keymap`, `keymap/*` | key to action: the bindings, the actions' names, the help |
//! | `charts/*` | line charts: axes, drawing, smoothing, downsampling |
//! | `history_tab`, `history_tab/*` | the past runs: list, sorting, comparison, keys, the thread that reads them |
//! | `bin_details` | the details of an evaluated bin, and the view of an open one |
//! | `shown_run` | a run on screen, live or past: its state and its curves |
//! | `terminal`, `terminal/*` | the terminal: taken over and restored, its abilities, pictures, captured output |
//! | `settings`, `theme`, `ui_state` | `config.toml`, the colours, the saved layout |
//! | `format` | numbers and texts cut to a width |
//! | `options` | what the front end is given and gives back |
//! | `offscreen` | frames without a terminal |

mod action;
mod app;
mod bin_details;
mod charts;
mod draw;
mod event_loop;
mod format;
mod history_tab;
mod keymap;
mod layout;
mod offscreen;
mod options;
mod pane;
mod settings;
mod shown_run;
mod terminal;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod theme;
mod ui_state;
mod view;

use std::io::{self, IsTerminal};

use crate::run::history::HistorySource;

pub use action::{Next, Retrain};
pub use offscreen::Offscreen;
pub use options::{LiveRun, Role, TuiError, TuiExit, TuiOptions};
pub use settings::{Settings, SettingsError};
pub use terminal::abilities::Abilities;
pub use terminal::pictures::{Graphics, PictureMode};

/// Every action that keys can be given in the settings: its name, its keys, and what it does.
pub fn actions() -> Vec<(String, String, &'static str)> {
    let mut actions: Vec<(String, String, &'static str)> = Vec::new();
    for binding in keymap::Keymap::default().bindings() {
        let name = keymap::id(binding.action);
        if !actions.iter().any(|(known, ..)| *known == name) {
            actions.push((name.to_owned(), keymap::key_names(binding), binding.help));
        }
    }
    actions
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
pub fn run(live: Option<LiveRun>, history: Box<dyn HistorySource>, options: TuiOptions) -> Result<TuiExit, TuiError> {
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
