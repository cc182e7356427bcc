//! Axes: which values they span, where their ticks lie, and what a value is in pixels.

/// Values beyond this are drawn as if they were not finite: their differences overflow.
const LARGEST: f64 = 1e150;

/// Whether a value can be drawn on an axis.
pub fn drawable(value: f64, log: bool) -> bool {
    value.is_finite() && value.abs() < LARGEST && (!log || value > 1e-150)
}

/// The values from `low` to `high`, on pixels from `start` to `end`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Axis {
    low: f64,
    high: f64,
    start: f64,
    end: f64,
    log: bool,
}

impl Axis {
    /// An axis that shows all the drawable ones of `values`, with some room around them.
    pub fn around(values: impl Iterator<Item = f64>, log: bool) -> Self {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(|value| drawable(*value, log)) {
            let value = if log { value.log10() } else { value };
            low = low.min(value);
            high = high.max(value);
        }
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        let span = high - low;
        let room = if span > 1e-9 * low.abs().max(1e-30) { 0.07 * span } else { (0.05 * low.abs()).max(0.05) };
        Self { low: low - room, high: high + room, start: 0.0, end: 1.0, log }
    }

    /// An axis from `low` to `high`.
    pub const fn between(low: f64, high: f64) -> Self {
        Self { low, high, start: 0.0, end: 1.0, log: false }
    }

    /// The axis on pixels from `start` to `end`.
    pub const fn on(self, start: f64, end: f64) -> Self {
        Self { start, end, ..self }
    }

    /// Where a drawable value lies.
    pub fn at(&self, value: f64) -> f64 {
        let value = if self.log { value.log10() } else { value };
        self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)
    }

    /// The pixel of its upper end.
    pub const fn top(&self) -> f64 {
        self.end
    }

    /// At most about `count` values worth a tick, with their texts.
    pub fn ticks(&self, count: usize) -> Vec<(f64, String)> {
        let count = count.max(2);
        if self.log && self.high - self.low > 0.7 {
            return self.log_ticks(count);
        }
        let (low, high) = if self.log { (10f64.powf(self.low), 10f64.powf(self.high)) } else { (self.low, self.high) };
        linear_ticks(low, high, count)
    }

    fn log_ticks(&self, count: usize) -> Vec<(f64, String)> {
        let (first, last) = (self.low.floor() as i32, self.high.ceil() as i32);
        let decades = (last - first).unsigned_abs() as usize;
        let steps: &[f64] = if self.high - self.low < 2.3 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let stride = decades.div_ceil(count).max(1);
        let values = (first..=last).step_by(stride).flat_map(|power| steps.iter().map(move |step| (power, *step)));
        values
            .filter(|(power, step)| (self.low..=self.high).contains(&(f64::from(*power) + step.log10())))
            .map(|(power, step)| {
                let value = step * 10f64.powi(power);
                let text = if (-3..6).contains(&power) {
                    format!("{value:.*}", (-power).max(0) as usize)
                } else {
                    format!("{step}e{power}")
                };
                (value, text)
            })
            .collect()
    }
}

/// Round values from `low` to `high`: multiples of 1, 2 or 5 times a power of ten.
fn linear_ticks(low: f64, high: f64, count: usize) -> Vec<(f64, String)> {
    let rough = (high - low) / count as f64;
    if !(rough.is_finite() && rough > 0.0) {
        return Vec::new();
    }
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|step| step * power).into_iter().find(|step| *step >= rough * 0.999);
    let step = step.unwrap_or(rough);
    let first = (low / step).ceil();
    let decimals = (-(step.log10() + 1e-9).floor()).max(0.0) as usize;
    (0..=2 * count)
        .map(|at| (first + at as f64) * step)
        .take_while(|value| *value <= high)
        .map(|value| {
            let large = low.abs().max(high.abs());
            // Minus zero is zero.
            let value = if value.abs() < step / 2.0 { 0.0 } else { value };
            let text = if decimals > 6 || large >= 1e6 { short(value) } else { format!("{value:.decimals$}") };
            (value, text)
        })
        .collect()
}

/// A value in few letters with its power of ten.
fn short(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let text = format!("{value:.2e}");
    let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
    format!("{}e{power}", digits.trim_end_matches('0').trim_end_matches('.'))
}

/// A value as its mark says it: four decimals, as in the reference's plots.
pub fn told(value: f64) -> String {
    let size = value.abs();
    if value.is_finite() && (size >= 1e5 || (size < 1e-3 && size > 0.0)) {
        return format!("{value:.2e}");
    }
    format!("{value:.4}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(axis: &Axis, count: usize) -> Vec<String> {
        axis.ticks(count).into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(texts(&Axis::between(0.0, 1.0), 5), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(texts(&Axis::between(0.5, 16.5), 8), ["2", "4", "6", "8", "10", "12", "14", "16"]);
        assert_eq!(texts(&Axis::between(-0.1, 0.1), 4), ["-0.10", "-0.05", "0.00", "0.05", "0.10"]);
        let log = Axis::around([0.05, 50.0].into_iter(), true);
        assert_eq!(texts(&log, 6), ["0.1", "1", "10"]);
    }

    #[test]
    fn values_are_told_as_in_the_reference() {
        assert_eq!(
            [0.96089, 53.00178, 0.0, 123_456.0, 1e-7].map(told),
            ["0.9609", "53.0018", "0.0000", "1.23e5", "1.00e-7"]
        );
    }

    proptest! {
        #[test]
        fn any_values_have_an_axis(values in proptest::collection::vec(any::<f64>(), 0..5), log: bool, count in 0usize..20) {
            let axis = Axis::around(values.iter().copied(), log).on(10.0, 90.0);
            for value in values.into_iter().filter(|value| drawable(*value, log)) {
                let at = axis.at(value);
                prop_assert!((9.9..=90.1).contains(&at), "{} lies at {}", value, at);
            }
            prop_assert!(axis.ticks(count).len() <= 3 * count.max(2) + 10);
        }
    }
}
