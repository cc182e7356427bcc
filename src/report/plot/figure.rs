//! The figure: loss, accuracy and evaluation accuracies side by side, and the table of the best values below.

use super::curves::Curves;
use super::font;
use super::panel::{self, Best, Panel, Series};
use super::scene::{Anchor, DASHES, INK, PALETTE, Scene};
use super::stages;
use super::table::{self, Table};

/// Space around everything.
const MARGIN: f64 = 10.0;
/// Space between panels.
const GAP: f64 = 20.0;
/// Lowest height of the panels; a figure whose table leaves less grows.
const LOWEST: f64 = 130.0;
/// Size of the title.
const TITLE: f64 = 15.0;
/// Size of the notes.
const NOTE: f64 = 9.5;
/// Most bins that are drawn.
pub const BINS: usize = 24;

/// What can be chosen about a figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// What stands above it.
    pub title: Option<String>,
    /// Width and height in pixels. A figure of many runs is higher where its table needs it.
    pub size: (u32, u32),
    /// A logarithmic axis of the loss.
    pub log: bool,
}

impl Default for Look {
    fn default() -> Self {
        Self { title: None, size: (960, 380), log: false }
    }
}

/// Draws runs.
pub fn draw(runs: &[Curves], look: &Look) -> Scene {
    let width = f64::from(look.size.0);
    let inner = (width - 2.0 * MARGIN).max(1.0);
    let bins = bins(runs);
    let (drawn, left_out) = bins.split_at(bins.len().min(BINS));
    let panels = panels(runs, drawn, look.log);
    let schemes = stages::schemes(runs);
    let table = Table::new(runs, drawn, inner);
    let title = if look.title.is_some() { TITLE + 10.0 } else { 0.0 };
    let mut scene = Scene { width, title: describe(runs, look), ..Scene::default() };
    if let Some(title) = &look.title {
        let text = font::shortened(title, TITLE, inner);
        scene.text((width / 2.0, MARGIN + TITLE - 2.0), Anchor::Middle, TITLE, INK, text, "title");
    }
    // How many lines the notes take is known only when the panels have their widths; the widths do not depend on it.
    let top = MARGIN + title;
    let wide = (inner - GAP * (panels.len() as f64 - 1.0)) / panels.len() as f64;
    let epochs = span(runs);
    let numbered = panels.iter().enumerate().fold(vec![false; schemes.len()], |mut numbered, (at, panel)| {
        let trial = panel::draw(&mut Scene::default(), panel, &schemes, epochs, area(at, wide, top, top + LOWEST));
        numbered.iter_mut().zip(trial).for_each(|(all, this)| *all |= this);
        numbered
    });
    let mut notes = stages::notes(&schemes, &numbered, inner, NOTE);
    if !left_out.is_empty() {
        notes.push((format!("{} more bins are not drawn", left_out.len()), super::scene::GREY));
    }
    let below = 8.0 + table.height() + notes.len() as f64 * 13.0 + MARGIN;
    let lowest = LOWEST + stages::height(&schemes);
    let bottom = (f64::from(look.size.1) - below).max(top + lowest);
    scene.height = bottom + below;
    for (at, panel) in panels.iter().enumerate() {
        panel::draw(&mut scene, panel, &schemes, epochs, area(at, wide, top, bottom));
    }
    table.draw(&mut scene, (MARGIN, bottom + 8.0));
    for (line, (text, colour)) in notes.into_iter().enumerate() {
        let y = bottom + 8.0 + table.height() + 10.0 + line as f64 * 13.0;
        scene.text((MARGIN, y), Anchor::Start, NOTE, colour, text, "note");
    }
    scene
}

fn area(panel: usize, width: f64, top: f64, bottom: f64) -> [f64; 4] {
    let left = MARGIN + panel as f64 * (width + GAP);
    [left, top, left + width, bottom]
}

/// All runs' bins, each once.
fn bins(runs: &[Curves]) -> Vec<String> {
    let mut bins: Vec<String> = Vec::new();
    for (bin, _) in runs.iter().flat_map(|run| &run.bins) {
        if !bins.contains(bin) {
            bins.push(bin.clone());
        }
    }
    bins
}

/// The x axis of all panels: half an epoch beyond the first and the last.
fn span(runs: &[Curves]) -> (f64, f64) {
    let used = || runs.iter().filter(|run| run.epochs() > 0);
    let first = used().map(|run| run.before).min().unwrap_or(0);
    let last = used().map(|run| u64::from(run.before) + run.epochs() as u64).max().unwrap_or(1);
    (f64::from(first) + 0.5, last as f64 + 0.5)
}

/// The panels that have something to show; that of the loss always.
fn panels<'a>(runs: &'a [Curves], bins: &[String], log: bool) -> Vec<Panel<'a>> {
    let series = |at: usize, values: &'a [Option<f64>], what: &str| Series {
        label: if runs.len() == 1 { what.to_owned() } else { format!("{}, {what}", runs[at].name) },
        values,
        before: runs[at].before,
        stages: &runs[at].stages,
        colour: PALETTE[at % PALETTE.len()],
        dash: DASHES[0],
        square: at >= PALETTE.len(),
        joins: false,
    };
    let with_values = |series: Vec<Series<'a>>| -> Vec<Series<'a>> {
        series.into_iter().filter(|series| series.values.iter().any(Option::is_some)).collect()
    };
    let all = 0..runs.len();
    let loss = all.clone().map(|at| series(at, &runs[at].loss, "loss")).collect();
    let accuracy = all.clone().map(|at| series(at, &runs[at].accuracy, "accuracy")).collect();
    let evaluation = all
        .flat_map(|at| {
            bins.iter().enumerate().filter_map(move |(bin, name)| Some((at, bin, table::values(&runs[at], name)?)))
        })
        .map(|(at, bin, values)| Series {
            // The bins of one run are told apart by colour as well.
            colour: PALETTE[if runs.len() == 1 { bin } else { at } % PALETTE.len()],
            dash: DASHES[bin % DASHES.len()],
            joins: true,
            ..series(at, values, &bins[bin])
        })
        .collect();
    let panels = [
        Panel { title: "loss", series: with_values(loss), best: Best::Lowest, log },
        Panel { title: "accuracy", series: with_values(accuracy), best: Best::Highest, log: false },
        Panel { title: "evaluation accuracy", series: with_values(evaluation), best: Best::Highest, log: false },
    ];
    panels
        .into_iter()
        .enumerate()
        .filter(|(at, panel)| *at == 0 || !panel.series.is_empty())
        .map(|(_, panel)| panel)
        .collect()
}

/// What the figure shows, in words.
fn describe(runs: &[Curves], look: &Look) -> String {
    let names: Vec<&str> = runs.iter().map(|run| run.name.as_str()).collect();
    look.title.clone().unwrap_or_else(|| format!("training of {}", names.join(", ")))
}
