//! Draws a chart into a buffer: axes, bands, raw curves, smoothed ones over them, marks. Any area is fine; a tiny one stays
//! empty.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::chart::{Chart, Curve, Stroke};
use super::geometry::Geometry;
use super::raster::Canvas;
use super::{axis, marks};
use crate::tui::format::{cut, width};
use crate::tui::theme::Styles;

/// Smallest area in which a chart says anything.
const SMALLEST: (u16, u16) = (14, 4);

/// Height from which on the names of stages have a row of their own.
const ROOMY: u16 = 8;

impl Chart {
    /// Draws into `area`.
    pub(in crate::tui) fn render(&self, area: Rect, buffer: &mut Buffer, styles: &Styles) {
        let area = area.intersection(buffer.area);
        if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
            return;
        }
        let Some(geometry) = self.geometry(area) else {
            let row = area.y + area.height / 2;
            let text = cut(self.empty, usize::from(area.width), styles.glyphs.ellipsis);
            let column = area.x + (area.width - width(&text) as u16) / 2;
            buffer.set_string(column, row, text, styles.dim);
            return;
        };
        axis::draw(&geometry, self.unit, buffer, styles);
        marks::bands(self, &geometry, buffer, styles);
        let mut canvas = Canvas::new(geometry.panel.width, geometry.panel.height, styles.glyphs.unicode);
        // Raw values first: a cell has one colour for all of its dots, and theirs give way.
        let ghosts = |curve: &&Curve| curve.stroke == Stroke::Ghost;
        self.curves.iter().filter(ghosts).for_each(|curve| canvas.curve(curve, 0, &geometry));
        let lines = self.curves.iter().filter(|curve| !ghosts(curve));
        lines.enumerate().for_each(|(number, curve)| canvas.curve(curve, number, &geometry));
        canvas.put(geometry.panel, buffer, styles);
        marks::not_finite(self, &geometry, buffer, styles);
        marks::best(self, &geometry, buffer, styles);
        marks::cross(self, &geometry, buffer, styles);
        marks::selection(self, &geometry, buffer, styles);
    }

    /// Where everything lies in `area`; none when there is nothing to draw, or no room.
    pub(in crate::tui) fn geometry(&self, area: Rect) -> Option<Geometry> {
        if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
            return None;
        }
        let x = if self.x.1 > self.x.0 { self.x } else { (self.x.0, self.x.0 + 1.0) };
        let y = axis::range(self, x)?;
        let strip = u16::from(self.bands.len() > 1 && area.height >= ROOMY);
        let rows = area.height - strip - 2;
        let gutter = axis::gutter(y, self.log_y, rows).min(area.width / 2);
        let panel = Rect::new(area.x + gutter + 1, area.y + strip, area.width - gutter - 1, rows);
        Some(Geometry { area, panel, x, y, log_y: self.log_y })
    }
}
