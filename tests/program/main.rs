//! The program as a user runs it: its command line on real files, from a schedule to what lies beside it afterwards.

mod branches;
mod center_loss;
mod command_line;
mod hostile_files;
mod models;
mod plot;
mod prepare;
mod prepare_bins;
mod schedules;
mod stages;

#[path = "../support/place.rs"]
mod place;
