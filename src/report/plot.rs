//! Plots of runs, as the reference's `hist_plot` draws them: loss, accuracy and evaluation accuracies side by side, the
//! stages named, the best points marked with their values. As SVG or PNG, for papers.
//!
//! | file | what it does |
//! |---|---|
//! | `curves`, `split`, `source` | what is plotted: from a journal or a history |
//! | `figure`, `panel`, `stages`, `table`, `axis`, `labels` | where everything lies |
//! | `scene`, `font` | shapes, and the widths of texts |
//! | `svg`, `png` | the files |

mod axis;
pub mod curves;
mod error;
pub mod figure;
mod font;
mod labels;
mod panel;
mod png;
pub(in crate::report) mod scene;
pub mod source;
pub mod split;
mod stages;
mod svg;
mod table;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use crate::checkpoint::CheckpointError;
use crate::checkpoint::atomic::write_atomically;

pub use self::error::{MAX_RUNS, PlotError};
use curves::Curves;
use figure::Look;

/// What a plot is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Text with shapes.
    Svg,
    /// Pixels, two for each of the figure's in both directions.
    Png,
}

impl Format {
    /// The format that a file's name asks for.
    ///
    /// # Errors
    /// It ends in neither `.svg` nor `.png`.
    pub fn of(path: &Path) -> Result<Self, PlotError> {
        match path.extension().and_then(|end| end.to_str()).map(str::to_ascii_lowercase).as_deref() {
            Some("svg") => Ok(Self::Svg),
            Some("png") => Ok(Self::Png),
            _ => Err(PlotError::Extension(path.to_path_buf())),
        }
    }
}

/// The bytes of a plot.
///
/// # Errors
/// More than [`MAX_RUNS`] runs, or a picture that does not fit into the memory.
pub fn render(runs: &[Curves], look: &Look, format: Format) -> Result<Vec<u8>, PlotError> {
    if runs.len() > MAX_RUNS {
        return Err(PlotError::TooMany(runs.len()));
    }
    encode(&figure::draw(runs, look), format)
}

/// The bytes of a drawing.
///
/// # Errors
/// A picture that does not fit into the memory.
pub(in crate::report) fn encode(scene: &scene::Scene, format: Format) -> Result<Vec<u8>, PlotError> {
    match format {
        Format::Svg => Ok(svg::render(scene).into_bytes()),
        Format::Png => png::render(scene).map_err(PlotError::Raster),
    }
}

/// Writes a plot, whole or not at all.
///
/// # Errors
/// As [`render`], and a folder that cannot be written.
pub fn write(runs: &[Curves], look: &Look, path: &Path) -> Result<(), PlotError> {
    let bytes = render(runs, look, Format::of(path)?)?;
    write_atomically(path, |temporary| {
        std::fs::write(temporary, &bytes)
            .map_err(|error| CheckpointError::Write { path: path.to_path_buf(), reason: error.to_string() })
    })?;
    Ok(())
}

/// Plots runs by their journals or `_hist.json` files, and gives the plot's path: `plot.svg` beside the journal of one,
/// `<name>_plot.svg` beside a history, and `compared.svg` among the runs for several.
///
/// # Errors
/// A journal that cannot be read or has no finished epoch, and as [`write()`].
pub fn beside(journals: &[PathBuf]) -> Result<PathBuf, PlotError> {
    let names: Vec<String> = journals.iter().map(|path| path.to_string_lossy().into_owned()).collect();
    let runs = source::load(&names, Path::new("runs"))?;
    let first = journals.first().map_or(Path::new(""), PathBuf::as_path);
    let bare = first.file_name().is_none_or(|name| name != crate::run::journal::FILE_NAME);
    let path = if journals.len() > 1 {
        let folder = if bare { first.parent() } else { first.parent().and_then(Path::parent) };
        folder.unwrap_or(Path::new("")).join("compared.svg")
    } else if bare {
        let stem = first.file_stem().unwrap_or_default().to_string_lossy();
        first.with_file_name(format!("{}_plot.svg", stem.strip_suffix("_hist").unwrap_or(&stem)))
    } else {
        first.with_file_name("plot.svg")
    };
    write(&runs, &Look::default(), &path)?;
    Ok(path)
}
