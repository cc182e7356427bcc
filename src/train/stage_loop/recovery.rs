//! Trains a list of stages to its end and recovers from a loss that becomes NaN or infinite: it goes back to the newest state
//! on disk, with a lower learning rate and without the batches that did it, as often as the schedule allows.

use crate::event::{Continuation, Event, Outcome, Point};
use crate::schedule::Stage;
use crate::train::error::{Diverged, TrainError};
use crate::train::paths::OutputPaths;
use crate::train::session::Session;
use crate::train::stage_loop::StageLoop;
use crate::train::state::header::RecoveryAttempts;
use crate::train::state::progress::Progress;
use crate::train::state::start_point::StartPoint;
use crate::train::state::train_state::TrainState;
use crate::train::state::unfinished;

/// What the training of a list of stages came to.
pub struct Trained {
    /// How it ended, and the state it leaves.
    pub outcome: Result<(Outcome, TrainState), TrainError>,
    /// What was reached.
    pub progress: Progress,
}

/// Trains `stages` from `start_point` on. `from_the_beginning` makes their beginning again, for a loss that is NaN or infinite
/// before any state is on disk. With `last` nothing follows these stages.
///
/// # Errors
/// No thread can be made.
pub fn train(
    session: &mut Session<'_>,
    paths: &OutputPaths,
    mut start_point: StartPoint,
    stages: &[Stage],
    last: bool,
    from_the_beginning: &dyn Fn(&Session<'_>) -> Result<StartPoint, TrainError>,
) -> Result<Trained, TrainError> {
    if start_point.resume.is_none() {
        session.state_header.recovery = RecoveryAttempts::default();
    }
    loop {
        let mut stage_loop = StageLoop::start(session, paths.clone(), start_point)?;
        let trained = stage_loop.train(session, stages, last);
        let progress = stage_loop.progress();
        let outcome = stage_loop.close(session, trained);
        let allowed = session.schedule.recovery.attempts;
        match outcome {
            Err(TrainError { diverged: Some(at), message, .. }) if session.state_header.recovery.count < allowed => {
                start_point = go_back(session, paths, at, &message, from_the_beginning)?;
            }
            outcome => {
                restore_rate(session);
                return Ok(Trained { outcome, progress });
            }
        }
    }
}

/// The stages that follow do not begin with the lower rate, unless the user chose another meanwhile.
fn restore_rate(session: &mut Session<'_>) {
    if let Some((before, set)) = session.state_header.recovery.scale.take()
        && session.control.rate_scale.to_bits() == set.to_bits()
    {
        session.control.rate_scale = before;
    }
}

/// The start point that the newest state on disk gives, with everyone told.
fn go_back(
    session: &mut Session<'_>,
    paths: &OutputPaths,
    at: Diverged,
    reason: &str,
    from_the_beginning: &dyn Fn(&Session<'_>) -> Result<StartPoint, TrainError>,
) -> Result<StartPoint, TrainError> {
    let rules = session.schedule.recovery;
    let header = &session.state_header;
    let found = unfinished::newest(paths, header.branch, &header.identity.run_id);
    let beginning = Point { branches: header.rows.len(), within: header.branch.is_some(), index: 1, step: 0 };
    let (start_point, point, path) = match &found {
        Some((path, state)) => (state.restore(path, session.device)?, state.point(), path.display().to_string()),
        None => (from_the_beginning(session)?, beginning, "the beginning".to_owned()),
    };
    let attempts = &mut session.state_header.recovery;
    attempts.count += 1;
    for back in 0..rules.skip as usize {
        if let Some(batch) = at.batch.checked_sub(back).filter(|batch| *batch > 0) {
            attempts.skipped.insert((at.drawn, batch));
        }
    }
    let (attempt, skipped) = (attempts.count, attempts.skipped.len() as u64);
    if let Some(header) = session.state_header.run_header.clone() {
        (session.emit)(Event::Continued(Box::new(Continuation { header, point, path })));
    }
    let reason = reason.to_owned();
    (session.emit)(Event::Recovered { reason, attempt, attempts: rules.attempts, skipped });
    let before = session.control.rate_scale;
    let factor = before * rules.rate;
    session.control.rate_scale = factor;
    let attempts = &mut session.state_header.recovery;
    attempts.scale = Some((attempts.scale.map_or(before, |(first, _)| first), factor));
    (session.emit)(Event::LearningRateScaled { factor });
    Ok(start_point)
}
