//! How far a long command is, on the standard error.

use std::io::{IsTerminal as _, Write as _};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// A line that is rewritten on a terminal, a line every few seconds elsewhere.
pub(super) struct Progress {
    terminal: bool,
    state: Mutex<State>,
}

struct State {
    last: Option<Instant>,
    /// Whether the cursor stands in an unfinished line.
    open: bool,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self { terminal: std::io::stderr().is_terminal(), state: Mutex::new(State { last: None, open: false }) }
    }

    /// Says how far it is, when it is time to; at the `end` always. `text` is one line.
    pub(super) fn tell(&self, text: impl FnOnce() -> String, end: bool) {
        let every = if self.terminal { Duration::from_millis(100) } else { Duration::from_secs(5) };
        let Ok(mut state) = self.state.lock() else { return };
        if state.last.is_some_and(|last| last.elapsed() < every) && !end {
            return;
        }
        state.last = Some(Instant::now());
        let text = text();
        let mut out = std::io::stderr();
        let _ = match (self.terminal, end) {
            (true, false) => write!(out, "\r\u{1b}[K{text}"),
            (true, true) => writeln!(out, "\r\u{1b}[K{text}"),
            (false, _) => writeln!(out, "{text}"),
        };
        state.open = self.terminal && !end;
        let _ = out.flush();
    }

    /// `done` of `total` of what is counted, `faces drawn` for instance.
    pub(super) fn count(&self, what: &str, done: u64, total: u64) {
        self.tell(|| format!("{what}: {done} of {total}"), done == total);
    }

    /// A line of its own.
    pub(super) fn line(&self, text: &str) {
        let Ok(mut state) = self.state.lock() else { return };
        let clear = if state.open { "\r\u{1b}[K" } else { "" };
        state.open = false;
        // A path may hold anything: control characters never reach the terminal.
        let text: String = text.chars().filter(|character| !character.is_control()).collect();
        let _ = writeln!(std::io::stderr(), "{clear}{text}");
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.state.get_mut().is_ok_and(|state| state.open) {
            let _ = writeln!(std::io::stderr());
        }
    }
}
