//! The history tab: which past runs are shown and in what order, which one is chosen, and which are compared.
//!
//! | file | what it has |
//! |---|---|
//! | `keys` | what its keys do |
//! | `sorting` | the order of the list |
//! | `compared` | the runs that are compared |
//! | `worker` | the thread that reads and changes past runs |

mod compared;
mod keys;
mod sorting;
pub(super) mod worker;

use std::path::PathBuf;

use super::shown_run::ShownRun;
use crate::run::history::PastRun;
use crate::run::history::filter::Filter;
use crate::run::history::schedule_diff::Change;
use crate::run::state::RunState;

use compared::MOST_COMPARED;
pub(super) use compared::{Compared, Curves};
pub(super) use sorting::SortBy;

/// The lines of two schedules, or why they cannot be compared.
type Lines = Result<Vec<(Change, String)>, String>;

/// The history tab.
#[derive(Debug, Default)]
pub(super) struct HistoryTab {
    /// All runs, as they were listed: the newest first.
    all: Vec<PastRun>,
    /// Those that the filter keeps, in the chosen order.
    pub(super) runs: Vec<PastRun>,
    /// Whether the list was read at all.
    pub(super) listed: bool,
    pub(super) selected: usize,
    /// The run that is shown, and what is known of it.
    pub(super) opened: Option<(String, Result<ShownRun, String>)>,
    /// Whether the opened run has the whole screen.
    pub(super) full: bool,
    /// Seconds since the list was read.
    pub(super) age: u32,
    pub(super) sort: SortBy,
    pub(super) reversed: bool,
    filter: Filter,
    /// The filter as it was typed.
    pub(super) filter_text: String,
    /// What is wrong with the text; the filter before stays.
    pub(super) filter_error: Option<String>,
    pub(super) compared: Vec<Compared>,
    /// The compared run that the others are measured against; the first one unless pinned.
    pub(super) baseline: Option<String>,
    /// Two schedules' lines, or why they cannot be compared; their names.
    pub(super) schedule_diff: Option<(String, Lines)>,
    pub(super) schedule_diff_scroll: usize,
}

impl HistoryTab {
    /// The chosen run.
    pub(super) fn chosen(&self) -> Option<&PastRun> {
        self.runs.get(self.selected)
    }

    /// The chosen run's state, once it was read.
    pub(super) fn shown(&self) -> Option<&Result<ShownRun, String>> {
        let chosen = self.chosen()?;
        self.opened.as_ref().filter(|(id, _)| *id == chosen.id).map(|(_, state)| state)
    }

    /// The first run that a list of so many lines shows.
    pub(super) fn first_line(&self, lines: usize) -> usize {
        self.selected.saturating_sub(lines / 2).min(self.runs.len().saturating_sub(lines))
    }

    /// How many runs there are, the hidden ones included.
    pub(super) fn total(&self) -> usize {
        self.all.len()
    }

    /// Whether a filter hides runs.
    pub(super) fn filtered(&self) -> bool {
        !self.filter.is_empty()
    }

    /// Takes a new list; the choice stays with its run. Gives the compared runs that have changed since they were read.
    pub(super) fn take(&mut self, runs: Vec<PastRun>) -> Vec<PastRun> {
        self.all = runs;
        self.listed = true;
        self.age = 0;
        self.arrange();
        // Runs that are gone are not compared.
        let all = &self.all;
        self.compared.retain(|compared| all.iter().any(|run| run.id == compared.id));
        let mut stale = Vec::new();
        for compared in &mut self.compared {
            let run = all.iter().find(|run| run.id == compared.id && run.epochs != compared.epochs);
            if let Some(run) = run {
                compared.epochs = run.epochs;
                stale.push(run.clone());
            }
        }
        stale
    }

    /// Filters and sorts again; the choice stays with its run.
    fn arrange(&mut self) {
        let chosen = self.chosen().map(|run| run.id.clone());
        self.runs = self.all.iter().filter(|run| self.filter.keeps(run)).cloned().collect();
        self.runs.sort_by(|a, b| self.sort.compare(a, b));
        if self.reversed {
            self.runs.reverse();
        }
        self.selected = chosen.and_then(|id| self.runs.iter().position(|run| run.id == id)).unwrap_or(0);
    }

    /// Sorts by the next thing.
    pub(super) fn sort_by_next(&mut self) {
        self.sort = self.sort.next(&self.all);
        self.arrange();
    }

    /// Turns the order around.
    pub(super) fn reverse(&mut self) {
        self.reversed = !self.reversed;
        self.arrange();
    }

    /// Filters by a text as it is typed; one that is no filter yet says why and changes nothing.
    pub(super) fn filter(&mut self, text: &str) {
        text.clone_into(&mut self.filter_text);
        match Filter::parse(text) {
            Ok(filter) => {
                self.filter = filter;
                self.filter_error = None;
                self.arrange();
            }
            Err(error) => self.filter_error = Some(error),
        }
    }

    /// Adds the chosen run to the comparison or removes it; gives it when it has to be read. Nothing happens when there are
    /// enough.
    pub(super) fn toggle_compared(&mut self) -> Option<PastRun> {
        let run = self.chosen()?.clone();
        if let Some(at) = self.compared.iter().position(|compared| compared.id == run.id) {
            self.compared.remove(at);
            if self.baseline.as_ref() == Some(&run.id) {
                self.baseline = None;
            }
            return None;
        }
        let slot = (0..MOST_COMPARED).find(|slot| self.compared.iter().all(|compared| compared.slot != *slot))?;
        let (id, name) = (run.id.clone(), run.name.clone());
        self.compared.push(Compared { id, name, slot, epochs: run.epochs, curves: None });
        Some(run)
    }

    /// Takes in what was read of a compared run.
    pub(super) fn read(&mut self, id: &str, state: Result<RunState, String>) {
        if let Some(compared) = self.compared.iter_mut().find(|compared| compared.id == id) {
            compared.curves = Some(state.map(|state| Curves::of(&state)));
        }
    }

    /// Pins the chosen run as what the others are measured against, or takes the pin away.
    pub(super) fn pin(&mut self) -> Option<PastRun> {
        let id = self.chosen()?.id.clone();
        if self.baseline.as_ref() == Some(&id) {
            self.baseline = None;
            return None;
        }
        let known = self.compared.iter().any(|compared| compared.id == id);
        let to_read = if known { None } else { self.toggle_compared() };
        if known || to_read.is_some() {
            self.baseline = Some(id);
        }
        to_read
    }

    /// The journals of the compared runs, the one first that the others are measured against.
    pub(super) fn compared_journals(&self) -> Vec<PathBuf> {
        let base = self.base().map(|base| base.id.as_str());
        let others = self.compared.iter().map(|compared| compared.id.as_str()).filter(|id| Some(*id) != base);
        let journal = |id: &str| self.all.iter().find(|run| run.id == id).map(|run| run.journal.clone());
        base.into_iter().chain(others).filter_map(journal).collect()
    }

    /// The run that a run is a branch of.
    pub(super) fn whole_of(&self, run: &PastRun) -> Option<&PastRun> {
        let of = |whole: &&PastRun| whole.branches.iter().any(|branch| run.id == format!("{}-{branch}", whole.id));
        self.all.iter().find(of)
    }

    /// The compared run that the others are measured against.
    pub(super) fn base(&self) -> Option<&Compared> {
        let pinned = self.compared.iter().find(|compared| Some(&compared.id) == self.baseline.as_ref());
        pinned.or_else(|| self.compared.first())
    }

    /// The run whose schedule the chosen one's is compared with: the baseline, or the next older run in the list.
    pub(super) fn other(&self) -> Option<&PastRun> {
        let chosen = self.chosen()?;
        let base = self.base().filter(|base| base.id != chosen.id);
        let base = base.and_then(|base| self.all.iter().find(|run| run.id == base.id));
        base.or_else(|| self.runs.get(self.selected + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(id: &str, epochs: u32, best: Option<f64>) -> PastRun {
        PastRun {
            id: id.to_owned(),
            name: id.to_owned(),
            epochs,
            best: best.map(|best| ("lfw".to_owned(), best)).into_iter().collect(),
            ..PastRun::default()
        }
    }

    fn history() -> HistoryTab {
        let mut history = HistoryTab::default();
        history.take(vec![run("c", 3, Some(0.9)), run("a", 9, None), run("b", 1, Some(0.99))]);
        history
    }

    fn ids(history: &HistoryTab) -> Vec<&str> {
        history.runs.iter().map(|run| run.id.as_str()).collect()
    }

    #[test]
    fn the_choice_stays_with_its_run() {
        let mut history = history();
        history.selected = 1;
        history.sort_by_next();
        assert_eq!((ids(&history), history.selected), (vec!["a", "b", "c"], 0));
        history.reverse();
        assert_eq!((ids(&history), history.selected), (vec!["c", "b", "a"], 2));
        history.filter("!c");
        assert_eq!((ids(&history), history.selected, history.total()), (vec!["b", "a"], 1, 3));
        history.filter("a /");
        assert!(history.filter_error.is_some());
        assert_eq!(ids(&history), ["b", "a"], "half a filter changes nothing");
    }

    #[test]
    fn every_order_has_its_turn_and_missing_values_come_last() {
        let mut history = history();
        let mut seen = Vec::new();
        for _ in 0..7 {
            seen.push(history.sort.clone());
            history.sort_by_next();
        }
        assert_eq!(history.sort, SortBy::Started);
        assert_eq!(seen.last(), Some(&SortBy::Bin("lfw".to_owned())));
        for _ in 0..6 {
            history.sort_by_next();
        }
        assert_eq!(ids(&history), ["b", "c", "a"]);
    }

    #[test]
    fn compared_runs_keep_their_slots() {
        let mut history = history();
        for at in 0..3 {
            history.selected = at;
            assert!(history.toggle_compared().is_some());
        }
        history.selected = 0;
        assert!(history.toggle_compared().is_none());
        let slots = |history: &HistoryTab| -> Vec<(String, usize)> {
            history.compared.iter().map(|compared| (compared.id.clone(), compared.slot)).collect()
        };
        assert_eq!(slots(&history), [("a".to_owned(), 1), ("b".to_owned(), 2)]);
        assert!(history.toggle_compared().is_some());
        assert_eq!(slots(&history)[2], ("c".to_owned(), 0));
        history.selected = 2;
        assert!(history.pin().is_none());
        assert_eq!(history.base().map(|base| base.id.as_str()), Some("b"));
        history.toggle_compared();
        assert_eq!(history.base().map(|base| base.id.as_str()), Some("a"), "the pin goes with its run");
    }

    #[test]
    fn a_run_that_went_on_is_read_again_and_one_that_is_gone_is_forgotten() {
        let mut history = history();
        history.toggle_compared();
        history.selected = 1;
        history.toggle_compared();
        assert_eq!(history.take(vec![run("c", 4, None)]).len(), 1);
        assert_eq!(history.compared.len(), 1);
        assert!(history.take(vec![run("c", 4, None)]).is_empty());
    }
}
