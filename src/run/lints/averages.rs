//! Running averages that lints look at: what the state at one moment cannot tell.

use crate::event::{Event, Record};

/// Weight of the past in the average of the loss: about the mean of the last fifty steps.
const MEMORY: f64 = 0.98;

/// Steps of a stage before its average means anything.
const SETTLED: u64 = 60;

/// Half-life of the averages over time, in seconds.
const HALF_LIFE: f64 = 30.0;

/// The averages of a run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Averages {
    /// Steps of the stage.
    pub steps: u64,
    /// Average of the loss, and the weight it has gathered.
    average: (f64, f64),
    /// That average when it had settled, its lowest value since, and how many steps it has been far above that.
    pub settled: Option<f64>,
    pub lowest: f64,
    pub above: u64,
    /// Share of the time spent waiting for images, averaged over time, and for how many seconds.
    pub waited: TimeAverage,
    /// Share of the time that the busiest GPU ran, likewise, while training.
    pub gpu: TimeAverage,
    /// The newest loss that is NaN or infinite: its step within the epoch.
    pub not_finite: Option<u64>,
    /// When steps were told last, or began.
    at: Option<f64>,
    /// When the machine was sampled last.
    sampled: Option<f64>,
}

/// An average over time.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct TimeAverage {
    value: f64,
    weight: f64,
    /// Seconds it stands for.
    pub seconds: f64,
}

impl TimeAverage {
    fn add(&mut self, value: f64, seconds: f64) {
        if !value.is_finite() || seconds <= 0.0 {
            return;
        }
        let keep = 0.5_f64.powf(seconds / HALF_LIFE);
        self.value = self.value * keep + value * (1.0 - keep);
        self.weight = self.weight * keep + (1.0 - keep);
        self.seconds += seconds;
    }

    /// The average, once it stands for `least` seconds.
    pub fn after(&self, least: f64) -> Option<f64> {
        (self.seconds >= least && self.weight > 0.0).then(|| self.value / self.weight)
    }
}

impl Averages {
    /// The average of the loss.
    pub fn loss(&self) -> Option<f64> {
        (self.average.1 > 0.0).then(|| self.average.0 / self.average.1)
    }

    /// Takes a record in; `is_training` is whether steps are being taken after it.
    pub fn update(&mut self, record: &Record, is_training: bool) {
        match &record.event {
            Event::BranchStarted { .. } => *self = Self::default(),
            // Another loss has another scale.
            Event::StageStarted { .. } => {
                *self = Self { waited: self.waited, gpu: self.gpu, ..Self::default() };
            }
            Event::EpochStarted { .. } => self.not_finite = None,
            Event::Steps { step, loss, waited, .. } => {
                let seconds = self.at.map_or(0.0, |at| record.at - at).clamp(0.0, 10.0);
                self.waited.add(*waited, seconds);
                for (at, value) in loss.iter().enumerate() {
                    self.step(f64::from(*value), step.saturating_add(at as u64 + 1).saturating_sub(loss.len() as u64));
                }
            }
            Event::Machine(sample) => {
                let busiest = sample
                    .gpus
                    .iter()
                    .map(|gpu| gpu.busy)
                    .fold(None, |most: Option<f64>, busy| Some(most.map_or(busy, |most| most.max(busy))));
                let training = is_training && self.steps > 0;
                if let (Some(busy), true) = (busiest, training) {
                    self.gpu.add(busy, self.sampled.map_or(0.0, |at| record.at - at).clamp(0.0, 10.0));
                }
                self.sampled = Some(record.at);
            }
            _ => {}
        }
        if matches!(record.event, Event::Steps { .. } | Event::EpochStarted { .. } | Event::Resumed) {
            self.at = Some(record.at);
        }
    }

    fn step(&mut self, loss: f64, step: u64) {
        if !loss.is_finite() {
            self.not_finite = Some(step);
            return;
        }
        self.steps += 1;
        let (sum, weight) = self.average;
        self.average = (sum * MEMORY + loss * (1.0 - MEMORY), weight * MEMORY + (1.0 - MEMORY));
        let average = self.average.0 / self.average.1;
        if self.steps < SETTLED {
            return;
        }
        let start = *self.settled.get_or_insert_with(|| {
            self.lowest = average;
            average
        });
        self.lowest = self.lowest.min(average);
        // Far above: a third of what was won is lost again, and half of the lowest value besides.
        let far = (0.33 * (start - self.lowest)).max(0.5 * self.lowest.abs());
        self.above = if average > self.lowest + far { self.above + 1 } else { 0 };
    }
}
