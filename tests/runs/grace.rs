//! A run that is asked to end while its disk takes nothing: `--grace` has one deadline for the epoch and one for the files,
//! then it gives them up, and what is on disk is whole. The library of `tests/runs/faults.rs` is the disk.
#![cfg(target_os = "linux")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::time::{Duration, Instant};

use facetui::checkpoint;
use facetui::event::{Event, StopKind};
use facetui::run::lock::Owner;
use rustix::process::Signal;

use crate::place::Place;
use crate::process::{send, until, watchdog};

const SCHEDULE: &str = "\
name: g
model: {backbone: mobilefacenet, embedding: 16, width: 0.1}
data: {train: demo/faces_112x112_folders}
batch_size: 8
device: cpu
stages:
  - {loss: softmax, optimizer: sgd, epochs: 100000}
";

const GRACE: u64 = 2;

#[test]
fn the_second_deadline_gives_up_what_the_disk_does_not_take() {
    let place = Place::new(2, 4);
    place.write("g.yaml", SCHEDULE);
    let Some(library) = crate::fault_library::library() else { return };
    let full = place.path("full");
    // The disk of the checkpoints alone: the journal tells what happens meanwhile.
    let mut command = place.command(&["g.yaml", "--headless", "--grace", &GRACE.to_string(), "--keep-trying", "600"]);
    command.env("LD_PRELOAD", library).env("FAULTS_UNDER", "checkpoints").env("FAULTS_WHILE", &full);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("starts");
    let _watchdog = watchdog(child.id());
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines().map(|line| line.expect("text"));
    let mut said = String::new();
    let mut wait = |what: &str, said: &mut String| {
        let found = lines.by_ref().any(|line| {
            said.push_str(&line);
            said.push('\n');
            line.contains(what)
        });
        assert!(found, "`{what}` never came: {said}");
    };
    wait("epoch 3 ended", &mut said);
    std::fs::write(&full, "").expect("writes");
    wait("No space left", &mut said);
    // A paused run never comes to the end of its epoch: the first deadline is that of the epoch.
    let run =
        std::fs::read_dir(place.path("runs")).expect("runs").flatten().map(|run| run.path()).next().expect("a run");
    let owner: Owner =
        serde_json::from_slice(&std::fs::read(run.join("process.json")).expect("reads")).expect("an owner");
    let mut stream = UnixStream::connect(owner.socket.expect("a socket")).expect("connects");
    stream.write_all(b"{\"hello\":{\"protocol\":1}}\n{\"command\":\"pause\"}\n").expect("asks");
    until("it is paused", || place.journals("g").concat().iter().any(|record| record.event == Event::Paused));
    let asked = Instant::now();
    send(child.id(), Signal::TERM);
    for line in lines {
        said.push_str(&line);
        said.push('\n');
    }
    let code = child.wait().expect("ends").code();
    let took = asked.elapsed();
    assert_eq!(code, Some(3), "files are missing: {said}");
    assert!(
        said.contains("the grace period of the epoch is over")
            && said.contains("the grace period for writing files is over"),
        "{said}"
    );
    assert!(took >= Duration::from_secs(2 * GRACE), "{took:?}: {said}");
    assert!(took < Duration::from_mins(2), "{took:?}: {said}");
    let journal = place.journals("g").pop().expect("a journal");
    let stops: Vec<StopKind> = journal
        .iter()
        .filter_map(|record| match record.event {
            Event::StopRequested { kind } => Some(kind),
            _ => None,
        })
        .collect();
    assert_eq!(stops[..2], [StopKind::AfterEpoch, StopKind::Now], "{said}");
    // What is on the disk is whole, and the run resumes from it.
    let model = place.path("checkpoints/g.h5");
    assert!(matches!(checkpoint::verify(&model), Ok(true)));
    std::fs::remove_file(&full).expect("removes");
    let epochs = 1 + checkpoint::notes(&model).expect("reads")["state"]["epoch"].as_u64().expect("an epoch");
    let said = place.runs(&["g.yaml", "--headless", "--resume-changed", "--set", &format!("stages.0.epochs={epochs}")]);
    assert!(said.contains("the run resumes from"), "{said}");
    eprintln!("ended {:.1} s after SIGTERM with --grace {GRACE}", took.as_secs_f64());
}
