//! Finds the run that a schedule's files stopped in the middle of.
//!
//! Every state on disk that belongs to the newest run is looked at, newest first; a file that is damaged is named and the
//! one before it is taken.

use std::path::PathBuf;

use crate::checkpoint;
use crate::checkpoint::keras_history::History;
use crate::event::{BranchRow, Point};
use crate::schedule::Schedule;
use crate::train::paths::{OutputPaths, branch_name};
use crate::train::state::branch_table::Table;
use crate::train::state::saved::{Found, SavedState};

/// A file and the state it holds.
pub type Kept = (PathBuf, SavedState);

/// A run that can resume.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Unfinished {
    /// The run's folder.
    pub run_id: String,
    /// The newest state of the stages that come first; none where the schedule has only branches.
    pub base: Option<Kept>,
    /// Whether those stages have ended, and branches have begun.
    pub ended: bool,
    /// The state of the branch that resumes; none where it begins.
    pub branch: Option<Kept>,
    /// The rows of the branches that ended.
    pub rows: Vec<BranchRow>,
    /// The branches' starting point.
    pub start: Option<BranchRow>,
    /// States that the run has saved.
    pub sequence: u64,
    /// Files that are damaged, and what is done about it, a sentence each.
    pub notes: Vec<String>,
    /// Whether it was accepted that schedule or data are not those of the run any more.
    pub changed: bool,
}

/// What the files of a schedule say.
#[derive(Debug, Clone, PartialEq)]
pub enum Search {
    /// No run of this name has left a state.
    Nothing,
    /// The newest run has come to its end.
    Finished,
    /// It has not.
    Unfinished(Box<Unfinished>),
    /// Every state of it is damaged; a sentence each.
    Lost(Vec<String>),
}

impl Unfinished {
    /// The state that it resumes from.
    pub fn newest(&self) -> Option<&Kept> {
        self.branch.as_ref().or(self.base.as_ref())
    }

    /// The states that it resumes from, with the names of their files: of the stages that come first, and of the branch.
    pub fn newest_states(&self, schedule: &Schedule) -> Vec<(OutputPaths, &Kept)> {
        let base = self.base.iter().map(|kept| (OutputPaths::at(&schedule.checkpoints, &schedule.name), kept));
        let branch = self.branch.iter().filter_map(|kept| {
            let branch = schedule.branches.get(kept.1.branch?)?;
            Some((OutputPaths::at(&schedule.checkpoints, &branch_name(schedule, branch)), kept))
        });
        base.chain(branch).collect()
    }

    /// Where in the run it resumes.
    pub fn point(&self) -> Point {
        match (&self.branch, &self.base) {
            (Some((_, state)), _) => state.point(),
            (None, Some((_, state))) if self.rows.is_empty() => state.point(),
            _ => Point { branches: self.rows.len(), ..Point::default() },
        }
    }

    /// Where it resumes, in words.
    pub fn place(&self, schedule: &Schedule) -> String {
        let branch = self.rows.len();
        let name = schedule.branches.get(branch).map_or("", |branch| branch.name.as_str());
        let stage = |state: &SavedState| match &state.epoch_progress {
            Some(progress) => format!("epoch {} after step {}", state.index, progress.steps),
            None => format!("the end of epoch {}", state.index),
        };
        match (&self.branch, &self.base) {
            (Some((_, state)), _) => format!("{} of branch `{name}`", stage(state)),
            (None, _) if branch > 0 => format!("the beginning of branch `{name}`"),
            (None, Some((_, state))) => stage(state),
            (None, None) => "the beginning".to_owned(),
        }
    }
}

/// Looks for the run that the files of a schedule's name stopped in the middle of.
pub fn find(schedule: &Schedule) -> Search {
    let main = OutputPaths::at(&schedule.checkpoints, &schedule.name);
    let mut notes = Vec::new();
    let mut lists = vec![states(&main, None, &mut notes)];
    for (number, branch) in schedule.branches.iter().enumerate() {
        let paths = OutputPaths::at(&schedule.checkpoints, &branch_name(schedule, branch));
        lists.push(states(&paths, Some(number), &mut notes));
    }
    let newest =
        lists.iter().flatten().max_by(|(_, a), (_, b)| a.at.total_cmp(&b.at).then(a.sequence.cmp(&b.sequence)));
    let Some(run_id) = newest.map(|(_, state)| state.identity.run_id.clone()) else {
        return if notes.is_empty() { Search::Nothing } else { Search::Lost(notes) };
    };
    for found in &mut lists {
        found.retain(|(_, state)| state.identity.run_id == run_id);
        found.sort_by_key(|(_, state)| std::cmp::Reverse(state.sequence));
    }
    let sequence = lists.iter().flatten().map(|(_, state)| state.sequence).max().unwrap_or_default();
    let (stages, planned) = (!schedule.stages.is_empty(), schedule.branches.len());
    let mut branches = lists.split_off(1);
    let base = whole(lists.pop().unwrap_or_default(), &mut notes);
    let ended = base.as_ref().is_some_and(|(_, state)| state.complete);
    if stages && !ended {
        return match base {
            Some(base) => {
                let base = Some(base);
                Search::Unfinished(Box::new(Unfinished { run_id, base, sequence, notes, ..Unfinished::default() }))
            }
            None => Search::Lost(notes),
        };
    }
    if planned == 0 {
        return Search::Finished;
    }
    // The branches: those in the table have ended, and of the others the last one that has a state.
    let (mut start, mut rows) = match Table::read(&main.branch_table(), &run_id) {
        Ok(table) => table.unwrap_or_default(),
        Err(wrong) => {
            notes.push(format!("{wrong}; what the branches' states hold of it is used, and it is written again"));
            Default::default()
        }
    };
    let mut within = None;
    for number in (0..planned).rev() {
        if let Some((path, state)) = whole(std::mem::take(&mut branches[number]), &mut notes) {
            if state.rows.len() > rows.len() {
                rows.clone_from(&state.rows);
            }
            start = start.or_else(|| state.start.clone());
            if rows.len() == number {
                within = Some((path, state));
            }
            break;
        }
    }
    if rows.len() >= planned {
        return Search::Finished;
    }
    let begun = within.is_some() || !rows.is_empty();
    Search::Unfinished(Box::new(Unfinished {
        run_id,
        base,
        ended: stages && begun,
        branch: within,
        rows,
        start: start.filter(|_| begun),
        sequence,
        notes,
        changed: false,
    }))
}

/// Writes the history of a state again when its file is gone, damaged or another run's. It may be an epoch ahead: it is
/// written before the state. Says what was done.
pub fn mend_history(paths: &OutputPaths, state: &SavedState) -> Option<String> {
    let path = paths.history();
    let kept = History::parse(&state.history).ok()?;
    kept.names().next()?;
    let wrong = match std::fs::read_to_string(&path).map(|text| History::parse(&text)) {
        Ok(Ok(found)) if found.begins_with(&kept) => return None,
        Ok(Ok(_)) => "does not hold what the run's state holds".to_owned(),
        Ok(Err(reason)) => format!("is damaged ({reason})"),
        Err(error) => format!("cannot be read ({error})"),
    };
    let done = match kept.write(&path) {
        Ok(_) => "it was written again from the state".to_owned(),
        Err(error) => format!("it cannot be written again yet: {error}"),
    };
    Some(format!("`{}` {wrong}; {done}", path.display()))
}

/// The newest whole state that the run `run_id` has on disk for a list of stages (the branch, or those that come first).
pub fn newest(paths: &OutputPaths, branch: Option<usize>, run_id: &str) -> Option<Kept> {
    let mut notes = Vec::new();
    let mut found = states(paths, branch, &mut notes);
    found.retain(|(_, state)| state.identity.run_id == run_id);
    found.sort_by_key(|(_, state)| std::cmp::Reverse(state.sequence));
    whole(found, &mut notes)
}

/// The states in the files of a list of stages. States of others are left out, files that cannot be read are noted.
fn states(paths: &OutputPaths, branch: Option<usize>, notes: &mut Vec<String>) -> Vec<Kept> {
    let mut found = Vec::new();
    for path in paths.states() {
        match SavedState::read(&path) {
            Ok(Found::State(state)) if state.branch == branch => found.push((path, *state)),
            Ok(_) => {}
            Err(error) => notes.push(format!("{}; the state before it is used", error.message)),
        }
    }
    found
}

/// The first of the states whose file is as it was written.
fn whole(states: Vec<Kept>, notes: &mut Vec<String>) -> Option<Kept> {
    for (path, state) in states {
        let wrong = match checkpoint::verify(&path) {
            Ok(true) => return Some((path, state)),
            Ok(false) => format!("`{}` was changed by another program", path.display()),
            Err(error) => error.to_string(),
        };
        notes.push(format!("{wrong}; the state before it is used"));
    }
    None
}
