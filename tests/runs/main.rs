//! Runs under what happens to them: faults, kills, signals, terminals, sockets, and time.

mod attach;
mod bad_data;
mod fault_places;
mod faults;
mod grace;
mod keys;
mod kill_resume;
mod memory_shortage;
mod panics;
mod recovery;
mod run_control;
mod silence;
mod terminal;
mod tui_terminal;

#[path = "../support/fault_library.rs"]
mod fault_library;
#[path = "../support/place.rs"]
mod place;
#[path = "../support/process.rs"]
mod process;
#[path = "../support/pty.rs"]
mod pty;
