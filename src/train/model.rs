//! The network that a run starts from: built, or read from a file; with pretrained weights; with the head of a stage.

pub mod pretrained;
pub mod start;

pub use start::{Start, fits, head_kind, head_note, keep_head, start, take_apart, with_head};
