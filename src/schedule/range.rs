//! Ranges of numbers that can also say what they are.

use std::fmt;

/// The numbers from `low` to `high`, with or without the ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Range {
    low: f64,
    low_excluded: bool,
    high: f64,
    high_excluded: bool,
}

impl Range {
    /// From 0 to below 1: shares.
    pub(super) const SHARE: Self = Self { low: 0.0, low_excluded: false, high: 1.0, high_excluded: true };

    /// Above 0, up to `high`.
    pub(super) const fn above_zero(high: f64) -> Self {
        Self { low: 0.0, low_excluded: true, high, high_excluded: false }
    }

    /// From `low` to `high`, both included.
    pub(super) const fn closed(low: f64, high: f64) -> Self {
        Self { low, low_excluded: false, high, high_excluded: false }
    }

    /// Whether it holds `x`; never true of NaN.
    pub(super) fn contains(&self, x: f64) -> bool {
        let above = if self.low_excluded { x > self.low } else { x >= self.low };
        let below = if self.high_excluded { x < self.high } else { x <= self.high };
        above && below
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let from = if self.low_excluded { "above" } else { "from" };
        let to = match (self.low_excluded, self.high_excluded) {
            (_, true) => "to below",
            (true, false) => "up to",
            (false, false) => "to",
        };
        write!(f, "{from} {} {to} {}", self.low, self.high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_in_or_out_and_said_so() {
        assert!(Range::SHARE.contains(0.0) && !Range::SHARE.contains(1.0));
        assert!(!Range::above_zero(4.0).contains(0.0) && Range::above_zero(4.0).contains(4.0));
        assert!(!Range::closed(0.0, 1.0).contains(f64::NAN));
        assert_eq!(Range::SHARE.to_string(), "from 0 to below 1");
        assert_eq!(Range::above_zero(4.0).to_string(), "above 0 up to 4");
        assert_eq!(Range::closed(1.0, 4.0).to_string(), "from 1 to 4");
    }
}
