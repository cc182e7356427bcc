//! Smoothing: the exponential moving average of `TensorBoard`.

use super::downsampling::{Pyramid, Trace};

/// An exponential moving average that begins without bias, as `TensorBoard`'s.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Smoothed {
    /// The average after each value; NaN where the value was not finite.
    values: Vec<f32>,
    pyramid: Pyramid,
    /// Weight of the past, 0 to below 1.
    strength: f64,
    /// Weighted sum, and the share of the weights that it has gathered.
    sum: f64,
    gathered: f64,
}

impl Smoothed {
    /// Takes in what `values` holds beyond what was seen; the average begins anew at each of `breaks`, ascending.
    pub(super) fn follow(&mut self, values: &[f32], breaks: &[usize], strength: f64) {
        if (strength - self.strength).abs() > f64::EPSILON {
            *self = Self { strength, ..Self::default() };
        }
        let start = self.values.len();
        let mut breaks = breaks[breaks.partition_point(|at| *at < start)..].iter().peekable();
        for (at, value) in values.iter().enumerate().skip(start) {
            if breaks.next_if(|next| **next <= at).is_some() {
                while breaks.next_if(|next| **next <= at).is_some() {}
                (self.sum, self.gathered) = (0.0, 0.0);
            }
            let smooth = if value.is_finite() {
                self.sum = self.sum * strength + f64::from(*value) * (1.0 - strength);
                self.gathered = self.gathered * strength + (1.0 - strength);
                (self.sum / self.gathered) as f32
            } else {
                f32::NAN
            };
            self.values.push(smooth);
        }
        self.pyramid.follow(&self.values);
    }

    /// The averages, ready to be drawn.
    pub(super) const fn trace(&self) -> Trace<'_> {
        Trace::new(self.values.as_slice(), &self.pyramid)
    }

    /// The newest average.
    pub(super) fn latest(&self) -> Option<f64> {
        self.values.last().map(|value| f64::from(*value)).filter(|value| value.is_finite())
    }
}
