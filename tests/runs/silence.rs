//! A disk that does not answer: calls wait for as long as its server is gone. Training goes on, which is told; what waits is
//! written when the server is back, and a run that is to end meanwhile ends.
#![cfg(target_os = "linux")]

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::time::Instant;

use facetui::checkpoint::keras_history::History;
use facetui::event::{CheckpointKind, Event, Record, Saved};
use facetui::run::state::RunState;
use rustix::process::Signal;

use crate::fault_library::{library, states, wait};
use crate::place::Place;
use crate::process::{send, until, watchdog};

const SCHEDULE: &str = "\
name: s
model: {backbone: mobilefacenet, embedding: 16, width: 0.1}
data: {train: demo/faces_112x112_folders, bins: [demo/frontal.bin]}
batch_size: 8
device: cpu
snapshot: {steps: 1}
stages:
  - {loss: softmax, optimizer: adam, epochs: 100000}
";

/// Seconds after which a disk is told to be silent.
const SILENT: u64 = 2;

/// A place, and how a run's disk, that of the run's folder included, goes silent.
fn begin() -> Option<(Place, Vec<(&'static str, String)>)> {
    let place = Place::new(2, 4);
    place.write("s.yaml", SCHEDULE);
    let library = library()?;
    let settings = vec![
        ("LD_PRELOAD", library.display().to_string()),
        ("FAULTS_HANG", place.path("gone").display().to_string()),
        ("FAULTS_AND", "journal.jsonl".to_owned()),
        ("FACETUI_TEST_SILENT", SILENT.to_string()),
    ];
    Some((place, settings))
}

fn start(place: &Place, settings: &[(&str, String)], more: &[&str]) -> Child {
    let arguments = [&["s.yaml", "--headless"], more].concat();
    let library = library().expect("was built before");
    crate::fault_library::faulty(place, &arguments, library, settings).stdout(Stdio::piped()).spawn().expect("starts")
}

/// Waits until the states of two epochs are on disk: the saver may be some epochs behind the training. From then on there
/// are two states at any time.
fn two_states(place: &Place) {
    until("two epochs are saved", || {
        let journal = place.journals("s").pop().unwrap_or_default();
        let saved = |event: &Event| matches!(event, Event::CheckpointWritten { kind: CheckpointKind::Model, .. });
        journal.iter().filter(|record| saved(&record.event)).count() >= 2
    });
}

/// What was told of a disk, in order: true where it went silent, false where it was there again.
fn told(journal: &[Record], disk: Saved) -> Vec<bool> {
    let told = journal.iter().filter_map(|record| match record.event {
        Event::SavingFailed { of, .. } if of == disk => Some(true),
        Event::SavingRestored { of } if of == disk => Some(false),
        _ => None,
    });
    told.collect()
}

#[test]
fn a_run_goes_on_while_its_disk_is_silent_and_saves_when_it_answers() {
    let Some((place, settings)) = begin() else { return };
    let mut child = start(&place, &settings, &[]);
    let _watchdog = watchdog(child.id());
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut said = String::new();
    wait(&mut lines, &mut said, "epoch 3 ended");
    two_states(&place);
    let gone = place.path("gone");
    std::fs::write(&gone, "").expect("writes");
    // Both are told, in whatever order, and epochs go on.
    wait(&mut lines, &mut said, "no answer from the disk");
    wait(&mut lines, &mut said, "no answer from the disk");
    for _ in 0..20 {
        wait(&mut lines, &mut said, " ended");
    }
    let (numbers, _) = states(&place.path("checkpoints"));
    assert!(numbers.len() >= 2, "{numbers:?}");
    std::fs::remove_file(&gone).expect("removes");
    let mut both = ["all files that could not be written are written now", "the journal can be written again"].to_vec();
    while !both.is_empty() {
        let mut line = String::new();
        wait(&mut lines, &mut line, "written");
        both.retain(|words| !line.contains(words));
        said += &line;
    }
    send(child.id(), Signal::TERM);
    wait(&mut lines, &mut said, "stopped on request");
    assert_eq!(child.wait().expect("ends").code(), Some(143), "{said}");
    let journal = place.journals("s").pop().expect("a journal");
    let state = RunState::replay(&journal);
    let epochs = state.epochs.len();
    assert!(
        epochs > 23 && state.step_loss.len() == epochs,
        "{epochs}, {} steps: the journal is whole",
        state.step_loss.len()
    );
    for of in [Saved::Files, Saved::Journal] {
        // Once each time: a busy machine's own disk may be silent for as long too.
        let told = told(&journal, of);
        assert!(!told.is_empty() && told.chunks(2).all(|pair| pair == [true, false]), "{of:?}: {told:?}");
    }
    assert!(state.unsaved.is_empty(), "{:?}", state.unsaved);
    let lists = place.read("checkpoints/s_hist.json");
    assert_eq!(History::parse(&lists).expect("parses").values("loss").len(), epochs);
    assert!(checkpoint_is_whole(&place));
}

fn checkpoint_is_whole(place: &Place) -> bool {
    matches!(facetui::checkpoint::verify(&place.path("checkpoints/s.h5")), Ok(true))
}

#[test]
fn a_run_that_is_to_end_does_not_wait_for_a_silent_disk() {
    let Some((place, settings)) = begin() else { return };
    let mut child = start(&place, &settings, &["--grace", "3"]);
    let _watchdog = watchdog(child.id());
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut said = String::new();
    wait(&mut lines, &mut said, "epoch 3 ended");
    two_states(&place);
    let gone = place.path("gone");
    std::fs::write(&gone, "").expect("writes");
    wait(&mut lines, &mut said, "no answer from the disk");
    let asked = Instant::now();
    send(child.id(), Signal::TERM);
    for line in lines {
        said += &line.expect("text");
        said.push('\n');
    }
    assert_eq!(child.wait().expect("ends").code(), Some(3), "files are missing: {said}");
    assert!(said.contains("its disk does not answer") && said.contains("train the schedule again"), "{said}");
    eprintln!("ended {:.1} s after SIGTERM with --grace 3, silent after {SILENT} s", asked.elapsed().as_secs_f64());
    std::fs::remove_file(&gone).expect("removes");
    assert!(checkpoint_is_whole(&place));
    let epochs = 1 + facetui::checkpoint::notes(&place.path("checkpoints/s.h5")).expect("reads")["state"]["epoch"]
        .as_u64()
        .expect("an epoch");
    let said = place.runs(&["s.yaml", "--headless", "--resume-changed", "--set", &format!("stages.0.epochs={epochs}")]);
    assert!(said.contains("the run resumes from"), "{said}");
}

#[test]
fn a_run_waits_for_its_images_and_can_be_stopped_meanwhile() {
    let Some((place, mut settings)) = begin() else { return };
    settings.retain(|(name, _)| *name != "FAULTS_AND");
    settings.push(("FAULTS_UNDER", "faces_112x112_folders".to_owned()));
    let mut child = start(&place, &settings, &["--grace", "1"]);
    let _watchdog = watchdog(child.id());
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut said = String::new();
    let gone = place.path("gone");
    for _ in 0..2 {
        wait(&mut lines, &mut said, " ended");
        std::fs::write(&gone, "").expect("writes");
        wait(&mut lines, &mut said, "s: the training set's disk does not answer");
        assert!(said.contains("no images for "), "{said}");
        std::fs::remove_file(&gone).expect("removes");
        wait(&mut lines, &mut said, "images are arriving again");
    }
    wait(&mut lines, &mut said, " ended");
    std::fs::write(&gone, "").expect("writes");
    wait(&mut lines, &mut said, "no images for");
    send(child.id(), Signal::TERM);
    wait(&mut lines, &mut said, "stopped on request");
    assert_eq!(child.wait().expect("ends").code(), Some(143), "{said}");
    assert!(checkpoint_is_whole(&place));
}
