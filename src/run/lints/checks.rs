//! The lints, in one table: when each runs, and what it finds.
//!
//! Limits are set so that the reference's and the demo's own histories raise nothing: a warning that cries wolf is not
//! read when it matters. A check that cannot tell yet gives [`Found::Unclear`], which leaves what was raised as it is.

use crate::event::{BinResult, CheckpointKind, Event};

use super::warning::{Finding, LintKind, Warnings};
use crate::run::state::{BinState, EpochRow, Phase, RunState};

/// What a lint finds.
pub(super) enum Found {
    /// It cannot tell yet: everything stays as it is.
    Unclear,
    /// Everything that holds now.
    These(Vec<Finding>),
}

/// A lint.
pub(super) struct Lint {
    pub kind: LintKind,
    /// The events after which it runs.
    pub when: fn(&Event) -> bool,
    pub check: fn(&RunState, &Warnings) -> Found,
}

/// All of them.
pub(super) const ALL: &[Lint] = &[
    Lint {
        kind: LintKind::NotFinite,
        when: |event| matches!(event, Event::Steps { .. } | Event::EpochEnded { .. } | Event::BinEvaluated { .. }),
        check: not_finite,
    },
    Lint { kind: LintKind::Diverging, when: |event| matches!(event, Event::Steps { .. }), check: diverging },
    Lint {
        kind: LintKind::AccuracyDrop,
        when: |event| matches!(event, Event::BinEvaluated { .. }),
        check: accuracy_drop,
    },
    Lint { kind: LintKind::Disk, when: |event| matches!(event, Event::Machine(_)), check: disk },
    Lint { kind: LintKind::Starvation, when: |event| matches!(event, Event::Steps { .. }), check: starvation },
    Lint { kind: LintKind::IdleGpu, when: |event| matches!(event, Event::Machine(_)), check: idle_gpu },
    Lint {
        kind: LintKind::ThresholdDrift,
        when: |event| matches!(event, Event::BinEvaluated { .. }),
        check: threshold_drift,
    },
    Lint { kind: LintKind::Plateau, when: |event| matches!(event, Event::EpochEnded { .. }), check: plateau },
];

fn one(sentence: String, advice: &'static str) -> Found {
    Found::These(vec![Finding { about: None, sentence, advice }])
}

const NOTHING: Found = Found::These(Vec::new());

fn not_finite(state: &RunState, warnings: &Warnings) -> Found {
    const ADVICE: &str = "resume from the last epoch's checkpoint with a lower learning rate, or put a softmax stage before \
                          arcface";
    if let Some(step) = warnings.averages.not_finite {
        return one(format!("the loss is NaN or infinite at step {step} of the epoch"), ADVICE);
    }
    let bin = state.bins.iter().find(|bin| bin.last().is_some_and(|result| !result.accuracy.is_finite()));
    match (bin, state.epochs.last()) {
        (Some(bin), _) => one(format!("the accuracy of `{}` is NaN or infinite", bin.name), ADVICE),
        (None, Some(row)) if !row.loss.is_finite() => {
            one(format!("the loss of epoch {} is NaN or infinite", row.epoch), ADVICE)
        }
        _ => NOTHING,
    }
}

/// Steps that the loss must stay far above its lowest value.
const SUSTAINED: u64 = 100;

fn diverging(_: &RunState, warnings: &Warnings) -> Found {
    let least = if warnings.holds(LintKind::Diverging, None) { 1 } else { SUSTAINED };
    match warnings.averages.loss() {
        Some(loss) if warnings.averages.above >= least => one(
            format!(
                "the loss grows: {loss:.3} on average now, {:.3} at its lowest in this stage",
                warnings.averages.lowest
            ),
            "lower the learning rate, or stop and resume from the best checkpoint",
        ),
        _ => NOTHING,
    }
}

/// The results of a bin in the stage that is trained, with how many epochs of the stage lie before each.
fn of_stage<'a>(state: &RunState, bin: &'a BinState) -> &'a [(u32, BinResult)] {
    let Some(stage) = state.current.as_ref().map(|now| now.stage) else { return &[] };
    let before = state.epochs.iter().rev().find(|row| row.stage != stage).map_or(0, |row| row.index);
    let first = bin.results.partition_point(|(index, _)| *index <= before);
    &bin.results[first..]
}

/// How far an accuracy may fall by chance: three standard deviations of a share of so many pairs, and no less than this.
fn chance(result: &BinResult) -> f64 {
    let share = result.accuracy.clamp(0.0, 1.0);
    (3.0 * (share * (1.0 - share) / result.pairs.max(1) as f64).sqrt()).max(0.02)
}

fn accuracy_drop(state: &RunState, _: &Warnings) -> Found {
    let worse = |bin: &BinState| {
        let (best_index, best) = bin.best()?;
        let results = of_stage(state, bin);
        let [.., (before_index, before), (_, newest)] = results else { return None };
        // A new loss may cost something at first: it gets three epochs.
        let settled = *best_index >= results[0].0 || results.len() >= 4;
        let low = |result: &BinResult| result.accuracy < best.accuracy - chance(best);
        (settled && before_index >= best_index && low(before) && low(newest)).then(|| Finding {
            about: Some(bin.name.clone()),
            sentence: format!(
                "the accuracy of `{}` has been lower for two epochs: {:.4} now, {:.4} in epoch {}",
                bin.name,
                newest.accuracy,
                best.accuracy,
                state.epoch_number(*best_index)
            ),
            advice: "the best basic model is kept; a lower learning rate often brings it back",
        })
    };
    Found::These(state.bins.iter().filter_map(worse).collect())
}

fn disk(state: &RunState, warnings: &Warnings) -> Found {
    let Some(free) = state.machine.back().and_then(|sample| sample.disk_free) else { return Found::Unclear };
    let newest = |kind| state.checkpoints.iter().rev().find(|file| file.kind == kind).map_or(0, |file| file.bytes);
    let known = newest(CheckpointKind::Model) + newest(CheckpointKind::Basic);
    // Before the first one: weights and two values of the optimiser for each, in four bytes.
    let guess = state.header.as_ref().map_or(0, |header| 12 * header.parameters);
    let need = if known > 0 { known } else { guess };
    // A file is written beside the one it replaces.
    let factor = if warnings.holds(LintKind::Disk, None) { 4 } else { 2 };
    if need == 0 || free >= factor * need {
        return NOTHING;
    }
    one(
        format!(
            "the next checkpoint may not fit on the disk: {} are free, it needs about {}",
            bytes(free),
            bytes(need)
        ),
        "make room now; if a file cannot be written, the previous one stays as it is",
    )
}

fn bytes(count: u64) -> String {
    if count >= 10 << 30 { format!("{} GiB", count >> 30) } else { format!("{} MiB", count >> 20) }
}

fn starvation(_: &RunState, warnings: &Warnings) -> Found {
    let limit = if warnings.holds(LintKind::Starvation, None) { 0.15 } else { 0.25 };
    match warnings.averages.waited.after(60.0) {
        None => Found::Unclear,
        Some(waited) if waited >= limit => one(
            format!("training waits for images {:.0} % of the time", waited * 100.0),
            "raise `data.workers`, put the images on a faster disk, or convert them to records (`facetui prepare records`)",
        ),
        _ => NOTHING,
    }
}

fn idle_gpu(state: &RunState, warnings: &Warnings) -> Found {
    let on_gpu = state.header.as_ref().is_some_and(|header| header.device.starts_with("cuda"));
    if !on_gpu || state.phase != Phase::Training {
        return Found::Unclear;
    }
    let limit = if warnings.holds(LintKind::IdleGpu, None) { 0.55 } else { 0.4 };
    match warnings.averages.gpu.after(60.0) {
        None => Found::Unclear,
        Some(busy) if busy < limit => one(
            format!("the GPU is busy {:.0} % of the time", busy * 100.0),
            if warnings.averages.waited.after(30.0).is_some_and(|waited| waited > 0.15) {
                "it waits for images: raise `data.workers`, or use a faster disk"
            } else {
                "raise `batch_size`: the steps are too small for it"
            },
        ),
        _ => NOTHING,
    }
}

/// How far a threshold may wander in so many epochs of a stage.
const DRIFT: (f64, usize) = (0.1, 4);

fn threshold_drift(state: &RunState, _: &Warnings) -> Found {
    let wandering = |bin: &BinState| {
        let results = of_stage(state, bin);
        // The first two epochs of a stage find their own level.
        let settled = results.get(2..)?;
        let (_, then) = &settled[settled.len().checked_sub(DRIFT.1 + 1)?];
        let (_, now) = settled.last()?;
        let moved = (now.threshold - then.threshold).abs() > DRIFT.0;
        (moved && now.accuracy <= then.accuracy + 0.005).then(|| Finding {
            about: Some(bin.name.clone()),
            sentence: format!(
                "the threshold of `{}` moved from {:.3} to {:.3} in {} epochs, and the accuracy did not improve",
                bin.name, then.threshold, now.threshold, DRIFT.1
            ),
            advice: "the embeddings still shift as a whole: use the threshold of the model that you use, and lower the learning rate",
        })
    };
    Found::These(state.bins.iter().filter_map(wandering).collect())
}

/// Epochs without anything better that make a plateau.
const PATIENCE: usize = 8;

fn plateau(state: &RunState, _: &Warnings) -> Found {
    let Some(stage) = state.epochs.last().map(|row| row.stage) else { return Found::Unclear };
    let rows: Vec<_> = state.epochs.iter().filter(|row| row.stage == stage).collect();
    let highest = rows.iter().map(|row| row.learning_rate).fold(0.0, f64::max);
    let rate = rows.last().map_or(0.0, |row| row.learning_rate);
    // A rate that has nearly run out is meant to hold still.
    if rows.len() < PATIENCE + 3 || rate < 0.05 * highest {
        return NOTHING;
    }
    let (before, newest) = rows.split_at(rows.len() - PATIENCE);
    let lowest = |rows: &[&EpochRow]| rows.iter().map(|row| row.loss).fold(f64::INFINITY, f64::min);
    let (then, now) = (lowest(before), lowest(newest));
    let stuck = now > then * (1.0 - 0.002 * then.signum());
    let first = newest.first().map_or(0, |row| row.index);
    let better = state.bins.iter().any(|bin| bin.best().is_some_and(|(index, _)| *index >= first));
    if !stuck || better {
        return NOTHING;
    }
    one(
        format!("no improvement for {PATIENCE} epochs: the lowest loss is {now:.4}, it was {then:.4} before"),
        "lower the learning rate, or continue with the next stage; the best basic model is kept",
    )
}
