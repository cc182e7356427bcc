//! `facetui check`: a schedule and its paths, checked without training, with what it would train.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use super::failure::Failure;
use super::memory_table;
use super::output::say;
use crate::schedule;

/// Prints what a loaded schedule warns of.
pub(super) fn warn(loaded: &schedule::Loaded) {
    for warning in &loaded.warnings {
        let _ = writeln!(std::io::stderr(), "{:?}", miette::Report::new(warning.clone()));
    }
}

/// Fails with all files of a schedule that are missing, and all that do not fit.
pub(super) fn paths(loaded: &schedule::Loaded) -> Result<(), Failure> {
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

/// Checks a schedule and says what it would train.
pub(super) fn check(path: &Path, overrides: &[String]) -> Result<(), Failure> {
    let loaded = schedule::load(path, overrides).map_err(|error| Failure::Usage(error.into()))?;
    warn(&loaded);
    paths(&loaded)?;
    let memory = memory_table::text(&loaded.schedule);
    say(&format!("`{}` is a valid schedule:\n{}{memory}", path.display(), plan(&loaded.schedule)));
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
        let optimizer = stage.optimizer.map_or("the previous optimiser", |optimizer| optimizer.name());
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
