//! The journal: a run's events as JSON lines, appended as they happen. It is the one record that everything about a run
//! is folded from, so it survives a torn last line and events of a newer facetui.
//!
//! | file | what it does |
//! |---|---|
//! | `file` | where the journal lies |
//! | `line` | one record as a line, with its checksum |
//! | `writer` | appends records to one journal file |
//! | `run_journals` | the journal of the whole run, and that of the branch being trained |
//! | `thread` | the thread that writes them |
//! | `reader` | reads a journal, without what a resumed run took back |
//! | `tail` | follows a journal as it grows |

mod file;
mod line;
mod reader;
pub(super) mod run_journals;
pub mod tail;
pub(super) mod thread;
mod writer;

pub use self::file::{FILE_NAME, path};
pub use self::line::{is_damaged, line, parse};
pub use self::reader::{damaged_line_warning, push, read, read_noting_damage, truncate_at};
pub use self::writer::JournalWriter;

#[cfg(test)]
mod tests;
