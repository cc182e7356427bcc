//! Faults while a run writes its files: the real program under a library (`native/faults.cpp`, by `LD_PRELOAD`) that makes
//! system calls fail, or ends the process at one. After each fault the newest state before it is there and whole.
//!
//! Linux only, and only where a C++ compiler is found; `CXX` names another than `c++`.
#![cfg(target_os = "linux")]
#![expect(clippy::print_stderr, reason = "faults are counted and printed")]

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use facetui::run::state::RunState;

use crate::fault_library::{Fault, Kept, count, faulty, library, log, states, wait};
use crate::place::{Place, text};
use crate::process::watchdog;

const SCHEDULE: &str = "\
name: f
model: {backbone: mobilefacenet, embedding: 16, width: 0.1}
data: {train: demo/faces_112x112_folders, bins: [demo/frontal.bin]}
batch_size: 8
device: cpu
snapshot: {steps: 1}
stages:
  - {loss: softmax, optimizer: adam, epochs: EPOCHS}
";

/// A place with a tiny data set and a schedule of so many epochs of one step.
fn place(epochs: u32) -> Place {
    let place = Place::new(2, 4);
    place.write("f.yaml", &SCHEDULE.replace("EPOCHS", &epochs.to_string()));
    place
}

#[test]
fn a_failed_write_costs_no_older_state() {
    let mut faults = Vec::new();
    // How many calls a run makes depends on the disk: as many runs as it takes.
    for number in 0..10 {
        let Some(more) = failing_run() else { return };
        faults.extend(more);
        if faults.len() >= 160 && CALLS.iter().all(|call| count(&faults).contains_key(*call)) {
            eprintln!("{} runs", number + 1);
            break;
        }
    }
    let most_open = faults.iter().map(|fault| fault.open).max();
    eprintln!("{} faults: {:?}; at most {most_open:?} files open", faults.len(), count(&faults));
    assert!(faults.len() >= 160, "{} faults", faults.len());
    for call in CALLS {
        assert!(count(&faults).contains_key(call), "no {call}");
    }
    assert!(most_open <= Some(4), "files stay open: {most_open:?}");
}

/// What fails in a long enough run.
const CALLS: [&str; 9] = [
    "EIO open",
    "ENOSPC open",
    "ENOSPC write",
    "EIO write",
    "short write",
    "EIO fsync",
    "ENOSPC fsync",
    "EIO rename",
    "EIO unlink",
];

/// A run in which one call in some fails; the faults, after each of which the older states were there.
fn failing_run() -> Option<Vec<Fault>> {
    let place = place(90);
    let library = library()?;
    let keep = place.path("keep");
    std::fs::create_dir(&keep).expect("makes");
    let settings = [
        ("FAULTS_AT", "40".to_owned()),
        ("FAULTS_STRIDE", "6".to_owned()),
        ("FAULTS_KEEP", keep.display().to_string()),
    ];
    let output = faulty(&place, &["f.yaml", "--headless"], library, &settings).output().expect("starts");
    let said = text(&output);
    assert!(output.status.success(), "{:?}: {said}", output.status);
    assert!(said.contains("No space left on device") && said.contains("Input/output error"), "{said}");
    let faults = log(&place);
    let (at_the_end, temporary) = states(&place.path("checkpoints"));
    assert_eq!(temporary, 0, "temporary files at the end");
    let mut kept = Kept::until(at_the_end.last().copied().expect("the state of the end"));
    for (number, fault) in (1..).zip(&faults) {
        kept.look(&keep.join(number.to_string()), &format!("fault {number}, {fault:?}"));
    }
    Some(faults)
}

#[test]
fn a_run_killed_at_any_call_keeps_its_newest_state() {
    killed_at(&(1..=44).step_by(4).collect::<Vec<_>>());
}

#[test]
#[ignore = "long: as many runs as there are calls"]
fn long_a_run_killed_at_every_call_keeps_its_newest_state() {
    killed_at(&(1..=44).collect::<Vec<_>>());
}

/// Kills a run at one call after the other, each time where the one before has ended.
fn killed_at(calls: &[u32]) {
    let place = place(1000);
    let Some(library) = library() else { return };
    let mut newest = 0;
    for &call in calls {
        let output = faulty(&place, &["f.yaml", "--headless"], library, &[("FAULTS_KILL", call.to_string())])
            .output()
            .expect("starts");
        assert_eq!(output.status.code(), Some(137), "call {call}: {}", text(&output));
        let folder = place.path("checkpoints");
        let (numbers, temporary) = if folder.exists() { states(&folder) } else { (Vec::new(), 0) };
        let last = numbers.last().copied().unwrap_or_default();
        assert!(
            last >= newest && temporary <= 1,
            "call {call}: {numbers:?} after {newest}, {temporary} temporary files"
        );
        newest = last;
    }
    let faults = log(&place);
    eprintln!("{} kills: {:?}; {newest} states", faults.len(), count(&faults));
    assert_eq!(faults.len(), calls.len());
    // What is left goes on to the end.
    let epochs = crate::place::epochs(&place.journals("f").pop().expect("a journal")).len();
    let output = place.command(&[
        "f.yaml",
        "--headless",
        "--resume-changed",
        "--set",
        &format!("stages.0.epochs={}", epochs + 2),
    ]);
    let output = { output }.output().expect("starts");
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(states(&place.path("checkpoints")).1, 0);
}

#[test]
fn a_run_goes_on_without_its_disk_and_saves_when_it_is_back() {
    let place = place(30);
    let Some(library) = library() else { return };
    let full = place.path("full");
    // By then the states of two epochs are there, and the greater part of the run is to come.
    let settings = [
        ("FAULTS_WHILE", full.display().to_string()),
        ("FAULTS_FULL_AT", "150".to_owned()),
        ("FAULTS_AND", "journal.jsonl".to_owned()),
    ];
    let mut child =
        faulty(&place, &["f.yaml", "--headless"], library, &settings).stdout(Stdio::piped()).spawn().expect("starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut said = String::new();
    let _watchdog = watchdog(child.id());
    // Whatever is left to be trained is trained without the disk.
    wait(&mut lines, &mut said, "No space left on device");
    wait(&mut lines, &mut said, "epoch 30 ended");
    let (numbers, temporary) = states(&place.path("checkpoints"));
    assert!(numbers.len() >= 2 && temporary <= 1, "{numbers:?}, {temporary} temporary files");
    std::fs::remove_file(&full).expect("removes");
    wait(&mut lines, &mut said, "completed, 30 of 30 epochs");
    assert_eq!(child.wait().expect("ends").code(), Some(0), "{said}");
    for words in [
        "cannot be written: No space left on device",
        "the journal cannot be written",
        "all files that could not be written are written now",
        "the journal can be written again",
    ] {
        assert!(said.contains(words), "`{words}` is missing in {said}");
    }
    let journal = place.journals("f").pop().expect("a journal");
    let state = RunState::replay(&journal);
    assert_eq!((state.epochs.len(), state.step_loss.len()), (30, 30), "the journal is whole");
    assert!(state.unsaved.is_empty());
    let lists = std::fs::read_to_string(place.path("checkpoints/f_hist.json")).expect("reads");
    assert_eq!(facetui::checkpoint::keras_history::History::parse(&lists).expect("parses").values("loss").len(), 30);
    eprintln!("{} calls failed", log(&place).len());
}

#[test]
fn a_run_that_cannot_save_at_its_end_says_so_and_goes_on_later() {
    let place = place(8);
    let Some(library) = library() else { return };
    let full = place.path("full");
    let settings = [("FAULTS_WHILE", full.display().to_string()), ("FAULTS_FULL_AT", "60".to_owned())];
    let mut command = faulty(&place, &["f.yaml", "--headless"], library, &settings);
    let mut child = command.args(["--keep-trying", "0"]).stdout(Stdio::piped()).spawn().expect("starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut said = String::new();
    let _watchdog = watchdog(child.id());
    wait(&mut lines, &mut said, "failed, 8 of 8 epochs");
    assert_eq!(child.wait().expect("ends").code(), Some(3), "{said}");
    let (numbers, temporary) = states(&place.path("checkpoints"));
    assert!(!numbers.is_empty() && temporary <= 1, "{numbers:?}");
    std::fs::remove_file(&full).expect("removes");
    let said = place.runs(&["f.yaml", "--headless"]);
    assert!(said.contains("the run resumes from") && said.contains("8 of 8 epochs"), "{said}");
    assert_eq!(states(&place.path("checkpoints")).1, 0);
}
