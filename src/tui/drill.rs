//! Looking into a bin: which one, what was read of it, and which of its hardest pairs are on screen.

use std::cell::RefCell;

use crate::eval::detail::Detail;
use crate::eval::hardest_pairs::Face;

use super::action::{Effect, Motion};
use super::app::App;
use super::layout::Pane;
use super::picture::Pictures;
use super::view::moved;
use super::watched::Watched;

/// A bin's details to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// The journal beside which they lie; the live run's when none is given.
    pub(super) journal: Option<std::path::PathBuf>,
    /// The run of the branch that is trained, when its folder is another.
    pub(super) branch: Option<String>,
    /// The bin.
    pub(super) bin: String,
    /// The best figures so far instead of the newest.
    pub(super) best: bool,
}

/// What was read.
#[derive(Debug)]
pub struct Look {
    /// The figures and the pairs.
    pub(super) detail: Detail,
    /// The faces of the pairs, those accepted wrongly first; empty when they cannot be shown.
    pub(super) faces: Vec<[Face; 2]>,
    /// Why not.
    pub(super) blind: Option<String>,
    /// Faces in the terminal's own pictures, made when they are drawn first.
    pub(super) pictures: RefCell<Pictures>,
}

impl Look {
    /// Decodes the faces of what was read.
    pub(super) fn new(detail: Detail) -> Self {
        let (faces, blind) = match detail.faces() {
            Ok(faces) if faces.is_empty() => (faces, Some("no faces were kept".to_owned())),
            Ok(faces) => (faces, None),
            Err(reason) => (Vec::new(), Some(reason)),
        };
        Self { detail, faces, blind, pictures: RefCell::default() }
    }
}

/// The bin that is looked into.
#[derive(Debug)]
pub(super) struct Drill {
    pub(super) bin: String,
    pub(super) best: bool,
    /// The first of the hardest pairs on screen, in each of the two rows.
    pub(super) first: usize,
    /// Only the pairs of one person, where there is room for one row.
    pub(super) rejects: bool,
    /// What was read; none while it is being read.
    pub(super) shown: Option<Result<Look, String>>,
}

impl App {
    /// The bin that is chosen in the table of the run on screen.
    pub(super) fn chosen_bin(&self) -> Option<usize> {
        let (run, _) = self.on_screen()?;
        let last = run.state.bins.len().checked_sub(1)?;
        Some(self.view.bin.min(last))
    }

    /// Whether the arrow keys choose a bin.
    pub(super) fn chooses_bins(&self) -> bool {
        self.view.focus == Pane::Evaluation && self.view.drill.is_none() && self.chosen_bin().is_some()
    }

    /// Opens the chosen bin.
    pub(super) fn open_bin(&mut self) -> Vec<Effect> {
        let Some(at) = self.chosen_bin() else { return Vec::new() };
        let bin = self.on_screen().map(|(run, _)| run.state.bins[at].name.clone()).unwrap_or_default();
        self.view.bin = at;
        self.view.drill = Some(Drill { bin, best: false, first: 0, rejects: false, shown: None });
        self.read_details()
    }

    /// Opens the next bin, or the one before.
    pub(super) fn look_beside(&mut self, forward: bool) -> Vec<Effect> {
        let Some(count) = self.on_screen().map(|(run, _)| run.state.bins.len()).filter(|count| *count > 0) else {
            return Vec::new();
        };
        self.view.bin = (self.chosen_bin().unwrap_or(0) + if forward { 1 } else { count - 1 }) % count;
        let best = self.view.drill.as_ref().is_some_and(|drill| drill.best);
        self.open_bin();
        if let Some(drill) = &mut self.view.drill {
            drill.best = best;
        }
        self.read_details()
    }

    /// The newest figures or the best.
    pub(super) fn toggle_best(&mut self) -> Vec<Effect> {
        if let Some(drill) = &mut self.view.drill {
            drill.best = !drill.best;
            drill.shown = None;
        }
        self.read_details()
    }

    /// Has the details of the open bin read (again).
    pub(super) fn read_details(&self) -> Vec<Effect> {
        let (Some(drill), Some((run, live))) = (&self.view.drill, self.on_screen()) else { return Vec::new() };
        let journal = if live { None } else { self.history.chosen().map(|run| run.journal.clone()) };
        let branch = run.state.comparison.as_ref().and_then(|comparison| comparison.current);
        let branch = branch.and_then(|_| run.state.header.as_ref().map(|header| header.run_id.clone()));
        vec![Effect::Look(Wish { journal, branch, bin: drill.bin.clone(), best: drill.best })]
    }

    /// Takes in what was read, unless something else is wanted by now.
    pub(super) fn looked(&mut self, wish: &Wish, look: Result<Look, String>) {
        if let Some(drill) = &mut self.view.drill
            && drill.bin == wish.bin
            && drill.best == wish.best
        {
            drill.shown = Some(look);
        }
    }

    /// Whether the details on screen are older than those on disk.
    pub(super) fn details_changed(&self, bin: &str) -> bool {
        let live = self.on_screen().is_some_and(|(_, live)| live);
        live && self.view.drill.as_ref().is_some_and(|drill| drill.bin == bin)
    }

    /// Forgets the terminal's own pictures: it may have lost them.
    pub(super) fn forget_pictures(&mut self) {
        if let Some(Ok(look)) = self.view.drill.as_mut().and_then(|drill| drill.shown.as_mut()) {
            look.pictures = RefCell::default();
        }
    }

    /// Moves among the bins of the table, or among the hardest pairs.
    pub(super) fn move_in_bins(&mut self, motion: Motion) -> bool {
        if let Some(drill) = &mut self.view.drill {
            let most = match &drill.shown {
                Some(Ok(look)) => look.detail.accepts.len().max(look.detail.rejects.len()),
                _ => 0,
            };
            drill.first = moved(drill.first, most.saturating_sub(1), motion);
            return true;
        }
        if let (true, Some(at)) = (self.chooses_bins(), self.chosen_bin()) {
            let last = self.on_screen().map_or(0, |(run, _): (&Watched, bool)| run.state.bins.len().saturating_sub(1));
            self.view.bin = moved(at, last, motion);
            return true;
        }
        false
    }
}
