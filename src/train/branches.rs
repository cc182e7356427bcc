//! The branches of a schedule: each starts from a copy of the state that the stages leave, has files and a run of its own, and
//! is compared with the others in a table.

use std::path::PathBuf;

use crate::event::{BranchRow, Event, Level, Outcome};
use crate::graph::embedding::cut;
use crate::nn::Network;
use crate::schedule::{Branch, Schedule};
use crate::train::class_names;
use crate::train::error::{TrainError, caught};
use crate::train::evaluation::details::Moment;
use crate::train::paths::{OutputPaths, branch_name};
use crate::train::saver::retry::retry;
use crate::train::session::Session;
use crate::train::stage_loop::recovery;
use crate::train::state::branch_table::Table;
use crate::train::state::progress::Progress;
use crate::train::state::saved::SavedState;
use crate::train::state::start_point::StartPoint;
use crate::train::state::train_state::TrainState;

/// What the starting point is called in the table.
pub const START: &str = "start";

/// The branches of a run.
pub struct Branches<'a> {
    /// The name of the run's folder.
    pub run_id: &'a str,
    /// What they all start from.
    pub train_state: TrainState,
    /// What they have reached so far.
    pub table: Table,
    /// The state of the first branch that has not ended, when it had begun.
    pub resumed: Option<(PathBuf, SavedState)>,
}

impl Branches<'_> {
    /// Trains every branch that has not ended.
    ///
    /// # Errors
    /// A bin that cannot be read, a table that cannot be written; no branch came to its end.
    pub fn train(mut self, session: &mut Session<'_>) -> Result<Outcome, TrainError> {
        let schedule = session.schedule;
        if !session.control.ends_after_epoch() {
            if self.table.start.is_none() {
                self.table.start = start_row(session, &mut self.train_state)?;
                if let Some(row) = &self.table.start {
                    (session.emit)(Event::StartEvaluated { row: row.clone() });
                }
            }
            let done = self.table.branches.len();
            for (number, branch) in schedule.branches.iter().enumerate().skip(done) {
                if session.control.ends_after_epoch() {
                    break;
                }
                self.train_branch(session, number, branch);
            }
        }
        self.end(session)
    }

    /// Tells what was compared, and writes the table if it is not on disk yet.
    fn end(mut self, session: &mut Session<'_>) -> Result<Outcome, TrainError> {
        let schedule = session.schedule;
        let Table { start, branches, .. } = &self.table;
        let left = schedule.branches.len() - branches.len();
        if left > 0 {
            let message = format!("stopped, as asked: {left} of {} branches were not begun", schedule.branches.len());
            (session.emit)(Event::Log { level: Level::Info, message });
        }
        if !branches.is_empty() {
            (session.emit)(Event::BranchesCompared { start: start.clone(), branches: branches.clone() });
        }
        if self.table.is_unsaved() {
            let Session { control, emit, keep_trying, .. } = session;
            retry(control, emit, *keep_trying, || self.table.write(schedule, emit))?;
        }
        self.table.outcome(schedule.branches.len())
    }

    /// One branch. What goes wrong in it ends it alone.
    fn train_branch(&mut self, session: &mut Session<'_>, number: usize, branch: &Branch) {
        let schedule = session.schedule;
        let resumed = self.resumed.take();
        let branch_id = format!("{}-{}", self.run_id, branch.name);
        if resumed.is_none() {
            let (name, run_id) = (branch.name.clone(), branch_id.clone());
            (session.emit)(Event::BranchStarted { branch: number, name, run_id });
        }
        session.state_header.branch = Some(number);
        session.state_header.start.clone_from(&self.table.start);
        session.state_header.rows.clone_from(&self.table.branches);
        session.bins.run = schedule.runs.join(&branch_id);
        let mut progress = Progress::new(&self.train_state);
        let last = number + 1 == schedule.branches.len();
        let outcome = caught(|| {
            let paths = self.prepare(session, branch, &branch_id, resumed.is_some())?;
            let start_point = match &resumed {
                Some((path, state)) => state.restore(path, session.device)?,
                None => self.announce(session, branch, &branch_id)?,
            };
            let from_the_beginning = |_: &Session<'_>| Ok(StartPoint::new(self.train_state.copy(), 0.0));
            let trained = recovery::train(session, &paths, start_point, &branch.stages, last, &from_the_beginning)?;
            progress = trained.progress;
            let (outcome, _) = trained.outcome?;
            if outcome == Outcome::Completed {
                paths.remove_snapshots();
            }
            Ok(outcome)
        });
        session.state_header.branch = None;
        let row = progress.row(branch.name.clone(), Some(outcome.unwrap_or_else(Into::into)));
        self.table.branches.push(row.clone());
        (session.emit)(Event::BranchEnded { branch: number, row });
        if let Err(error) = self.table.write(schedule, &session.emit) {
            (session.emit)(Event::Log { level: Level::Error, message: error.message });
        }
    }

    /// The files of a branch; those of an earlier run of its name are moved aside unless it resumes.
    fn prepare(
        &self,
        session: &mut Session<'_>,
        branch: &Branch,
        branch_id: &str,
        resumes: bool,
    ) -> Result<OutputPaths, TrainError> {
        let Session { schedule, control, emit, keep_trying, data, .. } = session;
        let name = branch_name(schedule, branch);
        retry(control, emit, *keep_trying, || {
            let paths = OutputPaths::new(&schedule.checkpoints, &name)?;
            if !resumes {
                paths.set_aside_and_tell(emit)?;
            }
            class_names::note(schedule, [self.run_id, branch_id], &paths, &**data)?;
            Ok(paths)
        })
    }

    /// The beginning of a branch, told as a run of its own.
    fn announce(&self, session: &Session<'_>, branch: &Branch, branch_id: &str) -> Result<StartPoint, TrainError> {
        let train_state = self.train_state.copy();
        let own = Schedule {
            name: branch_name(session.schedule, branch),
            initial_epoch: train_state.epoch,
            stages: branch.stages.clone(),
            branches: Vec::new(),
            ..session.schedule.clone()
        };
        let start = train_state.start()?;
        let header = session.header(&own, branch_id, (&start.graph, start.embedding))?;
        (session.emit)(Event::RunStarted(Box::new(header)));
        Ok(StartPoint::new(train_state, 0.0))
    }
}

/// The row of the state that all branches start from; its bins are evaluated unless the stages before did that. None when the
/// evaluation was interrupted.
///
/// # Errors
/// A bin that cannot be read.
fn start_row(session: &mut Session<'_>, train_state: &mut TrainState) -> Result<Option<BranchRow>, TrainError> {
    if train_state.figures.is_empty() && !session.bins.names().is_empty() {
        let start = train_state.start()?;
        let (graph, weights) = cut(&start.graph, &start.weights, start.embedding);
        let embedding = graph.output();
        let network = Network::new(graph, embedding, &weights, session.device.place, session.device.compute);
        let moment = Moment { index: 0, step: None };
        let results = session.bins.evaluate(&network, moment, &session.emit, &mut session.control)?;
        if session.control.poll() {
            return Ok(None);
        }
        for result in &results {
            (session.emit)(Event::BinEvaluated { index: 0, result: result.clone() });
        }
        train_state.remember(results);
    }
    let (loss, accuracy) = train_state.newest.map_or((None, None), |(loss, accuracy)| (Some(loss), accuracy));
    Ok(Some(BranchRow {
        name: START.to_owned(),
        epoch: train_state.epoch,
        loss: loss.or_else(|| train_state.history.last("loss")),
        accuracy,
        bins: train_state.figures.clone(),
        seconds: 0.0,
        steps: 0,
        outcome: None,
    }))
}
