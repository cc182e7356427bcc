//! The engine's way through a schedule: prepare, announce, the stages, then each branch from the state the stages leave.
//!
//! A [`Session`] holds what all of them share. The last event is always [`Event::Finished`], whatever happens: libtorch's
//! panics are caught here.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;

use crate::checkpoint::{self, keras_history::History};
use crate::crash;
use crate::event::{Command, Continuation, Event, Level, Outcome, RunHeader};
use crate::schedule::{ModelSource, Schedule};
use crate::train::branches::Branches;
use crate::train::class_names;
use crate::train::device::Device;
use crate::train::emit::{Emit, Flush};
use crate::train::error::{TrainError, caught};
use crate::train::evaluation::bins::bin_name;
use crate::train::memory::{advice, auto_batch};
use crate::train::model;
use crate::train::paths::OutputPaths;
use crate::train::session::Session;
use crate::train::stage_loop::recovery;
use crate::train::state::branch_table::Table;
use crate::train::state::saved::{Found, SavedState};
use crate::train::state::start_point::StartPoint;
use crate::train::state::train_state::TrainState;
use crate::train::state::unfinished::{self, Unfinished};

/// How long a run that has ended tries to write its files, unless told.
const KEEP_TRYING: Duration = Duration::from_hours(1);

/// What the engine is to do.
pub struct Job<'a> {
    /// What to train.
    pub schedule: &'a Schedule,
    /// The name of the run's folder.
    pub run_id: &'a str,
    /// The unfinished run that resumes; none to begin.
    pub resume: Option<Unfinished>,
    /// Whether files of this name are moved aside also where they would be used.
    pub fresh: bool,
    /// Makes sure that the journal is up to date.
    pub flush: Flush,
    /// How long stages that have ended try to write what a disk does not take; none for an hour.
    pub keep_trying: Option<Duration>,
}

/// Trains a schedule from its beginning to its end, a stop or a failure, without a journal.
pub fn run(schedule: &Schedule, run_id: &str, commands: &Receiver<Command>, emit: &Emit) {
    let job = Job { schedule, run_id, resume: None, fresh: false, flush: Arc::new(|| {}), keep_trying: None };
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
        let help = "the run's state was saved: train the schedule again to resume from there, and report the panic";
        outcome = Outcome::Failed { error, help: Some(help.to_owned()) };
    }
    emit(Event::Finished { outcome, seconds: started.elapsed().as_secs_f64() });
}

fn train(job: Job<'_>, commands: &Receiver<Command>, emit: &Emit) -> Result<Outcome, TrainError> {
    let Job { schedule, run_id, resume, fresh, flush, keep_trying } = job;
    // Prepare.
    let paths = OutputPaths::new(&schedule.checkpoints, &schedule.name)?;
    let device = Device::choose(schedule)?;
    emit(Event::Preparing { what: "building the network".to_owned(), done: 0, total: 0 });
    let mut start_point = match resume.as_ref().and_then(|found| found.base.as_ref()) {
        Some((path, state)) => state.restore(path, device)?,
        None => beginning(schedule, History::default(), 0.0)?,
    };
    let schedule = &*with_batch_size(schedule, resume.as_ref(), &start_point.train_state, device, emit)?;
    let start = start_point.train_state.start()?;
    let mut session = Session::prepare(schedule, run_id, commands.clone(), (Arc::clone(emit), flush), device, start)?;
    session.keep_trying = keep_trying.unwrap_or(KEEP_TRYING);
    if resume.is_none() {
        let from_scratch = fresh || (matches!(schedule.model, ModelSource::Backbone(_)) && schedule.initial_epoch == 0);
        let history = continue_or_set_aside(&paths, from_scratch, emit)?;
        let best = schedule.data.bins.last().and_then(|bin| history.best(&bin_name(bin)));
        start_point.best = best.unwrap_or(0.0);
        start_point.train_state.history = history;
    }
    announce(&mut session, run_id, &paths, resume.as_ref(), &mut start_point.train_state)?;
    // The stages.
    let Unfinished { ended: stages_ended, branch: resumed, rows, start, .. } = resume.unwrap_or_default();
    let train_state = if stages_ended || schedule.stages.is_empty() {
        start_point.train_state
    } else {
        match train_stages(&mut session, &paths, start_point)? {
            (Outcome::Completed, train_state) if !schedule.branches.is_empty() => train_state,
            (outcome, _) => return Ok(ended(&paths, outcome)),
        }
    };
    // The branches.
    let table = Table::going_on(paths.branch_table(), run_id, start, rows);
    let outcome = Branches { run_id, train_state, table, resumed }.train(&mut session)?;
    Ok(ended(&paths, outcome))
}

/// The beginning of a schedule's stages.
fn beginning(schedule: &Schedule, history: History, best: f64) -> Result<StartPoint, TrainError> {
    let start = model::start(&schedule.model, schedule.seed)?;
    Ok(StartPoint::new(TrainState::new(start, schedule.initial_epoch, history), best))
}

/// The schedule with its batch size; one that it leaves to facetui is found, or is that of the run that resumes.
fn with_batch_size<'s>(
    schedule: &'s Schedule,
    resume: Option<&Unfinished>,
    train_state: &TrainState,
    device: Device,
    emit: &Emit,
) -> Result<Cow<'s, Schedule>, TrainError> {
    if !schedule.has_auto_batch() {
        return Ok(Cow::Borrowed(schedule));
    }
    let known = resume.and_then(|found| found.newest()?.1.identity.batch_size);
    let images = match known {
        Some(images) => images,
        None => auto_batch::find(schedule, train_state.start()?, device, emit)?,
    };
    Ok(Cow::Owned(schedule.with_batch(images)))
}

/// Tells that the run starts, or from where it resumes, and what is worth knowing about its beginning.
fn announce(
    session: &mut Session<'_>,
    run_id: &str,
    paths: &OutputPaths,
    resume: Option<&Unfinished>,
    train_state: &mut TrainState,
) -> Result<(), TrainError> {
    let schedule = session.schedule;
    let start = train_state.start()?;
    let header = session.header(schedule, run_id, (&start.graph, start.embedding))?;
    session.state_header.run_header = Some(header.clone());
    match resume {
        Some(found) => {
            session.state_header.sequence = found.sequence;
            announce_resumed(session, found, header)?;
            for (paths, (_, state)) in found.newest_states(schedule) {
                if let Some(message) = unfinished::mend_history(&paths, state) {
                    (session.emit)(Event::Log { level: Level::Warning, message });
                }
            }
        }
        None => (session.emit)(Event::RunStarted(Box::new(header))),
    }
    class_names::note(schedule, [run_id; 2], paths, &*session.data)?;
    for (level, message) in train_state.take_notes() {
        (session.emit)(Event::Log { level, message });
    }
    let start = train_state.start()?;
    advice::warn(&session.memory_facts(), (&start.graph, start.embedding), &session.emit);
    Ok(())
}

/// Tells from where a run resumes, and takes over what it knew.
fn announce_resumed(session: &mut Session<'_>, found: &Unfinished, header: RunHeader) -> Result<(), TrainError> {
    let Some((path, state)) = found.newest() else {
        return Err(TrainError::new("the run has no state to resume from"));
    };
    let (then, now) = (&state.identity, &session.state_header.identity);
    if (then.images, then.classes) != (now.images, now.classes) {
        if !found.changed {
            return Err(TrainError::new(format!(
                "the training set has {} images of {} classes, and the unfinished run had {} of {}",
                now.images, now.classes, then.images, then.classes
            ))
            .with_help("`--resume-changed` resumes with it as it is now, `--fresh` starts over"));
        }
        let message = format!(
            "the training set has {} images of {} classes; it had {} of {} before the interruption",
            now.images, now.classes, then.images, then.classes
        );
        (session.emit)(Event::Log { level: Level::Warning, message });
    }
    session.loader.set_known_bad(&state.bad_images);
    session.control.rate_scale = state.rate_scale;
    let device =
        (then.device != now.device).then(|| format!("computed on {} before, now on {}", then.device, now.device));
    session.state_header.recovery.clone_from(&state.recovery);
    let (point, path) = (found.point(), path.display().to_string());
    (session.emit)(Event::Continued(Box::new(Continuation { header, point, path })));
    if let Some(what) = device {
        let message = format!("{what}: the run resumes, but not bit for bit as it would have been");
        (session.emit)(Event::Log { level: Level::Warning, message });
    }
    for message in &found.notes {
        (session.emit)(Event::Log { level: Level::Warning, message: message.clone() });
    }
    Ok(())
}

/// Trains the stages that come before the branches.
fn train_stages(
    session: &mut Session<'_>,
    paths: &OutputPaths,
    start_point: StartPoint,
) -> Result<(Outcome, TrainState), TrainError> {
    let schedule = session.schedule;
    let (history, best) = (start_point.train_state.history.clone(), start_point.best);
    let from_the_beginning = |session: &Session<'_>| beginning(session.schedule, history.clone(), best);
    let last = schedule.branches.is_empty();
    recovery::train(session, paths, start_point, &schedule.stages, last, &from_the_beginning)?.outcome
}

/// Removes what only an unfinished run needs.
fn ended(paths: &OutputPaths, outcome: Outcome) -> Outcome {
    if outcome == Outcome::Completed {
        paths.remove_snapshots();
    }
    outcome
}

/// The history that a run appends to. A run from scratch begins one, and moves the files of an earlier run aside.
fn continue_or_set_aside(paths: &OutputPaths, from_scratch: bool, emit: &Emit) -> Result<History, TrainError> {
    if from_scratch {
        paths.set_aside_and_tell(emit)?;
        return Ok(History::default());
    }
    // The history of the run whose model is used: the state in that has it too.
    if paths.history().is_file()
        && let Ok(Found::State(state)) = SavedState::read(&paths.model())
        && checkpoint::verify(&paths.model()).is_ok_and(|whole| whole)
        && let Some(message) = unfinished::mend_history(paths, &state)
    {
        emit(Event::Log { level: Level::Warning, message });
    }
    paths.set_snapshots_aside()?;
    History::read_if_present(&paths.history()).map_err(|error| TrainError::from_diagnostic(&error))
}
