//! What is drawn between and over the curves: stages, best points with their values, missing numbers, the crosshair and
//! the selection.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;

use super::axis::x_label;
use super::chart::{Chart, Unit};
use super::geometry::Geometry;
use crate::tui::format::{cut, width};
use crate::tui::theme::Styles;

/// The stages: a strip with their names above the panel where there is a row for it, and a dotted line where each begins.
pub(super) fn bands(chart: &Chart, geometry: &Geometry, buffer: &mut Buffer, styles: &Styles) {
    let panel = geometry.panel;
    let (dots, open, dash) = if styles.glyphs.unicode { ("┊", "├", "─") } else { (":", "|", "-") };
    let strip = panel.y > geometry.area.y;
    let begins = |x: f64| if x <= geometry.x.0 { Some(panel.x) } else { geometry.column(x) };
    for (at, (x, name)) in chart.bands.iter().enumerate() {
        let Some(left) = begins(*x) else { continue };
        let next = chart.bands.get(at + 1).map(|(next, _)| *next);
        if next.is_some_and(|next| next <= geometry.x.0) {
            continue;
        }
        if *x > geometry.x.0 {
            for y in panel.top()..panel.bottom() {
                buffer.set_string(left, y, dots, styles.dim);
            }
        }
        if strip {
            let right = next.and_then(begins).unwrap_or(panel.right());
            let row = panel.y - 1;
            for column in left..right {
                buffer.set_string(column, row, if column == left { open } else { dash }, styles.dim);
            }
            let name = cut(name, usize::from(right - left).saturating_sub(3), styles.glyphs.ellipsis);
            if width(&name) > 2 {
                buffer.set_string(left + 1, row, format!(" {name} "), styles.text);
            }
        }
    }
}

/// A mark at the foot of the panel for every value that is NaN or infinite.
pub(super) fn not_finite(chart: &Chart, geometry: &Geometry, buffer: &mut Buffer, styles: &Styles) {
    let mark = if styles.glyphs.unicode { "×" } else { "x" };
    for column in chart.not_finite.iter().filter_map(|x| geometry.column(*x)) {
        buffer.set_string(column, geometry.panel.bottom() - 1, mark, styles.bad);
    }
}

/// The best points with their values, where the values hide nothing; the first ones matter most.
pub(super) fn best(chart: &Chart, geometry: &Geometry, buffer: &mut Buffer, styles: &Styles) {
    let mark = if styles.glyphs.unicode { "◆" } else { "@" };
    let mut taken: Vec<Rect> = Vec::new();
    for best in &chart.best {
        let (Some(column), Some(row)) = (geometry.column(best.x), geometry.row(best.y)) else { continue };
        let style = Style::new().fg(best.color).patch(styles.strong);
        let columns = width(&best.text) as u16;
        let spot = Rect::new(column, row, 1, 1);
        let left = column.saturating_sub(columns + 1);
        let middle = column.saturating_sub(columns / 2);
        // Beside the point first, then above and below it.
        let places = [
            (left, row),
            (column + 2, row),
            (middle.min(geometry.panel.right().saturating_sub(columns)), row.saturating_sub(1)),
            (middle.min(geometry.panel.right().saturating_sub(columns)), row + 1),
            (left, row.saturating_sub(1)),
            (left, row + 1),
        ];
        let free = |place: &Rect| {
            geometry.panel.intersection(*place) == *place
                && !place.intersects(spot)
                && taken.iter().all(|other| !other.intersects(*place))
                && place.positions().all(|at| buffer[at].symbol() == " ")
        };
        // Where curves are everywhere, only other values and the point itself must stay.
        let over = |place: &Rect| {
            geometry.panel.intersection(*place) == *place
                && !place.intersects(spot)
                && taken.iter().all(|other| !other.intersects(*place))
        };
        let rects = places.map(|(x, y)| Rect::new(x, y, columns, 1));
        let chosen = rects.iter().find(|place| free(place)).or_else(|| rects.iter().find(|place| over(place))).copied();
        if taken.iter().all(|other| !other.intersects(spot)) {
            buffer.set_string(column, row, mark, style);
            taken.push(spot);
        }
        if let Some(place) = chosen {
            buffer.set_string(place.x, place.y, &best.text, style);
            taken.push(place);
        }
    }
}

/// The crosshair: an upright line, the curves' places on it, and its x under the axis.
pub(super) fn cross(chart: &Chart, geometry: &Geometry, buffer: &mut Buffer, styles: &Styles) {
    let Some(cross) = &chart.cross else { return };
    let Some(column) = geometry.column(cross.x) else { return };
    let panel = geometry.panel;
    let (line, point) = if styles.glyphs.unicode { ("│", "●") } else { ("|", "O") };
    for y in panel.top()..panel.bottom() {
        // Values beside the best points stay readable.
        let written = buffer[(column, y)].symbol().chars().all(|letter| letter.is_ascii_digit() || letter == '.');
        if !written || !styles.glyphs.unicode {
            buffer.set_string(column, y, line, styles.border_focused);
        }
    }
    for (value, color) in &cross.points {
        if let Some(row) = geometry.row(*value) {
            buffer.set_string(column, row, point, Style::new().fg(*color).patch(styles.strong));
        }
    }
    let exact = if chart.unit == Unit::Seconds { cross.x } else { cross.x.round() };
    let text = format!(" {} ", x_label(exact, 0.0, chart.unit));
    let columns = text.len() as u16;
    let start = column.saturating_sub(columns / 2).min(geometry.area.right().saturating_sub(columns));
    let room = usize::from(geometry.area.right() - start.max(geometry.area.x));
    buffer.set_stringn(start.max(geometry.area.x), panel.bottom() + 1, text, room, styles.selected);
}

/// The cells between where the mouse was pressed and where it is.
pub(super) fn selection(chart: &Chart, geometry: &Geometry, buffer: &mut Buffer, styles: &Styles) {
    let Some(selection) = chart.selection else { return };
    for Position { x, y } in selection.intersection(geometry.panel).positions() {
        buffer[(x, y)].set_style(styles.selected);
    }
}
