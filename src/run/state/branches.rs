//! The branches of a run side by side, folded from its events: which ended with what, and which is running.

use crate::event::{BranchRow, Outcome, RunHeader};

/// The branches of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct BranchComparison {
    /// The facts of the whole run; while a branch is trained, the state's header is the branch's own.
    pub whole: RunHeader,
    /// The state that all branches start from.
    pub start: Option<BranchRow>,
    /// The line of every branch that ended, in the order of the schedule.
    pub rows: Vec<Option<BranchRow>>,
    /// The branch that is being trained.
    pub current: Option<usize>,
    /// How many branches have begun; with it, whoever watches notices that another one did.
    pub begun: usize,
    /// Epochs that ended before the current branch began.
    pub epochs_before: u32,
}

impl BranchComparison {
    /// That of a run of which nothing was trained yet; none when it has no branches.
    pub fn of(header: &RunHeader) -> Option<Self> {
        (!header.branches.is_empty()).then(|| Self {
            whole: header.clone(),
            start: None,
            rows: vec![None; header.branches.len()],
            current: None,
            begun: 0,
            epochs_before: 0,
        })
    }

    /// How many branches there are.
    pub const fn total(&self) -> usize {
        self.rows.len()
    }

    /// A branch's name.
    pub fn name(&self, branch: usize) -> &str {
        self.whole.branches.get(branch).map_or("", |plan| plan.name.as_str())
    }

    /// Epochs of the stages and of all branches.
    pub fn planned_epochs(&self) -> u32 {
        let branches = self.whole.branches.iter().flat_map(|branch| &branch.stages);
        self.whole.stages.iter().chain(branches).map(|stage| stage.epochs).sum()
    }

    /// Takes in the line of a branch that ended.
    pub fn ended(&mut self, branch: usize, row: &BranchRow) {
        if let Some(place) = self.rows.get_mut(branch) {
            *place = Some(row.clone());
        }
        self.current = None;
    }

    /// The lines of the table: the starting point, then the branches that ended.
    pub fn lines(&self) -> impl Iterator<Item = &BranchRow> {
        self.start.iter().chain(self.rows.iter().flatten())
    }

    /// The branches that have not begun.
    pub fn to_come(&self) -> impl Iterator<Item = usize> {
        (0..self.total()).filter(|at| self.rows[*at].is_none() && self.current != Some(*at))
    }

    /// The best accuracy that a branch ended with, of each bin.
    pub fn best(&self) -> Vec<(String, f64)> {
        let best = |bin: &String| {
            let results = self.lines().flat_map(|row| &row.bins).filter(|result| result.bin == *bin);
            results.map(|result| result.accuracy).max_by(f64::total_cmp)
        };
        self.whole.bins.iter().filter_map(|bin| Some((bin.clone(), best(bin)?))).collect()
    }
}

/// How a line of the table ended, in a few words; none where there is nothing to say.
pub fn remark(row: &BranchRow) -> Option<String> {
    match row.outcome.as_ref()? {
        Outcome::Completed => None,
        Outcome::Stopped => Some("stopped".to_owned()),
        Outcome::Failed { error, .. } => Some(format!("failed: {error}")),
    }
}
