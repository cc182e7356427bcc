//! What is checked and measured outside training: the schedule's files, the device, the speed; and faults that tests ask for.

pub mod bench;
pub mod device;
pub mod fault;
pub mod preflight;
