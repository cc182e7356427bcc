//! Reads inputs within bounds of time and memory, in a process that may die over one.

use std::os::unix::fs::FileExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use facetui::fuzz::{TARGETS, Target};

use super::{corpus, memory, mutate};

/// What an input may take, however small it is.
const FLOOR: usize = 16 << 20;

/// The same where pixels are decoded, and where HDF5 is: its own tables, which C allocates, are counted too.
const LARGE_FLOOR: usize = 64 << 20;

/// Times its length that an input may take above the floor.
const TIMES: usize = 10;

/// What a worker may take of the machine beyond what it begins with, C's memory included: more is refused, and an input that
/// does not bear that ends the worker, not the machine.
const MOST: usize = 2 << 30;

/// What an input may last.
const LONGEST: Duration = Duration::from_secs(1);

/// What the last panic said.
static PANIC: Mutex<String> = Mutex::new(String::new());

/// Has panics noted instead of printed.
pub fn quiet_panics() {
    std::panic::set_hook(Box::new(|panic| {
        if let Ok(mut last) = PANIC.lock() {
            *last = panic.to_string();
        }
    }));
}

/// Reads an input; what is wrong with how that went.
pub fn guarded(target: &Target, bytes: &[u8]) -> Option<String> {
    let read = || catch_unwind(AssertUnwindSafe(|| (target.read)(bytes))).is_err();
    let mut panicked = false;
    let started = Instant::now();
    let peak = memory::peak_of(|| panicked = read());
    let lasted = started.elapsed();
    if panicked {
        return Some(PANIC.lock().map_or_else(|_| "it panics".to_owned(), |said| said.clone()));
    }
    let floor = if matches!(target.name, "image" | "model") { LARGE_FLOOR } else { FLOOR };
    if peak > TIMES * bytes.len() + floor {
        return Some(format!("it takes {peak} bytes of memory for {} bytes", bytes.len()));
    }
    if lasted > LONGEST {
        // A busy machine may have been the reason: it must last as long each time.
        let again = (0..8).map(|_| {
            let started = Instant::now();
            read();
            started.elapsed()
        });
        let least = again.min().unwrap_or_default();
        return (least > LONGEST).then(|| format!("it lasts {:.1} s", least.as_secs_f64()));
    }
    None
}

/// Limits this process to the addresses that it has and [`MOST`]; where the system does not say how many it has, to none.
fn limit() {
    let held = memory::addressed();
    if held == 0 {
        return;
    }
    let (limit, resource) = ((held + MOST) as u64, rustix::process::Resource::As);
    let highest = rustix::process::getrlimit(resource).maximum;
    let limit = Some(highest.map_or(limit, |highest| highest.min(limit)));
    let limits = rustix::process::Rlimit { current: limit, maximum: limit };
    rustix::process::setrlimit(resource, limits).expect("a limit that is no higher than before");
}

/// What a process that is limited is given: half of the limit, and no more than that.
///
/// # Errors
/// What it was given or refused against that.
pub fn try_limit() -> Result<(), String> {
    limit();
    let refused = |bytes: usize| Vec::<u8>::new().try_reserve_exact(bytes).is_err();
    if refused(MOST / 2) {
        return Err(format!("{} bytes are refused", MOST / 2));
    }
    if !refused(MOST) && memory::addressed() > 0 {
        return Err(format!("{MOST} bytes are given"));
    }
    Ok(())
}

/// What a worker is to do, from its environment.
pub struct Order {
    pub target: &'static Target,
    pub seed: u64,
    /// Number of its first input.
    pub first: u64,
    /// How many.
    pub count: u64,
    /// When to stop before.
    pub seconds: u64,
    /// Where it writes which input it is at, and what it finds.
    pub folder: PathBuf,
}

impl Order {
    pub const VARIABLE: &str = "FACETUI_FUZZ_WORKER";

    /// As a variable of the environment.
    pub fn text(&self) -> String {
        let Self { target, seed, first, count, seconds, folder } = self;
        format!("{} {seed} {first} {count} {seconds} {}", target.name, folder.display())
    }

    fn read(text: &str) -> Option<Self> {
        let mut words = text.splitn(6, ' ');
        let target = words.next()?;
        let target = TARGETS.iter().find(|known| known.name == target)?;
        let mut number = || words.next()?.parse().ok();
        let (seed, first, count, seconds) = (number()?, number()?, number()?, number()?);
        Some(Self { target, seed, first, count, seconds, folder: words.next()?.into() })
    }
}

/// The file that says which input a worker is at, eight bytes.
pub fn place(folder: &Path) -> PathBuf {
    folder.join("at")
}

/// Does what the environment says.
pub fn work() {
    let Some(order) = std::env::var(Order::VARIABLE).ok().and_then(|text| Order::read(&text)) else { return };
    quiet_panics();
    limit();
    let corpus = corpus::of(order.target);
    let at = std::fs::File::create(place(&order.folder)).expect("the folder can be written");
    let end = Instant::now() + Duration::from_secs(order.seconds);
    let mut held = memory::high_water();
    let mut index = order.first;
    while index < order.first + order.count && (!index.is_multiple_of(64) || Instant::now() < end) {
        at.write_all_at(&index.to_le_bytes(), 0).expect("the folder can be written");
        let bytes = mutate::input(order.target, &corpus, order.seed, index);
        let mut found = guarded(order.target, &bytes);
        if order.target.name == "model" && found.is_none() {
            let now = memory::high_water();
            if now > held + TIMES * bytes.len() + LARGE_FLOOR {
                found = Some(format!("the process grew by {} bytes for {} bytes", now - held, bytes.len()));
            }
            held = held.max(now);
        }
        if let Some(why) = found {
            std::fs::write(order.folder.join(format!("{index}.why")), why).expect("the folder can be written");
        }
        index += 1;
    }
    // One behind the last: everything before it was read.
    at.write_all_at(&index.to_le_bytes(), 0).expect("the folder can be written");
    std::fs::write(order.folder.join("done"), "").expect("the folder can be written");
}
