//! The lints, in one table: when each looks, and what it finds.
//!
//! Limits are set so that the reference's and the demo's own histories raise nothing: a warning that cries wolf is not
//! read when it matters. A check that cannot tell yet gives [`Found::Unclear`], which leaves what was raised as it is.

use crate::event::{BinResult, CheckpointKind, Event};

use super::super::state::{BinState, Phase, RunState};
use super::track::Track;
use super::{Finding, Kind, Warning, holds};

/// What a lint finds.
pub(super) enum Found {
    /// It cannot tell yet: everything stays as it is.
    Unclear,
    /// Everything that holds now.
    These(Vec<Finding>),
}

/// A lint.
pub(super) struct Lint {
    pub kind: Kind,
    /// The events after which it looks.
    pub when: fn(&Event) -> bool,
    pub check: fn(&RunState, &Track, &[Warning]) -> Found,
}

/// All of them.
pub(super) const ALL: &[Lint] = &[
    Lint {
        kind: Kind::NotFinite,
        when: |event| matches!(event, Event::Steps { .. } | Event::EpochEnded { .. } | Event::BinEvaluated { .. }),
        check: not_finite,
    },
    Lint { kind: Kind::Diverging, when: |event| matches!(event, Event::Steps { .. }), check: diverging },
    Lint { kind: Kind::AccuracyDrop, when: |event| matches!(event, Event::BinEvaluated { .. }), check: accuracy_drop },
    Lint { kind: Kind::Disk, when: |event| matches!(event, Event::Machine(_)), check: disk },
    Lint { kind: Kind::Starvation, when: |event| matches!(event, Event::Steps { .. }), check: starvation },
    Lint { kind: Kind::IdleGpu, when: |event| matches!(event, Event::Machine(_)), check: idle_gpu },
    Lint {
        kind: Kind::ThresholdDrift,
        when: |event| matches!(event, Event::BinEvaluated { .. }),
        check: threshold_drift,
    },
    Lint { kind: Kind::Plateau, when: |event| matches!(event, Event::EpochEnded { .. }), check: plateau },
];

fn one(sentence: String, advice: &'static str) -> Found {
    Found::These(vec![Finding { about: None, sentence, advice }])
}

const NOTHING: Found = Found::These(Vec::new());

fn not_finite(state: &RunState, track: &Track, _: &[Warning]) -> Found {
    const ADVICE: &str = "continue from the last epoch's checkpoint with a lower learning rate, or put a softmax stage before \
                          arcface";
    if let Some(step) = track.not_finite {
        return one(format!("the loss is not a number at step {step} of the epoch"), ADVICE);
    }
    let bin = state.bins.iter().find(|bin| bin.last().is_some_and(|result| !result.accuracy.is_finite()));
    match (bin, state.epochs.last()) {
        (Some(bin), _) => one(format!("the accuracy of `{}` is not a number", bin.name), ADVICE),
        (None, Some(row)) if !row.loss.is_finite() => {
            one(format!("the loss of epoch {} is not a number", row.epoch), ADVICE)
        }
        _ => NOTHING,
    }
}

/// Steps that the loss must stay far above its lowest value.
const SUSTAINED: u64 = 100;

fn diverging(_: &RunState, track: &Track, warnings: &[Warning]) -> Found {
    let least = if holds(warnings, Kind::Diverging, None) { 1 } else { SUSTAINED };
    match track.loss() {
        Some(loss) if track.above >= least => one(
            format!("the loss grows: {loss:.3} on average now, {:.3} at its lowest in this stage", track.lowest),
            "lower the learning rate, or stop and go on from the best checkpoint",
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

fn accuracy_drop(state: &RunState, _: &Track, _: &[Warning]) -> Found {
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
                "`{}` is told apart worse for two epochs: {:.4} now, {:.4} in epoch {}",
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

fn disk(state: &RunState, _: &Track, warnings: &[Warning]) -> Found {
    let Some(free) = state.machine.back().and_then(|sample| sample.disk_free) else { return Found::Unclear };
    let newest = |kind| state.checkpoints.iter().rev().find(|file| file.kind == kind).map_or(0, |file| file.bytes);
    let known = newest(CheckpointKind::Model) + newest(CheckpointKind::Basic);
    // Before the first one: weights and two values of the optimiser for each, in four bytes.
    let guess = state.header.as_ref().map_or(0, |header| 12 * header.parameters);
    let need = if known > 0 { known } else { guess };
    // A file is written beside the one it replaces.
    let factor = if holds(warnings, Kind::Disk, None) { 4 } else { 2 };
    if need == 0 || free >= factor * need {
        return NOTHING;
    }
    one(
        format!("the next checkpoint may not fit: {} are free, it needs about {}", bytes(free), bytes(need)),
        "make room now; a file that cannot be written leaves the one before it as it was",
    )
}

fn bytes(count: u64) -> String {
    if count >= 10 << 30 { format!("{} GiB", count >> 30) } else { format!("{} MiB", count >> 20) }
}

fn starvation(_: &RunState, track: &Track, warnings: &[Warning]) -> Found {
    let limit = if holds(warnings, Kind::Starvation, None) { 0.15 } else { 0.25 };
    match track.waited.after(60.0) {
        None => Found::Unclear,
        Some(waited) if waited >= limit => one(
            format!("the training waits for images {:.0} % of the time", waited * 100.0),
            "raise `data.workers`, put the images on a faster disk, or use records (`facetui prepare records`)",
        ),
        _ => NOTHING,
    }
}

fn idle_gpu(state: &RunState, track: &Track, warnings: &[Warning]) -> Found {
    let on_gpu = state.header.as_ref().is_some_and(|header| header.device.starts_with("cuda"));
    if !on_gpu || state.phase != Phase::Training {
        return Found::Unclear;
    }
    let limit = if holds(warnings, Kind::IdleGpu, None) { 0.55 } else { 0.4 };
    match track.gpu.after(60.0) {
        None => Found::Unclear,
        Some(busy) if busy < limit => one(
            format!("the GPU is busy {:.0} % of the time", busy * 100.0),
            if track.waited.after(30.0).is_some_and(|waited| waited > 0.15) {
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

fn threshold_drift(state: &RunState, _: &Track, _: &[Warning]) -> Found {
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
                "the threshold of `{}` went from {:.3} to {:.3} in {} epochs, and its accuracy is no better",
                bin.name, then.threshold, now.threshold, DRIFT.1
            ),
            advice: "the embeddings still move as a whole: take the threshold of the model you use, and lower the learning rate",
        })
    };
    Found::These(state.bins.iter().filter_map(wandering).collect())
}

/// Epochs without anything better that make a plateau.
const PATIENCE: usize = 8;

fn plateau(state: &RunState, _: &Track, _: &[Warning]) -> Found {
    let Some(stage) = state.epochs.last().map(|row| row.stage) else { return Found::Unclear };
    let rows: Vec<_> = state.epochs.iter().filter(|row| row.stage == stage).collect();
    let highest = rows.iter().map(|row| row.learning_rate).fold(0.0, f64::max);
    let rate = rows.last().map_or(0.0, |row| row.learning_rate);
    // A rate that has nearly run out is meant to hold still.
    if rows.len() < PATIENCE + 3 || rate < 0.05 * highest {
        return NOTHING;
    }
    let (before, newest) = rows.split_at(rows.len() - PATIENCE);
    let lowest =
        |rows: &[&super::super::state::EpochRow]| rows.iter().map(|row| row.loss).fold(f64::INFINITY, f64::min);
    let (then, now) = (lowest(before), lowest(newest));
    let stuck = now > then * (1.0 - 0.002 * then.signum());
    let first = newest.first().map_or(0, |row| row.index);
    let better = state.bins.iter().any(|bin| bin.best().is_some_and(|(index, _)| *index >= first));
    if !stuck || better {
        return NOTHING;
    }
    one(
        format!("nothing got better for {PATIENCE} epochs: the loss is {now:.4} at best, {then:.4} before"),
        "lower the learning rate, or go on to the next stage; the best basic model is kept",
    )
}
