//! The names of stages above a panel, and their borders in it. Runs of equal stages share a line of names.

use super::curves::{Curves, Span};
use super::font;
use super::scene::{Anchor, BORDER, Colour, GREY, INK, Item, PALETTE, Scene, Stroke, tint};

/// Height of a line of names.
pub const ROW: f64 = 14.0;
/// Size of the names.
const SIZE: f64 = 9.5;
/// Most lines of names; more schemes than that keep their borders and lose their names.
const ROWS: usize = 8;

/// The stages of one run, or of several that share them.
#[derive(Debug, Clone, PartialEq)]
pub struct Scheme {
    /// The run they belong to; none when all runs share them.
    pub run: Option<usize>,
    /// The run's name.
    pub name: String,
    /// Epochs before the first one.
    pub before: u32,
    /// The stages.
    pub spans: Vec<Span>,
}

impl Scheme {
    /// The colour of borders and names.
    fn colours(&self) -> (Colour, Colour, Colour) {
        self.run.map_or((BORDER, INK, [240, 240, 240]), |run| {
            let colour = PALETTE[run % PALETTE.len()];
            (tint(colour, 0.6), colour, tint(colour, 0.12))
        })
    }

    /// Whether the other's stages are these, as far as it got.
    fn covers(&self, before: u32, spans: &[Span]) -> bool {
        self.before == before
            && spans.len() <= self.spans.len()
            && spans.iter().zip(&self.spans).enumerate().all(|(at, (theirs, ours))| {
                let last = at + 1 == spans.len();
                let ends = theirs.to == ours.to || (last && theirs.to < ours.to);
                theirs.name == ours.name && theirs.from == ours.from && ends
            })
    }

    /// Where a stage begins and ends on the x axis: halfway between two epochs.
    fn edges(&self, span: &Span) -> (f64, f64) {
        let at = |epoch: usize| f64::from(self.before) + epoch as f64 + 0.5;
        (at(span.from), at(span.to))
    }
}

/// The different schemes of all runs.
pub fn schemes(runs: &[Curves]) -> Vec<Scheme> {
    let mut order: Vec<usize> = (0..runs.len()).filter(|at| !runs[*at].stages.is_empty()).collect();
    // The longest first, so that those who got less far are covered.
    order.sort_by_key(|at| std::cmp::Reverse(runs[*at].stages.last().map_or(0, |span| span.to)));
    let mut schemes: Vec<Scheme> = Vec::new();
    for at in order {
        let run = &runs[at];
        if !schemes.iter().any(|scheme| scheme.covers(run.before, &run.stages)) {
            let (before, spans) = (run.before, run.stages.clone());
            schemes.push(Scheme { run: Some(at), name: run.name.clone(), before, spans });
        }
    }
    if let [only] = schemes.as_mut_slice() {
        only.run = None;
    }
    schemes.sort_by_key(|scheme| scheme.run);
    schemes
}

/// Height of the lines of names.
pub fn height(schemes: &[Scheme]) -> f64 {
    schemes.len().min(ROWS) as f64 * ROW + if schemes.is_empty() { 0.0 } else { 3.0 }
}

/// Draws names above `top` and borders down to `bottom`. `x` places an epoch. Gives, for each scheme, whether a name did
/// not fit and stands as its number.
pub fn draw(
    scene: &mut Scene,
    schemes: &[Scheme],
    x: impl Fn(f64) -> f64,
    (top, bottom): (f64, f64),
    (left, right): (f64, f64),
) -> Vec<bool> {
    let first = top - height(schemes);
    let mut numbered = vec![false; schemes.len()];
    for (row, scheme) in schemes.iter().enumerate() {
        let (border, ink, ground) = scheme.colours();
        let named = row < ROWS;
        let y = first + row as f64 * ROW;
        for (number, span) in scheme.spans.iter().enumerate() {
            let (from, to) = scheme.edges(span);
            let (from, to) = (x(from).max(left), x(to).min(right));
            if named && to > from {
                let area = [from + 0.5, y, (to - from - 1.0).max(0.5), ROW - 2.0];
                scene.items.push(Item::Rect { area, fill: ground });
                let number = (number + 1).to_string();
                let fits = |text: &str| font::width(text, SIZE) <= to - from - 4.0;
                let text = if fits(&span.name) {
                    Some(span.name.clone())
                } else {
                    numbered[row] = true;
                    fits(&number).then_some(number)
                };
                if let Some(text) = text {
                    let at = (f64::midpoint(from, to), y + ROW - 4.8);
                    scene.text(at, Anchor::Middle, SIZE, ink, text, "stage");
                }
            }
        }
        // A border lies where a stage follows another.
        for span in scheme.spans.iter().skip(1) {
            let at = x(scheme.edges(span).0);
            let stroke = Stroke { colour: border, width: 0.8, dash: &[3.0, 2.5] };
            scene.line((at, top), (at, bottom), stroke, "border");
        }
    }
    numbered
}

/// The lines that say what the numbers of stages mean, each with its colour.
pub fn notes(schemes: &[Scheme], numbered: &[bool], width: f64, size: f64) -> Vec<(String, Colour)> {
    let mut notes = Vec::new();
    for (scheme, _) in schemes.iter().zip(numbered).filter(|(_, numbered)| **numbered) {
        let colour = scheme.run.map_or(GREY, |run| PALETTE[run % PALETTE.len()]);
        let whose =
            scheme.run.map_or_else(String::new, |_| format!(" of {}", font::shortened(&scheme.name, size, 200.0)));
        let mut line = format!("stages{whose}:");
        for (number, span) in scheme.spans.iter().enumerate() {
            let name = font::shortened(&span.name, size, (width * 0.6).max(20.0));
            let piece = format!("  {} {name}", number + 1);
            if font::width(&line, size) + font::width(&piece, size) > width && !line.is_empty() {
                notes.push((std::mem::take(&mut line), colour));
            }
            line.push_str(if line.is_empty() { piece.trim_start() } else { &piece });
        }
        notes.push((line, colour));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(name: &str, stages: &[(&str, usize, usize)]) -> Curves {
        let stages = stages.iter().map(|(name, from, to)| Span { name: (*name).to_owned(), from: *from, to: *to });
        Curves { name: name.to_owned(), stages: stages.collect(), ..Curves::default() }
    }

    #[test]
    fn a_run_that_got_less_far_shares_the_names() {
        let whole = run("a", &[("softmax", 0, 5), ("arcface", 5, 9)]);
        let part = run("b", &[("softmax", 0, 5), ("arcface", 5, 6)]);
        let shared = schemes(&[part, whole.clone()]);
        assert!(shared.len() == 1 && shared[0].run.is_none() && shared[0].spans[1].to == 9);
        let other = run("c", &[("softmax", 0, 4), ("arcface", 4, 9)]);
        assert_eq!(schemes(&[whole, other]).iter().map(|scheme| scheme.run).collect::<Vec<_>>(), [Some(0), Some(1)]);
        assert!(schemes(&[]).is_empty());
    }

    #[test]
    fn numbers_are_explained_in_lines_that_fit() {
        let spans: Vec<_> = (0..30).map(|at| (format!("stage number {at}"), at, at + 1)).collect();
        let named: Vec<_> = spans.iter().map(|(name, from, to)| (name.as_str(), *from, *to)).collect();
        let schemes = schemes(&[run("a", &named)]);
        let notes = notes(&schemes, &[true], 300.0, 10.0);
        assert!(notes.len() > 3);
        assert!(notes.iter().all(|(line, _)| font::width(line, 10.0) <= 300.0), "{notes:?}");
        assert!(notes.last().is_some_and(|(line, _)| line.contains("30 stage number 29")));
    }
}
