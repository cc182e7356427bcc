//! When the next snapshot of a run is due.

use std::time::{Duration, Instant};

use crate::schedule::Snapshot;

/// Counts time and steps since the state was kept last.
#[derive(Debug)]
pub struct SnapshotTimer {
    every: Option<Duration>,
    steps: Option<u64>,
    last: Instant,
    since: u64,
}

impl SnapshotTimer {
    /// As a schedule asks.
    pub fn new(asked: Snapshot) -> Self {
        let every = asked.minutes.map(|minutes| Duration::from_secs_f64(minutes * 60.0));
        Self { every, steps: asked.steps, last: Instant::now(), since: 0 }
    }

    /// Counts a step.
    pub const fn step(&mut self) {
        self.since += 1;
    }

    /// Whether it is time, and there is something new to keep.
    pub fn is_due(&self) -> bool {
        self.since > 0
            && (self.steps.is_some_and(|steps| self.since >= steps)
                || self.every.is_some_and(|every| self.last.elapsed() >= every))
    }

    /// The state was kept.
    pub fn taken(&mut self) {
        self.last = Instant::now();
        self.since = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whichever_comes_first_counts() {
        let mut timer = SnapshotTimer::new(Snapshot { minutes: Some(1000.0), steps: Some(2) });
        assert!(!timer.is_due());
        timer.step();
        assert!(!timer.is_due());
        timer.step();
        assert!(timer.is_due());
        timer.taken();
        assert!(!timer.is_due());
        let mut at_once = SnapshotTimer::new(Snapshot { minutes: Some(1e-12), steps: None });
        assert!(!at_once.is_due(), "nothing is new");
        at_once.step();
        assert!(at_once.is_due());
        let mut never = SnapshotTimer::new(Snapshot { minutes: None, steps: None });
        never.step();
        assert!(!never.is_due());
    }
}
