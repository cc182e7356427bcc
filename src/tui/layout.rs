//! Where the panes lie: a pure function from the screen's size, what there is to show and the borders that were moved, to
//! rectangles.
//!
//! Small, from 60x16 (made for 60x20). Panes have a title line and no sides; one chart at a time:
//! ```text
//!  training  history                        TRAINING
//! - stages -------------- - status -----------------
//! - loss -------------------------------------------
//! - evaluation -------------------------------------
//! n stop  p pause  q quit ...
//! ```
//! Compact, from 80x24: two charts side by side, and the log.
//!
//! Medium, from 110x32 (made for 120x40). Panes are framed; three charts:
//! ```text
//! +- stages --------------------------------++- status -----------------------------+
//! +- loss ----------------------------------++- accuracy ---------------------------+
//! +- evaluation ----------------------------------++- bins -------------------------+
//! +- log -----------------------------------------------------++- machine ----------+
//! ```
//! Wide, from 160x45 (made for 200x60): every chart at once.
//! ```text
//! +- stages --------------------++- loss -------------------------------------------+
//! +- status --------------------++- accuracy ------------++- bins ------------------+
//! +- evaluation ----------------++- learning rate -------++- gradient norm ---------+
//! +- machine, log --------------++- images/s ------------++- thresholds ------------+
//! ```
//! Huge, from 220x66 (made for 250x80):
//! ```text
//! +- stages --------------------++- loss --------------------++- accuracy ----------+
//! +- status --------------------++- bins --------------------++- thresholds --------+
//! +- evaluation, machine, log --++- learning rate -++- gradient norm -++- images/s -+
//! ```

use std::collections::BTreeMap;

use ratatui::layout::{Constraint, Layout, Rect};

/// The smallest screen that something sensible fits on.
pub(super) const SMALLEST: (u16, u16) = (60, 16);

/// Least columns and rows that a border can leave to a pane.
const LEAST: (u16, u16) = (16, 3);

/// The panes of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Pane {
    /// The stages of the schedule.
    Stages,
    /// Where the training is and how fast.
    Status,
    /// Loss.
    #[default]
    Loss,
    /// Training accuracy.
    Accuracy,
    /// The bins in numbers.
    Evaluation,
    /// The bins' accuracies as curves.
    Bins,
    /// The bins' thresholds as curves.
    Thresholds,
    /// Learning rate.
    LearningRate,
    /// Length of the gradient.
    GradientNorm,
    /// Images a second.
    Speed,
    /// The branches side by side.
    Branches,
    /// How busy the machine is.
    Machine,
    /// The log.
    Log,
}

impl Pane {
    /// All panes, in the order the focus takes; the first nine have that number.
    pub(super) const ALL: [Self; 13] = [
        Self::Loss,
        Self::Accuracy,
        Self::Bins,
        Self::LearningRate,
        Self::GradientNorm,
        Self::Speed,
        Self::Thresholds,
        Self::Evaluation,
        Self::Log,
        Self::Branches,
        Self::Stages,
        Self::Status,
        Self::Machine,
    ];

    /// The charts, the most important first.
    pub(super) const CHARTS: [Self; 7] =
        [Self::Loss, Self::Accuracy, Self::Bins, Self::LearningRate, Self::GradientNorm, Self::Speed, Self::Thresholds];

    /// Whether it is a chart.
    pub(super) fn is_chart(self) -> bool {
        Self::CHARTS.contains(&self)
    }

    /// The number key that focuses it.
    pub(super) fn number(self) -> Option<u8> {
        Self::ALL.iter().take(9).position(|pane| *pane == self).map(|at| at as u8 + 1)
    }
}

/// How much room there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    /// Below [`SMALLEST`].
    TooSmall,
    /// Title lines only, one chart.
    Small,
    /// Title lines only, two charts.
    Compact,
    /// Framed panes in rows.
    Medium,
    /// Framed panes in two columns.
    Wide,
    /// The same with more room.
    Huge,
}

impl Size {
    /// Whether panes have a frame.
    pub(super) const fn framed(self) -> bool {
        matches!(self, Self::Medium | Self::Wide | Self::Huge)
    }

    /// Charts that are on screen at once.
    pub(super) const fn charts(self) -> usize {
        match self {
            Self::TooSmall => 0,
            Self::Small => 1,
            Self::Compact => 2,
            Self::Medium => 3,
            Self::Wide | Self::Huge => Pane::CHARTS.len(),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::TooSmall => "none",
            Self::Small => "small",
            Self::Compact => "compact",
            Self::Medium => "medium",
            Self::Wide => "wide",
            Self::Huge => "huge",
        }
    }
}

/// Judges a screen.
pub(super) const fn size(area: Rect) -> Size {
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        Size::TooSmall
    } else if area.width >= 220 && area.height >= 66 {
        Size::Huge
    } else if area.width >= 160 && area.height >= 45 {
        Size::Wide
    } else if area.width >= 110 && area.height >= 32 {
        Size::Medium
    } else if area.width >= 80 && area.height >= 24 {
        Size::Compact
    } else {
        Size::Small
    }
}

/// The screen: header, body, footer.
pub(super) fn screen(area: Rect) -> [Rect; 3] {
    Layout::vertical([Constraint::Length(1), Constraint::Fill(1), Constraint::Length(1)]).areas(area)
}

/// What there is to show of a run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Needs {
    pub(super) stages: usize,
    pub(super) bins: usize,
    /// 0 for a run without branches; their table takes the place of a chart on a medium screen, and has none on a smaller
    /// one (a key shows it).
    pub(super) branches: usize,
    /// Lines about the machine; 0 where it was not looked at. Medium screens and larger ones have a pane of it.
    pub(super) machine: usize,
    /// The charts, those that matter most first.
    pub(super) charts: [Pane; Pane::CHARTS.len()],
}

/// Borders that were moved: where they lie, as a share of the rectangle they divide.
pub(super) type Borders = BTreeMap<String, f32>;

/// A border between two panes, or two groups of them, that the mouse can move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Border {
    /// What it is called in [`Borders`].
    pub(super) key: String,
    /// Whether it runs from top to bottom.
    pub(super) upright: bool,
    /// The rectangle that it divides.
    pub(super) within: Rect,
    /// The first column or row behind it.
    pub(super) at: u16,
    /// Whether panes have frames, of which a border then has two.
    framed: bool,
}

impl Border {
    /// Whether a cell belongs to it.
    pub(super) fn holds(&self, column: u16, row: u16) -> bool {
        let inside = self.within.contains((column, row).into());
        // Without frames the title line is the border, or a gap of two columns.
        let (before, behind) = match (self.framed, self.upright) {
            (true, _) => (1, 1),
            (false, true) => (2, 0),
            (false, false) => (0, 1),
        };
        let here = if self.upright { column } else { row };
        inside && here + before >= self.at && here < self.at + behind
    }

    /// Its share when it is moved to a cell.
    pub(super) fn moved(&self, column: u16, row: u16) -> f32 {
        let (place, start, extent) = if self.upright {
            (column, self.within.x, self.within.width)
        } else {
            (row, self.within.y, self.within.height)
        };
        (f32::from(place.saturating_sub(start)) / f32::from(extent.max(1))).clamp(0.0, 1.0)
    }
}

/// Where the panes and the borders between them lie.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Arrangement {
    pub(super) panes: Vec<(Pane, Rect)>,
    pub(super) borders: Vec<Border>,
}

/// A pane, or a row or column of parts.
enum Part {
    Pane(Pane),
    Split { name: &'static str, upright: bool, parts: Vec<(Constraint, Self)> },
}

use Constraint::{Fill, Length};

/// Parts above each other.
fn column(name: &'static str, parts: Vec<(Constraint, Part)>) -> Part {
    Part::Split { name, upright: false, parts }
}

/// Parts beside each other.
fn row(name: &'static str, parts: Vec<(Constraint, Part)>) -> Part {
    Part::Split { name, upright: true, parts }
}

/// Panes beside each other, equally wide.
fn abreast<const N: usize>(name: &'static str, panes: [Pane; N]) -> Part {
    row(name, panes.map(|pane| (Fill(1), Part::Pane(pane))).into())
}

/// The panes of a run within the body; those without room are left out.
pub(super) fn run(body: Rect, size: Size, needs: &Needs, moved: &Borders) -> Arrangement {
    let mut arrangement = Arrangement::default();
    if size != Size::TooSmall {
        let maker = Maker { size, moved };
        maker.place(&part(body, size, needs), body, &mut arrangement);
    }
    arrangement
}

fn part(body: Rect, size: Size, needs: &Needs) -> Part {
    let stages = needs.stages.clamp(1, 12) as u16;
    let bins = needs.bins.clamp(1, 12) as u16;
    // The starting point has a line too.
    let branches = if needs.branches > 0 { needs.branches.clamp(1, 12) as u16 + 1 } else { 0 };
    let machine = if needs.machine > 0 { needs.machine.min(12) as u16 + 2 } else { 0 };
    let charts = needs.charts;
    let top = abreast("top", [Pane::Stages, Pane::Status]);
    match size {
        Size::TooSmall | Size::Small => column(
            "rows",
            vec![
                (Length(5), top),
                (Fill(1), Part::Pane(charts[0])),
                (Length((bins + 2).min(body.height * 2 / 7).max(3)), Part::Pane(Pane::Evaluation)),
            ],
        ),
        Size::Compact => column(
            "rows",
            vec![
                (Length(6), top),
                (Fill(1), abreast("charts", [charts[0], charts[1]])),
                (Length((bins + 2).min(body.height * 2 / 7).max(3)), Part::Pane(Pane::Evaluation)),
                (Length(3), Part::Pane(Pane::Log)),
            ],
        ),
        Size::Medium => {
            let right = if branches > 0 { Pane::Branches } else { charts[2] };
            let table = if branches > 0 { 46 } else { 72 };
            let foot = if machine > 0 {
                row("foot", vec![(Fill(1), Part::Pane(Pane::Log)), (Length(40), Part::Pane(Pane::Machine))])
            } else {
                Part::Pane(Pane::Log)
            };
            let bottom = vec![(Length(table), Part::Pane(Pane::Evaluation)), (Fill(1), Part::Pane(right))];
            column(
                "rows",
                vec![
                    (Length((stages + 5).clamp(9, 11)), top),
                    (Fill(1), abreast("charts", [charts[0], charts[1]])),
                    (Length((bins.max(branches) + 3).clamp(9, 12)), row("bottom", bottom)),
                    (Length((body.height / 6).max(machine).clamp(5, 9)), foot),
                ],
            )
        }
        Size::Wide | Size::Huge => {
            let mut left = vec![
                (Length(stages + 6), Part::Pane(Pane::Stages)),
                (Length(10), Part::Pane(Pane::Status)),
                (Length(bins + 3), Part::Pane(Pane::Evaluation)),
            ];
            if branches > 0 {
                left.push((Length(branches + 3), Part::Pane(Pane::Branches)));
            }
            if machine > 0 {
                left.push((Length(machine), Part::Pane(Pane::Machine)));
            }
            left.push((Fill(1), Part::Pane(Pane::Log)));
            let [a, b, c, d, e, f, g] = charts;
            let right = if size == Size::Wide {
                vec![
                    (Fill(5), Part::Pane(a)),
                    (Fill(4), abreast("second", [b, c])),
                    (Fill(4), abreast("third", [d, e])),
                    (Fill(4), abreast("fourth", [f, g])),
                ]
            } else {
                vec![
                    (Fill(5), abreast("first", [a, b])),
                    (Fill(4), abreast("second", [c, g])),
                    (Fill(4), abreast("third", [d, e, f])),
                ]
            };
            row("sides", vec![(Length(76), column("left", left)), (Fill(1), column("right", right))])
        }
    }
}

/// Turns parts into rectangles.
struct Maker<'a> {
    size: Size,
    moved: &'a Borders,
}

impl Maker<'_> {
    fn place(&self, part: &Part, area: Rect, out: &mut Arrangement) {
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

/// The history tab within the body: the list, and what the chosen run was like.
pub(super) fn history(body: Rect, size: Size, runs: usize) -> HistoryPanes {
    let runs = u16::try_from(runs).unwrap_or(u16::MAX);
    let list = runs.saturating_add(3).clamp(6, (body.height / 3).max(6));
    let [list, detail] = Layout::vertical([Constraint::Length(list), Constraint::Fill(1)]).areas(body);
    let compact = !size.framed();
    let facts_width = if compact { Constraint::Percentage(46) } else { Constraint::Length(72) };
    let columns = Layout::horizontal([facts_width, Constraint::Fill(1)]).spacing(u16::from(compact));
    let [facts, charts] = columns.areas(detail);
    let [stages, table] = Layout::vertical([Constraint::Fill(1), Constraint::Fill(1)]).areas(facts);
    let [loss, bins] = Layout::vertical([Constraint::Fill(1), Constraint::Fill(1)]).areas(charts);
    HistoryPanes { list, stages, table, loss, bins }
}

/// The rectangles of the history tab.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HistoryPanes {
    pub(super) list: Rect,
    pub(super) stages: Rect,
    pub(super) table: Rect,
    pub(super) loss: Rect,
    pub(super) bins: Rect,
}

/// A dialog of the given size in the middle of the screen, as large as fits.
pub(super) fn centred(area: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    Rect::new(area.x + (area.width - width) / 2, area.y + (area.height - height) / 2, width, height)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn needs(stages: usize, bins: usize, branches: usize) -> Needs {
        Needs { stages, bins, branches, machine: (stages + bins) % 7, charts: Pane::CHARTS }
    }

    #[test]
    fn breakpoints() {
        let of = |width, height| size(Rect::new(0, 0, width, height));
        assert_eq!(of(59, 24), Size::TooSmall);
        assert_eq!(of(60, 20), Size::Small);
        assert_eq!(of(120, 23), Size::Small);
        assert_eq!(of(80, 24), Size::Compact);
        assert_eq!(of(120, 40), Size::Medium);
        assert_eq!(of(120, 31), Size::Compact);
        assert_eq!(of(200, 60), Size::Wide);
        assert_eq!(of(250, 80), Size::Huge);
    }

    #[test]
    fn at_80x24_the_charts_get_the_rest() {
        let [_, body, _] = screen(Rect::new(0, 0, 80, 24));
        let panes = run(body, Size::Compact, &needs(3, 3, 0), &Borders::new()).panes;
        let height = |pane| panes.iter().find(|(known, _)| *known == pane).map(|(_, area)| area.height);
        assert_eq!(height(Pane::Status), Some(6));
        assert_eq!(height(Pane::Loss), Some(8));
        assert_eq!(height(Pane::Evaluation), Some(5));
        assert_eq!(height(Pane::Log), Some(3));
    }

    #[test]
    fn every_size_shows_as_many_charts_as_it_says() {
        for (width, height) in [(60, 20), (80, 24), (120, 40), (200, 60), (250, 80)] {
            let area = Rect::new(0, 0, width, height);
            let [_, body, _] = screen(area);
            let panes = run(body, size(area), &needs(3, 3, 0), &Borders::new()).panes;
            let charts: Vec<Pane> = panes.iter().map(|(pane, _)| *pane).filter(|pane| pane.is_chart()).collect();
            assert_eq!(charts.len(), size(area).charts(), "{width}x{height}");
            assert!(panes.iter().all(|(pane, rect)| !pane.is_chart() || (rect.width >= 28 && rect.height >= 8)));
        }
    }

    #[test]
    fn a_border_goes_where_it_is_moved() {
        let area = Rect::new(0, 0, 120, 40);
        let [_, body, _] = screen(area);
        let before = run(body, Size::Medium, &needs(3, 3, 0), &Borders::new());
        let border = before.borders.iter().find(|border| border.key == "medium.charts.1").expect("between the charts");
        assert!(border.upright && border.holds(60, 15) && border.holds(59, 15) && !border.holds(58, 15));
        let moved = Borders::from([(border.key.clone(), border.moved(40, 15))]);
        let after = run(body, Size::Medium, &needs(3, 3, 0), &moved);
        let width = |pane| after.panes.iter().find(|(known, _)| *known == pane).map(|(_, rect)| rect.width);
        assert_eq!((width(Pane::Loss), width(Pane::Accuracy)), (Some(40), Some(80)));
    }

    proptest! {
        #[test]
        fn panes_stay_on_the_screen_and_apart(
            width in 60_u16..260, height in 16_u16..100, stages in 0_usize..20, bins in 0_usize..20,
            branches in 0_usize..20, moves in prop::collection::vec((0_usize..12, 0_f32..1.0), 0..5),
        ) {
            let area = Rect::new(0, 0, width, height);
            let [header, body, footer] = screen(area);
            let needs = needs(stages, bins, branches);
            let known = run(body, size(area), &needs, &Borders::new());
            let moved = moves.into_iter().map(|(at, share)| {
                (known.borders[at % known.borders.len()].key.clone(), share)
            });
            let arrangement = run(body, size(area), &needs, &moved.collect());
            let panes = &arrangement.panes;
            for (at, (pane, rect)) in panes.iter().enumerate() {
                prop_assert_eq!(rect.intersection(body), *rect, "{:?} leaves the body", pane);
                prop_assert!(!rect.intersects(header) && !rect.intersects(footer));
                for (other, second) in &panes[at + 1..] {
                    prop_assert!(rect.is_empty() || !rect.intersects(*second), "{:?} covers {:?}", pane, other);
                }
            }
        }
    }
}
