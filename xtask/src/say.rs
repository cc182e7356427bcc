//! The only place that prints: what is being done goes to standard error, so that standard output stays the program's.
#![expect(clippy::print_stderr, clippy::print_stdout, reason = "a command-line tool speaks to its user here")]

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use crate::failure::Failure;

/// One line about what is being done.
pub fn step(line: &str) {
    eprintln!("xtask: {line}");
}

/// A line of another tool, indented under the step it belongs to.
pub fn detail(line: &str) {
    eprintln!("  {line}");
}

/// The failure that ends the task.
pub fn failure(failure: &Failure) {
    eprintln!("{failure}");
}

/// What another program prints, as it comes; nobody reads it any more when that fails.
pub fn pass_on(bytes: &[u8]) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(bytes).and_then(|()| out.flush());
}

/// What the user asked to read.
pub fn answer(text: &str) {
    println!("{text}");
}

/// Whether a progress bar can be drawn.
pub fn on_terminal() -> bool {
    io::stderr().is_terminal() && io::stdout().is_terminal()
}

/// `0.6 s`, `41 s`, `3 min 5 s`.
pub fn duration(elapsed: Duration) -> String {
    match elapsed.as_secs() {
        0..10 => format!("{:.1} s", elapsed.as_secs_f64()),
        seconds @ 10..60 => format!("{seconds} s"),
        seconds => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

/// Bytes as `87 MB` or `1.5 GB`, in powers of ten as download pages count.
pub fn size(bytes: u64) -> String {
    if bytes < 1_000_000_000 {
        format!("{} MB", bytes.div_ceil(1_000_000))
    } else {
        format!("{:.1} GB", bytes as f64 / 1e9)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_durations_read_well() {
        assert_eq!(size(86_200_000), "87 MB");
        assert_eq!(size(1_520_000_000), "1.5 GB");
        assert_eq!(duration(Duration::from_millis(640)), "0.6 s");
        assert_eq!(duration(Duration::from_secs(41)), "41 s");
        assert_eq!(duration(Duration::from_secs(185)), "3 min 5 s");
    }
}
