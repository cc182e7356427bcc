//! Collects what the steps leave on the device and brings it to the host every so often, in one copy, so that no step
//! waits for the device.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use crate::event::Event;
use crate::train::step::StepResult;

/// Time between two reports. Shorter than a glance, longer than a step on a GPU.
const INTERVAL: Duration = Duration::from_millis(400);

/// The figures of one epoch.
#[derive(Debug)]
pub struct Meter {
    index: u32,
    step: u64,
    losses: Vec<Tensor>,
    accuracies: Vec<Tensor>,
    sizes: Vec<u64>,
    /// The length of the newest gradient that was measured since the last report.
    gradient_norm: Option<Tensor>,
    reported: Instant,
    /// When the newest step's result came, and how long after the one before.
    last_step: (Instant, Duration),
    waited: Duration,
    started: Instant,
    total: Totals,
}

/// Sums over an epoch.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Totals {
    loss: f64,
    accuracy: f64,
    /// Images of the steps taken.
    pub images: u64,
    classified: u64,
    /// Time spent waiting for data.
    pub waited: Duration,
    /// Time since the epoch's first step was asked for, less the pauses.
    pub elapsed: Duration,
}

impl Totals {
    /// Mean loss an image, as Keras reports it.
    pub fn loss(&self) -> f64 {
        self.loss / self.images.max(1) as f64
    }

    /// Mean accuracy, when the loss has one.
    pub fn accuracy(&self) -> Option<f64> {
        (self.classified > 0).then(|| self.accuracy / self.classified as f64)
    }

    /// Images a second.
    pub fn images_per_second(&self) -> f64 {
        self.images as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// Share of the time spent waiting for data, 0 to 1.
    pub fn waited_share(&self) -> f64 {
        share(self.waited, self.elapsed)
    }
}

impl Meter {
    /// A meter for the epoch at `index` of the history.
    pub fn new(index: u32) -> Self {
        let now = Instant::now();
        Self {
            index,
            step: 0,
            losses: Vec::new(),
            accuracies: Vec::new(),
            sizes: Vec::new(),
            gradient_norm: None,
            reported: now,
            // The first step of an epoch is told at once.
            last_step: (now, INTERVAL),
            waited: Duration::ZERO,
            started: now,
            total: Totals::default(),
        }
    }

    /// A meter that continues where another was after `step` steps, whose sums are `total`.
    pub fn going_on(index: u32, step: u64, total: Totals) -> Self {
        let now = Instant::now();
        let started = now.checked_sub(total.elapsed).unwrap_or(now);
        Self { step, started, total, ..Self::new(index) }
    }

    /// Whether a report will be due after the next step, judged by the last one: then its gradient is worth measuring.
    pub fn is_due(&self) -> bool {
        self.reported.elapsed() + self.last_step.1 >= INTERVAL
    }

    /// Takes a step's result; returns a report when one is due.
    pub fn add(&mut self, result: StepResult, images: u64, waited: Duration) -> Option<Event> {
        let due = result.gradient_norm.is_some() || self.reported.elapsed() >= 2 * INTERVAL;
        let now = Instant::now();
        self.last_step = (now, now - self.last_step.0);
        self.step += 1;
        self.gradient_norm = result.gradient_norm.or_else(|| self.gradient_norm.take());
        self.losses.push(result.loss.to_kind(Kind::Float));
        self.accuracies.extend(result.accuracy);
        self.sizes.push(images);
        self.waited += waited;
        due.then(|| self.report()).flatten()
    }

    /// Leaves a pause out of the figures.
    pub fn paused(&mut self, pause: Duration) {
        self.started += pause;
        self.reported += pause;
        self.last_step.0 += pause;
    }

    /// Brings the figures to the host; nothing when there were no steps since the last time.
    pub fn report(&mut self) -> Option<Event> {
        if self.losses.is_empty() {
            return None;
        }
        // One copy brings the gradient's length along.
        let measured = self.gradient_norm.take();
        let has_norm = measured.is_some();
        self.losses.extend(measured);
        let mut loss = to_host(&mut self.losses);
        let gradient_norm = if has_norm { loss.pop().map(f64::from) } else { None };
        let accuracy = to_host(&mut self.accuracies);
        let images: u64 = self.sizes.iter().sum();
        for (value, size) in loss.iter().zip(&self.sizes) {
            self.total.loss += f64::from(*value) * *size as f64;
        }
        for (value, size) in accuracy.iter().zip(&self.sizes) {
            self.total.accuracy += f64::from(*value) * *size as f64;
            self.total.classified += size;
        }
        self.total.images += images;
        self.total.waited += self.waited;
        let elapsed = self.reported.elapsed();
        let event = Event::Steps {
            index: self.index,
            step: self.step,
            loss,
            accuracy,
            images_per_second: images as f64 / elapsed.as_secs_f64().max(1e-9),
            waited: share(self.waited, elapsed),
            memory: memory_stats::memory_stats().map_or(0, |stats| stats.physical_mem as u64),
            gradient_norm,
        };
        self.sizes.clear();
        self.waited = Duration::ZERO;
        self.reported = Instant::now();
        Some(event)
    }

    /// Steps taken.
    pub const fn steps(&self) -> u64 {
        self.step
    }

    /// The sums; call it after the last report.
    pub fn totals(&self) -> Totals {
        Totals { elapsed: self.started.elapsed(), ..self.total.clone() }
    }
}

fn share(part: Duration, whole: Duration) -> f64 {
    (part.as_secs_f64() / whole.as_secs_f64().max(1e-9)).clamp(0.0, 1.0)
}

fn to_host(scalars: &mut Vec<Tensor>) -> Vec<f32> {
    if scalars.is_empty() {
        return Vec::new();
    }
    let stacked = Tensor::stack(scalars, 0).to_kind(Kind::Float).to_device(tch::Device::Cpu);
    scalars.clear();
    let mut values = vec![0f32; stacked.numel()];
    stacked.copy_data(&mut values, stacked.numel());
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_weighted_by_the_batch() {
        let mut meter = Meter::new(1);
        assert!(meter.is_due(), "the first step is told at once");
        for (loss, images) in [(1.0, 30), (4.0, 10)] {
            let accuracy = Some(Tensor::from(loss / 4.0));
            let result = StepResult { loss: Tensor::from(loss), accuracy, gradient_norm: None };
            let _ = meter.add(result, images, Duration::ZERO);
        }
        meter.gradient_norm = Some(Tensor::from(7.0));
        let Some(Event::Steps { loss, step, gradient_norm, .. }) = meter.report() else { panic!("no report") };
        assert_eq!((loss, step, gradient_norm), (vec![1.0, 4.0], 2, Some(7.0)));
        let totals = meter.totals();
        assert!((totals.loss() - 1.75).abs() < 1e-6);
        assert!((totals.accuracy().expect("has one") - 0.4375).abs() < 1e-6);
        assert!(meter.report().is_none());
    }
}
