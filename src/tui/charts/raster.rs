//! Lines to dots: braille has two by four in a cell, ASCII one.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};

use super::chart::{Curve, Stroke};
use super::geometry::Geometry;
use crate::tui::theme::Styles;

/// Dots of a braille cell by row and column, as bits.
const BRAILLE: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];

/// ASCII letters of the curves.
const LETTERS: [char; 5] = ['*', 'o', '+', 'x', '#'];

/// The letter that the `number`th line is drawn with where there is no braille.
pub(in crate::tui) const fn letter(number: usize) -> char {
    LETTERS[number % LETTERS.len()]
}

/// Columns a mark at a point needs for itself; with more points than that a line says it all.
const MARK_ROOM: usize = 3;

#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    dots: u8,
    /// Raw values give way to lines.
    ghost: bool,
    color: Color,
    /// The curve's number.
    curve: usize,
    /// A point's mark lies on it.
    marked: bool,
}

/// The dots of a panel.
pub(super) struct Canvas {
    cells: Vec<Cell>,
    width: u16,
    height: u16,
    unicode: bool,
}

/// What a line is drawn with.
#[derive(Clone, Copy)]
struct Pen {
    stroke: Stroke,
    color: Color,
    curve: usize,
    /// Dots drawn so far: where the dashes are.
    run: usize,
}

impl Canvas {
    pub(super) fn new(width: u16, height: u16, unicode: bool) -> Self {
        Self { cells: vec![Cell::default(); usize::from(width) * usize::from(height)], width, height, unicode }
    }

    /// Dots across and down.
    fn size(&self) -> (f64, f64) {
        let (across, down) = if self.unicode { (2, 4) } else { (1, 1) };
        (f64::from(self.width) * f64::from(across), f64::from(self.height) * f64::from(down))
    }

    /// Draws a curve, the `number`th of its chart.
    pub(super) fn curve(&mut self, curve: &Curve, number: usize, geometry: &Geometry) {
        let (across, down) = self.size();
        let scale = |low: f64, high: f64, size: f64, value: f64| (value - low) / (high - low) * size;
        let place = |x: f64, y: f64| {
            let y = geometry.height(y);
            (scale(geometry.x.0, geometry.x.1, across, x), scale(geometry.y.1, geometry.y.0, down, y))
        };
        let mut pen = Pen { stroke: curve.stroke, color: curve.color, curve: number, run: 0 };
        let visible = curve.x.iter().filter(|x| **x >= geometry.x.0 && **x <= geometry.x.1).count();
        let marks =
            !matches!(curve.stroke, Stroke::Ghost | Stroke::Line) && visible * MARK_ROOM <= usize::from(self.width);
        let mut before: Option<(f64, f64)> = None;
        for (at, (x, y)) in curve.x.iter().zip(&curve.y).enumerate() {
            let point = place(*x, *y);
            if !point.0.is_finite() || !point.1.is_finite() {
                before = None;
                continue;
            }
            match before {
                Some(from) => self.line(from, point, &mut pen),
                // A point between two gaps is no line.
                None => self.dot(point, &pen),
            }
            let single = before.is_none() && curve.y.get(at + 1).is_none_or(|next| !geometry.height(*next).is_finite());
            if marks || (single && curve.stroke != Stroke::Ghost) {
                self.mark(point, &pen);
            }
            before = Some(point);
        }
    }

    /// A line between two points in dots; what lies outside is left out before a single dot is counted.
    fn line(&mut self, from: (f64, f64), to: (f64, f64), pen: &mut Pen) {
        let Some((from, to)) = clipped(from, to, self.size()) else { return };
        let (across, down) = (to.0 - from.0, to.1 - from.1);
        let steps = across.abs().max(down.abs()).ceil().max(1.0);
        for at in 0..=steps as u32 {
            let share = f64::from(at) / steps;
            if pen.inks() {
                self.dot((from.0 + across * share, from.1 + down * share), pen);
            }
            // The first dot is the last one of the line before.
            pen.run += usize::from(at > 0);
        }
    }

    fn cell(&mut self, (x, y): (f64, f64)) -> Option<(&mut Cell, u8)> {
        let (across, down) = self.size();
        if !((0.0..=across).contains(&x) && (0.0..=down).contains(&y)) {
            return None;
        }
        // What lies on the far edge belongs to the last dot.
        let (x, y) = (x.min(across - 1.0) as usize, y.min(down - 1.0) as usize);
        let (column, row, dot) = if self.unicode { (x / 2, y / 4, BRAILLE[y % 4][x % 2]) } else { (x, y, 1) };
        self.cells.get_mut(row * usize::from(self.width) + column).map(|cell| (cell, dot))
    }

    fn dot(&mut self, at: (f64, f64), pen: &Pen) {
        let ghost = pen.stroke == Stroke::Ghost;
        if let Some((cell, dot)) = self.cell(at) {
            if cell.ghost && !ghost {
                *cell = Cell::default();
            }
            *cell = Cell { dots: cell.dots | dot, ghost, color: pen.color, curve: pen.curve, marked: cell.marked };
        }
    }

    fn mark(&mut self, at: (f64, f64), pen: &Pen) {
        if let Some((cell, dot)) = self.cell(at) {
            *cell = Cell { dots: cell.dots | dot, ghost: false, color: pen.color, curve: pen.curve, marked: true };
        }
    }

    /// Writes what was drawn over the buffer's cells.
    pub(super) fn put(&self, panel: Rect, buffer: &mut Buffer, styles: &Styles) {
        for (position, cell) in panel.positions().zip(&self.cells) {
            if cell.dots == 0 {
                continue;
            }
            let letter = match (self.unicode, cell) {
                (true, Cell { marked: true, .. }) => '•',
                (true, _) => char::from_u32(0x2800 + u32::from(cell.dots)).unwrap_or(' '),
                (false, Cell { ghost: true, .. }) => '.',
                (false, _) => letter(cell.curve),
            };
            let style = if cell.ghost && !styles.has_color() { styles.dim } else { Style::new().fg(cell.color) };
            if let Some(target) = buffer.cell_mut(position) {
                target.set_char(letter).set_style(style);
            }
        }
    }
}

impl Pen {
    /// Whether the next dot of the dashes is drawn.
    const fn inks(&self) -> bool {
        match self.stroke {
            Stroke::Dashed => self.run % 8 < 5,
            Stroke::Dotted => self.run.is_multiple_of(3),
            Stroke::Line | Stroke::Ghost | Stroke::Marked => true,
        }
    }
}

/// The part of a line within `0..=size` (Liang and Barsky).
fn clipped(from: (f64, f64), to: (f64, f64), size: (f64, f64)) -> Option<((f64, f64), (f64, f64))> {
    let (across, down) = (to.0 - from.0, to.1 - from.1);
    let (mut start, mut end) = (0.0_f64, 1.0_f64);
    for (step, room) in [(-across, from.0), (across, size.0 - from.0), (-down, from.1), (down, size.1 - from.1)] {
        if step == 0.0 {
            if room < 0.0 {
                return None;
            }
        } else if step < 0.0 {
            start = start.max(room / step);
        } else {
            end = end.min(room / step);
        }
    }
    let at = |share: f64| (from.0 + across * share, from.1 + down * share);
    (start <= end).then(|| (at(start), at(end)))
}
