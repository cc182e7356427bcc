//! The command line: arguments become one [`Action`], an action becomes an [`ExitCode`].
//!
//! | file | what it does |
//! |---|---|
//! | `args`, `action` | what can be typed, and what it asks for |
//! | `exit_code`, `failure` | how the program ends, and why |
//! | `train`, `resume`, `overrides`, `detach` | starting a run: new, resumed, retrained, in the background |
//! | `headless_loop`, `signals`, `output_log` | a run without a screen |
//! | `attach`, `watch`, `stop`, `runs`, `which_run` | runs of other processes |
//! | `history`, `screen`, `follow_up` | the front end, and what its user chose to do next |
//! | `saved_model` | what `eval`, `embed` and `compare` share |
//! | `memory_table` | the memory that `check` predicts |
//! | `allocator` | settings of the C allocator |
//! | all others | the command of that name |

mod action;
mod allocator;
mod args;
mod attach;
mod bench;
mod check;
mod compare;
mod completions;
mod data;
mod demo;
mod detach;
mod embed;
mod eval;
mod exit_code;
mod export;
mod failure;
mod follow_up;
mod headless_loop;
mod history;
mod inspect;
mod keys;
mod man;
mod memory_table;
mod models;
mod output;
mod output_log;
mod overrides;
mod plot;
mod prepare;
mod progress;
mod resume;
mod runs;
mod saved_model;
mod screen;
mod signals;
mod stop;
mod synth;
mod train;
mod watch;
mod which_run;

use std::path::Path;

use clap::{CommandFactory as _, Parser as _};

pub use self::action::Action;
pub use self::exit_code::ExitCode;
pub use self::failure::Failure;
use self::follow_up::FollowUp;
use crate::schedule;
use crate::tui::Next;

/// All that can be typed.
pub fn command() -> clap::Command {
    args::Arguments::command()
}

/// Runs the program with the process's arguments.
pub fn main() -> ExitCode {
    allocator::keep_large_blocks();
    // What is worth a word beside the events goes where libraries print: a run's front end keeps it in a file.
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::WARN)
        .with_writer(std::io::stderr)
        // It would tell of a standard error that is gone on the standard error, and panic.
        .log_internal_errors(false)
        .with_ansi(false)
        .without_time()
        .with_target(false)
        .init();
    let action = match args::Arguments::try_parse() {
        Ok(arguments) => arguments.into_action(),
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { ExitCode::Usage } else { ExitCode::Success };
        }
    };
    match perform(action) {
        Ok(()) if output::is_incomplete() => ExitCode::Failed,
        Ok(()) => ExitCode::Success,
        Err(Failure::Told(code)) => code,
        Err(Failure::Usage(report)) => tell(&report, ExitCode::Usage),
        Err(Failure::Run(report)) => tell(&report, ExitCode::Failed),
    }
}

fn tell(report: &miette::Report, code: ExitCode) -> ExitCode {
    output::say_error(&format!("{report:?}"));
    code
}

fn perform(action: Action) -> Result<(), Failure> {
    match action {
        Action::History { runs } => open_history(&runs),
        Action::Train(request) => follow(train::train(&request)?),
        Action::Demo(request) => follow(demo::demo(&request)?),
        Action::Attach(which) => follow(attach::attach(&which)?),
        Action::Watch(request) => follow(watch::watch(&request)?),
        Action::Runs(request) => {
            runs::runs(&request);
            Ok(())
        }
        Action::Stop(request) => stop::stop(&request),
        Action::Check { schedule, overrides } => check::check(&schedule, &overrides),
        Action::Synth(request) => synth::synth(&request),
        Action::Plot(request) => plot::plot(&request),
        Action::Data(request) => data::data(&request),
        Action::Prepare(request) => prepare::prepare(&request),
        Action::Bench(request) => bench::bench(&request),
        Action::Models { json } => models::models(json),
        Action::Export(request) => export::export(&request),
        Action::Inspect { path, json } => inspect::inspect(&path, json),
        Action::Eval(request) => eval::eval(&request),
        Action::Embed(request) => embed::embed(&request),
        Action::Compare(request) => compare::compare(&request),
        Action::Template => {
            output::say(schedule::template());
            Ok(())
        }
        Action::Completions(shell) => {
            completions::completions(shell);
            Ok(())
        }
        Action::Manual => man::man(),
        Action::Keys => {
            keys::keys();
            Ok(())
        }
    }
}

/// Does what a user chose in the front end, until nothing more was chosen.
fn follow(mut chosen: Option<FollowUp>) -> Result<(), Failure> {
    while let Some(FollowUp { next, runs }) = chosen {
        chosen = match next {
            Next::Train(retrain) => train::retrain(retrain)?,
            Next::Attach(folder) => attach::attach_to(&folder, &runs)?,
        };
    }
    Ok(())
}

/// Opens the history without a run; a run that was chosen there is shown, and the list again after it.
fn open_history(runs: &Path) -> Result<(), Failure> {
    loop {
        let chosen = history::history(runs)?;
        let returns = matches!(&chosen, Some(FollowUp { next: Next::Attach(_), .. }));
        follow(chosen)?;
        if !returns {
            return Ok(());
        }
    }
}
