//! The table that compares the branches, and the file that holds it, `<name>_branches.json`.

use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::json;

use crate::checkpoint::atomic::write_atomically;
use crate::checkpoint::{CheckpointError, json_checksum};
use crate::event::{BranchRow, CheckpointKind, Event, Outcome};
use crate::schedule::Schedule;
use crate::train::emit::Emit;
use crate::train::error::TrainError;
use crate::train::evaluation::bins::bin_name;

/// Counts the changes of the table's file.
const VERSION: u64 = 1;

/// The starting point in a table, and its branches' lines.
pub type Lines = (Option<BranchRow>, Vec<BranchRow>);

/// The table so far.
#[derive(Debug)]
pub struct Table {
    path: PathBuf,
    run_id: String,
    /// The starting point.
    pub start: Option<BranchRow>,
    /// The branches that ended.
    pub branches: Vec<BranchRow>,
    /// The newest of them are not on disk.
    is_unsaved: bool,
}

impl Table {
    /// That of the run `run_id`, to be written to `path`, with the lines that are known.
    pub fn going_on(path: PathBuf, run_id: &str, start: Option<BranchRow>, branches: Vec<BranchRow>) -> Self {
        Self { path, run_id: run_id.to_owned(), start, branches, is_unsaved: false }
    }

    /// The starting point and the lines of the branches that ended by themselves, in the table that the run `run_id`
    /// wrote to `path`; none when it wrote none.
    ///
    /// # Errors
    /// A table that is damaged, or of a newer facetui, in words that name it.
    pub fn read(path: &Path, run_id: &str) -> Result<Option<Lines>, String> {
        let wrong = |reason: String| format!("`{}` cannot be used: {reason}", path.display());
        let text = match std::fs::read(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            text => text.map_err(|error| wrong(error.to_string()))?,
        };
        let mut table: serde_json::Value = json_checksum::parse(&text).map_err(wrong)?;
        if table["run"] != run_id {
            return Ok(None);
        }
        let version = table["version"].as_u64().unwrap_or(1);
        if version > VERSION {
            return Err(wrong(format!("its version is {version}; this facetui knows {VERSION}: a newer one wrote it")));
        }
        let understood = |error: serde_json::Error| wrong(format!("it cannot be understood: {error}"));
        let start = serde_json::from_value(table["start"].take()).map_err(understood)?;
        let mut rows: Vec<BranchRow> = serde_json::from_value(table["branches"].take()).map_err(understood)?;
        rows.retain(|row| row.outcome != Some(Outcome::Stopped));
        Ok(Some((start, rows)))
    }

    /// Whether it is not on disk as it is.
    pub const fn is_unsaved(&self) -> bool {
        self.is_unsaved
    }

    /// Writes it whole, and says so.
    ///
    /// # Errors
    /// It cannot be written; it is unsaved then.
    pub fn write(&mut self, schedule: &Schedule, emit: &Emit) -> Result<(), TrainError> {
        let began = Instant::now();
        let table = json!({
            "version": VERSION,
            "name": schedule.name,
            "run": self.run_id,
            "bins": schedule.data.bins.iter().map(|bin| bin_name(bin)).collect::<Vec<_>>(),
            "start": self.start,
            "branches": self.branches,
        });
        let text = json_checksum::append(format!("{table:#}\n").into_bytes());
        let failed =
            |reason: std::io::Error| CheckpointError::Write { path: self.path.clone(), reason: reason.to_string() };
        let written = write_atomically(&self.path, |temporary| std::fs::write(temporary, &text).map_err(failed));
        self.is_unsaved = written.is_err();
        let bytes = written.map_err(|error| TrainError::from_diagnostic(&error))?;
        emit(Event::CheckpointWritten {
            kind: CheckpointKind::Branches,
            path: self.path.display().to_string(),
            index: 0,
            bytes,
            seconds: began.elapsed().as_secs_f64(),
        });
        Ok(())
    }

    /// How the whole comparison of `planned` branches ended.
    ///
    /// # Errors
    /// No branch came to its end.
    pub fn outcome(&self, planned: usize) -> Result<Outcome, TrainError> {
        let count = |wanted: fn(&Outcome) -> bool| {
            self.branches.iter().filter(|row| row.outcome.as_ref().is_some_and(wanted)).count()
        };
        let failed = count(|outcome| matches!(outcome, Outcome::Failed { .. }));
        let stopped = count(|outcome| *outcome == Outcome::Stopped);
        if self.branches.len() < planned || stopped > 0 {
            return Ok(Outcome::Stopped);
        }
        if failed == planned {
            return Err(TrainError::new("every branch failed").with_help("the lines above say of each why"));
        }
        Ok(Outcome::Completed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(outcomes: &[Outcome]) -> Table {
        let mut table = Table::going_on(PathBuf::from("x_branches.json"), "x-1", None, Vec::new());
        for outcome in outcomes {
            table.branches.push(BranchRow {
                name: "x".into(),
                epoch: 1,
                loss: Some(1.0),
                accuracy: None,
                bins: Vec::new(),
                seconds: 1.0,
                steps: 2,
                outcome: Some(outcome.clone()),
            });
        }
        table
    }

    #[test]
    fn a_comparison_fails_only_when_every_branch_does() {
        let failed = Outcome::Failed { error: "NaN".into(), help: None };
        assert_eq!(table(&[failed.clone(), Outcome::Completed]).outcome(2), Ok(Outcome::Completed));
        assert!(table(&[failed.clone(), failed]).outcome(2).is_err());
        assert_eq!(table(&[Outcome::Completed]).outcome(2), Ok(Outcome::Stopped));
        assert_eq!(table(&[Outcome::Completed, Outcome::Stopped]).outcome(2), Ok(Outcome::Stopped));
    }
}
