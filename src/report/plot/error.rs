//! Why there is no plot.

use std::path::PathBuf;

use crate::checkpoint::CheckpointError;

/// Most runs of one plot.
pub const MAX_RUNS: usize = 24;

/// Why there is no plot.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum PlotError {
    /// The file's name does not say what it is to be.
    #[error("`{}` is neither an SVG nor a PNG file", .0.display())]
    #[diagnostic(help("give a file name that ends with `.svg` (for papers and browsers) or `.png`"))]
    Extension(PathBuf),
    /// There is no such run.
    #[error("there is no run `{name}`")]
    Missing {
        /// What was asked for.
        name: String,
        /// What there is.
        #[help]
        help: String,
    },
    /// A journal or a history cannot be read.
    #[error("`{}` cannot be plotted: {reason}", path.display())]
    #[diagnostic(help("give a run's folder, its name under `runs/`, or a `_hist.json` file"))]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// Nothing was trained yet.
    #[error("`{0}` has no finished epoch to plot")]
    #[diagnostic(help("wait for its first epoch to end"))]
    Empty(String),
    /// Too many curves to tell apart.
    #[error("{0} runs are more than one plot can show ({MAX_RUNS})")]
    #[diagnostic(help("make several plots"))]
    TooMany(usize),
    /// The picture cannot be made.
    #[error("the picture cannot be drawn: {0}")]
    #[diagnostic(help("choose a smaller `--size`"))]
    Raster(String),
    /// The file cannot be written.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Write(#[from] CheckpointError),
}
