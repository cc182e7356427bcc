//! The figures of a saved model on bins: the table for people, JSON for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::eval::evaluate::Evaluation;

/// The false accept rates of the table.
pub const RATES: [f64; 4] = [1e-1, 1e-2, 1e-3, 1e-4];

/// `1e-3`.
pub fn rate(rate: f64) -> String {
    format!("{rate:e}")
}

/// The table, a line a set, and below it the thresholds of the rates that were asked for.
pub fn text(rows: &[Evaluation], asked: &[f64]) -> String {
    let mut lines: Vec<Vec<String>> =
        vec![["bin", "pairs", "accuracy", "threshold", "10-fold"].map(str::to_owned).to_vec()];
    lines[0].extend(RATES.iter().map(|far| format!("TAR@{}", rate(*far))));
    for row in rows {
        let folds = match (row.figures.fold_mean, row.figures.fold_deviation) {
            (Some(mean), Some(deviation)) => format!("{mean:.4} ± {deviation:.4}"),
            _ => "-".to_owned(),
        };
        let mut line = vec![
            row.name.clone(),
            row.figures.pairs.to_string(),
            format!("{:.6}", row.figures.accuracy),
            format!("{:.6}", row.figures.threshold),
            folds,
        ];
        line.extend(
            RATES.iter().map(|far| at(row, *far).map_or_else(|| "-".to_owned(), |at| format!("{:.4}", at.tar))),
        );
        lines.push(line);
    }
    let widths: Vec<usize> = (0..lines[0].len())
        .map(|place| lines.iter().map(|line| line[place].chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for line in &lines {
        let cells = line.iter().zip(&widths).enumerate();
        let cells = cells.map(|(place, (cell, width))| match place {
            0 => format!("{cell:width$}"),
            _ => format!("{cell:>width$}"),
        });
        let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
    for row in rows {
        notes(&mut text, row, asked);
    }
    text
}

fn at(row: &Evaluation, far: f64) -> Option<crate::eval::roc::Operating> {
    row.rates.iter().find(|(rate, _)| rate.to_bits() == far.to_bits()).and_then(|(_, at)| *at)
}

/// What there is to say of a set below the table.
fn notes(text: &mut String, row: &Evaluation, asked: &[f64]) {
    let name = &row.name;
    let missing: Vec<String> = RATES.iter().filter(|far| at(row, **far).is_none()).map(|far| rate(*far)).collect();
    if row.positives == 0 || row.negatives == 0 {
        let kind = if row.positives == 0 { "one person" } else { "two persons" };
        let _ = writeln!(text, "{name}: there are no pairs of {kind}: the accuracy says little, and there is no TAR");
    } else if !missing.is_empty() {
        let _ = writeln!(
            text,
            "{name}: {} pairs of two persons are too few for a FAR of {}",
            row.negatives,
            missing.join(", ")
        );
    }
    if row.figures.fold_mean.is_none() {
        let _ = writeln!(text, "{name}: ten folds need ten pairs");
    }
    if row.left_out > 0 {
        let _ = writeln!(text, "{name}: {} pairs were skipped, because their images cannot be used", row.left_out);
    }
    for far in asked {
        let _ = match at(row, *far) {
            Some(at) => writeln!(
                text,
                "{name}: at a FAR of {} the threshold is {:.6}: TAR {:.4}, {} of {} pairs of two persons accepted",
                rate(*far),
                at.threshold,
                at.tar,
                at.false_accepts,
                row.negatives
            ),
            None if row.positives == 0 => Ok(()),
            None => {
                let needed = (1.0 / far * (1.0 - 1e-12)).ceil();
                writeln!(
                    text,
                    "{name}: no threshold for a FAR of {}: it needs {needed} pairs of two persons, and there are {}",
                    rate(*far),
                    row.negatives
                )
            }
        };
    }
}

/// One set as JSON; the curve only `with_roc`.
pub fn json(row: &Evaluation, with_roc: bool) -> Value {
    let rates: Vec<Value> = row
        .rates
        .iter()
        .map(|(far, at)| {
            json!({
                "far": far,
                "tar": at.map(|at| at.tar),
                "threshold": at.map(|at| at.threshold),
                "false_accepts": at.map(|at| at.false_accepts),
            })
        })
        .collect();
    let mut value = json!({
        "bin": row.name,
        "path": row.path.display().to_string(),
        "pairs": row.figures.pairs,
        "pairs_same": row.positives,
        "pairs_different": row.negatives,
        "pairs_left_out": row.left_out,
        "accuracy": row.figures.accuracy,
        "threshold": row.figures.threshold,
        "fold_mean": row.figures.fold_mean,
        "fold_deviation": row.figures.fold_deviation,
        "tar_at_far": rates,
        "images": row.counts.images,
        "images_unreadable": row.counts.unreadable,
        "seconds": row.seconds,
    });
    if with_roc {
        let points: Vec<Value> = row.roc.iter().map(|point| json!([point.far, point.tar, point.threshold])).collect();
        value["roc"] = Value::Array(points);
    }
    value
}

#[cfg(test)]
pub(in crate::report) mod tests {
    use super::*;
    use crate::eval::embed::Counts;
    use crate::eval::metrics::Figures;
    use crate::eval::roc::Scores;

    /// A set of pairs whose similarities are known.
    pub(in crate::report) fn evaluation(name: &str, negatives: u32) -> Evaluation {
        let same: Vec<bool> = (0..2 * negatives).map(|at| at < negatives).collect();
        let similarity = |at: u32| f64::from(at % negatives) / f64::from(2 * negatives);
        let similarities: Vec<f64> =
            (0..2 * negatives).map(|at| if at < negatives { similarity(at) + 0.4 } else { similarity(at) }).collect();
        let scores = Scores::new(&similarities, &same);
        let (fold_mean, fold_deviation) = if negatives > 10 { (Some(0.9), Some(0.0125)) } else { (None, None) };
        let rates = RATES.iter().chain(&[0.25]).map(|rate| (*rate, scores.tar_at_far(*rate))).collect();
        Evaluation {
            name: name.to_owned(),
            path: name.into(),
            figures: Figures {
                accuracy: 0.9125,
                threshold: 0.375,
                fold_mean,
                fold_deviation,
                pairs: 2 * negatives as usize,
            },
            positives: scores.positives(),
            negatives: scores.negatives(),
            left_out: 0,
            rates,
            roc: scores.roc(),
            counts: Counts::default(),
            seconds: 1.5,
        }
    }

    #[test]
    fn the_table_says_what_there_is_and_what_is_missing() {
        let mut small = evaluation("tiny", 5);
        small.left_out = 2;
        insta::assert_snapshot!(text(&[evaluation("frontal", 1000), small], &[0.25, 0.001]));
    }

    #[test]
    fn missing_figures_are_null() {
        let value = json(&evaluation("tiny", 5), true);
        assert_eq!((&value["fold_mean"], &value["tar_at_far"][0]["tar"]), (&Value::Null, &Value::Null));
        assert_eq!(value["roc"].as_array().map(Vec::len), Some(6));
        assert_eq!(value["tar_at_far"][4]["false_accepts"], 1);
    }
}
