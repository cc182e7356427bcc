//! The hardest pairs of a bin with their faces and scores: those of different persons and those of the same person.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Span;

use crate::eval::hardest_pairs::HardPair;
use crate::tui::bin_details::{BinDetails, BinView};
use crate::tui::pane::{Scene, left, put};
use crate::tui::terminal::pictures;
use crate::tui::theme::Styles;

/// Rows that a row of pairs needs: a heading, four of faces, the scores.
const LEAST: u16 = 6;

/// Most rows of a face.
const TALLEST: u16 = 14;

/// The pairs that are hardest to tell: both kinds where there is room, one of them otherwise.
pub(super) fn render(area: Rect, buffer: &mut Buffer, scene: &Scene<'_>, bin_view: &BinView, details: &BinDetails) {
    let detail = &details.detail;
    let accepts = (true, &detail.accepts, 0);
    let rejects = (false, &detail.rejects, detail.accepts.len());
    if area.height >= 2 * LEAST {
        let halves = Layout::vertical([Constraint::Fill(1), Constraint::Fill(1)]);
        let [above, below] = halves.areas(area);
        row(above, buffer, scene, bin_view, details, accepts);
        row(below, buffer, scene, bin_view, details, rejects);
    } else {
        row(area, buffer, scene, bin_view, details, if bin_view.rejects { rejects } else { accepts });
    }
}

/// A row of pairs of one kind: whether of two persons, the pairs, and the place of their first faces.
fn row(
    area: Rect,
    buffer: &mut Buffer,
    scene: &Scene<'_>,
    bin_view: &BinView,
    details: &BinDetails,
    (of_two, pairs, faces): (bool, &Vec<HardPair>, usize),
) {
    let styles = scene.styles;
    if area.height == 0 {
        return;
    }
    let wrong = pairs.iter().filter(|pair| pair.wrong).count();
    let (what, none) = if of_two {
        ("different persons, highest scores first", "no pairs of different persons")
    } else {
        ("same person, lowest scores first", "no pairs of the same person")
    };
    let first = bin_view.first.min(pairs.len().saturating_sub(1));
    let mut heading = vec![
        Span::styled(what, styles.strong),
        Span::styled(format!("  {wrong} of these {} wrong", pairs.len()), styles.dim),
    ];
    if pairs.is_empty() {
        heading = vec![Span::styled(none, styles.dim)];
    } else if first > 0 {
        heading.push(Span::styled(format!("  from the {}", ordinal(first + 1)), styles.active));
    }
    put(buffer, area, 0, heading, styles);
    let tall = area.height.saturating_sub(2).min(TALLEST);
    if details.faces.is_empty() || tall < 2 {
        return without_faces(area, buffer, details, &pairs[first..], styles);
    }
    // A cell is about half as wide as high.
    let wide = 2 * tall;
    let step = 2 * wide + 3;
    let count = (usize::from(area.width) + 3) / usize::from(step);
    let shown = pairs.iter().enumerate().skip(first).take(count.max(1));
    for (place, (at, pair)) in shown.enumerate() {
        let x = area.x + place as u16 * step;
        let Some(two) = details.faces.get(faces + at) else { continue };
        for (side, face) in two.iter().enumerate() {
            let spot = Rect::new(x + side as u16 * wide, area.y + 1, wide, tall).intersection(area);
            let key = 2 * (faces + at) + side;
            pictures::draw(face, key, spot, buffer, &mut details.pictures.borrow_mut(), scene.app.picture_mode, styles);
        }
        let (mark, style) =
            if pair.wrong { (styles.glyphs.failed, styles.bad) } else { (styles.glyphs.done, styles.good) };
        let caption = Rect::new(x, area.y + 1 + tall, (2 * wide).min(area.right().saturating_sub(x)), 1);
        let word = if pair.wrong { "wrong" } else { "right" };
        let spans = vec![
            Span::styled(format!("{mark} {:.3} ", pair.score), style),
            Span::styled(format!("{word}, pair {}", pair.pair + 1), styles.dim),
        ];
        put(buffer, caption, 0, spans, styles);
    }
}

/// The pairs as text.
fn without_faces(area: Rect, buffer: &mut Buffer, details: &BinDetails, pairs: &[HardPair], styles: &Styles) {
    let mut row = 1;
    if let Some(reason) = &details.blind {
        put(buffer, area, row, vec![Span::styled(format!("without faces: {reason}"), styles.warning)], styles);
        row += 1;
    }
    for pair in pairs.iter().take(usize::from(area.height.saturating_sub(row))) {
        let (word, style) = if pair.wrong { ("wrong", styles.bad) } else { ("right", styles.good) };
        let spans = vec![
            Span::styled(left(&format!("pair {}", pair.pair + 1), 12, styles), styles.text),
            Span::styled(format!("{:>7.3}  ", pair.score), styles.text),
            Span::styled(word, style),
        ];
        put(buffer, area, row, spans, styles);
        row += 1;
    }
}

/// `2nd`, `13th`.
fn ordinal(number: usize) -> String {
    let suffix = match (number % 10, number % 100) {
        (1, rest) if rest != 11 => "st",
        (2, rest) if rest != 12 => "nd",
        (3, rest) if rest != 13 => "rd",
        _ => "th",
    };
    format!("{number}{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinals() {
        assert_eq!([1, 2, 3, 4, 11, 12, 21].map(ordinal), ["1st", "2nd", "3rd", "4th", "11th", "12th", "21st"]);
    }
}
