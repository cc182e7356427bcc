//! The newest lines of a run's journal in memory, and where the older ones lie: what clients are served from.
//!
//! A line's place in the journal is its number. The recorder publishes and never waits; a client asks for what follows
//! the place it has come to. Whoever falls behind the lines kept here is sent to the journal, so nothing piles up for a
//! client that is slow.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Most lines kept.
const MAX_LINES: usize = 4096;

/// Most bytes kept.
const MAX_BYTES: usize = 4 << 20;

/// Longest wait before a client looks whether it is still wanted.
const WAIT: Duration = Duration::from_secs(5);

/// The lines.
#[derive(Debug)]
pub struct Hub {
    kept: Mutex<Kept>,
    news: Condvar,
}

#[derive(Debug)]
struct Kept {
    lines: VecDeque<Arc<[u8]>>,
    bytes: usize,
    /// Place of the first line kept.
    start: u64,
    /// Place behind the last line.
    end: u64,
    closed: bool,
}

/// What a client should do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Send these lines.
    Lines(Vec<Arc<[u8]>>),
    /// Read the journal up to this place.
    Journal(u64),
    /// There is nothing new; ask again.
    Nothing,
    /// The run ended, and the client has everything.
    Ended,
}

impl Hub {
    /// A hub for a journal that is `end` bytes long.
    pub const fn new(end: u64) -> Self {
        let kept = Kept { lines: VecDeque::new(), bytes: 0, start: end, end, closed: false };
        Self { kept: Mutex::new(kept), news: Condvar::new() }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a line known, its end included.
    pub fn publish(&self, line: &[u8]) {
        let mut kept = self.kept();
        kept.lines.push_back(line.into());
        kept.bytes += line.len();
        kept.end += line.len() as u64;
        while kept.lines.len() > MAX_LINES || kept.bytes > MAX_BYTES {
            let Some(first) = kept.lines.pop_front() else { break };
            kept.bytes -= first.len();
            kept.start += first.len() as u64;
        }
        drop(kept);
        self.news.notify_all();
    }

    /// No more lines will come.
    pub fn close(&self) {
        self.kept().closed = true;
        self.news.notify_all();
    }

    /// Has everyone who waits look around.
    pub fn wake(&self) {
        self.news.notify_all();
    }

    /// What follows the place `at`. Waits for it when `wait` is set: for some seconds, or until someone wakes.
    pub fn next(&self, at: u64, wait: bool) -> Next {
        let mut kept = self.kept();
        if wait && at >= kept.end && !kept.closed {
            kept = self.news.wait_timeout(kept, WAIT).unwrap_or_else(PoisonError::into_inner).0;
        }
        if at < kept.start {
            return Next::Journal(kept.start);
        }
        if at >= kept.end {
            return if kept.closed { Next::Ended } else { Next::Nothing };
        }
        let mut place = kept.start;
        let mut lines = Vec::new();
        for line in &kept.lines {
            if place >= at {
                lines.push(Arc::clone(line));
            }
            place += line.len() as u64;
        }
        Next::Lines(lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(next: Next) -> Vec<String> {
        let Next::Lines(lines) = next else { panic!("{next:?}") };
        lines.iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect()
    }

    #[test]
    fn a_client_gets_what_follows_its_place() {
        let hub = Hub::new(100);
        assert_eq!(hub.next(0, false), Next::Journal(100));
        assert_eq!(hub.next(100, false), Next::Nothing);
        hub.publish(b"one\n");
        hub.publish(b"three\n");
        assert_eq!(lines(hub.next(100, true)), ["one\n", "three\n"]);
        assert_eq!(lines(hub.next(104, true)), ["three\n"]);
        hub.close();
        assert_eq!(lines(hub.next(104, true)), ["three\n"]);
        assert_eq!(hub.next(110, true), Next::Ended);
    }

    #[test]
    fn who_falls_behind_is_sent_to_the_journal() {
        let hub = Hub::new(0);
        for _ in 0..MAX_LINES + 10 {
            hub.publish(b"1234\n");
        }
        assert_eq!(hub.next(5, false), Next::Journal(50));
        assert_eq!(lines(hub.next(50, false)).len(), MAX_LINES);
        let long = vec![b'x'; MAX_BYTES];
        hub.publish(&long);
        hub.publish(b"y\n");
        assert_eq!(hub.kept().bytes, 2, "no more than the limit is kept");
    }
}
