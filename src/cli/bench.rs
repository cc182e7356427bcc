//! `facetui bench`: how fast a schedule would train here.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use miette::IntoDiagnostic as _;

use super::check::{paths, warn};
use super::exit_code::ExitCode;
use super::failure::Failure;
use super::output::say;
use crate::event::Event;
use crate::report;
use crate::schedule;
use crate::train::check::bench::{self, Wanted};
use crate::train::check::device::{self, Compared};
use crate::train::error::TrainError;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// Training steps on synthetic images
    Step,
    /// Training steps from the files
    Files,
    /// Embedding, as an evaluation does it
    Evaluation,
}

/// The arguments.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct Request {
    /// The schedule whose first stage is measured: a YAML file
    schedule: PathBuf,
    /// Override a value of the schedule (may be repeated)
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Measure only this (may be repeated)
    #[arg(long, value_enum)]
    only: Vec<Part>,
    /// Seconds for each measurement
    #[arg(long, default_value_t = 10.0, value_parser = seconds)]
    seconds: f64,
    /// Classes of the head; only synthetic images are used then, and no training set is read
    #[arg(long, value_parser = clap::value_parser!(u32).range(2..=100_000_000), conflicts_with = "only")]
    classes: Option<u32>,
    /// Compare the device with the CPU instead: a forward pass, every loss, ten training steps
    #[arg(long, conflicts_with_all = ["only", "classes"])]
    agreement: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn seconds(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|seconds| (0.1..=3600.0).contains(seconds))
        .ok_or_else(|| "expected 0.1 to 3600 seconds".to_owned())
}

/// Measures.
pub(super) fn bench(request: &Request) -> Result<(), Failure> {
    let loaded = schedule::load(&request.schedule, &request.set).map_err(|error| Failure::Usage(error.into()))?;
    warn(&loaded);
    if request.agreement {
        return agree(&loaded.schedule, request.json);
    }
    let asked = |part| request.only.is_empty() || request.only.contains(&part);
    let wanted = Wanted {
        steps: asked(Part::Step),
        files: asked(Part::Files) && request.classes.is_none(),
        evaluation: asked(Part::Evaluation),
        seconds: request.seconds,
        classes: request.classes.map(|classes| classes as usize),
    };
    if wanted.files {
        paths(&loaded)?;
    }
    let emit: crate::train::emit::Emit = Arc::new(|event| {
        if let Event::BadImage { path, reason, .. } = event {
            let _ = writeln!(std::io::stderr(), "skipped {path}: {reason}");
        }
    });
    let measured = guarded(|| bench::run(&loaded.schedule, &wanted, &emit))?;
    if request.json {
        return say_json(&measured);
    }
    say(&report::bench::text(&measured));
    Ok(())
}

/// Compares the schedule's device with the CPU; fails where they differ.
fn agree(schedule: &schedule::Schedule, json: bool) -> Result<(), Failure> {
    let all = guarded(|| device::run(schedule))?;
    if json {
        say_json(&all)?;
    } else {
        for Compared { what, difference, allowed, agrees } in &all {
            let verdict = if *agrees { "agrees" } else { "DIFFERS" };
            say(&format!("{what:<44} {verdict:<8} relative difference {difference:.1e}, allowed {allowed:.0e}\n"));
        }
    }
    if all.iter().all(|compared| compared.agrees) { Ok(()) } else { Err(Failure::Told(ExitCode::Failed)) }
}

/// What a measurement gives; a panic of libtorch, of memory for example, is an error like others.
fn guarded<T>(work: impl FnOnce() -> Result<T, TrainError>) -> Result<T, Failure> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work))
        .unwrap_or_else(|panic| Err(TrainError::from_panic(&*panic)))
        .map_err(|error| {
            let help = error.help.unwrap_or_default();
            Failure::Run(miette::miette!(help = help, "{}", error.message))
        })
}

fn say_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let json = serde_json::to_string(value).into_diagnostic().map_err(Failure::Run)?;
    say(&format!("{json}\n"));
    Ok(())
}
