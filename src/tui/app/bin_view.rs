//! Opening a bin: which one, which of its figures, and moving among its hardest pairs.

use std::cell::RefCell;

use super::App;
use crate::tui::action::{Effect, Motion};
use crate::tui::bin_details::{BinDetails, BinRequest, BinView};
use crate::tui::layout::Pane;
use crate::tui::shown_run::ShownRun;

impl App {
    /// The bin that is chosen in the table of the run on screen.
    pub(in crate::tui) fn chosen_bin(&self) -> Option<usize> {
        let (run, _) = self.on_screen()?;
        let last = run.state.bins.len().checked_sub(1)?;
        Some(self.view.bin.min(last))
    }

    /// Whether the arrow keys choose a bin.
    pub(in crate::tui) fn chooses_bins(&self) -> bool {
        self.view.focus == Pane::Evaluation && self.view.open_bin.is_none() && self.chosen_bin().is_some()
    }

    /// Opens the chosen bin.
    pub(super) fn open_bin(&mut self) -> Vec<Effect> {
        let Some(at) = self.chosen_bin() else { return Vec::new() };
        let bin = self.on_screen().map(|(run, _)| run.state.bins[at].name.clone()).unwrap_or_default();
        self.view.bin = at;
        self.view.open_bin = Some(BinView { bin, best: false, first: 0, rejects: false, shown: None });
        self.read_details()
    }

    /// Opens the next bin, or the one before.
    pub(super) fn open_bin_beside(&mut self, forward: bool) -> Vec<Effect> {
        let Some(count) = self.on_screen().map(|(run, _)| run.state.bins.len()).filter(|count| *count > 0) else {
            return Vec::new();
        };
        self.view.bin = (self.chosen_bin().unwrap_or(0) + if forward { 1 } else { count - 1 }) % count;
        let best = self.view.open_bin.as_ref().is_some_and(|bin_view| bin_view.best);
        self.open_bin();
        if let Some(bin_view) = &mut self.view.open_bin {
            bin_view.best = best;
        }
        self.read_details()
    }

    /// The newest figures or the best.
    pub(super) fn toggle_best(&mut self) -> Vec<Effect> {
        if let Some(bin_view) = &mut self.view.open_bin {
            bin_view.best = !bin_view.best;
            bin_view.shown = None;
        }
        self.read_details()
    }

    /// Has the details of the open bin read (again).
    pub(super) fn read_details(&self) -> Vec<Effect> {
        let (Some(bin_view), Some((run, live))) = (&self.view.open_bin, self.on_screen()) else { return Vec::new() };
        let journal = if live { None } else { self.history.chosen().map(|run| run.journal.clone()) };
        let branch = run.state.comparison.as_ref().and_then(|comparison| comparison.current);
        let branch = branch.and_then(|_| run.state.header.as_ref().map(|header| header.run_id.clone()));
        vec![Effect::ReadBin(BinRequest { journal, branch, bin: bin_view.bin.clone(), best: bin_view.best })]
    }

    /// Takes in what was read, unless something else is on screen by now.
    pub(super) fn bin_read(&mut self, request: &BinRequest, details: Result<BinDetails, String>) {
        if let Some(bin_view) = &mut self.view.open_bin
            && bin_view.bin == request.bin
            && bin_view.best == request.best
        {
            bin_view.shown = Some(details);
        }
    }

    /// Whether the details on screen are older than those on disk.
    pub(super) fn details_changed(&self, bin: &str) -> bool {
        let live = self.on_screen().is_some_and(|(_, live)| live);
        live && self.view.open_bin.as_ref().is_some_and(|bin_view| bin_view.bin == bin)
    }

    /// Drops the terminal's own pictures: it may have lost them.
    pub(in crate::tui) fn forget_pictures(&mut self) {
        if let Some(Ok(details)) = self.view.open_bin.as_mut().and_then(|bin_view| bin_view.shown.as_mut()) {
            details.pictures = RefCell::default();
        }
    }

    /// Moves among the bins of the table, or among the hardest pairs.
    pub(super) fn move_in_bins(&mut self, motion: Motion) -> bool {
        if let Some(bin_view) = &mut self.view.open_bin {
            let most = match &bin_view.shown {
                Some(Ok(details)) => details.detail.accepts.len().max(details.detail.rejects.len()),
                _ => 0,
            };
            bin_view.first = motion.moved(bin_view.first, most.saturating_sub(1));
            return true;
        }
        if let (true, Some(at)) = (self.chooses_bins(), self.chosen_bin()) {
            let last = self.on_screen().map_or(0, |(run, _): (&ShownRun, bool)| run.state.bins.len().saturating_sub(1));
            self.view.bin = motion.moved(at, last);
            return true;
        }
        false
    }
}
