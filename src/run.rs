//! A run as everyone outside the engine sees it: the journal on disk, the state folded from it, the folder that holds
//! both, the process behind it, the socket that others attach to, and the history of past runs.
//!
//! | room | what it does |
//! |---|---|
//! | `launch`, `recorder`, `log`, `clock` | start a run, and hand its events on |
//! | `journal` | the events on disk: lines, writing, reading, following |
//! | `state` | the events folded into what screens and reports show |
//! | `lints` | warnings over that state |
//! | `lock`, `live` | the checkpoint lock, the process lock, the registry of live runs |
//! | `find` | the run that a user names, live, ended or killed |
//! | `socket` | its protocol, server and client |
//! | `machine` | samples of processor, memory, disk and GPUs |
//! | `history` | past runs |

mod clock;
pub mod find;
pub mod history;
pub mod journal;
pub mod launch;
pub mod lints;
pub mod live;
pub mod lock;
pub mod log;
pub mod machine;
mod recorder;
pub mod socket;
pub mod state;
