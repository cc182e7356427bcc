//! Where training stands: in memory between stages ([`train_state`], [`start_point`]), in checkpoints ([`saved`]), and in the
//! files that an interrupted run left ([`unfinished`]).

pub mod branch_table;
pub mod header;
pub mod progress;
pub mod saved;
pub mod start_point;
pub mod train_state;
pub mod unfinished;
