//! Progress on the standard error: a line that is rewritten on a terminal, a line every few seconds elsewhere.

use std::io::{IsTerminal as _, Write as _};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Where it stands; may be told from any thread.
pub(super) struct Progress {
    terminal: bool,
    last: Mutex<Option<Instant>>,
}

impl Progress {
    /// Nothing told yet.
    pub(super) fn new() -> Self {
        Self { terminal: std::io::stderr().is_terminal(), last: Mutex::new(None) }
    }

    /// `done` of `total` of what is counted, `faces drawn` for instance.
    pub(super) fn tell(&self, what: &str, done: u64, total: u64) {
        let every = if self.terminal { Duration::from_millis(100) } else { Duration::from_secs(5) };
        let Ok(mut last) = self.last.lock() else { return };
        if last.is_some_and(|last| last.elapsed() < every) && done < total {
            return;
        }
        *last = Some(Instant::now());
        // What was longer before is wiped away.
        let (start, end) = match (self.terminal, done < total) {
            (true, true) => ("\r\u{1b}[K", ""),
            (true, false) => ("\r\u{1b}[K", "\n"),
            (false, _) => ("", "\n"),
        };
        let _ = write!(std::io::stderr(), "{start}{what}: {done} of {total}{end}");
    }
}
