//! Runs workers, counts what they read, and keeps what they died over: in `target/fuzz`, by target.

#![expect(clippy::print_stdout, reason = "this is the driver's screen")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use facetui::fuzz::{TARGETS, Target};

use super::corpus::{self, Corpus};
use super::mutate;
use super::work::{Order, place};

/// An input that is read for as long is taken for one that has no end.
const STUCK: Duration = Duration::from_secs(20);

/// Findings of a target after which it is left alone.
const ENOUGH: usize = 25;

/// A variable of the environment, as `cargo xtask fuzz` sets it.
fn asked(name: &str) -> Option<String> {
    std::env::var(format!("FACETUI_FUZZ_{name}")).ok().filter(|value| !value.is_empty())
}

/// Reads mutations of every target, or of those that were named.
pub fn drive() {
    let number = |name: &str| asked(name).map(|text| text.parse::<f64>().expect("a number"));
    let named = asked("TARGETS").unwrap_or_default();
    let targets: Vec<&'static Target> =
        TARGETS.iter().filter(|target| named.is_empty() || named.split(' ').any(|name| name == target.name)).collect();
    assert!(!targets.is_empty(), "there is no target `{named}`; there are {:?}", names());
    let executions = number("EXECUTIONS").map(|count| count as u64);
    let minutes = number("MINUTES").unwrap_or(if executions.is_some() { 24.0 * 60.0 } else { 1.0 });
    let seconds = minutes * 60.0 / targets.len() as f64;
    let seed = number("SEED").map_or(1, |seed| seed as u64);
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/fuzz");
    std::fs::create_dir_all(&kept).expect("the target folder can be written");
    let mut counts = Counts::read(&kept.join("executions.json"));
    let mut findings = 0;
    for target in targets {
        let first = counts.of(target, seed);
        let run = Run { target, corpus: corpus::of(target), seed, kept: kept.join("findings").join(target.name) };
        let started = Instant::now();
        let (done, found) = run.run(first, executions.unwrap_or(u64::MAX / 2), seconds as u64);
        counts.add(target, seed, done);
        let took = started.elapsed().as_secs_f64();
        let all = counts.all(target);
        println!("{:<9} {done:>10} executions in {took:.0} s, {found} findings; {all} in all", target.name);
        findings += found;
    }
    println!("{} executions in all so far; what was found lies in {}", counts.total(), kept.join("findings").display());
    assert_eq!(findings, 0, "findings");
}

fn names() -> Vec<&'static str> {
    TARGETS.iter().map(|target| target.name).collect()
}

/// How many inputs of each target and seed were read, from run to run.
struct Counts {
    path: PathBuf,
    counts: BTreeMap<String, u64>,
}

impl Counts {
    fn read(path: &Path) -> Self {
        let counts = std::fs::read(path).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        Self { path: path.to_owned(), counts }
    }

    fn of(&self, target: &Target, seed: u64) -> u64 {
        self.counts.get(&format!("{} {seed}", target.name)).copied().unwrap_or_default()
    }

    fn add(&mut self, target: &Target, seed: u64, more: u64) {
        *self.counts.entry(format!("{} {seed}", target.name)).or_default() += more;
        let text = serde_json::to_vec_pretty(&self.counts).expect("numbers");
        std::fs::write(&self.path, text).expect("the target folder can be written");
    }

    fn all(&self, target: &Target) -> u64 {
        let of = |name: &str| name.split(' ').next() == Some(target.name);
        self.counts.iter().filter(|(name, _)| of(name)).map(|(_, count)| count).sum()
    }

    fn total(&self) -> u64 {
        self.counts.values().sum()
    }
}

/// One target's turn.
struct Run {
    target: &'static Target,
    corpus: Corpus,
    seed: u64,
    kept: PathBuf,
}

impl Run {
    /// Inputs that were read, and findings.
    fn run(&self, first: u64, count: u64, seconds: u64) -> (u64, usize) {
        let memory = Path::new("/dev/shm");
        let place = tempfile::Builder::new();
        let folder = if memory.is_dir() { place.tempdir_in(memory) } else { place.tempdir() }.expect("a folder");
        let end = Instant::now() + Duration::from_secs(seconds);
        let (mut next, mut found) = (first, 0);
        while next < first + count && Instant::now() < end && found < ENOUGH {
            let order = Order {
                target: self.target,
                seed: self.seed,
                first: next,
                count: first + count - next,
                seconds: end.saturating_duration_since(Instant::now()).as_secs(),
                folder: folder.path().to_owned(),
            };
            let ended = watch(&order);
            let at = at(folder.path()).unwrap_or(next);
            found += self.collect(folder.path());
            next = at;
            if let Some(why) = ended {
                self.keep(at, &why);
                found += 1;
                next += 1;
            } else if std::fs::remove_file(folder.path().join("done")).is_ok() {
                break;
            }
        }
        (next - first, found)
    }

    /// Keeps what a worker wrote down.
    fn collect(&self, folder: &Path) -> usize {
        let mut found = 0;
        for entry in std::fs::read_dir(folder).expect("the folder is there").flatten() {
            let path = entry.path();
            let index = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok());
            if let Some(index) = index
                && path.extension().is_some_and(|kind| kind == "why")
            {
                self.keep(index, &std::fs::read_to_string(&path).unwrap_or_default());
                let _ = std::fs::remove_file(path);
                found += 1;
            }
        }
        found
    }

    fn keep(&self, index: u64, why: &str) {
        let bytes = mutate::input(self.target, &self.corpus, self.seed, index);
        let path = self.kept.join(format!("{}-{index}", self.seed));
        println!("{} {index}: {why}", self.target.name);
        std::fs::create_dir_all(&self.kept).expect("the target folder can be written");
        std::fs::write(path.with_extension("why"), why).expect("the target folder can be written");
        std::fs::write(path, bytes).expect("the target folder can be written");
    }
}

/// Which input a worker is at.
fn at(folder: &Path) -> Option<u64> {
    Some(u64::from_le_bytes(*std::fs::read(place(folder)).ok()?.first_chunk()?))
}

/// Runs a worker to its end; why that was none of its own choice.
fn watch(order: &Order) -> Option<String> {
    let program = std::env::current_exe().expect("this program");
    let mut worker: Child = Command::new(program)
        .args(["worker", "--exact", "--ignored", "--nocapture", "--quiet"])
        .env(Order::VARIABLE, order.text())
        // What the targets write lies in the folder too.
        .env("TMPDIR", &order.folder)
        .env("RAYON_NUM_THREADS", "1")
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the worker starts");
    let (mut last, mut since) = (None, Instant::now());
    loop {
        if let Some(status) = worker.try_wait().expect("the worker is ours") {
            return (!status.success()).then(|| format!("the process ended: {status}"));
        }
        std::thread::sleep(Duration::from_millis(50));
        let now = at(&order.folder);
        if now != last {
            (last, since) = (now, Instant::now());
        } else if since.elapsed() > STUCK {
            let _ = worker.kill();
            let _ = worker.wait();
            return Some(format!("it was read for {STUCK:?} without an end"));
        }
    }
}
