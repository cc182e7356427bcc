//! A bin looked into: how the scores of its pairs lie with the threshold, the curve of accept rates, and the pairs that are
//! hardest to tell, with their faces.

mod plots;

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Span;

use crate::eval::detail::Detail;
use crate::eval::hardest_pairs::HardPair;
use crate::tui::drill::{Drill, Look};
use crate::tui::format::{self, wrap};
use crate::tui::layout::Size;
use crate::tui::picture;
use crate::tui::theme::Styles;

use super::evaluation::epoch_name;
use super::{Frame, Scene, framed, left, put};

/// Rows that a row of pairs needs: a heading, four of faces, the scores.
const LEAST: u16 = 6;

/// Most rows of a face.
const TALLEST: u16 = 14;

pub(in crate::tui) fn render(area: Rect, buffer: &mut Buffer, scene: &Scene<'_>, drill: &Drill, size: Size) {
    let styles = scene.styles;
    let frame = Frame { sides: size.framed(), focused: true };
    let inner = framed(area, buffer, styles, frame, title(scene, drill));
    let look = match &drill.shown {
        Some(Ok(look)) => look,
        other => {
            let (text, style) = match other {
                Some(Err(reason)) => (reason.as_str(), styles.warning),
                _ => ("reading what lies behind the figures", styles.dim),
            };
            for (row, line) in wrap(text, usize::from(inner.width)).into_iter().enumerate() {
                put(buffer, inner, row as u16, vec![Span::styled(line, style)], styles);
            }
            return;
        }
    };
    // The plots get less where the faces would have none.
    let plots = (inner.height * 2 / 5).clamp(6, 18).min(inner.height.saturating_sub(1));
    let rows = Layout::vertical([Constraint::Length(1), Constraint::Length(plots), Constraint::Fill(1)]);
    let [facts, plots, pairs] = rows.areas(inner);
    put(buffer, facts, 0, facts_of(&look.detail, styles), styles);
    let halves = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).spacing(2);
    let [scores, curve] = halves.areas(plots);
    plots::histogram(scores, buffer, &look.detail, styles);
    plots::roc(curve, buffer, &look.detail, styles);
    hardest(pairs, buffer, scene, drill, look);
}

/// The bin, and when it was evaluated.
fn title(scene: &Scene<'_>, drill: &Drill) -> Vec<Span<'static>> {
    let styles = scene.styles;
    let mut spans = vec![Span::styled(format::cut(&drill.bin, 40, styles.glyphs.ellipsis), styles.title)];
    let which = if drill.best { "best" } else { "newest" };
    let when = match &drill.shown {
        Some(Ok(look)) => {
            let epoch = epoch_name(&scene.run.state, look.detail.index);
            let step = look.detail.step.map_or_else(String::new, |step| format!(", step {step}"));
            format!("  {which}: epoch {epoch}{step}")
        }
        _ => format!("  {which}"),
    };
    spans.push(Span::styled(when, styles.active));
    spans
}

/// The figures in a line.
fn facts_of(detail: &Detail, styles: &Styles) -> Vec<Span<'static>> {
    let result = &detail.result;
    let mut parts = vec![
        ("accuracy", format::accuracy(result.accuracy)),
        ("threshold", format!("{:.4}", result.threshold)),
        (
            "pairs",
            format!("{} same, {} different", format::grouped(detail.positives), format::grouped(detail.negatives)),
        ),
    ];
    let few = !result.rates.is_empty() && result.rates.iter().all(|rate| rate.tar.is_none());
    if few {
        parts.push(("TAR", "too few pairs".to_owned()));
    }
    for rate in result.rates.iter().filter(|_| !few) {
        let tar = rate.tar.map_or_else(|| "too few pairs".to_owned(), format::accuracy);
        parts.push(("TAR", format!("{tar} at {:.0e}", rate.far)));
    }
    if let Some((mean, deviation)) = result.fold_mean.zip(result.fold_deviation) {
        parts.push(("10-fold", format!("{} {} {deviation:.4}", format::accuracy(mean), styles.glyphs.plus_minus)));
    }
    let mut spans = Vec::new();
    for (name, value) in parts {
        spans.push(Span::styled(format!("{name} "), styles.dim));
        spans.push(Span::styled(format!("{value}  "), styles.text));
    }
    spans
}

/// The pairs that are hardest to tell: both kinds where there is room, one of them otherwise.
fn hardest(area: Rect, buffer: &mut Buffer, scene: &Scene<'_>, drill: &Drill, look: &Look) {
    let detail = &look.detail;
    let accepts = (true, &detail.accepts, 0);
    let rejects = (false, &detail.rejects, detail.accepts.len());
    if area.height >= 2 * LEAST {
        let halves = Layout::vertical([Constraint::Fill(1), Constraint::Fill(1)]);
        let [above, below] = halves.areas(area);
        row(above, buffer, scene, drill, look, accepts);
        row(below, buffer, scene, drill, look, rejects);
    } else {
        row(area, buffer, scene, drill, look, if drill.rejects { rejects } else { accepts });
    }
}

/// A row of pairs of one kind: whether of two persons, the pairs, and the place of their first faces.
fn row(
    area: Rect,
    buffer: &mut Buffer,
    scene: &Scene<'_>,
    drill: &Drill,
    look: &Look,
    (of_two, pairs, faces): (bool, &Vec<HardPair>, usize),
) {
    let styles = scene.styles;
    if area.height == 0 {
        return;
    }
    let wrong = pairs.iter().filter(|pair| pair.wrong).count();
    let (what, none) = if of_two {
        ("two persons, taken for one first", "there are no pairs of two persons")
    } else {
        ("one person, taken for two first", "there are no pairs of one person")
    };
    let first = drill.first.min(pairs.len().saturating_sub(1));
    let mut heading = vec![
        Span::styled(what, styles.strong),
        Span::styled(format!("  {wrong} of these {} wrong", pairs.len()), styles.dim),
    ];
    if pairs.is_empty() {
        heading = vec![Span::styled(none, styles.dim)];
    } else if first > 0 {
        heading.push(Span::styled(format!("  from the {} on", ordinal(first + 1)), styles.active));
    }
    put(buffer, area, 0, heading, styles);
    let tall = area.height.saturating_sub(2).min(TALLEST);
    if look.faces.is_empty() || tall < 2 {
        return without_faces(area, buffer, look, &pairs[first..], styles);
    }
    // A cell is about half as wide as high.
    let wide = 2 * tall;
    let step = 2 * wide + 3;
    let count = (usize::from(area.width) + 3) / usize::from(step);
    let shown = pairs.iter().enumerate().skip(first).take(count.max(1));
    for (place, (at, pair)) in shown.enumerate() {
        let x = area.x + place as u16 * step;
        let Some(two) = look.faces.get(faces + at) else { continue };
        for (side, face) in two.iter().enumerate() {
            let spot = Rect::new(x + side as u16 * wide, area.y + 1, wide, tall).intersection(area);
            let key = 2 * (faces + at) + side;
            picture::draw(face, key, spot, buffer, &mut look.pictures.borrow_mut(), scene.app.means, styles);
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
fn without_faces(area: Rect, buffer: &mut Buffer, look: &Look, pairs: &[HardPair], styles: &Styles) {
    let mut row = 1;
    if let Some(reason) = &look.blind {
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
