//! Rows and columns of panes become rectangles, with the borders where they were moved to.

use ratatui::layout::{Constraint, Layout, Rect};

use super::borders::{Border, Borders};
use super::panes::Pane;
use super::size::Size;

/// Least columns and rows that a border can leave to a pane.
const LEAST: (u16, u16) = (16, 3);

/// Where the panes and the borders between them lie.
#[derive(Debug, Clone, PartialEq, Default)]
pub(in crate::tui) struct Arrangement {
    pub(in crate::tui) panes: Vec<(Pane, Rect)>,
    pub(in crate::tui) borders: Vec<Border>,
}

/// A pane, or a row or column of parts.
pub(super) enum Part {
    Pane(Pane),
    Split { name: &'static str, upright: bool, parts: Vec<(Constraint, Self)> },
}

/// Parts above each other.
pub(super) fn column(name: &'static str, parts: Vec<(Constraint, Part)>) -> Part {
    Part::Split { name, upright: false, parts }
}

/// Parts beside each other.
pub(super) fn row(name: &'static str, parts: Vec<(Constraint, Part)>) -> Part {
    Part::Split { name, upright: true, parts }
}

/// Panes beside each other, equally wide.
pub(super) fn abreast<const N: usize>(name: &'static str, panes: [Pane; N]) -> Part {
    row(name, panes.map(|pane| (Constraint::Fill(1), Part::Pane(pane))).into())
}

/// Turns parts into rectangles.
pub(super) struct Splitter<'a> {
    pub(super) size: Size,
    pub(super) moved: &'a Borders,
}

impl Splitter<'_> {
    /// Adds the panes and borders of a part of the screen.
    pub(super) fn place(&self, part: &Part, area: Rect, out: &mut Arrangement) {
        let (name, upright, parts) = match part {
            Part::Pane(pane) => return out.panes.push((*pane, area)),
            Part::Split { name, upright, parts } => (name, *upright, parts),
        };
        let framed = self.size.framed();
        let constraints = parts.iter().map(|(constraint, _)| *constraint);
        let layout = if upright { Layout::horizontal(constraints) } else { Layout::vertical(constraints) };
        let rects = layout.split(area);
        let (start, end) = if upright { (area.x, area.right()) } else { (area.y, area.bottom()) };
        let least = if upright { LEAST.0 } else { LEAST.1 };
        // Where each part begins; the end of the last one closes the list.
        let mut edges: Vec<u16> = rects.iter().map(|rect| if upright { rect.x } else { rect.y }).collect();
        edges.push(end);
        let keys: Vec<String> = (1..parts.len()).map(|at| format!("{}.{name}.{at}", self.size.name())).collect();
        if keys.iter().any(|key| self.moved.contains_key(key)) {
            for at in 1..parts.len() {
                if let Some(share) = self.moved.get(&keys[at - 1]) {
                    edges[at] = start + (f32::from(end - start) * share.clamp(0.0, 1.0)).round() as u16;
                }
                edges[at] = edges[at].max(edges[at - 1].saturating_add(least).min(end));
            }
            // Those at the end must find room too.
            for at in (1..parts.len()).rev() {
                edges[at] = edges[at].min(edges[at + 1].saturating_sub(least).max(start));
            }
        }
        let inner = parts.iter().zip(edges.windows(2)).enumerate();
        for (at, ((_, part), edge)) in inner {
            let last = at + 1 == parts.len();
            // Panes without frames keep a gap between them.
            let gap = if upright && !framed && !last { 2 } else { 0 };
            let length = edge[1].saturating_sub(edge[0]).saturating_sub(gap);
            let rect = if upright {
                Rect::new(edge[0], area.y, length, area.height)
            } else {
                Rect::new(area.x, edge[0], area.width, length)
            };
            if rect.is_empty() {
                continue;
            }
            self.place(part, rect, out);
            if !last {
                out.borders.push(Border { key: keys[at].clone(), upright, within: area, at: edge[1], framed });
            }
        }
    }
}
