//! Where the panes lie: a pure function from the screen's size to rectangles.
//!
//! Compact, from 60x16 (80x24 is the norm). Panes have a title line and no sides:
//! ```text
//!  1 training  2 history                        TRAINING
//! - stages ------------------ - status -----------------
//! - loss -------------------- - accuracy ---------------
//! - evaluation -----------------------------------------
//! - log ------------------------------------------------
//! n stop  p pause  q quit ...
//! ```
//! Medium, from 110x32:
//! ```text
//!  1 training  2 history                                              demo  TRAINING
//! +- stages --------------------------------++- status -----------------------------+
//! +- loss ----------------------------------++- accuracy ---------------------------+
//! +- evaluation ----------------------------------++- bins -------------------------+
//! +- log ---------------------------------------------------------------------------+
//! n stop  p pause  q quit ...
//! ```
//! Wide, from 160x45:
//! ```text
//!  1 training  2 history                                              demo  TRAINING
//! +- stages --------------------++- loss -------------------------------------------+
//! +- status --------------------+|                                                  |
//! +- evaluation ----------------++- accuracy ---------------------------------------+
//! +- log -----------------------+|                                                  |
//! |                             |+- bins -------------------------------------------+
//! +-----------------------------+|                                                  |
//! n stop  p pause  q quit ...
//! ```

use ratatui::layout::{Constraint, Layout, Rect};

/// The smallest screen that something sensible fits on.
pub(super) const SMALLEST: (u16, u16) = (60, 16);

/// The panes of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Pane {
    /// The stages of the schedule.
    Stages,
    /// Where the training is and how fast.
    Status,
    /// Loss over steps or epochs.
    #[default]
    Loss,
    /// Training accuracy over steps or epochs.
    Accuracy,
    /// The bins in numbers.
    Evaluation,
    /// The bins over epochs.
    Bins,
    /// The branches side by side.
    Branches,
    /// The log.
    Log,
}

impl Pane {
    /// All panes, in the order the focus takes.
    pub(super) const ALL: [Self; 8] = [
        Self::Loss,
        Self::Accuracy,
        Self::Evaluation,
        Self::Bins,
        Self::Branches,
        Self::Log,
        Self::Stages,
        Self::Status,
    ];
}

/// How much room there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    /// Below [`SMALLEST`].
    TooSmall,
    /// Title lines only.
    Compact,
    /// Framed panes in rows.
    Medium,
    /// Framed panes in two columns.
    Wide,
}

/// Judges a screen.
pub(super) const fn size(area: Rect) -> Size {
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        Size::TooSmall
    } else if area.width >= 160 && area.height >= 45 {
        Size::Wide
    } else if area.width >= 110 && area.height >= 32 {
        Size::Medium
    } else {
        Size::Compact
    }
}

/// The screen: header, body, footer.
pub(super) fn screen(area: Rect) -> [Rect; 3] {
    Layout::vertical([Constraint::Length(1), Constraint::Fill(1), Constraint::Length(1)]).areas(area)
}

/// The panes of a run within the body; those without room are left out. `branches` is 0 for a run without any; their
/// table takes the place of the bins' chart on a medium screen, and has none on a compact one (a key shows it).
pub(super) fn run(body: Rect, size: Size, stages: usize, bins: usize, branches: usize) -> Vec<(Pane, Rect)> {
    let (stages, bins) = (stages.clamp(1, 12) as u16, bins.clamp(1, 12) as u16);
    // The starting point has a line too.
    let branches = if branches > 0 { branches.clamp(1, 12) as u16 + 1 } else { 0 };
    match size {
        Size::TooSmall => Vec::new(),
        Size::Compact => compact(body, bins),
        Size::Medium => medium(body, stages, bins, branches),
        Size::Wide => wide(body, stages, bins, branches),
    }
}

fn halves(row: Rect, gap: u16) -> [Rect; 2] {
    Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).spacing(gap).areas(row)
}

fn compact(body: Rect, bins: u16) -> Vec<(Pane, Rect)> {
    let roomy = body.height >= 21;
    let top = if roomy { 6 } else { 5 };
    let table = (bins + 2).min(body.height * 2 / 7).max(3);
    let log = if roomy { 3 } else { 0 };
    let rows = Layout::vertical([
        Constraint::Length(top),
        Constraint::Fill(1),
        Constraint::Length(table),
        Constraint::Length(log),
    ]);
    let [top, charts, table, log] = rows.areas(body);
    let [stages, status] = halves(top, 2);
    let [loss, accuracy] = halves(charts, 2);
    let mut panes = vec![
        (Pane::Stages, stages),
        (Pane::Status, status),
        (Pane::Loss, loss),
        (Pane::Accuracy, accuracy),
        (Pane::Evaluation, table),
    ];
    if log.height > 0 {
        panes.push((Pane::Log, log));
    }
    panes
}

fn medium(body: Rect, stages: u16, bins: u16, branches: u16) -> Vec<(Pane, Rect)> {
    let top = (stages + 5).clamp(9, 11);
    let table = (bins.max(branches) + 3).clamp(9, 12);
    let log = (body.height / 6).clamp(5, 9);
    let rows = Layout::vertical([
        Constraint::Length(top),
        Constraint::Fill(1),
        Constraint::Length(table),
        Constraint::Length(log),
    ]);
    let [top, charts, bottom, log] = rows.areas(body);
    let [stages, status] = halves(top, 0);
    let [loss, accuracy] = halves(charts, 0);
    let columns = if branches > 0 {
        [Constraint::Length(46), Constraint::Fill(1)]
    } else {
        [Constraint::Length(72), Constraint::Fill(1)]
    };
    let [table, right] = Layout::horizontal(columns).areas(bottom);
    vec![
        (Pane::Stages, stages),
        (Pane::Status, status),
        (Pane::Loss, loss),
        (Pane::Accuracy, accuracy),
        (Pane::Evaluation, table),
        (if branches > 0 { Pane::Branches } else { Pane::Bins }, right),
        (Pane::Log, log),
    ]
}

fn wide(body: Rect, stages: u16, bins: u16, branches: u16) -> Vec<(Pane, Rect)> {
    let [left, right] = Layout::horizontal([Constraint::Length(76), Constraint::Fill(1)]).areas(body);
    let rows = Layout::vertical([
        Constraint::Length(stages + 6),
        Constraint::Length(10),
        Constraint::Length(bins + 3),
        Constraint::Length(if branches > 0 { branches + 3 } else { 0 }),
        Constraint::Fill(1),
    ]);
    let [stages, status, table, side_by_side, log] = rows.areas(left);
    let charts = Layout::vertical([Constraint::Fill(1); 3]);
    let [loss, accuracy, bins] = charts.areas(right);
    let mut panes = vec![
        (Pane::Stages, stages),
        (Pane::Status, status),
        (Pane::Loss, loss),
        (Pane::Accuracy, accuracy),
        (Pane::Evaluation, table),
        (Pane::Bins, bins),
        (Pane::Log, log),
    ];
    if branches > 0 {
        panes.push((Pane::Branches, side_by_side));
    }
    panes
}

/// The history tab within the body: the list, and what the chosen run was like.
pub(super) fn history(body: Rect, size: Size, runs: usize) -> HistoryPanes {
    let runs = u16::try_from(runs).unwrap_or(u16::MAX);
    let list = runs.saturating_add(3).clamp(6, (body.height / 3).max(6));
    let [list, detail] = Layout::vertical([Constraint::Length(list), Constraint::Fill(1)]).areas(body);
    let compact = size == Size::Compact;
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

    #[test]
    fn breakpoints() {
        let of = |width, height| size(Rect::new(0, 0, width, height));
        assert_eq!(of(59, 24), Size::TooSmall);
        assert_eq!(of(60, 16), Size::Compact);
        assert_eq!(of(80, 24), Size::Compact);
        assert_eq!(of(120, 40), Size::Medium);
        assert_eq!(of(120, 31), Size::Compact);
        assert_eq!(of(200, 60), Size::Wide);
    }

    #[test]
    fn at_80x24_the_charts_get_the_rest() {
        let [_, body, _] = screen(Rect::new(0, 0, 80, 24));
        let panes = run(body, Size::Compact, 3, 3, 0);
        let height = |pane| panes.iter().find(|(known, _)| *known == pane).map(|(_, area)| area.height);
        assert_eq!(height(Pane::Status), Some(6));
        assert_eq!(height(Pane::Loss), Some(8));
        assert_eq!(height(Pane::Evaluation), Some(5));
        assert_eq!(height(Pane::Log), Some(3));
    }

    proptest! {
        #[test]
        fn panes_stay_on_the_screen_and_apart(
            width in 60_u16..250, height in 16_u16..100, stages in 0_usize..20, bins in 0_usize..20,
            branches in 0_usize..20,
        ) {
            let area = Rect::new(0, 0, width, height);
            let [header, body, footer] = screen(area);
            let panes = run(body, size(area), stages, bins, branches);
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
