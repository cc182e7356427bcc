//! Processes that a test starts and signals, and waiting for what they do.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Longest that anything may take, on a machine that has other things to do.
pub const PATIENCE: Duration = Duration::from_mins(3);

/// Waits until something is so.
pub fn until(what: &str, mut so: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < end, "it never came that {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Sends a signal to a process of this test.
pub fn send(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid as i32).expect("a process"), signal).expect("sends");
}

/// What a test's process may last in all.
const LONGEST: Duration = Duration::from_mins(10);

/// Kills a process that neither ends nor says what is waited for while this is held, so that the test ends too.
pub struct Watchdog {
    _held: Sender<()>,
}

/// Watches a process until the watchdog is dropped.
pub fn watchdog(pid: u32) -> Watchdog {
    let (held, dropped) = channel();
    std::thread::spawn(move || {
        if dropped.recv_timeout(LONGEST) == Err(RecvTimeoutError::Timeout) {
            let _ = kill_process(Pid::from_raw(pid as i32).expect("a process"), Signal::KILL);
        }
    });
    Watchdog { _held: held }
}
