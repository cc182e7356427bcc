//! Line charts: the one place that names the plotting crate.
//!
//! The panes hand over curves in data coordinates; this module puts them on axes with readable ticks, marks the borders
//! of stages, and draws into a ratatui buffer. NaN is a gap. Any area is fine, a tiny one stays empty.

use malevich::scale::Unit;
use malevich::{Charset, Color as Ink, Dash, Line, Plot, PlotState, PointStyle, Points, Rule};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::widgets::StatefulWidget;

use super::format::{cut, width};
use super::theme::Styles;

/// How a curve is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stroke {
    /// A line.
    Line,
    /// A line of dashes: the second series without colour.
    Dashed,
    /// A line of dots: the third.
    Dotted,
    /// Raw values behind another curve.
    Ghost,
    /// A line with a mark at every point: epochs.
    Marked,
}

/// One curve.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Curve {
    pub(super) x: Vec<f64>,
    pub(super) y: Vec<f64>,
    pub(super) color: Color,
    pub(super) stroke: Stroke,
}

/// A chart.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Chart {
    pub(super) curves: Vec<Curve>,
    /// Vertical lines with a name beside each.
    pub(super) borders: Vec<(f64, String)>,
    /// First and last x.
    pub(super) x: (f64, f64),
    /// Logarithmic y axis.
    pub(super) log_y: bool,
    /// What to say while there is nothing to draw.
    pub(super) empty: &'static str,
}

/// Smallest area in which a chart says anything.
const SMALLEST: (u16, u16) = (14, 4);

/// Height from which on the names of stages have a row of their own.
const ROOMY: u16 = 9;

impl Chart {
    /// Draws into `area`.
    pub(super) fn render(&self, area: Rect, buffer: &mut Buffer, styles: &Styles) {
        let area = area.intersection(buffer.area);
        if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
            return;
        }
        let drawable = |value: &f64| value.is_finite() && (!self.log_y || *value > 0.0);
        if !self.curves.iter().any(|curve| curve.y.iter().any(drawable)) {
            let row = area.y + area.height / 2;
            let text = cut(self.empty, usize::from(area.width), styles.glyphs.ellipsis);
            let column = area.x + (area.width - width(&text) as u16) / 2;
            buffer.set_string(column, row, text, styles.dim);
            return;
        }
        // Names of stages get a line of their own where the chart can spare one.
        let named_above = self.borders.len() > 1 && area.height >= ROOMY;
        let panel = if named_above { Rect { y: area.y + 1, height: area.height - 1, ..area } } else { area };
        let state = self.draw_layers(panel, buffer, styles);
        number_axis(panel, buffer, styles, &state);
        if self.log_y {
            label_powers(panel, buffer, &state);
        }
        self.name_borders(area, named_above, buffer, styles, &state);
    }

    /// Draws the raw curves with axes and borders, then the others over them. A cell has one colour for all of its
    /// dots: were both drawn at once, the raw dots would thicken the smoothed line.
    fn draw_layers(&self, area: Rect, buffer: &mut Buffer, styles: &Styles) -> PlotState {
        let charset = if styles.glyphs.unicode { Charset::Braille } else { Charset::Ascii };
        let draw = |plot: &Plot<'_>, buffer: &mut Buffer| {
            let mut state = PlotState::default();
            plot.widget().charset(charset).crosshair(false).readout(false).render(area, buffer, &mut state);
            state
        };
        let whole = self.plot(styles, true, |_| true);
        if !self.curves.iter().any(|curve| curve.stroke == Stroke::Ghost) {
            return draw(&whole, buffer);
        }
        let mut above = Buffer::empty(area);
        let state = draw(&whole, &mut above);
        let (Some(panel), Some(mapping)) = (state.plot_area(), state.mapping()) else {
            return draw(&whole, buffer);
        };
        // Both layers share the axes of the whole, so that they fit onto each other.
        let (low, high) = mapping.y_domain();
        let layer = |ghosts: bool| {
            self.plot(styles, ghosts, move |curve| (curve.stroke == Stroke::Ghost) == ghosts).y_domain(low, high)
        };
        let state = draw(&layer(true), buffer);
        if !styles.has_color() {
            buffer.set_style(panel, styles.dim);
        }
        if !styles.glyphs.unicode {
            for position in panel.intersection(area).positions() {
                if buffer[position].symbol() == "*" {
                    buffer[position].set_symbol(".");
                }
            }
        }
        above.reset();
        draw(&layer(false), &mut above);
        for position in panel.intersection(area).positions() {
            if above[position].symbol() != " " {
                buffer[position] = above[position].clone();
            }
        }
        state
    }

    /// The plot of the curves that `wanted` picks, with the borders of the stages or without.
    fn plot(&self, styles: &Styles, borders: bool, wanted: impl Fn(&Curve) -> bool) -> Plot<'static> {
        let (first, last) = self.x;
        let last = if last > first { last } else { first + 1.0 };
        let mut plot = Plot::new().x_domain(first, last);
        if self.log_y {
            // Room for the labels that `label_powers` writes.
            plot = plot.y_unit(Unit::suffix("  "));
        }
        for (x, _) in self.borders.iter().filter(|(x, _)| borders && *x > first && *x < last) {
            plot = plot.layer(Rule::v(*x).dash(Dash::Dotted).color(ink(styles.ghost)));
        }
        for curve in self.curves.iter().filter(|curve| wanted(curve)) {
            let color = ink(curve.color);
            let (x, y) = self.clean(curve);
            let line = match curve.stroke {
                Stroke::Dashed => Line::xy(x.clone(), y.clone()).dash(Dash::Dashed),
                Stroke::Dotted => Line::xy(x.clone(), y.clone()).dash(Dash::Dotted),
                _ => Line::xy(x.clone(), y.clone()),
            };
            plot = plot.layer(line.color(color));
            // A line of one point is no line; a marked curve shows each of its few points.
            let few = y.iter().filter(|value| value.is_finite()).count() <= 40;
            if (curve.stroke == Stroke::Marked && few) || y.len() == 1 {
                plot = plot.layer(Points::xy(x, y).style(PointStyle::Asterisk).color(color));
            }
        }
        plot
    }

    /// The curve with everything that an axis cannot hold made a gap. A logarithmic axis is a linear one of the exponents.
    fn clean(&self, curve: &Curve) -> (Vec<f64>, Vec<f64>) {
        let height = |y: f64| match (y.is_finite(), self.log_y) {
            (true, false) => y,
            (true, true) if y > 0.0 => y.log10(),
            _ => f64::NAN,
        };
        curve.x.iter().zip(&curve.y).filter(|(x, _)| x.is_finite()).map(|(x, y)| (*x, height(*y))).unzip()
    }

    /// Writes each border's name on the first row, from its line on, where there is room before the next one; on a row
    /// that the curves use too, only where they leave it free.
    fn name_borders(&self, area: Rect, free_row: bool, buffer: &mut Buffer, styles: &Styles, state: &PlotState) {
        let (Some(mapping), Some(panel)) = (state.mapping(), state.plot_area()) else { return };
        if self.borders.len() < 2 {
            return;
        }
        let first = mapping.x_domain().0;
        let column = |x: f64| mapping.column_at(x.max(first)).map(|column| area.x + column as u16);
        for (at, (x, name)) in self.borders.iter().enumerate() {
            let Some(left) = column(*x) else { continue };
            let right = self.borders[at + 1..].iter().find_map(|(next, _)| column(*next)).unwrap_or(panel.right());
            let start = if *x > first && !free_row { left + 1 } else { left };
            let room = usize::from(right.saturating_sub(start).saturating_sub(1));
            let name = cut(name, room, styles.glyphs.ellipsis);
            let columns = width(&name) as u16;
            let row = Rect::new(start, area.y, columns, 1).intersection(buffer.area);
            let free = free_row || row.positions().all(|position| buffer[position].symbol() == " ");
            if columns > 3 && free {
                buffer.set_string(start, area.y, name, styles.dim);
            }
        }
    }
}

/// Writes the x axis anew: whole numbers only, each under its own tick. The plotting crate's own ticks may be fractions of
/// an epoch, and it squeezes ticks from beyond the axis in at its ends.
fn number_axis(area: Rect, buffer: &mut Buffer, styles: &Styles, state: &PlotState) {
    let (Some(panel), Some(mapping)) = (state.plot_area(), state.mapping()) else { return };
    let (axis, labels) = (panel.bottom(), panel.bottom() + 1);
    if labels >= area.bottom() {
        return;
    }
    let (line, tick) = if styles.glyphs.unicode { ("─", "┬") } else { ("-", "+") };
    for x in panel.left()..panel.right() {
        buffer[(x, axis)].set_symbol(line);
    }
    for x in area.left()..area.right() {
        buffer[(x, labels)].set_symbol(" ");
    }
    let (first, last) = mapping.x_domain();
    let step = tick_step(first, last, usize::from(panel.width) / 9);
    let mut free_from = area.left();
    let mut at = (first / step).ceil() * step;
    while at <= last {
        if let Some(column) = mapping.column_at(at) {
            let column = area.x + column as u16;
            let text = tick_label(at, step);
            let columns = text.len() as u16;
            let start = column.saturating_sub(columns / 2).min(area.right().saturating_sub(columns));
            buffer[(column, axis)].set_symbol(tick);
            if start >= free_from {
                buffer.set_string(start, labels, text, styles.text);
                free_from = start + columns + 1;
            }
        }
        at += step;
    }
}

/// Replaces the exponents beside the y axis by the values they stand for. The plotting crate's own logarithmic axis
/// labels decades only, and a loss seldom spans one.
fn label_powers(area: Rect, buffer: &mut Buffer, state: &PlotState) {
    let (Some(panel), Some(mapping)) = (state.plot_area(), state.mapping()) else { return };
    let gutter = area.left()..panel.left().saturating_sub(1).max(area.left());
    let column = usize::from(panel.left() - area.left());
    for y in panel.top()..panel.bottom() {
        let labelled = gutter.clone().any(|x| buffer[(x, y)].symbol() != " ");
        let exponent = mapping.data_at(column, usize::from(y - area.top())).map(|(_, exponent)| exponent);
        let (true, Some(exponent)) = (labelled, exponent) else { continue };
        let value = 10_f64.powf(exponent);
        let label = match value {
            value if value >= 100_000.0 => format!("{value:.0e}"),
            value if value >= 10.0 => format!("{value:.0}"),
            value if value >= 1.0 => format!("{value:.1}"),
            value if value >= 0.1 => format!("{value:.2}"),
            _ => format!("{value:.0e}"),
        };
        let label = format!("{label:>columns$} ", columns = gutter.len().saturating_sub(1));
        buffer.set_stringn(area.left(), y, label, gutter.len(), Style::new());
    }
}

/// The smallest of 1, 2, 5, 10, 20, ... that makes at most `most` steps of the range.
fn tick_step(first: f64, last: f64, most: usize) -> f64 {
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

/// A whole number, thousands and millions by their letter where the ticks are that far apart.
fn tick_label(value: f64, step: f64) -> String {
    for (unit, letter) in [(1e6, "M"), (1e3, "k")] {
        if step >= unit && value >= unit {
            return format!("{:.0}{letter}", value / unit);
        }
    }
    format!("{value:.0}")
}

/// The plotting crate's name for a terminal colour.
const fn ink(color: Color) -> Ink {
    match color {
        Color::Black => Ink::Black,
        Color::Red => Ink::Red,
        Color::Green => Ink::Green,
        Color::Yellow => Ink::Yellow,
        Color::Blue => Ink::Blue,
        Color::Magenta => Ink::Magenta,
        Color::Cyan => Ink::Cyan,
        Color::Gray => Ink::White,
        Color::DarkGray => Ink::BrightBlack,
        Color::White => Ink::BrightWhite,
        _ => Ink::Default,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::theme::Abilities;

    fn drawn(chart: &Chart, width: u16, height: u16) -> Vec<String> {
        let area = Rect::new(0, 0, width, height);
        let mut buffer = Buffer::empty(area);
        chart.render(area, &mut buffer, &Styles::new(Abilities { color: true, unicode: false, light: false }));
        let row = |y| (0..width).map(|x| buffer[(x, y)].symbol().to_owned()).collect::<String>().trim_end().to_owned();
        (0..height).map(row).collect()
    }

    fn curve(y: &[f64]) -> Curve {
        let x = (1..=y.len()).map(|at| at as f64).collect();
        Curve { x, y: y.to_vec(), color: Color::Cyan, stroke: Stroke::Line }
    }

    #[test]
    fn without_points_it_says_so() {
        let chart = Chart { empty: "no steps yet", ..Chart::default() };
        assert!(drawn(&chart, 30, 8).iter().any(|row| row.contains("no steps yet")));
        let gaps = Chart { curves: vec![curve(&[f64::NAN, f64::INFINITY])], ..chart };
        assert!(drawn(&gaps, 30, 8).iter().any(|row| row.contains("no steps yet")));
    }

    #[test]
    fn one_point_shows() {
        let chart = Chart { curves: vec![curve(&[3.0])], x: (1.0, 2.0), ..Chart::default() };
        assert!(drawn(&chart, 30, 8).iter().any(|row| row.contains('*')));
    }

    #[test]
    fn epochs_are_whole_numbers_under_ticks() {
        let chart =
            Chart { curves: vec![curve(&[6.0, 5.0, 4.0, 4.0, 3.0, 3.0, 3.0, 2.0])], x: (1.0, 8.0), ..Chart::default() };
        let rows = drawn(&chart, 40, 8);
        let labels: Vec<f64> = rows[7].split_whitespace().map(|label| label.parse().expect("a whole number")).collect();
        assert_eq!(labels, [2.0, 4.0, 6.0, 8.0]);
        let ticks = rows[6].chars().skip_while(|letter| *letter != '-').filter(|letter| *letter == '+').count();
        assert_eq!(ticks, labels.len());
    }

    #[test]
    fn a_gap_is_a_gap() {
        let mut y = vec![1.0; 40];
        y[15..25].fill(f64::NAN);
        let chart = Chart { curves: vec![curve(&y)], x: (1.0, 40.0), ..Chart::default() };
        let row = drawn(&chart, 60, 10).into_iter().find(|row| row.contains('*')).expect("a curve");
        assert!(row.contains("*        *") || row.trim().matches("*  ").count() >= 1, "{row}");
    }

    #[test]
    fn a_logarithmic_axis_leaves_out_what_it_cannot_hold() {
        let chart = Chart { curves: vec![curve(&[0.0, -1.0])], log_y: true, empty: "nothing", ..Chart::default() };
        assert!(drawn(&chart, 30, 8).iter().any(|row| row.contains("nothing")));
    }

    #[test]
    fn a_logarithmic_axis_is_labelled_with_values() {
        let y: Vec<f64> = (0..60).map(|at| 30.0 * (-0.05 * f64::from(at)).exp()).collect();
        let chart = Chart { curves: vec![curve(&y)], x: (1.0, 60.0), log_y: true, ..Chart::default() };
        let rows = drawn(&chart, 60, 16);
        let labels: Vec<f64> = rows[..14].iter().filter_map(|row| row.split_once('+')?.0.trim().parse().ok()).collect();
        assert!(labels.len() >= 3, "{rows:#?}");
        assert!(labels.is_sorted_by(|a, b| a > b) && labels[0] < 50.0 && labels[labels.len() - 1] > 0.5, "{labels:?}");
    }

    #[test]
    fn steps_between_ticks() {
        assert!((tick_step(0.0, 8.0, 4) - 2.0).abs() < 1e-9);
        assert!((tick_step(0.0, 200_000.0, 8) - 50_000.0).abs() < 1e-9);
        assert!((tick_step(1.0, 1.5, 0) - 1.0).abs() < 1e-9);
        assert_eq!(tick_label(150_000.0, 50_000.0), "150k");
        assert_eq!(tick_label(1500.0, 500.0), "1500");
    }
}
