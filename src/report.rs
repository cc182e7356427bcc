//! A run without a terminal: lines for people, JSON lines for programs.

pub mod comparison;
pub mod evaluation;
pub mod headless;
pub mod roc;
pub mod summary;
