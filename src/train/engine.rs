//! The engine's way through a schedule: prepare, the stages, then each branch from the state the stages leave.
//!
//! A [`Session`] holds what all of them share, a [`Leg`] trains one line of stages. The last event is always
//! [`Event::Finished`], whatever happens: libtorch's panics are caught here.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::Receiver;

use super::classes;
use super::comparison::{self, Table};
use super::error::TrainError;
use super::leg::{Leg, Standing};
use super::outputs::Outputs;
use super::session::Session;
use crate::checkpoint::history::History;
use crate::event::{Command, Event, Level, Outcome};
use crate::schedule::{Branch, ModelSource, Schedule};

/// Where the engine says what happens. It must not block.
pub type Emit = Arc<dyn Fn(Event) + Send + Sync>;

/// Trains a schedule to its end, a stop or a failure.
pub fn run(schedule: &Schedule, run_id: &str, commands: &Receiver<Command>, emit: &Emit) {
    let started = Instant::now();
    let outcome = caught(|| train(schedule, run_id, commands, emit)).unwrap_or_else(Into::into);
    emit(Event::Finished { outcome, seconds: started.elapsed().as_secs_f64() });
}

/// Runs a part of the training; a panic of it is an error like any other.
fn caught<T>(part: impl FnOnce() -> Result<T, TrainError>) -> Result<T, TrainError> {
    catch_unwind(AssertUnwindSafe(part)).unwrap_or_else(|panic| Err(TrainError::from_panic(&*panic)))
}

fn train(schedule: &Schedule, run_id: &str, commands: &Receiver<Command>, emit: &Emit) -> Result<Outcome, TrainError> {
    let outputs = Outputs::new(&schedule.checkpoints, &schedule.name)?;
    let (mut session, mut start) = Session::prepare(schedule, run_id, commands.clone(), Arc::clone(emit))?;
    let from_scratch = matches!(schedule.model, ModelSource::Backbone(_)) && schedule.initial_epoch == 0;
    let history = continue_or_set_aside(&outputs, from_scratch, emit)?;
    emit(Event::RunStarted(Box::new(session.header(schedule, run_id, (&start.graph, start.embedding))?)));
    classes::note(schedule, run_id, &outputs, &*session.data)?;
    for (level, message) in start.notes.drain(..) {
        emit(Event::Log { level, message });
    }
    let best = schedule.data.bins.last().and_then(|bin| history.best(&bin_name(bin))).unwrap_or(0.0);
    let standing = Standing::new(start, schedule.initial_epoch, history);
    if schedule.branches.is_empty() {
        let mut leg = Leg::start(&session, outputs, standing, best)?;
        let trained = leg.train(&mut session, &schedule.stages, true);
        return leg.close(trained).map(|(outcome, _)| outcome);
    }
    branches(&mut session, run_id, &outputs, standing, best)
}

/// The stages that come first, when there are any, then every branch.
fn branches(
    session: &mut Session<'_>,
    run_id: &str,
    outputs: &Outputs,
    standing: Standing,
    best: f64,
) -> Result<Outcome, TrainError> {
    let schedule = session.schedule;
    let (outcome, mut standing) = if schedule.stages.is_empty() {
        (Outcome::Completed, standing)
    } else {
        let mut leg = Leg::start(session, outputs.clone(), standing, best)?;
        let trained = leg.train(session, &schedule.stages, false);
        leg.close(trained)?
    };
    let mut table = Table::new(outputs.comparison());
    if outcome == Outcome::Completed && !session.control.ends_after_epoch() {
        table.start = comparison::start(session, &mut standing)?;
        if let Some(row) = &table.start {
            (session.emit)(Event::StartEvaluated { row: row.clone() });
        }
        for (number, branch) in schedule.branches.iter().enumerate() {
            if session.control.ends_after_epoch() {
                break;
            }
            train_branch(session, number, branch, run_id, &standing, &mut table);
        }
    }
    let left = schedule.branches.len() - table.branches.len();
    if left > 0 {
        let message = format!("stopped, as asked: {left} of {} branches were not begun", schedule.branches.len());
        (session.emit)(Event::Log { level: Level::Info, message });
    }
    if !table.branches.is_empty() {
        (session.emit)(Event::BranchesCompared { start: table.start.clone(), branches: table.branches.clone() });
    }
    table.outcome(schedule.branches.len())
}

/// One branch, from a copy of the standing that all begin with. What goes wrong in it ends it alone.
fn train_branch(
    session: &mut Session<'_>,
    number: usize,
    branch: &Branch,
    run_id: &str,
    standing: &Standing,
    table: &mut Table,
) {
    let schedule = session.schedule;
    let name = format!("{}_{}", schedule.name, branch.name);
    let branch_id = format!("{run_id}-{}", branch.name);
    (session.emit)(Event::BranchStarted { branch: number, name: branch.name.clone(), run_id: branch_id.clone() });
    let mut figures = comparison::Progress::new(standing);
    session.bins.run = schedule.runs.join(&branch_id);
    let last = number + 1 == schedule.branches.len();
    let outcome = caught(|| {
        let outputs = Outputs::new(&schedule.checkpoints, &name)?;
        continue_or_set_aside(&outputs, true, &session.emit)?;
        let standing = standing.copy();
        let own = Schedule {
            name,
            initial_epoch: standing.epoch,
            stages: branch.stages.clone(),
            branches: Vec::new(),
            ..schedule.clone()
        };
        let start = standing.start()?;
        let header = session.header(&own, &branch_id, (&start.graph, start.embedding))?;
        (session.emit)(Event::RunStarted(Box::new(header)));
        let mut leg = Leg::start(session, outputs, standing, 0.0)?;
        let trained = leg.train(session, &branch.stages, last);
        figures = leg.progress();
        leg.close(trained).map(|(outcome, _)| outcome)
    });
    let row = figures.row(branch.name.clone(), Some(outcome.unwrap_or_else(Into::into)));
    table.branches.push(row.clone());
    (session.emit)(Event::BranchEnded { branch: number, row });
    table.write(schedule, &session.emit);
}

/// A bin file's name in figures and files: its stem.
pub fn bin_name(path: &std::path::Path) -> String {
    path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned())
}

/// The history that a run goes on with. A run from scratch begins one, and moves the files of an earlier run aside.
fn continue_or_set_aside(outputs: &Outputs, from_scratch: bool, emit: &Emit) -> Result<History, TrainError> {
    if from_scratch {
        if let Some(folder) = outputs.set_aside()? {
            let message = format!("the files of an earlier run of this name were moved to `{}`", folder.display());
            emit(Event::Log { level: Level::Info, message });
        }
        return Ok(History::default());
    }
    History::read_if_present(&outputs.history()).map_err(|error| TrainError::from_diagnostic(&error))
}
