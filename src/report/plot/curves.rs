//! What is plotted of a run: a value an epoch of its loss, its accuracy and its bins, and where its stages lie. Read from
//! a journal or from a bare history of the reference.

use std::collections::HashMap;

use crate::checkpoint::keras_history::History;
use crate::event::{Event, Record};
use crate::run::state::RunState;

use super::split::Split;

/// A stage: a range of a run's epochs, counted from 0, its end excluded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// What it is called.
    pub name: String,
    /// Its first epoch.
    pub from: usize,
    /// The epoch after its last one.
    pub to: usize,
}

/// A run as it is plotted. A value is absent where nothing was measured (the accuracy of a triplet stage), and may be NaN
/// or infinite where something was.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Curves {
    /// What it is called.
    pub name: String,
    /// Epochs that lie before its first one on the x axis.
    pub before: u32,
    /// Mean loss of each epoch.
    pub loss: Vec<Option<f64>>,
    /// Training accuracy of each epoch, 0 to 1.
    pub accuracy: Vec<Option<f64>>,
    /// Accuracy of each epoch, 0 to 1, of every bin.
    pub bins: Vec<(String, Vec<Option<f64>>)>,
    /// Its stages, in order; none where they are not known.
    pub stages: Vec<Span>,
}

impl Curves {
    /// Number of epochs.
    pub fn epochs(&self) -> usize {
        let bins = self.bins.iter().map(|(_, values)| values.len());
        bins.chain([self.loss.len(), self.accuracy.len()]).max().unwrap_or(0)
    }

    /// The stages as told by the user; what lies beyond the last epoch is left out.
    pub fn split(&mut self, split: &Split) {
        let epochs = self.epochs();
        self.stages = split
            .parts
            .iter()
            .filter(|part| part.from < epochs)
            .map(|part| Span { name: part.name.clone(), from: part.from, to: part.to.unwrap_or(epochs).min(epochs) })
            .collect();
    }

    /// A history of the reference: its lists begin with the first epoch, a shorter one lacks the last epochs. It knows no
    /// stages.
    pub fn of_history(name: &str, history: &History) -> Self {
        let list = |name: &str| history.values(name).iter().copied().map(Some).collect::<Vec<_>>();
        let bins = history.names().filter(|name| !matches!(*name, "loss" | "accuracy" | "lr"));
        Self {
            name: name.to_owned(),
            before: 0,
            loss: list("loss"),
            accuracy: list("accuracy"),
            bins: bins.map(|bin| (bin.to_owned(), list(bin))).collect(),
            stages: Vec::new(),
        }
    }

    /// The runs of a journal: one, or the common part and each branch of a comparison. Those without a finished epoch are
    /// left out. `fallback` names a run whose journal does not.
    pub fn of_journal(fallback: &str, records: &[Record]) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        let mut trunk = None;
        let branch = |record: &&Record| matches!(record.event, Event::BranchStarted { .. });
        let mut rest = records;
        loop {
            let end = rest.iter().skip(1).position(|record| branch(&record)).map_or(rest.len(), |at| at + 1);
            let (piece, after) = rest.split_at(end.min(rest.len()));
            let curves = Self::of_state(fallback, &RunState::replay(piece), trunk);
            // What follows the first piece are branches, which begin where it ends.
            trunk.get_or_insert(curves.before + curves.epochs() as u32);
            if curves.epochs() > 0 {
                all.push(curves);
            }
            if after.is_empty() {
                return all;
            }
            rest = after;
        }
    }

    fn of_state(fallback: &str, state: &RunState, before: Option<u32>) -> Self {
        let header = state.header.as_ref();
        let places: HashMap<u32, usize> = state.epochs.iter().enumerate().map(|(at, row)| (row.index, at)).collect();
        let bins = state.bins.iter().map(|bin| {
            let mut values = vec![None; state.epochs.len()];
            for (index, result) in &bin.results {
                // An epoch that was evaluated and not ended is not drawn yet.
                if let Some(at) = places.get(index) {
                    values[*at] = Some(result.accuracy);
                }
            }
            (bin.name.clone(), values)
        });
        let mut stages: Vec<(usize, Span)> = Vec::new();
        for (at, row) in state.epochs.iter().enumerate() {
            match stages.last_mut() {
                Some((stage, span)) if *stage == row.stage => span.to = at + 1,
                _ => {
                    let plan = header.and_then(|header| header.stages.get(row.stage));
                    let name = plan.map_or_else(
                        || format!("stage {}", row.stage + 1),
                        |plan| {
                            let head = if plan.bottleneck_only { " head" } else { "" };
                            plan.name.clone().unwrap_or_else(|| format!("{}{head}", plan.loss))
                        },
                    );
                    stages.push((row.stage, Span { name, from: at, to: at + 1 }));
                }
            }
        }
        Self {
            name: header.map_or_else(|| fallback.to_owned(), |header| header.name.clone()),
            before: before.unwrap_or_else(|| header.map_or(0, |header| header.initial_epoch)),
            loss: state.epochs.iter().map(|row| Some(row.loss)).collect(),
            accuracy: state.epochs.iter().map(|row| row.accuracy).collect(),
            bins: bins.collect(),
            stages: stages.into_iter().map(|(_, span)| span).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{BinResult, RunHeader, StagePlan};

    fn header(stages: &[(&str, bool)]) -> RunHeader {
        let stage = |(loss, head): &(&str, bool)| StagePlan {
            loss: (*loss).to_owned(),
            bottleneck_only: *head,
            ..StagePlan::default()
        };
        serde_json::from_value::<RunHeader>(serde_json::json!({
            "run_id": "a-1", "name": "a", "schedule": "", "version": "", "model": "", "parameters": 0,
            "embedding_size": 0, "classes": 0, "images": 0, "batch_size": 0, "device": "", "precision": "",
            "bins": ["lfw"], "stages": stages.iter().map(stage).collect::<Vec<_>>(), "initial_epoch": 2, "pid": 0
        }))
        .expect("a header")
    }

    fn epoch(stage: usize, index: u32, loss: f64, accuracy: Option<f64>) -> [Record; 2] {
        let result = BinResult {
            bin: "lfw".into(),
            accuracy: 0.5,
            threshold: 0.0,
            fold_mean: None,
            fold_deviation: None,
            pairs: 1,
            seconds: 0.0,
            rates: Vec::new(),
        };
        let ended = Event::EpochEnded {
            stage,
            epoch: index,
            index,
            loss,
            accuracy,
            learning_rate: 0.1,
            seconds: 1.0,
            images_per_second: 1.0,
            waited: 0.0,
        };
        [Event::BinEvaluated { index, result }, ended].map(|event| Record { at: 0.0, event })
    }

    #[test]
    fn a_journal_becomes_curves_and_stages() {
        let mut records = vec![Record {
            at: 0.0,
            event: Event::RunStarted(Box::new(header(&[("softmax", false), ("arcface", true), ("triplet", false)]))),
        }];
        records.extend(epoch(0, 1, 2.0, Some(0.1)));
        records.extend(epoch(0, 2, f64::NAN, Some(0.2)));
        records.extend(epoch(1, 3, 9.0, Some(0.3)));
        records.extend(epoch(2, 4, 0.5, None));
        let runs = Curves::of_journal("x", &records);
        let [run] = runs.as_slice() else { panic!("{runs:?}") };
        assert_eq!((run.name.as_str(), run.before, run.epochs()), ("a", 2, 4));
        assert!(run.loss[1].is_some_and(f64::is_nan));
        assert_eq!(run.accuracy[3], None);
        assert_eq!(run.bins[0].1, vec![Some(0.5); 4]);
        let stages: Vec<_> = run.stages.iter().map(|span| (span.name.as_str(), span.from, span.to)).collect();
        assert_eq!(stages, [("softmax", 0, 2), ("arcface head", 2, 3), ("triplet", 3, 4)]);
    }

    #[test]
    fn branches_begin_where_the_common_part_ends() {
        let start = |name: &str| Record {
            at: 0.0,
            event: Event::RunStarted(Box::new(RunHeader { name: name.to_owned(), ..header(&[("softmax", false)]) })),
        };
        let branch =
            |branch| Record { at: 0.0, event: Event::BranchStarted { branch, name: "b".into(), run_id: "r".into() } };
        let mut records = vec![start("a")];
        records.extend(epoch(0, 1, 2.0, None));
        for at in 0..2 {
            records.extend([branch(at), start(&format!("a_{at}"))]);
            records.extend(epoch(0, 1, 1.0, None));
        }
        let runs = Curves::of_journal("x", &records);
        let told: Vec<_> = runs.iter().map(|run| (run.name.as_str(), run.before, run.epochs())).collect();
        assert_eq!(told, [("a", 2, 1), ("a_0", 3, 1), ("a_1", 3, 1)]);
        assert!(Curves::of_journal("x", &[]).is_empty());
    }
}
