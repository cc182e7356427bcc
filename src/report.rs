//! A run without a terminal: lines for people, JSON lines for programs, plots for papers.

pub mod bench;
pub mod comparison;
pub mod evaluation;
pub mod headless;
pub mod plot;
pub mod roc;
pub mod summary;
