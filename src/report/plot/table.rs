//! The table below the panels: every run with its best values and their epochs. It is the legend too: the heads of its
//! lines and columns carry the look of the curves.

use super::axis::told;
use super::curves::Curves;
use super::font;
use super::panel::Best;
use super::scene::{Anchor, DASHES, GREY, GRID, INK, Item, PALETTE, Scene, Stroke};

/// Height of a line.
pub const ROW: f64 = 15.0;
/// Size of its text.
const SIZE: f64 = 10.0;
/// Widest name of a run.
const RUN: f64 = 260.0;
/// Widest name of a bin.
const BIN: f64 = 130.0;
/// Width of the sample of a curve, with the space after it.
const SAMPLE: f64 = 30.0;
/// Space between columns.
const GAP: f64 = 18.0;

/// A column: its name, the look of its curves where it is one of a bin, and a text a run.
struct Column {
    name: String,
    bin: Option<usize>,
    cells: Vec<String>,
}

impl Column {
    fn width(&self) -> f64 {
        let head = font::width(&self.name, SIZE) + if self.bin.is_some() { SAMPLE } else { 0.0 };
        self.cells.iter().map(|cell| font::width(cell, SIZE)).fold(head, f64::max)
    }
}

/// The table of some runs, laid out in a width.
pub struct Table {
    names: Vec<String>,
    head: f64,
    /// Columns side by side; those that do not fit stand in the blocks that follow.
    blocks: Vec<Vec<Column>>,
}

impl Table {
    /// Lays the table out. `bins` are the bins of all runs, in the order of their looks.
    pub fn new(runs: &[Curves], bins: &[String], width: f64) -> Self {
        let names: Vec<String> =
            runs.iter().map(|run| font::shortened(&run.name, SIZE, RUN.min(width * 0.4))).collect();
        let head = names.iter().map(|name| font::width(name, SIZE)).fold(0.0, f64::max) + SAMPLE;
        let mut columns = vec![
            column("loss", None, runs, Best::Lowest, |run| Some(&run.loss)),
            column("accuracy", None, runs, Best::Highest, |run| Some(&run.accuracy)),
        ];
        for (at, bin) in bins.iter().enumerate() {
            let name = font::shortened(bin, SIZE, BIN);
            columns.push(column(&name, Some(at), runs, Best::Highest, |run| values(run, bin)));
        }
        columns.retain(|column| column.cells.iter().any(|cell| cell != NOTHING));
        let mut blocks: Vec<Vec<Column>> = vec![Vec::new()];
        let mut used = head;
        for column in columns {
            let needs = GAP + column.width();
            if used + needs > width && blocks.last().is_some_and(|block| !block.is_empty()) {
                blocks.push(Vec::new());
                used = head;
            }
            used += needs;
            if let Some(block) = blocks.last_mut() {
                block.push(column);
            }
        }
        Self { names, head, blocks }
    }

    /// Its height.
    pub fn height(&self) -> f64 {
        let lines = (self.names.len() + 1) * self.blocks.len();
        lines as f64 * ROW + (self.blocks.len() - 1) as f64 * 6.0
    }

    /// Draws it with its upper left corner at `(left, top)`.
    pub fn draw(&self, scene: &mut Scene, (left, top): (f64, f64)) {
        let single = self.names.len() == 1;
        let mut y = top;
        for block in &self.blocks {
            let mut right = left + self.head;
            let base = |row: usize| y + row as f64 * ROW + ROW - 4.5;
            for column in block {
                let start = right + GAP;
                right = start + column.width();
                let text = if let Some(bin) = column.bin {
                    let colour = if single { PALETTE[bin % PALETTE.len()] } else { GREY };
                    let dash = DASHES[bin % DASHES.len()];
                    sample(scene, (start, base(0) - 3.4), Stroke { colour, width: 1.4, dash });
                    start + SAMPLE
                } else {
                    start
                };
                scene.text((text, base(0)), Anchor::Start, SIZE, INK, column.name.clone(), "head");
                for (row, cell) in column.cells.iter().enumerate() {
                    scene.text((start, base(row + 1)), Anchor::Start, SIZE, INK, cell.clone(), "cell");
                }
            }
            scene.text((left, base(0)), Anchor::Start, SIZE, GREY, "best (epoch)", "head");
            let rule = y + ROW;
            scene.line((left, rule), (right, rule), Stroke::solid(GRID, 0.8), "rule");
            for (row, name) in self.names.iter().enumerate() {
                let at = base(row + 1);
                let start = if single {
                    left
                } else {
                    sample(scene, (left, at - 3.4), Stroke::solid(PALETTE[row % PALETTE.len()], 1.8));
                    if row >= PALETTE.len() {
                        square(scene, (left + 11.0, at - 3.4), row);
                    }
                    left + SAMPLE
                };
                scene.text((start, at), Anchor::Start, SIZE, INK, name.clone(), "run");
            }
            y += (self.names.len() + 1) as f64 * ROW + 6.0;
        }
    }
}

/// What stands where a run has no value.
const NOTHING: &str = "–";

fn column<'a>(
    name: &str,
    bin: Option<usize>,
    runs: &'a [Curves],
    best: Best,
    values: impl Fn(&'a Curves) -> Option<&'a Vec<Option<f64>>>,
) -> Column {
    let cell = |run| {
        let found = values(run).and_then(|values| best.of(values));
        found.map_or_else(
            || NOTHING.to_owned(),
            |(at, value)| format!("{} ({})", told(value), u64::from(run.before) + at as u64 + 1),
        )
    };
    Column { name: name.to_owned(), bin, cells: runs.iter().map(cell).collect() }
}

/// The values of a bin.
pub fn values<'a>(run: &'a Curves, bin: &str) -> Option<&'a Vec<Option<f64>>> {
    run.bins.iter().find(|(name, _)| name == bin).map(|(_, values)| values)
}

fn sample(scene: &mut Scene, (x, y): (f64, f64), stroke: Stroke) {
    scene.line((x, y), (x + SAMPLE - 8.0, y), stroke, "sample");
}

fn square(scene: &mut Scene, at: (f64, f64), run: usize) {
    let (fill, stroke) = (PALETTE[run % PALETTE.len()], Stroke::solid(super::scene::WHITE, 0.8));
    scene.items.push(Item::Point { at, radius: 3.4, square: true, fill, stroke, class: "sample" });
}
