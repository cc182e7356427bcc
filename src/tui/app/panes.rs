//! Which tab, pane and window is on screen: the focus, zooming, closing, scrolling, and the layout that is kept.

use ratatui::layout::Rect;

use super::App;
use crate::tui::action::{Effect, Motion, Tab};
use crate::tui::keymap::help::help_lines;
use crate::tui::layout::{Arrangement, Needs, Pane, Size, arrange, screen, size};
use crate::tui::shown_run::ShownRun;
use crate::tui::ui_state::UiState;
use crate::tui::view::Dialog;

impl App {
    /// Where the panes of a run lie within the body; zoomed, the focused one has it all.
    pub(in crate::tui) fn arrangement(&self, shown: &ShownRun, body: Rect, size: Size) -> Arrangement {
        if self.view.zoomed {
            return Arrangement { panes: vec![(self.view.focus, body)], borders: Vec::new() };
        }
        self.laid_out(shown, body, size)
    }

    /// The same when no pane is zoomed.
    fn laid_out(&self, shown: &ShownRun, body: Rect, size: Size) -> Arrangement {
        arrange(body, size, &Needs::of(&shown.state, self.view.order), &self.view.borders)
    }

    /// The panes that have a place on a screen of this size.
    fn visible(&self) -> Option<(Size, Vec<Pane>)> {
        let (shown, _) = self.on_screen()?;
        let size = size(self.area);
        let [_, body, _] = screen(self.area);
        Some((size, self.laid_out(shown, body, size).panes.into_iter().map(|(pane, _)| pane).collect()))
    }

    pub(super) fn focus(&mut self, by: usize) -> Vec<Effect> {
        let at = Pane::ALL.iter().position(|pane| *pane == self.view.focus).unwrap_or(0);
        let visible = self.visible().map(|(_, panes)| panes).unwrap_or_default();
        let shown = |pane: &Pane| visible.is_empty() || visible.contains(pane);
        // A run without branches has no pane of them.
        let exists = |pane: &Pane| *pane != Pane::Branches || self.compared().is_some();
        let turns = (1..=Pane::ALL.len()).map(|turn| Pane::ALL[(at + by * turn) % Pane::ALL.len()]);
        if let Some(pane) = turns.into_iter().find(|pane| shown(pane) && exists(pane)) {
            self.view.focus = pane;
        }
        Vec::new()
    }

    pub(super) fn close(&mut self) {
        if self.view.dialog.take().is_some() || self.view.open_bin.take().is_some() {
            return;
        }
        let charts = &mut self.view.charts;
        if charts.cross.take().is_some() {
            self.view.hovers = false;
        } else if self.view.zoomed {
            self.view.zoomed = false;
        } else if charts.window.is_some() || charts.y.is_some() {
            (charts.window, charts.y) = (None, None);
        } else if self.view.log_scroll > 0 {
            self.view.log_scroll = 0;
        } else {
            self.history.full = false;
        }
    }

    pub(super) fn scroll(&mut self, motion: Motion) -> Vec<Effect> {
        if self.view.dialog == Some(Dialog::ScheduleDiff) {
            self.scroll_schedule_diff(motion);
            return Vec::new();
        }
        if matches!(self.view.dialog, Some(Dialog::Warnings | Dialog::Machine)) {
            self.view.help_scroll = motion.moved(self.view.help_scroll, 200);
            return Vec::new();
        }
        if self.view.dialog.is_none() && self.move_in_bins(motion) {
            return Vec::new();
        }
        if self.view.dialog == Some(Dialog::Help) {
            self.view.help_scroll = motion.moved(self.view.help_scroll, help_lines(&self.keys).len() - 1);
            return Vec::new();
        }
        if let Some((run, _)) = self.on_screen() {
            // The log's position counts from its end, so that it can follow.
            let last = run.state.log.len().saturating_sub(1);
            let from_top = motion.moved(last - self.view.log_scroll.min(last), last);
            self.view.log_scroll = last - from_top;
            return Vec::new();
        }
        if self.view.tab == Tab::History {
            let last = self.history.runs.len().saturating_sub(1);
            let selected = motion.moved(self.history.selected, last);
            if selected != self.history.selected {
                self.history.selected = selected;
                self.history.full = false;
                return self.open_chosen();
            }
        }
        Vec::new()
    }

    /// Opens a window about the run on screen.
    pub(super) fn window(&mut self, dialog: Dialog) -> Vec<Effect> {
        if self.on_screen().is_some() {
            self.view.help_scroll = 0;
            self.view.dialog = Some(dialog);
        }
        Vec::new()
    }

    pub(super) fn show(&mut self, tab: Tab) -> Vec<Effect> {
        self.view.tab = tab;
        self.view.open_bin = None;
        self.view.log_scroll = 0;
        self.view.zoomed = false;
        if tab == Tab::History { self.refresh() } else { Vec::new() }
    }

    /// Focuses a pane; one that is not on screen takes a chart's place, or the whole screen.
    pub(super) fn focus_on(&mut self, pane: Pane) {
        self.view.focus = pane;
        let Some((size, panes)) = self.visible() else { return };
        if self.view.zoomed || panes.contains(&pane) {
            return;
        }
        let slots = size.charts();
        if pane.is_chart() && slots > 0 {
            let order = &mut self.view.order;
            if let Some(at) = order.iter().position(|known| *known == pane) {
                // The charts that stay keep their places.
                order[slots - 1..=at].rotate_right(1);
            }
            // A table of branches may lie where the chart would.
            if self.visible().is_some_and(|(_, panes)| panes.contains(&pane)) {
                return;
            }
        }
        self.view.zoomed = true;
    }

    /// The layout that is kept for the next time.
    pub(super) fn ui_state(&self) -> UiState {
        UiState { borders: self.view.borders.clone(), mouse: self.view.mouse }
    }

    /// Restores the layout of the last time.
    pub(in crate::tui) fn restore_ui_state(&mut self, kept: UiState) {
        self.view.borders = kept.borders;
        self.view.mouse = kept.mouse;
    }
}
