//! How other processes on this machine find a run while it trains.
//!
//! | file | what it does |
//! |---|---|
//! | `registry` | the list of live runs, a small file each in the user's cache folder |
//! | `announcement` | a run's process lock, its socket and its entry in the registry, while it trains |

pub(super) mod announcement;
pub mod registry;
