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

mod borders;
mod needs;
mod panes;
mod size;
mod split;

use ratatui::layout::Constraint::{self, Fill, Length};
use ratatui::layout::{Layout, Rect};

pub(super) use borders::{Border, Borders};
pub(super) use needs::{Needs, machine_lines};
pub(super) use panes::Pane;
pub(super) use size::{SMALLEST, Size, size};
pub(super) use split::Arrangement;
use split::{Part, Splitter, abreast, column, row};

/// The screen: header, body, footer.
pub(super) fn screen(area: Rect) -> [Rect; 3] {
    Layout::vertical([Constraint::Length(1), Constraint::Fill(1), Constraint::Length(1)]).areas(area)
}

/// The panes of a run within the body; those without room are left out.
pub(super) fn arrange(body: Rect, size: Size, needs: &Needs, moved: &Borders) -> Arrangement {
    let mut arrangement = Arrangement::default();
    if size != Size::TooSmall {
        let splitter = Splitter { size, moved };
        splitter.place(&part(body, size, needs), body, &mut arrangement);
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

/// The history tab within the body: the list, and what the chosen run was like.
pub(super) fn history_tab(body: Rect, size: Size, runs: usize) -> HistoryTabPanes {
    let runs = u16::try_from(runs).unwrap_or(u16::MAX);
    let list = runs.saturating_add(3).clamp(6, (body.height / 3).max(6));
    let [list, detail] = Layout::vertical([Constraint::Length(list), Constraint::Fill(1)]).areas(body);
    let compact = !size.framed();
    let facts_width = if compact { Constraint::Percentage(46) } else { Constraint::Length(72) };
    let columns = Layout::horizontal([facts_width, Constraint::Fill(1)]).spacing(u16::from(compact));
    let [facts, charts] = columns.areas(detail);
    let [stages, table] = Layout::vertical([Constraint::Fill(1), Constraint::Fill(1)]).areas(facts);
    let [loss, bins] = Layout::vertical([Constraint::Fill(1), Constraint::Fill(1)]).areas(charts);
    HistoryTabPanes { list, stages, table, loss, bins }
}

/// The rectangles of the history tab.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HistoryTabPanes {
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
        let panes = arrange(body, Size::Compact, &needs(3, 3, 0), &Borders::new()).panes;
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
            let panes = arrange(body, size(area), &needs(3, 3, 0), &Borders::new()).panes;
            let charts: Vec<Pane> = panes.iter().map(|(pane, _)| *pane).filter(|pane| pane.is_chart()).collect();
            assert_eq!(charts.len(), size(area).charts(), "{width}x{height}");
            assert!(panes.iter().all(|(pane, rect)| !pane.is_chart() || (rect.width >= 28 && rect.height >= 8)));
        }
    }

    #[test]
    fn a_border_goes_where_it_is_moved() {
        let area = Rect::new(0, 0, 120, 40);
        let [_, body, _] = screen(area);
        let before = arrange(body, Size::Medium, &needs(3, 3, 0), &Borders::new());
        let border = before.borders.iter().find(|border| border.key == "medium.charts.1").expect("between the charts");
        assert!(border.upright && border.holds(60, 15) && border.holds(59, 15) && !border.holds(58, 15));
        let moved = Borders::from([(border.key.clone(), border.moved(40, 15))]);
        let after = arrange(body, Size::Medium, &needs(3, 3, 0), &moved);
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
            let known = arrange(body, size(area), &needs, &Borders::new());
            let moved = moves.into_iter().map(|(at, share)| {
                (known.borders[at % known.borders.len()].key.clone(), share)
            });
            let arrangement = arrange(body, size(area), &needs, &moved.collect());
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
