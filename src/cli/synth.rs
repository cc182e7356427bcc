//! `facetui synth`: draws a data set, with progress on the standard error.

use std::path::PathBuf;

use super::failure::Failure;
use super::output::say;
use super::progress::Progress;
use crate::synth::{SynthOptions, generate};

/// What to draw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Folder to make it in.
    pub folder: PathBuf,
    /// Number of identities.
    pub identities: u32,
    /// Images of each.
    pub images: u32,
    /// Seed.
    pub seed: u64,
    /// Whether evaluation bins are made too.
    pub bins: bool,
}

/// Draws the data set and says where it is.
pub(super) fn synth(request: &Request) -> Result<(), Failure> {
    draw(request)?;
    say(&format!(
        "drew {} identities of {} images in `{}`\n",
        request.identities,
        request.images,
        request.folder.display()
    ));
    Ok(())
}

/// Draws the data set; at once when it is there.
pub(super) fn draw(request: &Request) -> Result<(), Failure> {
    let options =
        SynthOptions { identities: request.identities, images: request.images, seed: request.seed, bins: request.bins };
    let progress = Progress::new();
    generate(&request.folder, &options, &|done, total| progress.count("faces drawn", done, total))
        .map_err(|error| Failure::Run(miette::Report::new(error)))?;
    Ok(())
}
