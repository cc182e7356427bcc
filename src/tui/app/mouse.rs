//! The mouse: what lies under it, and what pressing, dragging and scrolling do there.
//!
//! Over a chart it moves the crosshair; the left button chooses a part to zoom into, the right one moves the window, a
//! click with it shows everything again, the wheel zooms. Elsewhere the wheel scrolls, a click focuses a pane or opens a
//! tab, and borders can be dragged.

use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Rect;

use crate::tui::action::{Effect, Motion, Tab};
use crate::tui::charts::Geometry;
use crate::tui::layout::{Pane, Size, screen, size};
use crate::tui::pane::{charts, header, inside};
use crate::tui::terminal::abilities::Abilities;
use crate::tui::theme::Styles;
use crate::tui::view::{Dialog, Drag};

use super::App;

/// How much one notch of the wheel leaves of the window.
const NOTCH: f64 = 0.85;

/// Share of the window that one notch of a sideways wheel moves it by.
const SLIDE: f64 = 0.08;

/// Columns or rows below which a chosen part is a click.
const CLICK: u16 = 2;

impl App {
    /// What a mouse event does. Returns whether the screen changed, and what is to be done.
    pub(in crate::tui) fn mouse(&mut self, event: MouseEvent) -> (bool, Vec<Effect>) {
        let (column, row) = (event.column, event.row);
        match event.kind {
            MouseEventKind::Moved => (self.hover(column, row), Vec::new()),
            MouseEventKind::Down(button) => (true, self.press(button, column, row)),
            MouseEventKind::Drag(_) => (self.drag(column, row), Vec::new()),
            MouseEventKind::Up(_) => (true, self.release(column, row)),
            MouseEventKind::ScrollUp => (true, self.wheel(Motion::Up, event)),
            MouseEventKind::ScrollDown => (true, self.wheel(Motion::Down, event)),
            MouseEventKind::ScrollLeft => (self.slide(-SLIDE, column, row), Vec::new()),
            MouseEventKind::ScrollRight => (self.slide(SLIDE, column, row), Vec::new()),
        }
    }

    /// The pane at a cell, and its area within the frame.
    fn pane_at(&self, column: u16, row: u16) -> Option<(Pane, Rect)> {
        if self.view.dialog.is_some() {
            return None;
        }
        let (run, _) = self.on_screen()?;
        let size = size(self.area);
        let [_, body, _] = screen(self.area);
        let panes = self.arrangement(run, body, size).panes;
        let (pane, area) = panes.into_iter().find(|(_, area)| area.contains((column, row).into()))?;
        Some((pane, inside(area, size.framed())))
    }

    /// The chart at a cell, if the cell is among its curves.
    fn chart_at(&self, column: u16, row: u16) -> Option<(Pane, Geometry)> {
        let (pane, _) = self.pane_at(column, row).filter(|(pane, _)| pane.is_chart())?;
        let geometry = self.geometry(pane)?;
        geometry.panel.contains((column, row).into()).then_some((pane, geometry))
    }

    /// Where the parts of a chart lie that is on screen.
    fn geometry(&self, pane: Pane) -> Option<Geometry> {
        let (run, _) = self.on_screen()?;
        let size = size(self.area);
        let [_, body, _] = screen(self.area);
        let panes = self.arrangement(run, body, size).panes;
        let (_, area) = panes.into_iter().find(|(known, _)| *known == pane)?;
        // Where things lie does not depend on how they look.
        let styles = Styles::new(Abilities { color: true, unicode: true, light: false });
        charts::geometry(pane, inside(area, size.framed()), run, &self.view.charts, &styles)
    }

    fn hover(&mut self, column: u16, row: u16) -> bool {
        let x = self.chart_at(column, row).map(|(_, geometry)| geometry.x_at(column));
        // Beside the charts a crosshair that the keys placed stays.
        if x.is_none() && !self.view.hovers {
            return false;
        }
        self.view.hovers = x.is_some();
        let changed = x != self.view.charts.cross;
        self.view.charts.cross = x;
        changed
    }

    fn press(&mut self, button: MouseButton, column: u16, row: u16) -> Vec<Effect> {
        self.view.drag = None;
        if self.view.dialog.is_some() {
            return Vec::new();
        }
        if row == 0
            && let Some(tab) = header::tab_at(column)
        {
            return if tab == self.view.tab { Vec::new() } else { self.show(tab) };
        }
        if button == MouseButton::Left
            && let Some(border) = self.border_at(column, row)
        {
            self.view.drag = Some(Drag::Border(border));
        }
        if let Some((pane, geometry)) = self.chart_at(column, row) {
            self.view.focus = pane;
            self.view.drag = Some(match button {
                MouseButton::Left => Drag::Select { pane, from: (column, row) },
                _ => Drag::Pan { pane, from: column, window: geometry.x, moved: false },
            });
        } else if let Some((pane, _)) = self.pane_at(column, row) {
            self.view.focus = pane;
        } else if self.view.tab == Tab::History && button == MouseButton::Left {
            return self.press_history(column, row);
        }
        Vec::new()
    }

    /// Chooses the run that was clicked on.
    fn press_history(&mut self, column: u16, row: u16) -> Vec<Effect> {
        let size = size(self.area);
        if size == Size::TooSmall || self.history.runs.is_empty() {
            return Vec::new();
        }
        let [_, body, _] = screen(self.area);
        let list = crate::tui::layout::history_tab(body, size, self.history.runs.len()).list;
        let inner = inside(list, size.framed());
        if !inner.contains((column, row).into()) || row == inner.y {
            return Vec::new();
        }
        let lines = usize::from(inner.height).saturating_sub(1).max(1);
        let at = self.history.first_line(lines) + usize::from(row - inner.y - 1);
        if at < self.history.runs.len() && at != self.history.selected {
            self.history.selected = at;
            return self.open_chosen();
        }
        Vec::new()
    }

    fn border_at(&self, column: u16, row: u16) -> Option<crate::tui::layout::Border> {
        let (run, _) = self.on_screen()?;
        let [_, body, _] = screen(self.area);
        let borders = self.arrangement(run, body, size(self.area)).borders;
        borders.into_iter().rev().find(|border| border.holds(column, row))
    }

    fn drag(&mut self, column: u16, row: u16) -> bool {
        match self.view.drag.clone() {
            Some(Drag::Border(border)) => {
                self.view.borders.insert(border.key.clone(), border.moved(column, row));
                self.view.border_moved = true;
                true
            }
            Some(Drag::Select { pane, from }) => {
                let Some(geometry) = self.geometry(pane) else { return false };
                let to = within(geometry.panel, column, row);
                let corner = (from.0.min(to.0), from.1.min(to.1));
                let area = Rect::new(corner.0, corner.1, from.0.abs_diff(to.0) + 1, from.1.abs_diff(to.1) + 1);
                self.view.charts.selection = Some((pane, area));
                self.view.charts.cross = None;
                true
            }
            Some(Drag::Pan { pane, from, window, .. }) => {
                let Some(geometry) = self.geometry(pane) else { return false };
                let width = window.1 - window.0;
                let by = (f64::from(from) - f64::from(column)) / f64::from(geometry.panel.width.max(1)) * width;
                self.view.drag = Some(Drag::Pan { pane, from, window, moved: true });
                self.view.charts.cross = None;
                self.show_window(window.0 + by, window.1 + by, false);
                true
            }
            None => false,
        }
    }

    fn release(&mut self, column: u16, row: u16) -> Vec<Effect> {
        let selection = self.view.charts.selection.take();
        match self.view.drag.take() {
            Some(Drag::Border(_)) if std::mem::take(&mut self.view.border_moved) => {
                return vec![Effect::SaveUiState(self.ui_state())];
            }
            Some(Drag::Select { pane, .. }) => {
                let Some((_, area)) = selection.filter(|(_, area)| area.width > CLICK || area.height > CLICK) else {
                    self.hover(column, row);
                    return Vec::new();
                };
                if let Some(geometry) = self.geometry(pane) {
                    self.zoom_into(pane, &geometry, area);
                }
            }
            Some(Drag::Pan { moved: false, .. }) => {
                (self.view.charts.window, self.view.charts.y) = (None, None);
            }
            _ => {}
        }
        Vec::new()
    }

    /// Shows the chosen cells of a chart; a flat choice is one of x alone, an upright one of y.
    fn zoom_into(&mut self, pane: Pane, geometry: &Geometry, area: Rect) {
        if area.height > CLICK {
            self.view.charts.y = Some((pane, (geometry.y_edge(area.bottom()), geometry.y_edge(area.y))));
        }
        if area.width > CLICK {
            let (from, to) = (geometry.x_edge(area.x), geometry.x_edge(area.right()));
            self.show_window(from, to, false);
        }
    }

    fn wheel(&mut self, motion: Motion, event: MouseEvent) -> Vec<Effect> {
        let (column, row) = (event.column, event.row);
        if event.modifiers.contains(KeyModifiers::SHIFT) {
            self.slide(if motion == Motion::Up { -SLIDE } else { SLIDE }, column, row);
            return Vec::new();
        }
        if let Some((_, geometry)) = self.chart_at(column, row) {
            let factor = if motion == Motion::Up { NOTCH } else { 1.0 / NOTCH };
            self.zoom(factor, Some(geometry.x_at(column)));
            return Vec::new();
        }
        if self.view.dialog.is_some_and(|dialog| dialog != Dialog::Help) {
            return Vec::new();
        }
        // Over a chart's axes nothing scrolls by accident.
        if self.pane_at(column, row).is_some_and(|(pane, _)| pane.is_chart()) {
            return Vec::new();
        }
        self.scroll(motion)
    }

    fn slide(&mut self, share: f64, column: u16, row: u16) -> bool {
        let over = self.chart_at(column, row).is_some();
        if over {
            self.pan(share);
        }
        over
    }
}

/// The cell of a panel nearest to a cell.
fn within(panel: Rect, column: u16, row: u16) -> (u16, u16) {
    let last = |start: u16, length: u16| start + length.saturating_sub(1);
    (column.clamp(panel.x, last(panel.x, panel.width)), row.clamp(panel.y, last(panel.y, panel.height)))
}
