//! The axes: which values they span, where their ticks lie, how those are written.

use malevich::scale::Ticks;
use ratatui::buffer::Buffer;

use super::{Chart, Curve, Geometry, Stroke};
use crate::tui::format::duration;
use crate::tui::theme::Styles;

/// What the x axis counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::tui) enum Unit {
    /// Steps or epochs.
    #[default]
    Count,
    /// Seconds since the training began.
    Seconds,
}

/// Shares of the raw values that a calm axis leaves out at either end.
const WILD: f64 = 0.02;

/// The largest value that an axis reaches: its width must be a number too.
const LARGEST: f64 = 1e150;

/// A value's place on the axis: the exponent on a logarithmic one; NaN where it has none.
pub(super) fn height(value: f64, log_y: bool) -> f64 {
    match (value.is_finite(), log_y) {
        (true, false) => value.clamp(-LARGEST, LARGEST),
        (true, true) if value > 0.0 => value.log10(),
        _ => f64::NAN,
    }
}

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
    let ghosts = if chart.calm && raw.len() > 8 {
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
        if chosen.0 < chosen.1 {
            return Some(chosen);
        }
    }
    if high - low <= high.abs().max(low.abs()) * 1e-9 {
        let around = if chart.log_y || low == 0.0 { 0.5 } else { low.abs() * 0.05 };
        return Some((low - around, high + around));
    }
    let margin = (high - low) * 0.03;
    Some((low - margin, high + margin))
}

/// The ticks of the y axis: places and labels, from bottom to top.
fn y_ticks((low, high): (f64, f64), log_y: bool, rows: u16) -> Vec<(f64, String)> {
    let most = usize::from(rows / 2).clamp(2, 8);
    if log_y {
        return powers(low, high, most);
    }
    // Round ticks may lie beyond the axis; with more of them some lie on it.
    let placed = |most: usize| {
        let ticks = Ticks::linear(low, high, most);
        let inside = ticks.iter().map(|tick| tick.value).filter(|value| (low..=high).contains(value));
        (inside.collect::<Vec<f64>>(), ticks.step().unwrap_or(high - low))
    };
    let enough = |(values, _): &(Vec<f64>, f64)| values.len() >= 2;
    let (values, step) = (most..most + 5).map(placed).find(enough).unwrap_or_else(|| placed(most));
    let largest = values.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
    values.into_iter().map(|value| (value, number(value, step, largest))).collect()
}

/// Values 1, 2 and 5 of every power of ten, or the powers alone where they are many; round values where they are none.
fn powers(low: f64, high: f64, most: usize) -> Vec<(f64, String)> {
    let powers = low.floor() as i32..=high.ceil() as i32;
    for factors in [&[1.0, 2.0, 5.0][..], &[1.0, 3.0], &[1.0]] {
        let values = powers.clone().flat_map(|power| factors.iter().map(move |factor| factor * 10_f64.powi(power)));
        let ticks: Vec<f64> = values.filter(|value| (low..=high).contains(&value.log10())).collect();
        if (2..=most + 2).contains(&ticks.len()) {
            return ticks.into_iter().map(|value| (value.log10(), short(value))).collect();
        }
        if ticks.len() < 2 && factors.len() == 3 {
            let (from, to) = (10_f64.powf(low), 10_f64.powf(high));
            if from.is_finite() && to.is_finite() {
                let linear = y_ticks((from, to), false, (most * 2) as u16);
                return linear.into_iter().map(|(value, label)| (value.log10(), label)).collect();
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
        value if value >= 0.0095 => format!("{value}").chars().take(5).collect(),
        _ => format!("{value:.0e}"),
    }
}

/// A tick's value with as many places as the step between ticks needs.
fn number(value: f64, step: f64, largest: f64) -> String {
    let places = |step: f64| (-step.log10() - 1e-9).ceil().clamp(0.0, 8.0) as usize;
    let value = if value.abs() < step * 1e-6 { 0.0 } else { value };
    if value == 0.0 {
        return if step >= 1.0 || largest < 0.01 { "0".to_owned() } else { format!("{:.*}", places(fine(step)), 0.0) };
    }
    if largest >= 1e9 {
        return format!("{value:.1e}");
    }
    if largest >= 10_000.0 {
        let (unit, letter) = if largest >= 1e6 { (1e6, "M") } else { (1e3, "k") };
        return format!("{:.*}{letter}", places(fine(step / unit)), value / unit);
    }
    if largest < 0.01 {
        let power = largest.log10().floor();
        let unit = 10_f64.powf(power);
        return format!("{:.*}e{power:.0}", places(fine(step / unit)), value / unit);
    }
    format!("{:.*}", places(fine(step)), value)
}

/// A step whose power of ten says how many places it has: 0.25 has two.
fn fine(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    let digits = step / power;
    if (digits - digits.round()).abs() < 1e-6 { power } else { power / 10.0 }
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
        if row < free_to {
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

    #[test]
    fn labels_are_as_exact_as_their_steps() {
        assert_eq!(number(0.25, 0.25, 1.0), "0.25");
        assert_eq!(number(0.5, 0.1, 1.0), "0.5");
        assert_eq!(number(0.0, 0.2, 1.0), "0.0");
        assert_eq!(number(30.0, 10.0, 50.0), "30");
        assert_eq!(number(25_000.0, 5000.0, 30_000.0), "25k");
        assert_eq!(number(0.0005, 0.0001, 0.001), "0.5e-3");
        assert_eq!(number(0.001, 0.0005, 0.001), "1.0e-3");
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
}
