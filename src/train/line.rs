//! A line of stages from its beginning, or where it goes on, to its end. When the loss is no number any more, it goes back
//! to the newest state on disk, with a lower learning rate and without the batches that did it, as often as the schedule
//! allows.

use super::comparison::Progress;
use super::error::{Diverged, TrainError};
use super::leg::Leg;
use super::outputs::Outputs;
use super::session::Session;
use super::standing::{Line, Standing};
use super::state::Setbacks;
use super::unfinished;
use crate::event::{Continuation, Event, Outcome, Point};
use crate::schedule::Stage;

/// What a line has come to.
pub struct Trained {
    /// How it ended, and where it stands.
    pub outcome: Result<(Outcome, Standing), TrainError>,
    /// What was reached.
    pub progress: Progress,
}

/// Trains `stages` from `line` on. `again` gives the line's beginning, for a loss that is no number before any state is on
/// disk. With `last` nothing follows this line.
///
/// # Errors
/// No thread can be made.
pub fn train(
    session: &mut Session<'_>,
    outputs: &Outputs,
    mut line: Line,
    stages: &[Stage],
    last: bool,
    again: &dyn Fn(&Session<'_>) -> Result<Line, TrainError>,
) -> Result<Trained, TrainError> {
    if line.going.is_none() {
        session.ledger.setbacks = Setbacks::default();
    }
    loop {
        let mut leg = Leg::start(session, outputs.clone(), line)?;
        let trained = leg.train(session, stages, last);
        let progress = leg.progress();
        let outcome = leg.close(session, trained);
        let allowed = session.schedule.recovery.attempts;
        match outcome {
            Err(TrainError { diverged: Some(at), message, .. }) if session.ledger.setbacks.count < allowed => {
                line = go_back(session, outputs, at, &message, again)?;
            }
            outcome => {
                restore_rate(session);
                return Ok(Trained { outcome, progress });
            }
        }
    }
}

/// The next line does not begin with the rate that this one's setbacks left, unless the user chose another meanwhile.
fn restore_rate(session: &mut Session<'_>) {
    if let Some((before, set)) = session.ledger.setbacks.scale.take()
        && session.control.rate_scale.to_bits() == set.to_bits()
    {
        session.control.rate_scale = before;
    }
}

/// The line as its newest state on disk has it, and everyone told.
fn go_back(
    session: &mut Session<'_>,
    outputs: &Outputs,
    at: Diverged,
    reason: &str,
    again: &dyn Fn(&Session<'_>) -> Result<Line, TrainError>,
) -> Result<Line, TrainError> {
    let recovery = session.schedule.recovery;
    let ledger = &session.ledger;
    let found = unfinished::newest(outputs, ledger.branch, &ledger.identity.run_id);
    let beginning = Point { branches: ledger.rows.len(), within: ledger.branch.is_some(), index: 1, step: 0 };
    let (line, point, path) = match &found {
        Some((path, state)) => (state.restore(path, session.device)?, state.point(), path.display().to_string()),
        None => (again(session)?, beginning, "the beginning".to_owned()),
    };
    let setbacks = &mut session.ledger.setbacks;
    setbacks.count += 1;
    for back in 0..recovery.skip as usize {
        if let Some(batch) = at.batch.checked_sub(back).filter(|batch| *batch > 0) {
            setbacks.skipped.insert((at.drawn, batch));
        }
    }
    let (attempt, skipped) = (setbacks.count, setbacks.skipped.len() as u64);
    if let Some(header) = session.ledger.header.clone() {
        (session.emit)(Event::Continued(Box::new(Continuation { header, point, path })));
    }
    let attempts = recovery.attempts;
    (session.emit)(Event::Recovered { reason: reason.to_owned(), attempt, attempts, skipped });
    let before = session.control.rate_scale;
    let factor = before * recovery.rate;
    session.control.rate_scale = factor;
    let setbacks = &mut session.ledger.setbacks;
    setbacks.scale = Some((setbacks.scale.map_or(before, |(first, _)| first), factor));
    (session.emit)(Event::LearningRateScaled { factor });
    Ok(line)
}
