//! The table that compares branches, as the reference's README has it: loss, accuracy, each bin's accuracy and threshold,
//! total time, time per step.

use std::fmt::Write as _;

use crate::event::{BinResult, BranchRow};
use crate::run::state::branches::{BranchComparison, remark};

/// A column of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Column {
    /// What was trained.
    Name,
    /// Mean loss of the last epoch.
    Loss,
    /// Mean training accuracy of the last epoch.
    Accuracy,
    /// A bin's accuracy.
    Bin(String),
    /// A bin's threshold.
    Threshold(String),
    /// Seconds of training.
    Time,
    /// Seconds a step.
    Step,
}

impl Column {
    /// All columns, in the reference's order.
    pub fn all(comparison: &BranchComparison) -> Vec<Self> {
        let bins = comparison.whole.bins.iter().flat_map(|bin| [Self::Bin(bin.clone()), Self::Threshold(bin.clone())]);
        [Self::Name, Self::Loss, Self::Accuracy].into_iter().chain(bins).chain([Self::Time, Self::Step]).collect()
    }

    /// Its heading.
    pub fn head(&self) -> String {
        match self {
            Self::Name => "branch".to_owned(),
            Self::Loss => "loss".to_owned(),
            Self::Accuracy => "accuracy".to_owned(),
            Self::Bin(bin) => bin.clone(),
            Self::Threshold(bin) => format!("{bin} thresh"),
            Self::Time => "time".to_owned(),
            Self::Step => "per step".to_owned(),
        }
    }

    /// What a line says in it; empty where there is nothing to say.
    pub fn cell(&self, row: &BranchRow) -> String {
        let result = |bin: &str| -> Option<&BinResult> { row.bins.iter().find(|result| result.bin == bin) };
        match self {
            // The starting point has no outcome.
            Self::Name if row.outcome.is_none() => format!("{}, epoch {}", row.name, row.epoch),
            Self::Name => row.name.clone(),
            Self::Loss => row.loss.map(|loss| format!("{loss:.4}")).unwrap_or_default(),
            Self::Accuracy => row.accuracy.map(|accuracy| format!("{accuracy:.4}")).unwrap_or_default(),
            Self::Bin(bin) => result(bin).map(|result| format!("{:.6}", result.accuracy)).unwrap_or_default(),
            Self::Threshold(bin) => result(bin).map(|result| format!("{:.6}", result.threshold)).unwrap_or_default(),
            Self::Time if row.steps == 0 => String::new(),
            Self::Time if row.seconds < 100.0 => format!("{:.1} s", row.seconds),
            Self::Time => format!("{:.0} s", row.seconds),
            Self::Step => row.seconds_per_step().map(per_step).unwrap_or_default(),
        }
    }
}

/// `124 ms`.
fn per_step(seconds: f64) -> String {
    let milliseconds = seconds * 1000.0;
    if milliseconds < 10.0 { format!("{milliseconds:.2} ms") } else { format!("{milliseconds:.0} ms") }
}

/// The table as plain text, a line a branch that ended; empty while there is none.
pub fn text(comparison: &BranchComparison) -> String {
    let rows: Vec<&BranchRow> = comparison.lines().collect();
    if rows.is_empty() {
        return String::new();
    }
    let columns = Column::all(comparison);
    let mut lines: Vec<Vec<String>> = vec![columns.iter().map(Column::head).collect()];
    lines.extend(rows.iter().map(|row| columns.iter().map(|column| column.cell(row)).collect()));
    let widths: Vec<usize> =
        (0..columns.len()).map(|at| lines.iter().map(|line| line[at].chars().count()).max().unwrap_or(0)).collect();
    let mut text = String::new();
    for (at, line) in lines.iter().enumerate() {
        let cells = line.iter().zip(&widths).enumerate();
        let cells = cells.map(|(place, (cell, width))| match place {
            0 => format!("{cell:width$}"),
            _ => format!("{cell:>width$}"),
        });
        let note =
            at.checked_sub(1).and_then(|row| remark(rows[row])).map_or_else(String::new, |note| format!("  {note}"));
        let _ = writeln!(text, "{}{note}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
    let names: Vec<&str> = comparison.to_come().map(|branch| comparison.name(branch)).collect();
    if !names.is_empty() {
        let _ = writeln!(text, "not started: {}", names.join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{BranchPlan, Outcome, RunHeader};

    fn result(bin: &str, accuracy: f64, threshold: f64) -> BinResult {
        let (fold_mean, fold_deviation) = (None, None);
        BinResult {
            bin: bin.into(),
            accuracy,
            threshold,
            fold_mean,
            fold_deviation,
            pairs: 6000,
            seconds: 1.0,
            rates: Vec::new(),
        }
    }

    /// The first lines of the reference's own table.
    #[test]
    fn the_table_reads_as_the_references() {
        let header: RunHeader = serde_json::from_value(serde_json::json!({
            "run_id": "x", "name": "x", "schedule": "", "version": "", "model": "", "parameters": 0,
            "embedding_size": 1, "classes": 1, "images": 1, "batch_size": 1, "device": "", "precision": "",
            "bins": ["lfw"], "stages": [], "initial_epoch": 6, "pid": 1
        }))
        .expect("a header");
        let names = ["softmax", "batch_hard_triplet", "arcface", "never"];
        let plan = |name: &&str| BranchPlan { name: (*name).to_owned(), stages: Vec::new() };
        let header = RunHeader { branches: names.iter().map(plan).collect(), ..header };
        let mut comparison = BranchComparison::of(&header).expect("has branches");
        assert_eq!(text(&comparison), "");
        let row = |name: &str, loss, accuracy, bin, outcome| BranchRow {
            name: name.to_owned(),
            epoch: 7,
            loss,
            accuracy,
            bins: vec![bin],
            seconds: 5677.0,
            steps: 45490,
            outcome,
        };
        let start = row("start", Some(22.6342), Some(0.7855), result("lfw", 0.987_833, 0.307_455), None);
        comparison.start = Some(BranchRow { epoch: 6, seconds: 0.0, steps: 0, ..start });
        let completed = Some(Outcome::Completed);
        let bin = result("lfw", 0.987_333, 0.345_97);
        comparison.ended(0, &row("softmax", Some(1.8196), Some(0.6941), bin.clone(), completed.clone()));
        comparison.ended(1, &row("batch_hard_triplet", Some(0.2276), None, bin.clone(), completed));
        let failed = Some(Outcome::Failed { error: "the loss became NaN".into(), help: None });
        comparison.ended(2, &row("arcface", None, None, bin, failed));
        let expected = "\
branch                 loss  accuracy       lfw  lfw thresh    time  per step
start, epoch 6      22.6342    0.7855  0.987833    0.307455
softmax              1.8196    0.6941  0.987333    0.345970  5677 s    125 ms
batch_hard_triplet   0.2276            0.987333    0.345970  5677 s    125 ms
arcface                                0.987333    0.345970  5677 s    125 ms  failed: the loss became NaN
not started: never
";
        assert_eq!(text(&comparison), expected);
    }
}
