//! What reads bytes of strangers: its corpus is read within bounds of time and memory in the ordinary tests, and mutations
//! of it by the million with `cargo xtask fuzz`. `fuzz/README.md` says how.

/// What `fuzz/fuzz_targets` call, compiled here too: cargo-fuzz has a workspace of its own.
#[path = "../fuzz/src/lib.rs"]
mod cargo_fuzz;
#[path = "fuzz/corpus.rs"]
mod corpus;
#[path = "fuzz/memory.rs"]
mod memory;
#[path = "fuzz/mutate.rs"]
mod mutate;
#[path = "fuzz/supervise.rs"]
mod supervise;
#[path = "fuzz/work.rs"]
mod work;

use std::sync::{Mutex, PoisonError};

use facetui::fuzz::TARGETS;

#[global_allocator]
static MEMORY: memory::Counting = memory::Counting;

/// One test at a time.
static TURN: Mutex<()> = Mutex::new(());

/// Mutations of each target that the ordinary tests read.
const FEW: u64 = 150;

#[test]
fn the_corpus_and_some_mutations_are_read_in_time_and_memory() {
    // Memory is that of the whole process.
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    work::quiet_panics();
    let mut wrong = Vec::new();
    for target in TARGETS {
        let corpus = corpus::of(target);
        assert!(corpus.len() > 3, "{} has {} files", target.name, corpus.len());
        for (name, bytes) in &corpus {
            wrong.extend(work::guarded(target, bytes).map(|why| format!("{}: {name}: {why}", target.name)));
        }
        for index in 0..FEW {
            let bytes = mutate::input(target, &corpus, 7, index);
            wrong.extend(work::guarded(target, &bytes).map(|why| format!("{}: mutation {index}: {why}", target.name)));
        }
    }
    // What is said of a failure is printed again.
    drop(std::panic::take_hook());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn mutations_are_the_same_each_time_and_not_each_other() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    for target in TARGETS {
        let corpus = corpus::of(target);
        let all = |seed| (0..50).map(|index| mutate::input(target, &corpus, seed, index)).collect::<Vec<_>>();
        assert_eq!(all(1), all(1), "{}", target.name);
        assert_ne!(all(1), all(2), "{}", target.name);
        let mut different = all(1);
        different.sort_unstable();
        different.dedup();
        assert!(different.len() > 40, "{}: {}", target.name, different.len());
    }
}

#[test]
fn cargo_fuzz_has_every_target() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).expect("the manifest");
    let manifest: toml::Table = manifest.parse().expect("TOML");
    let mut programs: Vec<(&str, &str)> = manifest["bin"].as_array().expect("programs").iter().map(program).collect();
    programs.sort_unstable();
    let mut names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    names.sort_unstable();
    assert_eq!(programs.iter().map(|(name, _)| *name).collect::<Vec<_>>(), names);
    for (name, path) in programs {
        let text = std::fs::read_to_string(folder.join(path)).expect(path);
        let call = format!("libfuzzer_sys::fuzz_target!(|bytes: &[u8]| facetui_fuzz::read(\"{name}\", bytes));\n");
        assert!(text.starts_with("#![no_main]\n") && text.ends_with(&call), "{path}: {text}");
        cargo_fuzz::read(name, b"");
    }
}

/// Name and path of a program of a manifest.
fn program(of: &toml::Value) -> (&str, &str) {
    let text = |key: &str| of[key].as_str().expect(key);
    (text("name"), text("path"))
}

#[test]
fn a_worker_cannot_take_the_machines_memory() {
    let program = std::env::current_exe().expect("this program");
    let limited =
        std::process::Command::new(program).args(["limited", "--exact", "--ignored"]).output().expect("starts");
    assert!(limited.status.success(), "{}", String::from_utf8_lossy(&limited.stdout));
    assert!(String::from_utf8_lossy(&limited.stdout).contains("1 passed"));
}

/// Not a test of its own.
#[test]
#[ignore = "started by the test `a_worker_cannot_take_the_machines_memory`, in a process of its own"]
fn limited() {
    work::try_limit().expect("limits");
}

/// Not a test of its own.
#[test]
#[ignore = "started by `cargo xtask fuzz`"]
fn drive() {
    supervise::drive();
}

/// Not a test of its own.
#[test]
#[ignore = "started by the test `drive`, in a process of its own"]
fn worker() {
    work::work();
}
