//! Checks that a run's events follow the grammar of `src/event.rs`, for tests over recorded journals.

use super::{Event, Point};

/// Where a run stands.
#[derive(Default)]
struct Place {
    /// The facts of the run, or of the branch being trained, were given.
    has_header: bool,
    /// Branches that ended, and whether the next one has begun.
    branches: usize,
    in_branch: bool,
    line: Line,
    has_finished: bool,
}

/// Where a line of stages stands: the run's own, or a branch's.
#[derive(Default)]
struct Line {
    /// The stage being trained.
    stage: Option<usize>,
    /// Stages that ended.
    stages: usize,
    /// The epoch being trained, and its steps so far.
    epoch: Option<(u32, u64)>,
    /// Epochs that ended.
    epochs: u32,
}

/// Checks the events of a journal as [`crate::event::Record`]s that count, what a resumed run took back left out.
///
/// # Errors
/// The first event that may not stand where it does, by its place.
pub fn check<'a>(events: impl IntoIterator<Item = &'a Event>) -> Result<(), String> {
    let mut place = Place::default();
    for (at, event) in events.into_iter().enumerate() {
        place.take(event).map_err(|reason| format!("event {}: {reason}: {event:?}", at + 1))?;
    }
    Ok(())
}

fn ensure(holds: bool, reason: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(reason) }
}

impl Place {
    fn take(&mut self, event: &Event) -> Result<(), &'static str> {
        if let Event::Continued(continuation) = event {
            return self.resume(continuation.point);
        }
        match event {
            Event::RunStarted(_) => {
                ensure(!self.has_header, "the run has begun already")?;
                self.has_header = true;
            }
            Event::StartEvaluated { .. } => ensure(!self.in_branch && self.branches == 0, "a branch has begun")?,
            Event::BranchStarted { branch, .. } => {
                ensure(
                    self.has_header && !self.in_branch && *branch == self.branches,
                    "no branch of this number is next",
                )?;
                (self.in_branch, self.has_header, self.line) = (true, false, Line::default());
            }
            Event::BranchEnded { branch, .. } => {
                ensure(self.in_branch && *branch == self.branches, "no branch of this number has begun")?;
                (self.in_branch, self.has_header, self.line) = (false, true, Line::default());
                self.branches += 1;
            }
            Event::BranchesCompared { .. } => ensure(!self.in_branch, "a branch has not ended")?,
            // The starting point of branches, outside any epoch.
            Event::BinEvaluated { index: 0, .. } => {
                ensure(self.line.epoch.is_none() && !self.in_branch, "within an epoch or a branch")?;
            }
            Event::Finished { .. } => {
                ensure(!self.in_branch, "a branch has not ended")?;
                self.has_finished = true;
                return Ok(());
            }
            event => {
                ensure(self.has_header || !is_of_line(event), "nothing said what is trained")?;
                self.line.take(event)?;
            }
        }
        // A file that waited for a disk may still be written.
        ensure(
            !self.has_finished || matches!(event, Event::CheckpointWritten { .. }) || is_told_any_time(event),
            "the run has ended",
        )
    }

    /// What counts before it ends exactly at its point.
    fn resume(&mut self, point: Point) -> Result<(), &'static str> {
        (self.has_header, self.has_finished) = (true, false);
        ensure((self.branches, self.in_branch) == (point.branches, point.within), "it resumes in another branch")?;
        if point.index == 0 {
            return Ok(());
        }
        let epoch = (point.step > 0).then_some((point.index, point.step));
        ensure(self.line.epoch == epoch, "it resumes within another epoch")?;
        ensure(self.line.epochs + 1 == point.index, "it resumes after another epoch")
    }
}

impl Line {
    fn take(&mut self, event: &Event) -> Result<(), &'static str> {
        match event {
            Event::StageStarted { stage, .. } => {
                ensure(self.stage.is_none() && *stage == self.stages, "no stage of this number is next")?;
                self.stage = Some(*stage);
            }
            Event::EpochStarted { stage, index, .. } => {
                ensure(self.stage == Some(*stage), "its stage has not begun")?;
                ensure(self.epoch.is_none() && *index == self.epochs + 1, "no epoch of this number is next")?;
                self.epoch = Some((*index, 0));
            }
            Event::Steps { index, step, loss, .. } => {
                let before = step.checked_sub(loss.len() as u64);
                ensure(
                    self.epoch.map(|(index, step)| (index, Some(step))) == Some((*index, before)),
                    "they follow no step",
                )?;
                self.epoch = Some((*index, *step));
            }
            Event::BinChecked { index, step, .. } => {
                ensure(self.epoch == Some((*index, *step)), "the epoch stands at another step")?;
            }
            Event::BinEvaluated { index, .. } => {
                ensure(self.epoch.is_some_and(|(epoch, _)| epoch == *index), "it is no result of this epoch")?;
            }
            Event::EpochEnded { stage, index, .. } => {
                ensure(self.stage == Some(*stage), "its stage has not begun")?;
                ensure(self.epoch.is_some_and(|(epoch, _)| epoch == *index), "this epoch has not begun")?;
                (self.epoch, self.epochs) = (None, *index);
            }
            Event::StageEnded { stage } => {
                ensure(
                    self.stage == Some(*stage) && self.epoch.is_none(),
                    "this stage has not begun, or its epoch not ended",
                )?;
                (self.stage, self.stages) = (None, stage + 1);
            }
            _ => {}
        }
        Ok(())
    }
}

/// Whether an event belongs to a line of stages.
const fn is_of_line(event: &Event) -> bool {
    matches!(
        event,
        Event::StageStarted { .. }
            | Event::EpochStarted { .. }
            | Event::Steps { .. }
            | Event::BinChecked { .. }
            | Event::BinEvaluated { .. }
            | Event::EpochEnded { .. }
            | Event::StageEnded { .. }
    )
}

/// Whether an event may come also when the run has ended.
const fn is_told_any_time(event: &Event) -> bool {
    matches!(event, Event::SavingFailed { .. } | Event::SavingRestored { .. } | Event::Unknown)
}
