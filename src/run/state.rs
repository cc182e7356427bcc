//! [`RunState`]: everything a screen, a report or a plot shows of a run, folded from its events one by one.
//!
//! The fold is pure: the same journal gives the same state, live or years later. There are no widgets here.

mod apply;
pub mod branches;
mod parts;
mod resume;
mod timeline;

use std::collections::VecDeque;

use self::branches::BranchComparison;
pub use self::parts::{BinState, CheckpointFile, CurrentEpoch, EpochRow, LogLine, Phase, StageProgress, Unsaved};
pub use self::timeline::Timeline;
use super::lints::Warnings;
use crate::event::{
    BinResult, CheckpointKind, Event, Level, MachineSample, Outcome, Record, RunHeader, Saved, StopKind,
};

/// Log lines that are kept in memory; the journal holds them all.
const LOG_LINES: usize = 1000;

/// Samples of the machine that are kept in memory.
const SAMPLES: usize = 240;

/// A run, folded from its events.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RunState {
    /// The fixed facts, once known.
    pub header: Option<RunHeader>,
    /// Where the run stands.
    pub phase: Phase,
    /// What is being prepared, how far it is and out of how much (0 when unknown).
    pub preparing: Option<(String, u64, u64)>,
    /// When the first event was, in seconds since the Unix epoch.
    pub started: Option<f64>,
    /// When the newest event was.
    pub updated: f64,
    /// Progress of each stage.
    pub stages: Vec<StageProgress>,
    /// The optimiser that each begun stage really uses.
    pub optimizers: Vec<Option<String>>,
    /// Finished epochs.
    pub epochs: Vec<EpochRow>,
    /// The epoch being trained.
    pub current: Option<CurrentEpoch>,
    /// Loss of every step, in order; non-finite values are kept.
    pub step_loss: Vec<f32>,
    /// Accuracy of every step of the stages that have one; NaN elsewhere, so that both lists are equally long.
    pub step_accuracy: Vec<f32>,
    /// Number of steps taken when each stage began: the stage borders on the step axis.
    pub stage_steps: Vec<(usize, u64)>,
    /// When the steps were taken, and what was measured meanwhile.
    pub timeline: Timeline,
    /// How often steps that were seen were taken back, because the run resumed from a point before them.
    pub taken_back: u32,
    /// The evaluation bins.
    pub bins: Vec<BinState>,
    /// Images a second, newest measurement.
    pub images_per_second: f64,
    /// Share of the time waiting for data, newest measurement.
    pub waited: f64,
    /// Bytes of memory, newest measurement.
    pub memory: u64,
    /// A stop that was asked for and has not taken effect.
    pub stop: Option<StopKind>,
    /// What every learning rate is multiplied by, once that was asked for.
    pub rate_scale: Option<f64>,
    /// Files written, the newest of each path.
    pub checkpoints: Vec<CheckpointFile>,
    /// What cannot be written at the moment.
    pub unsaved: Vec<Unsaved>,
    /// Images that could not be read, in all.
    pub bad_images: u64,
    /// How busy the machine is, newest last; some minutes of it.
    pub machine: VecDeque<MachineSample>,
    /// The newest log lines.
    pub log: VecDeque<LogLine>,
    /// How many log lines there have been in all.
    pub logged: u64,
    /// What the lints raised.
    pub warnings: Warnings,
    /// The run's branches, when it has any. While one is trained, everything else here is the branch's own.
    pub comparison: Option<Box<BranchComparison>>,
}

impl RunState {
    /// The finished epoch at a position of the history.
    pub fn epoch_at(&self, index: u32) -> Option<&EpochRow> {
        let at = self.epochs.partition_point(|row| row.index < index);
        self.epochs.get(at).filter(|row| row.index == index)
    }

    /// The number of an epoch of the history as the reference prints it.
    pub fn epoch_number(&self, index: u32) -> u32 {
        self.epoch_at(index).map_or(index, |row| row.epoch)
    }

    /// The state after a whole journal.
    pub fn replay<'a>(records: impl IntoIterator<Item = &'a Record>) -> Self {
        let mut state = Self::default();
        for record in records {
            state.apply(record);
        }
        state
    }

    /// Whether the run ended.
    pub const fn is_ended(&self) -> bool {
        matches!(self.phase, Phase::Ended(_))
    }

    /// Steps taken in all.
    pub const fn total_steps(&self) -> u64 {
        self.step_loss.len() as u64
    }

    /// Epochs the whole schedule has, its branches included.
    pub fn planned_epochs(&self) -> u32 {
        let own = || self.header.as_ref().map_or(0, |header| header.stages.iter().map(|stage| stage.epochs).sum());
        self.comparison.as_ref().map_or_else(own, |comparison| comparison.planned_epochs())
    }

    /// Epochs that ended, those of earlier branches included.
    pub fn done_epochs(&self) -> u32 {
        self.comparison.as_ref().map_or(0, |comparison| comparison.epochs_before) + self.epochs.len() as u32
    }

    /// The facts of the whole run.
    pub fn whole_header(&self) -> Option<&RunHeader> {
        self.comparison.as_ref().map(|comparison| &comparison.whole).or(self.header.as_ref())
    }

    /// Forgets what belongs to the stages or the branch before: a branch is a run of its own.
    fn begin_branch(&mut self, branch: usize) {
        let fresh = Self {
            started: self.started,
            updated: self.updated,
            stop: self.stop,
            rate_scale: self.rate_scale,
            checkpoints: std::mem::take(&mut self.checkpoints),
            unsaved: std::mem::take(&mut self.unsaved),
            bad_images: self.bad_images,
            memory: self.memory,
            machine: std::mem::take(&mut self.machine),
            images_per_second: self.images_per_second,
            log: std::mem::take(&mut self.log),
            logged: self.logged,
            warnings: std::mem::take(&mut self.warnings),
            comparison: self.comparison.take(),
            ..Self::default()
        };
        let epochs = self.epochs.len() as u32;
        *self = fresh;
        if let Some(comparison) = &mut self.comparison {
            comparison.epochs_before += epochs;
            comparison.current = Some(branch);
            comparison.begun += 1;
        }
    }

    fn fold(&mut self, record: &Record) {
        self.started.get_or_insert(record.at);
        // What the front end still notes of a run that has ended does not make it longer.
        if !self.is_ended() {
            self.updated = record.at;
        }
        match &record.event {
            Event::Preparing { what, done, total } => self.preparing = Some((what.clone(), *done, *total)),
            Event::RunStarted(header) => {
                self.stages = vec![StageProgress::ToCome; header.stages.len()];
                self.optimizers = vec![None; header.stages.len()];
                self.bins =
                    header.bins.iter().map(|name| BinState { name: name.clone(), ..BinState::default() }).collect();
                self.log(record.at, Level::Info, format!("run `{}` on {}", header.run_id, header.device));
                if let Some(comparison) = BranchComparison::of(header) {
                    self.comparison = Some(Box::new(comparison));
                }
                self.header = Some((**header).clone());
            }
            Event::StageStarted { stage, optimizer } => {
                self.preparing = None;
                set(&mut self.stages, *stage, StageProgress::Current(0), StageProgress::ToCome);
                set(&mut self.optimizers, *stage, Some(optimizer.clone()), None);
                self.stage_steps.push((*stage, self.total_steps()));
                let plan = self.header.as_ref().and_then(|header| header.stages.get(*stage));
                let what = plan.map_or_else(String::new, |plan| {
                    let frozen = if plan.bottleneck_only { ", head only" } else { "" };
                    format!(": {} with {optimizer}, {} epochs{frozen}", plan.loss, plan.epochs)
                });
                self.log(record.at, Level::Info, format!("stage {}{what}", stage.saturating_add(1)));
            }
            Event::EpochStarted { stage, epoch, index, steps, learning_rate } => {
                self.phase = Phase::Training;
                self.preparing = None;
                self.current = Some(CurrentEpoch {
                    stage: *stage,
                    epoch: *epoch,
                    index: *index,
                    steps: *steps,
                    learning_rate: *learning_rate,
                    started: record.at,
                    ..CurrentEpoch::default()
                });
                self.timeline.begin(self.total_steps(), record.at);
            }
            Event::Steps { step, loss, accuracy, images_per_second, waited, memory, gradient_norm, .. } => {
                self.phase = Phase::Training;
                self.images_per_second = *images_per_second;
                self.waited = *waited;
                self.memory = *memory;
                self.step_loss.extend_from_slice(loss);
                self.step_accuracy.extend_from_slice(accuracy);
                self.step_accuracy.resize(self.step_loss.len(), f32::NAN);
                if let Some(current) = &mut self.current {
                    current.step = *step;
                    add(&mut current.loss_sum, loss);
                    add(&mut current.accuracy_sum, accuracy);
                }
                let rate = self.current.as_ref().map_or(f64::NAN, |current| current.learning_rate);
                self.timeline.report(self.total_steps(), record.at, *images_per_second, *gradient_norm, rate);
            }
            Event::Evaluating { bin, done, total } => {
                self.phase = Phase::Evaluating;
                let bin = self.bin(bin);
                bin.progress = Some((*done, *total));
            }
            Event::BinEvaluated { index, result } => {
                let bin = self.bin(&result.bin);
                bin.progress = None;
                bin.results.push((*index, result.clone()));
                let newest = bin.results.len() - 1;
                let better = bin.best().is_none_or(|(_, best)| result.accuracy > best.accuracy);
                if better && result.accuracy.is_finite() {
                    bin.best = Some(newest);
                }
                let mark = if better { " (best)" } else { "" };
                self.log(record.at, Level::Info, figures(result) + mark);
            }
            Event::BinChecked { index, step, result } => {
                let bin = self.bin(&result.bin);
                bin.progress = None;
                bin.checked = Some((*index, *step, result.clone()));
                self.log(record.at, Level::Info, format!("after {step} steps, {}", figures(result)));
            }
            Event::DetailsWritten { bin, index, .. } => {
                let bin = self.bin(bin);
                bin.details = Some((*index, bin.details.map_or(0, |(_, times)| times) + 1));
            }
            Event::EpochEnded {
                stage,
                epoch,
                index,
                loss,
                accuracy,
                learning_rate,
                seconds,
                images_per_second,
                waited,
            } => {
                self.phase = Phase::Training;
                for bin in &mut self.bins {
                    bin.progress = None;
                }
                if let Some(StageProgress::Current(done)) = self.stages.get_mut(*stage) {
                    *done += 1;
                }
                self.epochs.push(EpochRow {
                    stage: *stage,
                    epoch: *epoch,
                    index: *index,
                    loss: *loss,
                    accuracy: *accuracy,
                    learning_rate: *learning_rate,
                    seconds: *seconds,
                    images_per_second: *images_per_second,
                    waited: *waited,
                    total_steps: self.total_steps(),
                    ended: record.at,
                });
                let accuracy = accuracy.map_or_else(String::new, |accuracy| format!(", accuracy {accuracy:.4}"));
                self.log(record.at, Level::Info, format!("epoch {epoch} ended: loss {loss:.4}{accuracy}"));
            }
            Event::CheckpointWritten { kind, path, index, bytes, .. } => {
                let file = CheckpointFile { kind: *kind, path: path.clone(), index: *index, bytes: *bytes };
                match self.checkpoints.iter_mut().find(|known| known.path == *path) {
                    Some(known) => *known = file,
                    None => self.checkpoints.push(file),
                }
                if !matches!(kind, CheckpointKind::History | CheckpointKind::Branches | CheckpointKind::Snapshot) {
                    self.log(record.at, Level::Info, format!("wrote `{path}`"));
                }
            }
            Event::SavingFailed { of, path, index, reason } => self.saving_failed(record.at, *of, path, *index, reason),
            Event::SavingRestored { of } => {
                self.unsaved.retain(|unsaved| unsaved.of != *of);
                let what = match of {
                    Saved::Files => "all files that could not be written are written now",
                    Saved::Journal => "the journal can be written again",
                };
                self.log(record.at, Level::Info, what.to_owned());
            }
            Event::StageEnded { stage } => set(&mut self.stages, *stage, StageProgress::Done, StageProgress::ToCome),
            Event::StartEvaluated { row } => {
                if let Some(comparison) = &mut self.comparison {
                    comparison.start = Some(row.clone());
                }
            }
            Event::BranchStarted { branch, name, .. } => {
                self.begin_branch(*branch);
                let total = self.comparison.as_ref().map_or(0, |comparison| comparison.total());
                self.log(record.at, Level::Info, format!("branch {} of {total}: {name}", branch.saturating_add(1)));
            }
            Event::BranchEnded { branch, row } => {
                if let Some(comparison) = &mut self.comparison {
                    comparison.ended(*branch, row);
                }
                let level = match row.outcome {
                    Some(Outcome::Failed { .. }) => Level::Error,
                    _ => Level::Info,
                };
                let remark = branches::remark(row).unwrap_or_else(|| "ended".to_owned());
                self.log(record.at, level, format!("branch {} `{}` {remark}", branch + 1, row.name));
            }
            // Its lines came one by one already.
            Event::BranchesCompared { .. } | Event::Unknown => {}
            Event::StopRequested { kind } => {
                self.stop = Some(*kind);
                let when = match kind {
                    StopKind::AfterEpoch => "after this epoch",
                    StopKind::Now => "now",
                };
                let rest = match self.comparison.as_ref().map_or(0, |comparison| comparison.to_come().count()) {
                    0 => String::new(),
                    1 => "; the last branch will not be started".to_owned(),
                    count => format!("; the remaining {count} branches will not be started"),
                };
                self.log(record.at, Level::Info, format!("stop requested: stopping {when}{rest}"));
            }
            Event::StopWithdrawn => {
                self.stop = None;
                self.log(record.at, Level::Info, "the stop was withdrawn: training continues".to_owned());
            }
            Event::Paused => self.phase = Phase::Paused,
            Event::Resumed => self.phase = Phase::Training,
            Event::Continued(continuation) => self.resume(record.at, continuation),
            Event::Recovered { reason, attempt, attempts, skipped } => {
                let message = format!(
                    "{reason}: the run went back to its newest saved state (attempt {attempt} of {attempts}) and skips {skipped} batches"
                );
                self.log(record.at, Level::Warning, message);
            }
            Event::EvaluationRequested => {
                self.log(record.at, Level::Info, "evaluation requested: evaluating before the next step".to_owned());
            }
            Event::SaveRequested => {
                self.log(record.at, Level::Info, "save requested: saving the model before the next step".to_owned());
            }
            Event::LearningRateScaled { factor } => {
                let before = self.rate_scale.replace(*factor).unwrap_or(1.0);
                if let Some(current) = &mut self.current {
                    current.learning_rate *= factor / before;
                }
                let message =
                    format!("learning rate multiplied by {factor} from the next step on (by {before} before)");
                self.log(record.at, Level::Info, message);
            }
            Event::Machine(sample) => {
                if self.machine.len() == SAMPLES {
                    self.machine.pop_front();
                }
                self.machine.push_back((**sample).clone());
            }
            Event::BadImage { path, reason, count } => {
                self.bad_images = *count;
                self.log(record.at, Level::Warning, format!("skipped `{path}`: {reason}"));
            }
            Event::Log { level, message } => self.log(record.at, *level, message.clone()),
            Event::Finished { outcome, .. } => {
                if let Outcome::Failed { error, help } = outcome {
                    self.log(record.at, Level::Error, error.clone());
                    if let Some(help) = help {
                        self.log(record.at, Level::Info, format!("help: {help}"));
                    }
                }
                self.phase = Phase::Ended(outcome.clone());
                self.preparing = None;
                self.stop = None;
            }
        }
    }

    fn bin(&mut self, name: &str) -> &mut BinState {
        let at = self.bins.iter().position(|bin| bin.name == name).unwrap_or_else(|| {
            self.bins.push(BinState { name: name.to_owned(), ..BinState::default() });
            self.bins.len() - 1
        });
        &mut self.bins[at]
    }

    fn saving_failed(&mut self, at: f64, of: Saved, path: &str, index: u32, reason: &str) {
        let kept = |file: &&CheckpointFile| matches!(file.kind, CheckpointKind::Model | CheckpointKind::Snapshot);
        let since = self.checkpoints.iter().filter(kept).map(|file| file.index).max().unwrap_or(0);
        match self.unsaved.iter_mut().find(|unsaved| unsaved.of == of) {
            Some(unsaved) => reason.clone_into(&mut unsaved.reason),
            None => self.unsaved.push(Unsaved { of, since, reason: reason.to_owned() }),
        }
        let message = match of {
            Saved::Files => format!(
                "`{path}` of epoch {index} cannot be written: {reason}; the files on disk stay, training continues, and writing \
                 is tried again"
            ),
            Saved::Journal => {
                format!("the journal cannot be written: {reason}; training continues, missing lines are kept in memory")
            }
        };
        self.log(at, Level::Error, message);
    }

    /// Whether there are files in memory that are not on disk.
    pub fn has_unsaved_files(&self) -> bool {
        self.unsaved.iter().any(|unsaved| unsaved.of == Saved::Files)
    }

    fn log(&mut self, at: f64, level: Level, message: String) {
        if self.log.len() == LOG_LINES {
            self.log.pop_front();
        }
        self.log.push_back(LogLine { at, level, message });
        self.logged += 1;
    }
}

/// A bin's figures in a line.
fn figures(result: &BinResult) -> String {
    let folds = match (result.fold_mean, result.fold_deviation) {
        (Some(mean), Some(deviation)) => format!(", 10-fold {mean:.4} ± {deviation:.4}"),
        _ => String::new(),
    };
    // A bare history knows none.
    let threshold =
        if result.threshold.is_finite() { format!(" at threshold {:.4}", result.threshold) } else { String::new() };
    format!("{}: accuracy {:.4}{threshold}{folds}", result.bin, result.accuracy)
}

/// Adds the finite values to a running sum.
fn add(sum: &mut (f64, u64), values: &[f32]) {
    for value in values.iter().filter(|value| value.is_finite()) {
        sum.0 += f64::from(*value);
        sum.1 += 1;
    }
}

/// Stages of a run; a journal that names others is damaged.
const MOST_STAGES: usize = 100_000;

/// Sets a place in a list that may be too short (a journal whose header was lost).
fn set<T: Clone>(list: &mut Vec<T>, at: usize, value: T, filler: T) {
    if at >= MOST_STAGES {
        return;
    }
    if list.len() <= at {
        list.resize(at + 1, filler);
    }
    list[at] = value;
}

#[cfg(test)]
mod tests;
