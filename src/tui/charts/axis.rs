//! The axes: which values they span, where their ticks lie, how those are written.

use ratatui::buffer::Buffer;

use super::chart::{Chart, Curve, Stroke, Unit};
use super::geometry::{Geometry, height};
use crate::tui::format::duration;
use crate::tui::theme::Styles;

/// Shares of the raw values that an axis without outliers leaves out at either end.
const WILD: f64 = 0.02;

/// The places of all points between two x: of the raw values, or of the others.
fn heights(chart: &Chart, x: (f64, f64), ghosts: bool) -> impl Iterator<Item = f64> {
    let wanted = move |curve: &&Curve| (curve.stroke == Stroke::Ghost) == ghosts;
    chart.curves.iter().filter(wanted).flat_map(move |curve| {
        let points = curve.x.iter().zip(&curve.y).filter(move |(at, _)| **at >= x.0 && **at <= x.1);
        points.map(move |(_, value)| height(*value, chart.log_y)).filter(|height| height.is_finite())
    })
}

/// Lowest and highest of some places.
fn span(places: impl IntoIterator<Item = f64>) -> (f64, f64) {
    places.into_iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), place| (low.min(place), high.max(place)))
}

/// Lowest and highest place on the y axis; none when no curve has a point.
pub(super) fn range(chart: &Chart, x: (f64, f64)) -> Option<(f64, f64)> {
    // A line may cross the window without a point in it.
    let inside = [true, false].into_iter().any(|ghosts| heights(chart, x, ghosts).next().is_some());
    let x = if inside { x } else { (f64::NEG_INFINITY, f64::INFINITY) };
    let lines = span(heights(chart, x, false));
    let mut raw: Vec<f64> = heights(chart, x, true).collect();
    let ghosts = if chart.ignore_outliers && raw.len() > 8 {
        raw.sort_by(f64::total_cmp);
        let cut = (raw.len() as f64 * WILD).ceil() as usize;
        (raw[cut], raw[raw.len() - 1 - cut])
    } else {
        span(raw)
    };
    let (low, high) = (lines.0.min(ghosts.0), lines.1.max(ghosts.1));
    if low > high {
        return None;
    }
    if let Some((low, high)) = chart.y {
        let chosen = (height(low, chart.log_y), height(high, chart.log_y));
        if chosen.1 - chosen.0 > least(chosen) {
            return Some(chosen);
        }
    }
    if high - low <= least((low, high)) {
        let around = if chart.log_y || low == 0.0 { 0.5 } else { low.abs() * 0.05 };
        return Some((low - around, high + around));
    }
    let margin = (high - low) * 0.03;
    Some((low - margin, high + margin))
}

/// The width below which the values of an axis are one and the same.
fn least((low, high): (f64, f64)) -> f64 {
    high.abs().max(low.abs()) * 1e-9
}

/// The ticks of the y axis: places and labels, from bottom to top.
fn y_ticks((low, high): (f64, f64), log_y: bool, rows: u16) -> Vec<(f64, String)> {
    let most = usize::from(rows / 2).clamp(2, 8);
    if log_y { powers(low, high, most) } else { round(low, high, most) }
}

/// At most `most` multiples of 1, 2 or 5 times a power of ten, or a few more where that leaves one alone.
fn round(low: f64, high: f64, most: usize) -> Vec<(f64, String)> {
    let exponent = ((high - low) / most as f64).log10().floor() as i32 - 1;
    let steps = (exponent..exponent + 4).flat_map(|exponent| [1.0, 2.0, 5.0].map(|factor| Step { factor, exponent }));
    let mut ticks: Vec<f64> = Vec::new();
    let mut chosen = Step { factor: 1.0, exponent };
    for step in steps {
        let Some(next) = step.multiples(low, high, 4 * most) else { continue };
        if next.len() < 2 && !ticks.is_empty() {
            break;
        }
        let enough = next.len() <= most;
        (ticks, chosen) = (next, step);
        if enough {
            break;
        }
    }
    let largest = ticks.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
    let form = Form::of(chosen, largest);
    ticks.into_iter().map(|value| (value, form.write(value))).collect()
}

/// A distance between ticks: 1, 2 or 5 times a power of ten.
#[derive(Debug, Clone, Copy)]
struct Step {
    factor: f64,
    exponent: i32,
}

impl Step {
    fn size(self) -> f64 {
        scientific(self.factor, self.exponent)
    }

    /// Its multiples from `low` to `high`; none when they are more than `most`.
    fn multiples(self, low: f64, high: f64, most: usize) -> Option<Vec<f64>> {
        let size = self.size();
        let (first, last) = ((low / size).ceil(), (high / size).floor());
        // Beyond this, neighbouring multiples would be the same number.
        if last - first >= most as f64 || first.abs().max(last.abs()) > 1e15 {
            return None;
        }
        let count = (last - first + 1.0).max(0.0) as usize;
        // Dividing by a power of ten is exact where multiplying with its inverse is not: 3 / 10 is 0.3.
        let power = 10_f64.powi(self.exponent.abs());
        let value = |multiple: f64| {
            let whole = multiple * self.factor;
            if self.exponent < 0 { whole / power } else { whole * power }
        };
        Some((0..count).map(|at| value(first + at as f64)).filter(|value| (low..=high).contains(value)).collect())
    }
}

/// `factor` times a power of ten, as the number nearest to its decimal text.
fn scientific(factor: f64, exponent: i32) -> f64 {
    format!("{factor}e{exponent}").parse().unwrap_or(f64::NAN)
}

/// How all the values of an axis are written: in the same unit, with the same number of decimals.
#[derive(Debug, Clone, PartialEq)]
struct Form {
    /// The power of ten that they are written in.
    exponent: i32,
    /// What stands for it.
    unit: String,
    decimals: usize,
}

impl Form {
    /// The form in which ticks at a distance differ, and the largest of them is short.
    fn of(step: Step, largest: f64) -> Self {
        let form = |exponent: i32, unit: &str| {
            let decimals = (exponent - step.exponent).max(0) as usize;
            Self { exponent, unit: unit.to_owned(), decimals }
        };
        let power = if largest > 0.0 { largest.log10().floor() as i32 } else { 0 };
        let letters = [(6, "M"), (3, "k")].map(|(exponent, letter)| form(exponent, letter));
        // A letter saves room as long as few decimals stand before it.
        let lettered = letters.into_iter().find(|form| power >= form.exponent.max(4) && form.decimals <= 1);
        match power {
            9.. | ..=-3 if largest > 0.0 => form(power, &format!("e{power}")),
            _ => lettered.unwrap_or_else(|| form(0, "")),
        }
    }

    fn write(&self, value: f64) -> String {
        if value == 0.0 {
            return format!("{:.*}", self.decimals, 0.0);
        }
        let power = 10_f64.powi(self.exponent.abs());
        let value = if self.exponent < 0 { value * power } else { value / power };
        format!("{value:.*}{}", self.decimals, self.unit)
    }
}

/// Values 1, 2 and 5 of every power of ten, or the powers alone where they are many; round values where they are none.
fn powers(low: f64, high: f64, most: usize) -> Vec<(f64, String)> {
    let powers = low.floor() as i32..=high.ceil() as i32;
    for factors in [&[1.0, 2.0, 5.0][..], &[1.0, 3.0], &[1.0]] {
        let values = powers.clone().flat_map(|power| factors.iter().map(move |factor| scientific(*factor, power)));
        let ticks: Vec<f64> = values.filter(|value| (low..=high).contains(&value.log10())).collect();
        if (2..=most + 2).contains(&ticks.len()) {
            return ticks.into_iter().map(|value| (value.log10(), short(value))).collect();
        }
        if ticks.len() < 2 && factors.len() == 3 {
            let (from, to) = (10_f64.powf(low), 10_f64.powf(high));
            if from.is_finite() && to.is_finite() {
                return round(from, to, most).into_iter().map(|(value, label)| (value.log10(), label)).collect();
            }
        }
    }
    let stride = (high - low).ceil() as usize / most.max(1) + 1;
    let whole = powers.step_by(stride).map(f64::from).filter(|power| (low..=high).contains(power));
    whole.map(|power| (power, format!("1e{power:.0}"))).collect()
}

/// A value of a logarithmic axis.
fn short(value: f64) -> String {
    match value {
        value if value >= 10_000.0 => format!("{value:.0e}"),
        value if value >= 1.0 => format!("{value:.0}"),
        value if value >= 0.0095 => format!("{value}"),
        _ => format!("{value:.0e}"),
    }
}

/// Columns of the labels beside the y axis.
pub(super) fn gutter(y: (f64, f64), log_y: bool, rows: u16) -> u16 {
    let widest = y_ticks(y, log_y, rows).iter().map(|(_, label)| label.len()).max().unwrap_or(0);
    widest.max(2) as u16 + 1
}

/// Draws both axes with their labels.
pub(super) fn draw(geometry: &Geometry, unit: Unit, buffer: &mut Buffer, styles: &Styles) {
    let (area, panel) = (geometry.area, geometry.panel);
    let (upright, tick, corner, line, under) =
        if styles.glyphs.unicode { ("│", "┤", "└", "─", "┬") } else { ("|", "+", "+", "-", "+") };
    let beside = panel.x - 1;
    for y in panel.top()..panel.bottom() {
        buffer.set_string(beside, y, upright, styles.dim);
    }
    let room = usize::from(beside - area.x).saturating_sub(1);
    let mut free_to = panel.bottom();
    for (place, label) in y_ticks(geometry.y, geometry.log_y, panel.height) {
        let share = (geometry.y.1 - place) / (geometry.y.1 - geometry.y.0);
        let row = panel.y + ((share * f64::from(panel.height)) as u16).min(panel.height - 1);
        // Half a number would be another one.
        if row < free_to && label.len() <= room {
            buffer.set_string(beside, row, tick, styles.dim);
            buffer.set_stringn(area.x, row, format!("{label:>room$}"), room, styles.text);
            free_to = row;
        }
    }
    let bottom = panel.bottom();
    buffer.set_string(beside, bottom, corner, styles.dim);
    for x in panel.left()..panel.right() {
        buffer.set_string(x, bottom, line, styles.dim);
    }
    let mut free_from = area.x;
    let (step, ticks) = x_ticks(geometry.x, unit, usize::from(panel.width) / 9);
    for at in ticks {
        let Some(column) = geometry.column(at) else { continue };
        let text = x_label(at, step, unit);
        let columns = text.len() as u16;
        let start = column.saturating_sub(columns / 2).min(area.right().saturating_sub(columns)).max(area.x);
        buffer.set_string(column, bottom, under, styles.dim);
        if start >= free_from {
            buffer.set_stringn(start, bottom + 1, text, usize::from(area.right() - start), styles.text);
            free_from = start + columns + 1;
        }
    }
}

/// At most `most` round places on the x axis, and the step between them.
fn x_ticks((first, last): (f64, f64), unit: Unit, most: usize) -> (f64, Vec<f64>) {
    let step = match unit {
        Unit::Count => tick_step(first, last, most),
        Unit::Seconds => time_step(first, last, most),
    };
    let from = (first / step).ceil();
    let count = ((last / step).floor() - from).clamp(0.0, 200.0) as u32;
    (step, (0..=count).map(|at| (from + f64::from(at)) * step).filter(|at| (first..=last).contains(at)).collect())
}

/// The smallest of 1, 2, 5, 10, 20, ... that makes at most `most` steps of the range.
pub(super) fn tick_step(first: f64, last: f64, most: usize) -> f64 {
    let most = most.max(1) as f64;
    let mut power = 1.0;
    loop {
        for factor in [1.0, 2.0, 5.0] {
            let step = power * factor;
            if (last - first) / step <= most || !step.is_finite() {
                return step;
            }
        }
        power *= 10.0;
    }
}

/// The same for seconds: round in seconds, minutes, hours or days.
fn time_step(first: f64, last: f64, most: usize) -> f64 {
    const ROUND: [f64; 17] = [
        1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 10_800.0, 21_600.0,
        43_200.0,
    ];
    let most = most.max(1);
    let fits = |step: &&f64| (last - first) / **step <= most as f64;
    ROUND.iter().find(fits).copied().unwrap_or_else(|| 86_400.0 * tick_step(first / 86_400.0, last / 86_400.0, most))
}

/// An x in words, as exact as ticks that are `step` apart need.
pub(super) fn x_label(value: f64, step: f64, unit: Unit) -> String {
    if unit == Unit::Seconds {
        return duration(value);
    }
    for (unit, letter) in [(1e6, "M"), (1e3, "k")] {
        if step >= unit && value >= unit {
            return format!("{:.0}{letter}", value / unit);
        }
    }
    format!("{value:.0}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn steps_between_ticks() {
        assert!((tick_step(0.0, 8.0, 4) - 2.0).abs() < 1e-9);
        assert!((tick_step(0.0, 200_000.0, 8) - 50_000.0).abs() < 1e-9);
        assert!((tick_step(1.0, 1.5, 0) - 1.0).abs() < 1e-9);
        assert!((time_step(0.0, 3600.0, 4) - 900.0).abs() < 1e-9);
        assert!((time_step(0.0, 86_400.0 * 30.0, 4) - 86_400.0 * 10.0).abs() < 1e-9);
        assert_eq!(x_label(150_000.0, 50_000.0, Unit::Count), "150k");
        assert_eq!(x_label(1500.0, 500.0, Unit::Count), "1500");
        assert_eq!(x_label(5400.0, 600.0, Unit::Seconds), "1:30:00");
    }

    fn labels(low: f64, high: f64, rows: u16) -> Vec<String> {
        y_ticks((low, high), false, rows).into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn labels_are_as_exact_as_their_steps() {
        assert_eq!(labels(3.4, 6.6, 8), ["4", "5", "6"]);
        assert_eq!(labels(3.4, 6.6, 16), ["3.5", "4.0", "4.5", "5.0", "5.5", "6.0", "6.5"]);
        assert_eq!(labels(-0.1, 1.1, 8), ["0.0", "0.5", "1.0"]);
        assert_eq!(labels(0.9871, 0.9932, 12), ["0.988", "0.989", "0.990", "0.991", "0.992", "0.993"]);
        assert_eq!(labels(0.0, 52.0, 8), ["0", "20", "40"]);
        assert_eq!(labels(-400.0, 31_000.0, 8), ["0", "10k", "20k", "30k"]);
        assert_eq!(labels(0.0, 2.2e6, 10), ["0.0", "0.5M", "1.0M", "1.5M", "2.0M"]);
        assert_eq!(labels(12_000.0, 12_007.0, 8), ["12000", "12002", "12004", "12006"]);
        assert_eq!(labels(0.0, 0.001, 8), ["0.0", "0.5e-3", "1.0e-3"]);
        assert_eq!(labels(0.0028, 0.0033, 8), ["2.8e-3", "3.0e-3", "3.2e-3"]);
        assert_eq!(labels(-3e9, 1e9, 8), ["-2e9", "0",]);
    }

    #[test]
    fn logarithmic_ticks_are_values() {
        let labels = |low: f64, high: f64| -> Vec<String> {
            y_ticks((low.log10(), high.log10()), true, 14).into_iter().map(|(_, label)| label).collect()
        };
        assert_eq!(labels(0.9, 60.0), ["1", "2", "5", "10", "20", "50"]);
        assert_eq!(labels(1e-6, 1e6).first().map(String::as_str), Some("1e-6"));
        assert!(labels(2.05, 2.4).len() >= 2, "{:?}", labels(2.05, 2.4));
        assert!(labels(0.004, 0.3).contains(&"0.01".to_owned()), "{:?}", labels(0.004, 0.3));
    }

    /// The number that a label stands for.
    fn parsed(label: &str) -> f64 {
        let (digits, unit) = match label.strip_suffix('k').map(|digits| (digits, 3)) {
            Some(both) => both,
            None => label.strip_suffix('M').map_or((label, 0), |digits| (digits, 6)),
        };
        digits.parse::<f64>().expect("a number") * 10_f64.powi(unit)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        /// Neighbours differ, every label says where its tick stands, and those of a linear axis have as many decimals.
        #[test]
        fn labels_say_where_their_ticks_are(
            middle in prop_oneof![Just(0.0), -10.0..10.0_f64, -1e-6..1e-6_f64, -1e7..1e7_f64, -1e120..1e120_f64],
            width in -8.5..12.0_f64, rows in 2_u16..80, log_y: bool,
        ) {
            let (middle, size) = if log_y { (middle % 100.0, 1.0) } else { (middle, middle.abs().max(1e-12)) };
            let half = size * 10_f64.powf(if log_y { width.min(2.0) } else { width });
            let (low, high) = (middle - half, middle + half);
            prop_assume!(high - low > least((low, high)));
            let ticks = y_ticks((low, high), log_y, rows);
            prop_assert!(!ticks.is_empty() && ticks.len() <= 4 * usize::from(rows / 2).clamp(2, 8), "{ticks:?}");
            prop_assert!(ticks.len() >= 2 || log_y, "{ticks:?}");
            let cell = (high - low) / f64::from(rows);
            for (place, label) in &ticks {
                let told = height(parsed(label), log_y);
                prop_assert!((low..=high).contains(place) && (told - place).abs() <= cell, "{label} at {place}");
            }
            for pair in ticks.windows(2) {
                prop_assert!(pair[0].0 < pair[1].0 && pair[0].1 != pair[1].1, "{ticks:?}");
            }
            let decimals = |label: &str| {
                label.split_once('.').map_or(0, |(_, rest)| rest.bytes().take_while(u8::is_ascii_digit).count())
            };
            prop_assert!(log_y || ticks.iter().all(|(_, label)| decimals(label) == decimals(&ticks[0].1)), "{ticks:?}");
        }
    }
}
