//! The history: past runs, listed, opened, filtered, tagged, compared and deleted.
//!
//! | file | what it does |
//! |---|---|
//! | `source` | a past run as a row, and what a source of past runs can do |
//! | `index` | the runs under a folder, as such a source |
//! | `hist_json` | bare `_hist.json` files as runs |
//! | `filter` | which runs of a list are shown |
//! | `tags` | tags and notes |
//! | `figures` | a run's figures, to be compared with a baseline's |
//! | `schedule_diff` | schedules line by line |
//! | `trash` | deleted runs |

pub mod figures;
pub mod filter;
mod hist_json;
mod index;
pub mod schedule_diff;
mod source;
mod tags;
mod trash;

pub use self::index::HistoryIndex;
pub use self::source::{HistorySource, Marks, PastRun};
