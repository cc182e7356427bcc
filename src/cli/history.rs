//! `facetui` without a schedule: opens the history of past runs.

use std::io::IsTerminal as _;
use std::path::Path;

use super::failure::Failure;
use super::follow_up::FollowUp;
use super::screen::{settings, state_file};
use crate::run::history::HistoryIndex;
use crate::tui;

/// Opens the history of the folder `runs`, without a run; gives what its user chose.
pub(super) fn history(runs: &Path) -> Result<Option<FollowUp>, Failure> {
    if !std::io::stdout().is_terminal() {
        return Err(Failure::Usage(miette::miette!(
            help = "give a schedule to train, or see `facetui --help`",
            "the history needs a terminal"
        )));
    }
    let options = tui::TuiOptions { settings: settings()?, state_file: state_file(), ..tui::TuiOptions::default() };
    let left = tui::run(None, Box::new(HistoryIndex::new(runs)), options)
        .map_err(|error| Failure::Run(miette::Report::new(error)))?;
    Ok(FollowUp::of(left.then, runs))
}
