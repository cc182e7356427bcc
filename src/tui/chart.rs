//! Line charts: the one place that names the plotting crate.
//!
//! The panes hand over curves in data coordinates; this module puts them on axes with readable ticks, marks the borders
//! of stages, and draws into a ratatui buffer. NaN is a gap. Any area is fine, a tiny one stays empty.

use malevich::{Charset, Color as Ink, Dash, Line, Plot, PlotState, PointStyle, Points, Rule, Scale};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Color;
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
        let plot = self.plot(styles);
        let mut state = PlotState::default();
        let charset = if styles.glyphs.unicode { Charset::Braille } else { Charset::Ascii };
        plot.widget().charset(charset).crosshair(false).readout(false).render(area, buffer, &mut state);
        self.name_borders(area, buffer, styles, &state);
    }

    fn plot(&self, styles: &Styles) -> Plot<'static> {
        let (first, last) = self.x;
        let last = if last > first { last } else { first + 1.0 };
        let mut plot = Plot::new().x_scale(Scale::Integer).x_domain(first, last);
        if self.log_y {
            plot = plot.log_y();
        }
        for (x, _) in self.borders.iter().filter(|(x, _)| *x > first && *x < last) {
            plot = plot.layer(Rule::v(*x).dash(Dash::Dotted).color(ink(styles.ghost)));
        }
        for curve in &self.curves {
            let color = ink(curve.color);
            let (x, y) = self.clean(curve);
            let line = match curve.stroke {
                Stroke::Dashed => Line::xy(x.clone(), y.clone()).dash(Dash::Dashed),
                Stroke::Dotted | Stroke::Ghost if !styles.has_color() => {
                    Line::xy(x.clone(), y.clone()).dash(Dash::Dotted)
                }
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

    /// The curve with everything that an axis cannot hold made a gap.
    fn clean(&self, curve: &Curve) -> (Vec<f64>, Vec<f64>) {
        let pairs = curve.x.iter().zip(&curve.y).filter(|(x, _)| x.is_finite());
        pairs.map(|(x, y)| (*x, if y.is_finite() && (!self.log_y || *y > 0.0) { *y } else { f64::NAN })).unzip()
    }

    /// Writes each border's name at the top, to the right of its line, where there is room before the next one.
    fn name_borders(&self, area: Rect, buffer: &mut Buffer, styles: &Styles, state: &PlotState) {
        let (Some(mapping), Some(panel)) = (state.mapping(), state.plot_area()) else { return };
        let column = |x: f64| {
            let x = x.max(mapping.x_domain().0);
            mapping.column_at(x).map(|column| area.x + column as u16)
        };
        for (at, (x, name)) in self.borders.iter().enumerate() {
            let Some(left) = column(*x) else { continue };
            let right = self.borders[at + 1..].iter().find_map(|(next, _)| column(*next)).unwrap_or(panel.right());
            let start = if *x > mapping.x_domain().0 { left + 1 } else { left };
            let room = usize::from(right.saturating_sub(start).saturating_sub(1));
            if width(name) <= room {
                buffer.set_string(start, panel.y, name, styles.dim);
            }
        }
    }
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
