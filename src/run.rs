//! A run as everyone outside the engine sees it: the journal on disk, the state folded from it, the folder that holds
//! both, the process behind it, the socket that others attach to, and the list of past runs.

mod claim;
pub mod comparison;
pub mod find;
pub mod follow;
pub mod history;
pub mod history_api;
pub mod journal;
pub mod launch;
pub mod live;
pub mod lock;
pub mod machine;
mod presence;
mod recorder;
mod scribe;
pub mod socket;
pub mod state;
pub mod watch;
