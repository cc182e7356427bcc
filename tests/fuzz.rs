//! What reads bytes of strangers: its corpus is read within bounds of time and memory in the ordinary tests, and mutations
//! of it by the million with `cargo xtask fuzz`. `fuzz/README.md` says how.

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

use facetui::fuzz::TARGETS;

#[global_allocator]
static MEMORY: memory::Counting = memory::Counting;

/// Mutations of each target that the ordinary tests read.
const FEW: u64 = 150;

#[test]
fn the_corpus_and_some_mutations_are_read_in_time_and_memory() {
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
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn mutations_are_the_same_each_time_and_not_each_other() {
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
