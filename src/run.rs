//! A run as everyone outside the engine sees it: the journal on disk, the state folded from it, the folder that holds
//! both, and the list of past runs.

pub mod comparison;
pub mod history;
pub mod history_api;
pub mod journal;
pub mod launch;
pub mod machine;
pub mod state;
pub mod watch;
