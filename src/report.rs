//! A run without a terminal: lines for people, JSON lines for programs, plots for papers.

pub mod bench;
pub mod branch_table;
pub mod evaluation_table;
pub mod headless;
pub mod plot;
pub mod roc_plot;
pub mod summary;
