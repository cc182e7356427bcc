//! What a training step computes, how much it asks of libtorch, and the memory that it takes. The counters, the random
//! numbers and the peak of the memory are the whole process's: every test here runs alone.

#![expect(clippy::print_stderr, reason = "what was measured is printed")]

mod backbone_steps;
mod head_memory;
mod memory;
mod memory_plan;
mod saving_memory;
mod scale;
mod step_counts;

#[path = "../support/alone.rs"]
mod alone;
