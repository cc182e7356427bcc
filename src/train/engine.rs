//! The engine's way through a schedule: prepare, the stages, then each branch from the state the stages leave.
//!
//! A [`Session`] holds what all of them share, a [`Leg`](super::leg::Leg) trains one line of stages. The last event is always
//! [`Event::Finished`], whatever happens: libtorch's panics are caught here.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;

use super::auto_batch;
use super::classes;
use super::comparison::{self, Table};
use super::error::TrainError;
use super::line;
use super::model;
use super::outputs::Outputs;
use super::patience::patiently;
use super::session::{Device, Session};
use super::shortage;
use super::standing::{Line, Standing};
use super::state::{Found, State};
use super::unfinished::{self, Unfinished};
use crate::checkpoint::{self, keras_history::History};
use crate::crash;
use crate::event::{Command, Continuation, Event, Level, Outcome, RunHeader};
use crate::schedule::{Branch, ModelSource, Schedule};

/// Where the engine says what happens. It must not block.
pub type Emit = Arc<dyn Fn(Event) + Send + Sync>;

/// Makes sure that what was emitted so far is in the journal. May wait for the disk.
pub type Flush = Arc<dyn Fn() + Send + Sync>;

/// How long a run that has ended tries to write its files, unless told.
const PATIENCE: Duration = Duration::from_hours(1);

/// What the engine is to do.
pub struct Job<'a> {
    /// What to train.
    pub schedule: &'a Schedule,
    /// The name of the run's folder.
    pub run_id: &'a str,
    /// The unfinished run that goes on; none to begin.
    pub resume: Option<Unfinished>,
    /// Whether files of this name are moved aside also where they would be gone on with.
    pub fresh: bool,
    /// Makes sure that the journal is up to date.
    pub flush: Flush,
    /// How long a line of stages that has ended tries to write what a disk does not take; none for an hour.
    pub patience: Option<Duration>,
}

/// Trains a schedule from its beginning to its end, a stop or a failure, without a journal.
pub fn run(schedule: &Schedule, run_id: &str, commands: &Receiver<Command>, emit: &Emit) {
    let job = Job { schedule, run_id, resume: None, fresh: false, flush: Arc::new(|| {}), patience: None };
    perform(job, commands, emit);
}

/// Trains a schedule to its end, a stop or a failure.
pub fn perform(job: Job<'_>, commands: &Receiver<Command>, emit: &Emit) {
    let started = Instant::now();
    let mut outcome = caught(|| train(job, commands, emit)).unwrap_or_else(Into::into);
    if let Some(what) = crash::happened() {
        let error = match outcome {
            Outcome::Failed { error, .. } => format!("{what}; and {error}"),
            Outcome::Completed | Outcome::Stopped => what,
        };
        let help = "the run's state was saved: train the schedule again to go on from there, and report the panic";
        outcome = Outcome::Failed { error, help: Some(help.to_owned()) };
    }
    emit(Event::Finished { outcome, seconds: started.elapsed().as_secs_f64() });
}

/// Runs a part of the training; a panic of it is an error like any other.
pub(super) fn caught<T>(part: impl FnOnce() -> Result<T, TrainError>) -> Result<T, TrainError> {
    catch_unwind(AssertUnwindSafe(part)).unwrap_or_else(|panic| Err(TrainError::from_panic(&*panic)))
}

fn train(job: Job<'_>, commands: &Receiver<Command>, emit: &Emit) -> Result<Outcome, TrainError> {
    let Job { schedule, run_id, resume, fresh, flush, patience } = job;
    let outputs = Outputs::new(&schedule.checkpoints, &schedule.name)?;
    let device = Device::choose(schedule)?;
    emit(Event::Preparing { what: "building the network".to_owned(), done: 0, total: 0 });
    let Unfinished { base, ended, within, rows, start, sequence, .. } = resume.clone().unwrap_or_default();
    let mut line = if let Some((path, state)) = &base {
        state.restore(path, device)?
    } else {
        let start = model::start(&schedule.model, schedule.seed)?;
        Line::new(Standing::new(start, schedule.initial_epoch, History::default()), 0.0)
    };
    let settled;
    let schedule = if schedule.has_auto_batch() {
        let known = resume.as_ref().and_then(|found| found.newest()?.1.identity.batch_size);
        let images = match known {
            Some(images) => images,
            None => auto_batch::find(schedule, line.standing.start()?, device, emit)?,
        };
        settled = schedule.with_batch(images);
        &settled
    } else {
        schedule
    };
    let emitters = (Arc::clone(emit), flush);
    let mut session = Session::prepare(schedule, run_id, commands.clone(), emitters, device, line.standing.start()?)?;
    session.ledger.sequence = sequence;
    session.patience = patience.unwrap_or(PATIENCE);
    if resume.is_none() {
        let from_scratch = fresh || (matches!(schedule.model, ModelSource::Backbone(_)) && schedule.initial_epoch == 0);
        line.standing.history = continue_or_set_aside(&outputs, from_scratch, emit)?;
        line.best = schedule.data.bins.last().and_then(|bin| line.standing.history.best(&bin_name(bin))).unwrap_or(0.0);
    }
    let header = {
        let start = line.standing.start()?;
        session.header(schedule, run_id, (&start.graph, start.embedding))?
    };
    session.ledger.header = Some(header.clone());
    match &resume {
        Some(found) => {
            go_on(&mut session, found, header)?;
            for (outputs, (_, state)) in found.lines(schedule) {
                if let Some(message) = unfinished::mend_history(&outputs, state) {
                    emit(Event::Log { level: Level::Warning, message });
                }
            }
        }
        None => emit(Event::RunStarted(Box::new(header))),
    }
    classes::note(schedule, [run_id; 2], &outputs, &*session.data)?;
    for (level, message) in line.standing.take_notes() {
        emit(Event::Log { level, message });
    }
    if let Ok(start) = line.standing.start() {
        shortage::foresee(&session, (&start.graph, start.embedding));
    }
    let standing = if ended || schedule.stages.is_empty() {
        line.standing
    } else {
        let (history, best) = (line.standing.history.clone(), line.best);
        let again = |session: &Session<'_>| {
            let start = model::start(&session.schedule.model, session.schedule.seed)?;
            Ok(Line::new(Standing::new(start, session.schedule.initial_epoch, history.clone()), best))
        };
        let last = schedule.branches.is_empty();
        let (outcome, standing) = line::train(&mut session, &outputs, line, &schedule.stages, last, &again)?.outcome?;
        if schedule.branches.is_empty() || outcome != Outcome::Completed {
            if outcome == Outcome::Completed {
                outputs.remove_snapshots();
            }
            return Ok(outcome);
        }
        standing
    };
    let table = Table::going_on(outputs.comparison(), run_id, start, rows);
    let outcome = branches(&mut session, run_id, standing, table, within)?;
    if outcome == Outcome::Completed {
        outputs.remove_snapshots();
    }
    Ok(outcome)
}

/// Says from where a run goes on, and takes over what it knew.
fn go_on(session: &mut Session<'_>, found: &Unfinished, header: RunHeader) -> Result<(), TrainError> {
    let Some(newest) = found.newest() else { return Err(TrainError::new("the run has no state to go on from")) };
    let (path, state) = newest;
    let (then, now) = (&state.identity, &session.ledger.identity);
    if (then.images, then.classes) != (now.images, now.classes) {
        if !found.changed {
            return Err(TrainError::new(format!(
                "the training set has {} images of {} classes, and the unfinished run had {} of {}",
                now.images, now.classes, then.images, then.classes
            ))
            .with_help("`--resume-changed` goes on with it as it is now, `--fresh` starts over"));
        }
        let message = format!(
            "the training set has {} images of {} classes; it had {} of {} before the interruption",
            now.images, now.classes, then.images, then.classes
        );
        (session.emit)(Event::Log { level: Level::Warning, message });
    }
    session.loader.set_known_bad(&state.bad_images);
    session.control.rate_scale = state.rate_scale;
    session.ledger.setbacks.clone_from(&state.setbacks);
    let point = found.point();
    let path_text = path.display().to_string();
    let device =
        (then.device != now.device).then(|| format!("computed on {} before, now on {}", then.device, now.device));
    (session.emit)(Event::Continued(Box::new(Continuation { header, point, path: path_text })));
    if let Some(what) = device {
        let message = format!("{what}: the run goes on, but not bit for bit as it would have");
        (session.emit)(Event::Log { level: Level::Warning, message });
    }
    for message in &found.notes {
        (session.emit)(Event::Log { level: Level::Warning, message: message.clone() });
    }
    Ok(())
}

/// Every branch that has not ended; `within` is the state of the first of them, when it had begun.
fn branches(
    session: &mut Session<'_>,
    run_id: &str,
    mut standing: Standing,
    mut table: Table,
    mut within: Option<(PathBuf, State)>,
) -> Result<Outcome, TrainError> {
    let schedule = session.schedule;
    if !session.control.ends_after_epoch() {
        if table.start.is_none() {
            table.start = comparison::start(session, &mut standing)?;
            if let Some(row) = &table.start {
                (session.emit)(Event::StartEvaluated { row: row.clone() });
            }
        }
        let done = table.branches.len();
        for (number, branch) in schedule.branches.iter().enumerate().skip(done) {
            if session.control.ends_after_epoch() {
                break;
            }
            train_branch(session, number, branch, run_id, &standing, &mut table, within.take().as_ref());
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
    if table.is_unsaved() {
        let Session { control, emit, patience, .. } = session;
        patiently(control, emit, *patience, || table.write(schedule, emit))?;
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
    within: Option<&(PathBuf, State)>,
) {
    let schedule = session.schedule;
    let name = format!("{}_{}", schedule.name, branch.name);
    let branch_id = format!("{run_id}-{}", branch.name);
    if within.is_none() {
        (session.emit)(Event::BranchStarted { branch: number, name: branch.name.clone(), run_id: branch_id.clone() });
    }
    session.ledger.branch = Some(number);
    session.ledger.start.clone_from(&table.start);
    session.ledger.rows.clone_from(&table.branches);
    let mut figures = comparison::Progress::new(standing);
    session.bins.run = schedule.runs.join(&branch_id);
    let last = number + 1 == schedule.branches.len();
    let again = |_: &Session<'_>| Ok(Line::new(standing.copy(), 0.0));
    let outcome = caught(|| {
        let Session { control, emit, patience, data, .. } = session;
        let outputs = patiently(control, emit, *patience, || {
            let outputs = Outputs::new(&schedule.checkpoints, &name)?;
            if within.is_none() {
                continue_or_set_aside(&outputs, true, emit)?;
            }
            classes::note(schedule, [run_id, &branch_id], &outputs, &**data)?;
            Ok(outputs)
        })?;
        if let Some((path, state)) = within {
            let line = state.restore(path, session.device)?;
            let trained = line::train(session, &outputs, line, &branch.stages, last, &again)?;
            figures = trained.progress;
            return trained.outcome.map(|(outcome, _)| ended(&outputs, outcome));
        }
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
        let trained = line::train(session, &outputs, Line::new(standing, 0.0), &branch.stages, last, &again)?;
        figures = trained.progress;
        trained.outcome.map(|(outcome, _)| ended(&outputs, outcome))
    });
    session.ledger.branch = None;
    let row = figures.row(branch.name.clone(), Some(outcome.unwrap_or_else(Into::into)));
    table.branches.push(row.clone());
    (session.emit)(Event::BranchEnded { branch: number, row });
    if let Err(error) = table.write(schedule, &session.emit) {
        (session.emit)(Event::Log { level: Level::Error, message: error.message });
    }
}

/// Removes what only an unfinished branch needs.
fn ended(outputs: &Outputs, outcome: Outcome) -> Outcome {
    if outcome == Outcome::Completed {
        outputs.remove_snapshots();
    }
    outcome
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
    // The history of the run whose model is gone on with: the state in that has it too.
    if outputs.history().is_file()
        && let Ok(Found::State(state)) = State::read(&outputs.model())
        && checkpoint::verify(&outputs.model()).is_ok_and(|whole| whole)
        && let Some(message) = unfinished::mend_history(outputs, &state)
    {
        emit(Event::Log { level: Level::Warning, message });
    }
    outputs.set_snapshots_aside()?;
    History::read_if_present(&outputs.history()).map_err(|error| TrainError::from_diagnostic(&error))
}
