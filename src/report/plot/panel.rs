//! One panel: its axes, stages, curves, and the best points with their values.

use super::axis::{Axis, drawable, told};
use super::curves::Span;
use super::font;
use super::labels::Labels;
use super::scene::{Anchor, Colour, GREY, GRID, INK, Item, Scene, Stroke, Text, WHITE};
use super::stages::{self, Scheme};

/// Size of the ticks' texts and of the values at points.
const SMALL: f64 = 10.0;
/// Size of titles.
const LARGE: f64 = 12.5;
/// Space for a value to the right of a curve's end.
const VALUE: f64 = 36.0;
/// Most points of one panel whose values are written.
const LABELS: usize = 60;
/// Most points of a curve that are drawn as dots.
const DOTS: usize = 45;

/// Which value is best.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Best {
    /// The lowest.
    Lowest,
    /// The highest.
    Highest,
}

impl Best {
    /// Where the best finite value of a range lies; the first of equals.
    pub fn of(self, values: &[Option<f64>]) -> Option<(usize, f64)> {
        let mut best: Option<(usize, f64)> = None;
        for (at, value) in values.iter().enumerate() {
            let Some(value) = value.filter(|value| value.is_finite()) else { continue };
            let better = best.is_none_or(|(_, known)| match self {
                Self::Lowest => value < known,
                Self::Highest => value > known,
            });
            if better {
                best = Some((at, value));
            }
        }
        best
    }
}

/// A curve.
#[derive(Debug, Clone)]
pub struct Series<'a> {
    /// What it is called.
    pub label: String,
    /// A value an epoch.
    pub values: &'a [Option<f64>],
    /// Epochs before the first one.
    pub before: u32,
    /// Its run's stages.
    pub stages: &'a [Span],
    /// Its colour.
    pub colour: Colour,
    /// Its dash pattern.
    pub dash: &'static [f32],
    /// Squares at its best points instead of discs.
    pub square: bool,
    /// Whether the line continues over epochs without a value.
    pub joins: bool,
}

/// A panel.
#[derive(Debug, Clone)]
pub struct Panel<'a> {
    /// What it shows.
    pub title: &'static str,
    /// Its curves.
    pub series: Vec<Series<'a>>,
    /// Which value is best.
    pub best: Best,
    /// A logarithmic y axis.
    pub log: bool,
}

/// Draws a panel into `area` (left, top, right, bottom) over the epochs of `epochs`. Gives, for each scheme, whether its
/// stages are told by numbers.
pub fn draw(scene: &mut Scene, panel: &Panel<'_>, schemes: &[Scheme], epochs: (f64, f64), area: [f64; 4]) -> Vec<bool> {
    let [outer_left, outer_top, right, outer_bottom] = area;
    let top = outer_top + LARGE + 8.0 + stages::height(schemes);
    let bottom = (outer_bottom - 32.0).max(top + 1.0);
    let values = || panel.series.iter().flat_map(|series| series.values.iter().flatten().copied());
    let y = Axis::around(values(), panel.log).on(bottom, top);
    let y_ticks = y.ticks(((bottom - top) / 28.0).clamp(2.0, 10.0) as usize);
    let widest = y_ticks.iter().map(|(_, text)| font::width(text, SMALL)).fold(0.0, f64::max);
    let left = (outer_left + widest + 7.0).min(right - 1.0);
    // Most curves are best at their end: their values stand to the right of it, where there is space for them.
    let late = |mark: &Mark| mark.overall && mark.epoch > epochs.1 - 0.1 * (epochs.1 - epochs.0) - 0.5;
    let points: Vec<Mark> = panel.series.iter().flat_map(|series| best_points(series, panel.best)).collect();
    let room = if points.iter().any(late) { VALUE.min(0.25 * (right - left)) } else { 0.0 };
    let x = Axis::between(epochs.0, epochs.1).on(left, right - room);
    scene.text(
        (f64::midpoint(left, right), outer_top + LARGE),
        Anchor::Middle,
        LARGE,
        INK,
        font::shortened(panel.title, LARGE, right - outer_left),
        "panel",
    );
    grid(scene, &x, &y, &y_ticks, [left, top, right, bottom]);
    let numbered = stages::draw(scene, schemes, |epoch| x.at(epoch), (top, bottom), (left, right - room));
    let mut labels = Labels::new([left, top, right, bottom]);
    for series in &panel.series {
        curve(scene, series, panel, (&x, &y), &mut labels);
    }
    if panel.series.iter().all(|series| series.values.iter().flatten().count() == 0) {
        let middle = (f64::midpoint(left, right), f64::midpoint(top, bottom));
        scene.text(middle, Anchor::Middle, SMALL, GREY, "no finished epoch", "note");
    }
    mark(scene, panel, points, (&x, &y), &mut labels);
    numbered
}

fn grid(scene: &mut Scene, x: &Axis, y: &Axis, y_ticks: &[(f64, String)], [left, top, right, bottom]: [f64; 4]) {
    for (value, text) in y_ticks {
        let at = y.at(*value);
        scene.line((left, at), (right, at), Stroke::solid(GRID, 0.6), "grid");
        scene.text((left - 5.0, at + 3.6), Anchor::End, SMALL, GREY, text.clone(), "tick");
    }
    let whole = |value: f64| (value - value.round()).abs() < 1e-6;
    let mut end = f64::NEG_INFINITY;
    for (value, _) in x.ticks(((right - left) / 42.0).clamp(2.0, 16.0) as usize) {
        // There is no epoch 2.5.
        if !whole(value) || value < 0.5 {
            continue;
        }
        let (at, text) = (x.at(value), format!("{value:.0}"));
        scene.line((at, top), (at, bottom), Stroke::solid(GRID, 0.6), "grid");
        let half = font::width(&text, SMALL) / 2.0;
        if at - half > end + 4.0 {
            end = at + half;
            scene.text((at, bottom + 13.0), Anchor::Middle, SMALL, GREY, text, "tick");
        }
    }
    let frame = vec![vec![(left, top), (left, bottom), (right, bottom)]];
    scene.items.push(Item::Lines { parts: frame, stroke: Stroke::solid(GREY, 0.9), class: "axis", label: None });
    scene.text((f64::midpoint(left, right), bottom + 27.0), Anchor::Middle, SMALL, GREY, "epoch", "axis-title");
}

/// Draws a curve: lines between neighbours, a dot where a value has none, a cross at the top where values are not finite.
fn curve(scene: &mut Scene, series: &Series<'_>, panel: &Panel<'_>, (x, y): (&Axis, &Axis), labels: &mut Labels) {
    let epoch = |at: usize| f64::from(series.before) + at as f64 + 1.0;
    let mut parts: Vec<Vec<(f64, f64)>> = vec![Vec::new()];
    let mut crosses = Vec::new();
    let mut gap = false;
    for (at, value) in series.values.iter().enumerate() {
        match value {
            Some(value) if drawable(*value, panel.log) => {
                if let Some(part) = parts.last_mut() {
                    part.push((x.at(epoch(at)), y.at(*value)));
                }
                gap = false;
            }
            None if series.joins => {}
            value => {
                if value.is_some() && !gap {
                    crosses.push(x.at(epoch(at)));
                    gap = true;
                }
                if parts.last().is_some_and(|part| !part.is_empty()) {
                    parts.push(Vec::new());
                }
            }
        }
    }
    parts.retain(|part| !part.is_empty());
    let count: usize = parts.iter().map(Vec::len).sum();
    let dots: Vec<(f64, f64)> =
        parts.iter().filter(|part| part.len() == 1 || count <= DOTS).flatten().copied().collect();
    let parts: Vec<_> = parts.into_iter().filter(|part| part.len() > 1).map(thinned).collect();
    for part in &parts {
        labels.line(part);
    }
    let stroke = Stroke { colour: series.colour, width: 1.4, dash: series.dash };
    let label = Some(series.label.clone());
    scene.items.push(Item::Lines { parts, stroke, class: "curve", label });
    for at in dots {
        labels.line(&[(at.0 - 1.5, at.1), (at.0 + 1.5, at.1)]);
        let stroke = Stroke::solid(series.colour, 0.0);
        scene.items.push(Item::Point { at, radius: 1.5, square: false, fill: series.colour, stroke, class: "dot" });
    }
    let Some(top) = crosses.first().map(|_| y.top() + 6.0) else { return };
    let parts = crosses
        .into_iter()
        .flat_map(|x| {
            labels.take([x - 4.0, top - 4.0, x + 4.0, top + 4.0]);
            [vec![(x - 3.0, top - 3.0), (x + 3.0, top + 3.0)], vec![(x - 3.0, top + 3.0), (x + 3.0, top - 3.0)]]
        })
        .collect();
    let label = Some(format!("{}: not a finite number", series.label));
    scene.items.push(Item::Lines { parts, stroke: Stroke::solid(series.colour, 1.2), class: "gap", label });
}

/// A line of very many points as one of at most four for each pixel's column; extremes stay.
fn thinned(part: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    let columns = part.last().map_or(0.0, |last| last.0) - part.first().map_or(0.0, |first| first.0);
    if part.len() as f64 <= 4.0 * columns.max(16.0) {
        return part;
    }
    let mut thin: Vec<(f64, f64)> = Vec::new();
    for column in part.chunk_by(|a, b| (a.0 as i64) == (b.0 as i64)) {
        let by = |a: &&(f64, f64), b: &&(f64, f64)| a.1.total_cmp(&b.1);
        let kept = [column.first(), column.iter().min_by(by), column.iter().max_by(by), column.last()];
        let mut kept: Vec<(f64, f64)> = kept.into_iter().flatten().copied().collect();
        kept.sort_by(|a, b| a.0.total_cmp(&b.0));
        kept.dedup();
        thin.extend(kept);
    }
    thin
}

/// A point worth a mark.
struct Mark {
    epoch: f64,
    value: f64,
    colour: Colour,
    square: bool,
    /// The best of the whole curve, not only of its stage.
    overall: bool,
}

/// The best point of a curve and those of its stages.
fn best_points(series: &Series<'_>, best: Best) -> Vec<Mark> {
    let Some((place, _)) = best.of(series.values) else { return Vec::new() };
    let mark = |at: usize, value: f64| Mark {
        epoch: f64::from(series.before) + at as f64 + 1.0,
        value,
        colour: series.colour,
        square: series.square,
        overall: at == place,
    };
    let mut marks: Vec<Mark> = Vec::new();
    for span in series.stages {
        let range = span.from.min(series.values.len())..span.to.min(series.values.len());
        let found = series.values.get(range).and_then(|values| best.of(values));
        marks.extend(found.map(|(at, value)| mark(span.from + at, value)));
    }
    if !marks.iter().any(|mark| mark.overall) {
        marks.extend(series.values[place].map(|value| mark(place, value)));
    }
    marks
}

/// Marks points and writes values beside them: the best of each curve first, those of stages where there is room.
fn mark(scene: &mut Scene, panel: &Panel<'_>, mut marks: Vec<Mark>, (x, y): (&Axis, &Axis), labels: &mut Labels) {
    marks.retain(|mark| drawable(mark.value, panel.log));
    marks.sort_by_key(|mark| !mark.overall);
    for mark in &marks {
        let at = (x.at(mark.epoch), y.at(mark.value));
        let radius = if mark.overall { 3.4 } else { 2.6 };
        let fill = if mark.overall { mark.colour } else { WHITE };
        let stroke =
            Stroke::solid(if mark.overall { WHITE } else { mark.colour }, if mark.overall { 0.8 } else { 1.2 });
        scene.items.push(Item::Point { at, radius, square: mark.square, fill, stroke, class: "best" });
        labels.take([at.0 - radius, at.1 - radius, at.0 + radius, at.1 + radius]);
    }
    for mark in marks.iter().take(LABELS) {
        let at = (x.at(mark.epoch), y.at(mark.value));
        let text = told(mark.value);
        let size = if mark.overall { SMALL } else { SMALL - 1.0 };
        let Some(place) = labels.place(at, (font::width(&text, size), size), !mark.overall) else { continue };
        if let Some(leader) = place.leader {
            scene.line(leader, at, Stroke::solid(mark.colour, 0.6), "leader");
        }
        scene.items.push(Item::Text(Text {
            at: place.at,
            anchor: Anchor::Middle,
            size,
            colour: mark.colour,
            content: text,
            rim: true,
            class: "value",
        }));
    }
}
