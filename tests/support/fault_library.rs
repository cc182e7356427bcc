//! The library that makes system calls fail (`tests/native/faults.cpp`), and what is seen of a run under it.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use facetui::checkpoint;

use crate::place::{Place, text};

/// The library, when it can be built here. It is built once for all tests of this process.
pub fn library() -> Option<&'static Path> {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    BUILT.get_or_init(build).as_deref()
}

#[expect(clippy::print_stderr, reason = "that no faults are injected is told")]
fn build() -> Option<PathBuf> {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/native/faults.cpp");
    let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".to_owned());
    let built = Path::new(env!("CARGO_TARGET_TMPDIR")).join("faults.so");
    // Another process may run with the one that was built before.
    let fresh = built.with_extension(format!("{}.so", std::process::id()));
    let mut command = Command::new(compiler);
    command.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&fresh).args([source, "-ldl"]);
    let Ok(output) = command.output() else {
        eprintln!("no C++ compiler: no faults are injected");
        return None;
    };
    assert!(output.status.success(), "{}", text(&output));
    std::fs::rename(&fresh, &built).expect("renames");
    Some(built)
}

/// The program under the library, with more settings for both.
pub fn faulty(place: &Place, arguments: &[&str], library: &Path, settings: &[(&str, String)]) -> Command {
    let mut command = place.command(arguments);
    command.env("LD_PRELOAD", library).env("FAULTS_UNDER", "checkpoints").env("FAULTS_LOG", place.path("faults.log"));
    command.envs(settings.iter().map(|(name, value)| (*name, value.as_str())));
    command
}

/// A call that was made to fail, or at which the program was ended.
#[derive(Debug)]
pub struct Fault {
    /// EIO, ENOSPC, short or kill.
    pub kind: String,
    pub call: String,
    pub path: String,
    /// The program's files that were open below `checkpoints`.
    pub open: u32,
}

/// Faults as the library's log has them.
pub fn log(place: &Place) -> Vec<Fault> {
    let text = std::fs::read_to_string(place.path("faults.log")).unwrap_or_default();
    let fault = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let [kind, call, path] = [words[1], words[2], words[3]].map(str::to_owned);
        Fault { kind, call, path, open: words[4].parse().expect("a number") }
    };
    text.lines().map(fault).filter(|fault| fault.kind != "calls" && fault.kind != "place").collect()
}

/// The numbers of the whole states in a folder, and how many temporary files lie there. A damaged state is a failure.
pub fn states(folder: &Path) -> (Vec<u64>, usize) {
    new_states(folder, &mut BTreeMap::new())
}

/// A file by its inode, length, and the moment of its last change in seconds and nanoseconds.
type FileId = (u64, u64, i64, i64);

/// As [`states`], but a file that is `known` and has not changed since is not read again.
fn new_states(folder: &Path, known: &mut BTreeMap<FileId, u64>) -> (Vec<u64>, usize) {
    let (mut numbers, mut temporary) = (Vec::new(), 0);
    for entry in std::fs::read_dir(folder).expect("reads").flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        temporary += usize::from(name.starts_with('.'));
        if name.starts_with('.') || path.extension().is_none_or(|kind| kind != "h5") {
            continue;
        }
        let meta = entry.metadata().expect("is there");
        let file = (meta.ino(), meta.len(), meta.mtime(), meta.mtime_nsec());
        if let Some(number) = known.get(&file) {
            numbers.push(*number);
            continue;
        }
        assert!(matches!(checkpoint::verify(&path), Ok(true)), "{} is damaged", path.display());
        if !name.contains("_basic_") {
            let notes = checkpoint::notes(&path).expect("reads");
            let number = notes["state"]["sequence"].as_u64().expect("a state");
            known.insert(file, number);
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    numbers.dedup();
    (numbers, temporary)
}

/// What must hold of the states on disk from one fault to the next.
pub struct Kept {
    newest: u64,
    end: u64,
    /// States that were read at an earlier fault.
    known: BTreeMap<FileId, u64>,
}

impl Kept {
    /// For a run whose last state has the number `end`.
    pub const fn until(end: u64) -> Self {
        Self { newest: 0, end, known: BTreeMap::new() }
    }

    /// Looks at the folder as it was at a fault: the newest state is as new as before, and one beside it, unless the run has
    /// come to its end, whose state is all that it leaves.
    pub fn look(&mut self, folder: &Path, fault: &str) {
        let (numbers, temporary) = new_states(folder, &mut self.known);
        let last = numbers.last().copied().unwrap_or_default();
        assert!(last >= self.newest, "{fault}: {numbers:?} after {}", self.newest);
        let is_enough = numbers.len() >= 2 || self.newest < 3 || last == self.end;
        assert!(is_enough, "{fault}: {numbers:?} after {}; the run's end is {}", self.newest, self.end);
        assert!(temporary <= 2, "{fault}: {temporary} temporary files");
        self.newest = last;
    }
}

/// Counts what was done to which call.
pub fn count(faults: &[Fault]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for Fault { kind, call, .. } in faults {
        *counts.entry(format!("{kind} {call}")).or_insert(0) += 1;
    }
    counts
}

/// The places of the program's writing, of all runs that the log is of: calls there, and how many of them failed.
pub fn places(place: &Place) -> BTreeMap<String, (u64, u64)> {
    let text = std::fs::read_to_string(place.path("faults.log")).unwrap_or_default();
    let mut places = BTreeMap::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        if words[1] == "place" {
            let (calls, failed) = places.entry(words[2].to_owned()).or_insert((0, 0));
            *calls += words[0].parse::<u64>().expect("a number");
            *failed += words[4].parse::<u64>().expect("a number");
        }
    }
    places
}

/// Waits for a line with `what`; everything that was printed up to there is put behind `said`.
pub fn wait(lines: &mut impl Iterator<Item = std::io::Result<String>>, said: &mut String, what: &str) {
    for line in lines {
        let line = line.expect("text");
        said.push_str(&line);
        said.push('\n');
        if line.contains(what) {
            return;
        }
    }
    panic!("`{what}` never came: {said}");
}
