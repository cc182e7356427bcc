//! Why a task could not be done, and what to do about it.

use std::fmt;
use std::io;
use std::path::Path;

/// A failure as it is shown: what went wrong, and a hint that helps.
#[derive(Debug)]
pub struct Failure {
    what: String,
    help: Option<String>,
    usage: bool,
}

/// What every step of a task returns.
pub type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    /// A failure with no hint; lower case, no final period.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), help: None, usage: false }
    }

    /// A wrong command line.
    pub fn usage(what: impl Into<String>) -> Self {
        Self { what: what.into(), help: Some("`cargo xtask help` lists the tasks".into()), usage: true }
    }

    /// A file operation that failed.
    pub fn io(doing: &str, path: &Path, error: &io::Error) -> Self {
        Self::new(format!("cannot {doing} `{}`: {error}", path.display()))
    }

    /// Adds what to do about it.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// 2 for a wrong command line, 1 for everything else.
    pub fn exit_code(&self) -> u8 {
        if self.usage { 2 } else { 1 }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.what)?;
        self.help.as_ref().map_or(Ok(()), |help| write!(f, "\n  help: {help}"))
    }
}
