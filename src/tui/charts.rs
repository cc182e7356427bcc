//! Line charts: curves in data coordinates become axes, dots and marks in a ratatui buffer.
//!
//! The panes hand over curves that are thin enough to draw (see `downsampling`). NaN is a gap. No plotting crate draws them:
//! raw curves must lie behind smoothed ones, and marks, bands and the crosshair between and over them.
//!
//! | file | what it does |
//! |---|---|
//! | `chart` | what a chart shows |
//! | `render` | draws it, with the files below |
//! | `geometry` | data coordinates to cells and back |
//! | `axis` | ranges, ticks and their labels |
//! | `raster` | lines to dots, dots to braille or letters |
//! | `marks` | stages, best points, NaN, the crosshair, the selection |
//! | `x_axis` | steps, epochs and time |
//! | `options` | what the user chose: x axis, window, smoothing |
//! | `series`, `smoothing`, `downsampling` | curves of millions of points |

mod axis;
mod chart;
pub(super) mod downsampling;
mod geometry;
mod marks;
pub(super) mod options;
mod raster;
mod render;
pub(super) mod series;
mod smoothing;
#[cfg(test)]
mod tests;
pub(super) mod x_axis;

pub(super) use chart::{Best, Chart, Cross, Curve, Stroke, Unit};
pub(super) use geometry::Geometry;
pub(super) use raster::letter;
