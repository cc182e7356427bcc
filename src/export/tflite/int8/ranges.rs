//! The range of every tensor on calibration images, and how much of it int8 should cover.
//!
//! The images go through twice: once for the smallest and largest value of each tensor, once for a histogram between them.
//! The range kept is the one with the least squared error: outliers are cut off where the finer steps gain more than the
//! cut loses.

use tch::{Kind, Tensor};

use super::super::interpreter::Interpreter;
use super::super::model::Model;
use super::super::tensor::{Kind as Format, TensorId};

/// Bins of a histogram.
const BINS: usize = 2048;

/// Steps of the search on each side.
const STEPS: usize = 100;

/// Images that run at a time.
const BATCH: i64 = 16;

/// What a tensor holds: its smallest and largest value, and how often each part of the way between them.
#[derive(Debug, Clone)]
struct Seen {
    low: f64,
    high: f64,
    counts: Vec<f64>,
}

/// The range of each tensor that int8 should cover; (0, 0) for constants. `images` is what the model takes.
pub fn calibrate(model: &Model, images: &Tensor) -> Vec<(f32, f32)> {
    let interpreter = Interpreter::new(model);
    let mut seen: Vec<Option<Seen>> = vec![None; model.tensors.len()];
    let count = images.size()[0];
    for pass in 0..2 {
        for start in (0..count).step_by(BATCH as usize) {
            let batch = images.narrow(0, start, BATCH.min(count - start));
            let mut observe = |id: TensorId, values: &Tensor| {
                if model.tensors[id].kind != Format::Float32 || values.numel() == 0 {
                    return;
                }
                match &mut seen[id] {
                    Some(seen) if pass == 1 => seen.count(values),
                    Some(seen) => {
                        seen.low = seen.low.min(values.min().double_value(&[]));
                        seen.high = seen.high.max(values.max().double_value(&[]));
                    }
                    none => {
                        let (low, high) = (values.min().double_value(&[]), values.max().double_value(&[]));
                        *none = Some(Seen { low, high, counts: vec![0.0; BINS] });
                    }
                }
            };
            let _ = tch::no_grad(|| interpreter.run(&batch, &mut observe));
        }
    }
    seen.iter().map(|seen| seen.as_ref().map_or((0.0, 0.0), Seen::best)).collect()
}

impl Seen {
    fn width(&self) -> f64 {
        (self.high - self.low) / BINS as f64
    }

    fn count(&mut self, values: &Tensor) {
        let width = self.width();
        if width <= 0.0 || !width.is_finite() {
            return;
        }
        let places = ((values - self.low) / width).clamp(0.0, BINS as f64 - 1.0).to_kind(Kind::Int64);
        let none: Option<Tensor> = None;
        let counts = places.reshape([-1]).bincount(none, BINS as i64).to_kind(Kind::Double).contiguous();
        let mut here = vec![0f64; BINS];
        counts.copy_data(&mut here, BINS);
        self.counts.iter_mut().zip(here).for_each(|(sum, count)| *sum += count);
    }

    /// The range with the least squared error: first the side further from 0 is searched, then the other, then again.
    fn best(&self) -> (f32, f32) {
        let (mut low, mut high) = (self.low.min(0.0), self.high.max(0.0));
        if self.width() > 0.0 && self.width().is_finite() {
            for _ in 0..2 {
                for upper in [high > -low, high <= -low] {
                    let whole = if upper { self.high.max(0.0) } else { self.low.min(0.0) };
                    let candidates = (STEPS / 4..=STEPS).map(|step| whole * step as f64 / STEPS as f64);
                    let error = |side: f64| if upper { self.error(low, side) } else { self.error(side, high) };
                    let best = candidates.min_by(|one, other| error(*one).total_cmp(&error(*other))).unwrap_or(whole);
                    *(if upper { &mut high } else { &mut low }) = best;
                }
            }
        }
        (low as f32, high as f32)
    }

    /// The sum of squared errors when int8 covers this range.
    fn error(&self, low: f64, high: f64) -> f64 {
        let scale = (high - low) / 255.0;
        let inside = scale * scale / 12.0;
        let error = |(place, count): (usize, &f64)| {
            if *count == 0.0 {
                return 0.0;
            }
            let value = self.low + (place as f64 + 0.5) * self.width();
            let cut = (value - high).max(low - value).max(0.0);
            count * if cut > 0.0 { cut * cut } else { inside }
        };
        self.counts.iter().enumerate().map(error).sum()
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    fn best(values: &Tensor) -> (f32, f32) {
        let (low, high) = (values.min().double_value(&[]), values.max().double_value(&[]));
        let mut seen = Seen { low, high, counts: vec![0.0; BINS] };
        seen.count(values);
        seen.best()
    }

    #[test]
    fn even_values_keep_their_range_and_outliers_are_cut() {
        tch::manual_seed(1);
        let even = Tensor::rand([100_000], (Kind::Float, Device::Cpu)) * 4.0 - 1.0;
        let (low, high) = best(&even);
        assert!((low + 1.0).abs() < 0.05 && (high - 3.0).abs() < 0.1, "{low} {high}");
        let normal = Tensor::randn([1_000_000], (Kind::Float, Device::Cpu));
        let with = Tensor::cat(&[&normal, &Tensor::from_slice(&[60f32])], 0);
        let (low, high) = best(&with);
        assert!(high < 30.0 && low < -3.0, "{low} {high}");
        assert_eq!(best(&Tensor::zeros([5], (Kind::Float, Device::Cpu))), (0.0, 0.0));
    }
}
