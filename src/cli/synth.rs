//! `facetui synth`: draws a data set, with progress on the standard error.

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::{Failure, say};
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
    generate(&request.folder, &options, &|done, total| progress.tell(done, total))
        .map_err(|error| Failure::Run(miette::Report::new(error)))?;
    Ok(())
}

/// A line that is rewritten on a terminal, a line every few seconds elsewhere.
struct Progress {
    terminal: bool,
    last: Mutex<Option<Instant>>,
}

impl Progress {
    fn new() -> Self {
        Self { terminal: std::io::stderr().is_terminal(), last: Mutex::new(None) }
    }

    fn tell(&self, done: u64, total: u64) {
        let every = if self.terminal { Duration::from_millis(100) } else { Duration::from_secs(5) };
        let Ok(mut last) = self.last.lock() else { return };
        if last.is_some_and(|last| last.elapsed() < every) && done < total {
            return;
        }
        *last = Some(Instant::now());
        let end = if self.terminal && done < total { "\r" } else { "\n" };
        let _ = write!(std::io::stderr(), "drawing faces: {done} of {total}{end}");
    }
}
