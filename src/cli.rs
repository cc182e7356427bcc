//! The command line: arguments become one [`Action`], an action becomes an exit code.
//!
//! Exit codes: 0 the run ended or was stopped on request, 1 something failed, 2 the arguments or the schedule are wrong,
//! 3 the run ended and its last files could not be written,
//! 143 and 130 SIGTERM or SIGINT ended the run before its schedule was done.

mod again;
mod args;
mod attach;
mod bench;
mod compare;
mod data;
mod demo;
mod detach;
mod embed;
mod eval;
mod export;
mod inference;
mod inspect;
mod keeper;
mod manual;
mod memory;
mod models;
mod needs;
mod plot;
mod prepare;
mod progress;
mod resume;
mod runs;
mod synth;
mod train;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{CommandFactory as _, Parser as _};

use crate::schedule;

/// What the program was asked to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Open the history.
    History {
        /// Folder of the runs.
        runs: PathBuf,
    },
    /// Train a schedule.
    Train(train::Request),
    /// Make the demo data when it is not there, then train the demo schedule.
    Demo(train::Request),
    /// Show a run that another process trains.
    Attach(attach::Which),
    /// Show a run of which only the journal is read.
    Watch(attach::WatchRequest),
    /// List the runs.
    Runs(runs::Request),
    /// Ask a run to stop.
    Stop(attach::StopRequest),
    /// Measure how fast a schedule would train.
    Bench(bench::Request),
    /// Check a schedule without training.
    Check {
        /// The file.
        schedule: PathBuf,
        /// What is put over it.
        overrides: Vec<String>,
    },
    /// Draw a data set of faces.
    Synth(synth::Request),
    /// Draw runs as a figure.
    Plot(plot::Request),
    /// Say what is in a data set or a bin.
    Data(data::Request),
    /// Make a data set or a bin of another.
    Prepare(prepare::Request),
    /// List the backbones.
    Models {
        /// As JSON.
        json: bool,
    },
    /// Write a model in another format.
    Export(crate::export::Request),
    /// Show what a Keras file holds.
    Inspect {
        /// The file.
        path: PathBuf,
        /// Whether to print JSON.
        json: bool,
    },
    /// Evaluate a saved model.
    Eval(eval::Request),
    /// Write the embeddings of images.
    Embed(embed::Request),
    /// Compare faces.
    Compare(compare::Request),
    /// Print the demo schedule, which teaches the format.
    Template,
    /// Print what a shell needs to complete arguments.
    Completions(clap_complete::Shell),
    /// Print the manual page.
    Manual,
    /// Print the front end's actions and keys.
    Keys,
}

/// Why the program ends with something else than 0.
pub enum Failure {
    /// A schedule or an argument is wrong: exit code 2.
    Usage(miette::Report),
    /// Something failed: exit code 1.
    Run(miette::Report),
    /// It was told already: this exit code.
    Told(u8),
}

/// All that can be typed.
pub fn command() -> clap::Command {
    args::Arguments::command()
}

/// Runs the program with the process's arguments.
pub fn main() -> ExitCode {
    memory::keep_large_blocks();
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
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    match perform(action) {
        Ok(()) if UNSAID.load(Ordering::Relaxed) => ExitCode::from(1),
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Told(code)) => ExitCode::from(code),
        Err(Failure::Usage(report)) => tell(&report, 2),
        Err(Failure::Run(report)) => tell(&report, 1),
    }
}

fn tell(report: &miette::Report, code: u8) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "{report:?}");
    ExitCode::from(code)
}

fn perform(action: Action) -> Result<(), Failure> {
    match action {
        Action::History { runs } => train::history(&runs),
        Action::Train(request) => train::train(&request),
        Action::Demo(request) => demo::demo(&request),
        Action::Attach(which) => attach::attach(&which),
        Action::Watch(request) => attach::watch(&request),
        Action::Runs(request) => {
            runs::runs(&request);
            Ok(())
        }
        Action::Stop(request) => attach::stop(&request),
        Action::Check { schedule, overrides } => check(&schedule, &overrides),
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
            say(schedule::template());
            Ok(())
        }
        Action::Completions(shell) => {
            manual::completions(shell);
            Ok(())
        }
        Action::Manual => manual::page(),
        Action::Keys => {
            manual::keys();
            Ok(())
        }
    }
}

/// Prints text on the standard output; a reader that went away is no failure. Anything else, a full disk for instance, is
/// told once, and the program's exit code is 1.
fn say(text: &str) {
    let mut out = std::io::stdout();
    let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) else { return };
    if error.kind() != std::io::ErrorKind::BrokenPipe && !UNSAID.swap(true, Ordering::Relaxed) {
        let _ = writeln!(std::io::stderr(), "the standard output cannot be written: {error}");
    }
}

/// Whether something could not be printed.
static UNSAID: AtomicBool = AtomicBool::new(false);

/// Prints what a loaded schedule warns of.
fn warn(loaded: &schedule::Loaded) {
    for warning in &loaded.warnings {
        let _ = writeln!(std::io::stderr(), "{:?}", miette::Report::new(warning.clone()));
    }
}

/// Fails, naming everything that a schedule names and that is not there, or does not fit.
fn paths(loaded: &schedule::Loaded) -> Result<(), Failure> {
    let mut problems = schedule::check_paths(loaded);
    if problems.is_empty() {
        problems = crate::train::check::preflight::check(loaded);
    }
    if problems.is_empty() {
        return Ok(());
    }
    let name = loaded.schedule.path.display().to_string();
    Err(Failure::Usage(schedule::ScheduleError::invalid(&name, problems).into()))
}

fn check(path: &std::path::Path, overrides: &[String]) -> Result<(), Failure> {
    let loaded = schedule::load(path, overrides).map_err(|error| Failure::Usage(error.into()))?;
    warn(&loaded);
    paths(&loaded)?;
    let needs = needs::text(&loaded.schedule);
    say(&format!("`{}` is a valid schedule:\n{}{needs}", path.display(), plan(&loaded.schedule)));
    Ok(())
}

/// What a schedule will train, a line a stage.
fn plan(schedule: &schedule::Schedule) -> String {
    let mut text = String::new();
    let mut epoch = schedule.initial_epoch;
    list(&mut text, &schedule.stages, "  ", &mut epoch);
    if !schedule.branches.is_empty() {
        let _ = writeln!(text, "  then {} branches, each after epoch {epoch}:", schedule.branches.len());
    }
    for branch in &schedule.branches {
        let _ = writeln!(text, "  {}", branch.name);
        list(&mut text, &branch.stages, "    ", &mut epoch.clone());
    }
    text
}

/// Lines of stages that begin after the global epoch `epoch`.
fn list(text: &mut String, stages: &[schedule::Stage], margin: &str, epoch: &mut u32) {
    for (number, stage) in stages.iter().enumerate() {
        let optimizer = stage.optimizer.map_or("the optimiser before it", |optimizer| optimizer.name());
        let name = stage.name.as_ref().map_or_else(String::new, |name| format!("{name}: "));
        // A bottleneck-only stage counts its own epochs.
        let (first, last) = if stage.bottleneck_only { (1, stage.epochs) } else { (*epoch + 1, *epoch + stage.epochs) };
        let epochs = if first == last { format!("epoch {first}") } else { format!("epochs {first} to {last}") };
        let frozen = if stage.bottleneck_only { " of its own, head only" } else { "" };
        let rate = stage.learning_rate;
        let (from, to) = (rate.at(first - 1), rate.at(last - 1));
        let fall = if from.to_bits() == to.to_bits() { String::new() } else { format!(" to {to:.3e}") };
        let _ = writeln!(
            text,
            "{margin}{}. {name}{} with {optimizer}, {epochs}{frozen}, batch {}, learning rate {from:.3e}{fall}, \
             augment {}",
            number + 1,
            stage.loss.name(),
            if stage.auto_batch { "auto".to_owned() } else { stage.batch_size.to_string() },
            stage.augment
        );
        *epoch += if stage.bottleneck_only { 0 } else { stage.epochs };
    }
}
