//! `facetui plot`: runs and histories as a figure.

use std::path::PathBuf;

use super::failure::Failure;
use super::output::say;
use crate::report::plot::figure::Look;
use crate::report::plot::split::Split;
use crate::report::plot::{Format, PlotError, source, write};

/// A plot that was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Runs and histories, as named.
    pub names: Vec<String>,
    /// The file to write.
    pub output: PathBuf,
    /// The folder of runs.
    pub runs: PathBuf,
    /// Stages as the user tells them.
    pub split: Option<Split>,
    /// Title, size, axes.
    pub look: Look,
}

/// Writes the plot and says so.
pub(super) fn plot(request: &Request) -> Result<(), Failure> {
    let failure = |error: PlotError| match error {
        PlotError::Extension(_) | PlotError::Missing { .. } | PlotError::TooMany(_) => Failure::Usage(error.into()),
        _ => Failure::Run(error.into()),
    };
    Format::of(&request.output).map_err(failure)?;
    let mut runs = source::load(&request.names, &request.runs).map_err(failure)?;
    if let Some(split) = &request.split {
        for run in &mut runs {
            run.split(split);
        }
    }
    write(&runs, &request.look, &request.output).map_err(failure)?;
    let epochs: usize = runs.iter().map(crate::report::plot::curves::Curves::epochs).sum();
    let what = if runs.len() == 1 { "1 run".to_owned() } else { format!("{} runs", runs.len()) };
    say(&format!("wrote `{}`: {what}, {epochs} epochs\n", request.output.display()));
    Ok(())
}

/// Reads `WIDTHxHEIGHT`.
pub(super) fn size(text: &str) -> Result<(u32, u32), String> {
    let wrong = || format!("`{text}` is not a size; write WIDTHxHEIGHT in pixels, for example 960x380");
    let (width, height) = text.split_once(['x', 'X', '×']).ok_or_else(wrong)?;
    let side = |side: &str| side.trim().parse::<u32>().map_err(|_error| wrong());
    let (width, height) = (side(width)?, side(height)?);
    if !(300..=4000).contains(&width) || !(200..=4000).contains(&height) {
        return Err(format!("`{text}` is out of range; widths go from 300 to 4000, heights from 200 to 4000"));
    }
    Ok((width, height))
}
