//! What becomes of a panic: the first one of any thread of a run ends the run in order, with its state saved, and leaves a
//! report in the run's folder. Where a panic is a way to fail like any other (a decoder that meets nonsense), it is
//! [`expected`] and ends nothing.
//!
//! For tests, `FACETUI_TEST_PANIC=saver:3` makes the third pass of a place of that name panic, in builds with debug
//! assertions.

use std::any::Any;
use std::backtrace::Backtrace;
use std::cell::Cell;
use std::fmt::Write as _;
use std::io::Write as _;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

/// The report's name in a run's folder.
pub const REPORT: &str = "panic.txt";

/// The thread that catches its own panics.
const ENGINE: &str = "engine";

/// The variable for tests.
const VARIABLE: &str = "FACETUI_TEST_PANIC";

thread_local! {
    static EXPECTED: Cell<u32> = const { Cell::new(0) };
}

/// The first panic that ends the run, and where reports go.
static SEEN: Mutex<Seen> = Mutex::new(Seen { report: None, written: false, end: None });

struct Seen {
    report: Option<PathBuf>,
    written: bool,
    end: Option<String>,
}

fn seen() -> std::sync::MutexGuard<'static, Seen> {
    SEEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs something whose panic is no fault of the run.
///
/// # Errors
/// What it panicked with.
pub fn expected<T>(work: impl FnOnce() -> T) -> Result<T, Box<dyn Any + Send>> {
    EXPECTED.set(EXPECTED.get() + 1);
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    EXPECTED.set(EXPECTED.get() - 1);
    result
}

/// From now on a panic of this process leaves a report in `folder`, and one of another thread than the engine's, which
/// catches its own, is [`happened`].
pub fn install_hook(folder: &Path) {
    seen().report = Some(folder.join(REPORT));
    let print = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("without a name");
        if EXPECTED.get() == 0 {
            note(name, info);
        }
        // The engine's panics come as events.
        if name != ENGINE {
            print(info);
        }
    }));
}

fn note(thread: &str, info: &PanicHookInfo<'_>) {
    let what = message(info.payload());
    let mut seen = seen();
    if thread != ENGINE && seen.end.is_none() {
        seen.end = Some(format!("the thread `{thread}` panicked: {what}"));
    }
    let Some(path) = seen.report.clone() else { return };
    let mut text = format!(
        "facetui {} on {} {}, {}\nthe thread `{thread}` panicked",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH,
        jiff::Timestamp::now()
    );
    if let Some(place) = info.location() {
        let _ = write!(text, " at {}:{}", place.file(), place.line());
    }
    let _ = write!(text, ":\n{what}\n\n{}\n\n", Backtrace::force_capture());
    let file = fs_err::OpenOptions::new().create(true).append(true).open(path);
    seen.written |= file.and_then(|mut file| file.write_all(text.as_bytes())).is_ok();
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("without a message").to_owned()
}

/// The panic that ends the run, in a sentence.
pub fn happened() -> Option<String> {
    seen().end.clone()
}

/// The report, when there is one.
pub fn report() -> Option<PathBuf> {
    let seen = seen();
    seen.report.clone().filter(|_| seen.written)
}

/// A place where a test may want a panic.
///
/// # Panics
/// When a test wants it, in builds with debug assertions.
pub fn test(place: &str) {
    static WANTED: OnceLock<Option<(String, u32)>> = OnceLock::new();
    static PASSED: AtomicU32 = AtomicU32::new(0);
    if !cfg!(debug_assertions) {
        return;
    }
    let wanted = WANTED.get_or_init(|| {
        let text = std::env::var(VARIABLE).ok()?;
        let (place, pass) = text.split_once(':')?;
        Some((place.to_owned(), pass.parse().ok()?))
    });
    if let Some((name, pass)) = wanted
        && name == place
    {
        assert!(PASSED.fetch_add(1, Ordering::Relaxed) + 1 != *pass, "a test wanted it");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expected_panic_is_a_result() {
        assert_eq!(expected(|| 3).ok(), Some(3));
        let failed = expected(|| -> u32 { panic!("no {}", "way") }).expect_err("panics");
        assert_eq!((message(&*failed), EXPECTED.get()), ("no way".to_owned(), 0));
    }
}
