//! A run without a terminal: lines for people, JSON lines for programs.

pub mod comparison;
pub mod headless;
pub mod summary;
