//! Watches for disks that do not answer: a call on a network mount whose server is gone comes back when the server does, or never. Whoever
//! writes says when it begins and ends, and whoever must not wait looks whether that takes too long.
//!
//! For tests, `FACETUI_TEST_SILENT=2` makes two seconds too long, in builds with debug assertions.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a disk may say nothing before that is told.
const SILENCE_LIMIT: Duration = Duration::from_secs(30);

/// What a disk takes in a second at least, in bytes: longer files may take longer.
const SLOWEST: u64 = 10 << 20;

/// Between two checks of a thread that is waited for.
const CHECK_EVERY: Duration = Duration::from_millis(5);

/// The variable for tests.
const VARIABLE: &str = "FACETUI_TEST_SILENT";

/// How long a disk may say nothing before that is told, and before nobody waits for it any more.
pub fn silence_limit() -> Duration {
    static CHOSEN: OnceLock<Duration> = OnceLock::new();
    *CHOSEN.get_or_init(|| {
        let chosen = std::env::var(VARIABLE).ok().filter(|_| cfg!(debug_assertions));
        chosen.and_then(|text| text.parse().ok()).map_or(SILENCE_LIMIT, Duration::from_secs)
    })
}

/// What is being written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    /// The file.
    pub path: PathBuf,
    /// Position of its epoch in the history, from 1; 0 where none is meant.
    pub index: u32,
    /// About how long it is.
    pub bytes: u64,
}

#[derive(Debug)]
struct Begun {
    work: Work,
    at: Instant,
    told: bool,
}

impl Begun {
    /// Whether it takes longer than a disk that answers would.
    fn is_overdue(&self) -> bool {
        self.at.elapsed() >= silence_limit() + Duration::from_secs(self.work.bytes / SLOWEST)
    }
}

/// Work at a disk, looked at from other threads.
#[derive(Debug, Default)]
pub struct Watch(Mutex<Option<Begun>>);

impl Watch {
    fn begun(&self) -> MutexGuard<'_, Option<Begun>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Work begins.
    pub fn begin(&self, work: Work) {
        *self.begun() = Some(Begun { work, at: Instant::now(), told: false });
    }

    /// It ended. Whether it was told before that it takes too long.
    pub fn end(&self) -> bool {
        self.begun().take().is_some_and(|begun| begun.told)
    }

    /// Work that takes too long, once, and for how long it has.
    pub fn overdue(&self) -> Option<(Work, Duration)> {
        let mut begun = self.begun();
        let begun = begun.as_mut().filter(|begun| !begun.told && begun.is_overdue())?;
        begun.told = true;
        Some((begun.work.clone(), begun.at.elapsed()))
    }

    /// Whether work takes too long.
    pub fn is_overdue(&self) -> bool {
        self.begun().as_ref().is_some_and(Begun::is_overdue)
    }
}

/// The reason that is given for a disk that has not answered for so long.
pub fn silence_reason(time: Duration) -> String {
    format!("no answer from the disk for {} s", time.as_secs())
}

/// Waits for a thread, but no longer than `most`: whether it has ended. One that has not is left to itself.
pub fn join_within(thread: JoinHandle<()>, most: Duration) -> bool {
    let began = Instant::now();
    while !thread.is_finished() {
        if began.elapsed() >= most {
            return false;
        }
        std::thread::sleep(CHECK_EVERY);
    }
    // A panic of it was told.
    let _ = thread.join();
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_takes_too_long_is_told_once_and_longer_files_may_take_longer() {
        let watch = Watch::default();
        let work = |bytes| Work { path: "a.h5".into(), index: 3, bytes };
        let back = |seconds: u64| {
            let earlier = Instant::now().checked_sub(Duration::from_secs(seconds)).expect("the machine is up as long");
            watch.begun().as_mut().expect("has begun").at = earlier;
        };
        assert_eq!((watch.overdue(), watch.is_overdue(), watch.end()), (None, false, false));
        watch.begin(work(0));
        back(SILENCE_LIMIT.as_secs() - 5);
        assert_eq!((watch.overdue(), watch.is_overdue(), watch.end()), (None, false, false));
        watch.begin(work(0));
        back(SILENCE_LIMIT.as_secs() + 1);
        assert!(watch.is_overdue());
        let (told, time) = watch.overdue().expect("is told");
        assert!(told == work(0) && time > SILENCE_LIMIT, "{told:?} {time:?}");
        assert_eq!((watch.overdue(), watch.is_overdue()), (None, true), "once");
        assert!(watch.end() && !watch.end());
        watch.begin(work(100 * SLOWEST));
        back(SILENCE_LIMIT.as_secs() + 50);
        assert!(!watch.is_overdue());
    }

    #[test]
    fn a_thread_that_does_not_end_is_left() {
        let (end, wait) = std::sync::mpsc::channel::<()>();
        let stuck = std::thread::spawn(move || {
            let _ = wait.recv();
        });
        assert!(!join_within(stuck, Duration::from_millis(20)));
        drop(end);
        assert!(join_within(std::thread::spawn(|| ()), Duration::from_mins(1)));
    }
}
