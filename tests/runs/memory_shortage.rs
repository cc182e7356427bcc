//! Too little memory: a stage whose batch does not fit ends the run with an error that says what would, and the run goes on with
//! it; `batch_size: auto` finds a batch and keeps it. The real program, under a limit of its own (`ulimit -v`).
#![cfg(target_os = "linux")]

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use facetui::event::Event;

use crate::place::{Place, plain};

/// 120 images a step take about 2 GiB, a few hundred MiB are left under [`LIMIT`].
const SCHEDULE: &str = "\
name: tight
model: {backbone: mobilefacenet, embedding: 16, width: 0.5}
data: {train: demo/faces_112x112_folders, bins: [], workers: 1}
batch_size: 4
device: cpu
precision: fp32
stages:
  - {loss: softmax, optimizer: adam, epochs: 1}
  - {loss: arcface, epochs: 1}
";

/// KiB of address space.
const LIMIT: u32 = 1_600_000;

/// The program under the limit.
fn limited(place: &Place, arguments: &[&str]) -> Command {
    let script = format!("ulimit -v {LIMIT} && exec \"$0\" \"$@\"");
    let program = place.command(arguments);
    let mut command = Command::new("sh");
    command.arg("-c").arg(script).arg(program.get_program()).args(program.get_args());
    command.current_dir(place.path("")).envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    // The stacks and arenas of many cores' threads would count too.
    command.env("RAYON_NUM_THREADS", "1");
    command
}

/// What follows `before` in a text, up to the first sign that is no digit.
fn number_after(text: &str, before: &str) -> u64 {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("`{before}` is missing in {text}"));
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_else(|error| panic!("{error}: {rest}"))
}

#[test]
fn a_batch_that_does_not_fit_is_named_and_the_run_goes_on_with_one_that_does() {
    let place = Place::new(6, 20);
    place.write("tight.yaml", SCHEDULE);
    // The last bytes may be asked for by the program's own buffers instead, for which Rust ends the process: then again.
    let arguments = ["tight.yaml", "--headless", "--fresh", "--set", "stages.1.batch_size=100000"];
    let mut outputs = (0..20).map(|_| limited(&place, &arguments).output().expect("starts"));
    let output =
        outputs.find(|output| output.status.code().is_some()).expect("libtorch's allocator is met once in twenty");
    let said = plain(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for words in [
        "stage 2 takes about",
        "were free when the run began; a batch_size of",
        "error: out of memory with 120 images a step: stage 2 takes about",
        "more were asked for",
        "`--set stages.1.batch_size=auto` finds the largest that does",
        "with `--resume-changed` the run resumes",
        "failed, 1 of 2 epochs",
    ] {
        assert!(said.contains(words), "`{words}` is missing in {said}");
    }
    assert!(!said.contains("frame #0") && !said.contains("enforce fail"), "{said}");
    assert!(!place.model("checkpoints/tight.h5").weights.nodes.is_empty());

    // The advice is good: under the same limit the run resumes from its first stage and ends.
    let fits = number_after(&said, "help: `--set stages.1.batch_size=");
    assert!((8..120).contains(&fits), "{said}");
    let set = format!("stages.1.batch_size={fits}");
    let output = limited(&place, &["tight.yaml", "--headless", "--set", &set, "--resume-changed"]).output();
    let said = plain(&output.expect("starts"));
    assert!(said.contains("the run resumes from") && said.contains("completed, 2 of 2 epochs"), "{said}");
    assert!(!place.journals("tight").is_empty());
}

#[test]
fn auto_takes_what_fits_and_a_run_that_goes_on_keeps_it() {
    let place = Place::new(6, 20);
    place.write("tight.yaml", SCHEDULE);
    let auto = ["tight.yaml", "--set", "batch_size=auto"];
    let arguments = [&auto[..], &["--json", "--set", "snapshot.steps=1"]].concat();
    let mut child = limited(&place, &arguments).stdout(Stdio::piped()).spawn().expect("starts");
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines().map(|line| line.expect("text"));
    let mut told = String::new();
    for line in lines {
        told += &line;
        if line.contains(r#""event":"checkpoint_written""#) {
            break;
        }
    }
    child.kill().expect("kills");
    child.wait().expect("ends");
    let found = number_after(&told, "`batch_size: auto` takes ");
    assert!((8..96).contains(&found), "{told}");
    assert!(told.contains("a step was tried; learning rates stay"), "{told}");

    // Without the limit more would fit, as `check` says; the run keeps what it has, and nothing has changed.
    let check = place.runs(&["check", "tight.yaml", "--set", "batch_size=auto"]);
    assert_eq!(number_after(&check, "batch_size: auto would choose "), 96, "{check}");
    let check = limited(&place, &["check", "tight.yaml", "--set", "batch_size=auto"]).output().expect("starts");
    assert_eq!(number_after(&plain(&check), "batch_size: auto would choose "), found);
    let said = place.runs(&[&auto[..], &["--headless"]].concat());
    assert!(said.contains("the run resumes from") && !said.contains("`batch_size: auto` takes"), "{said}");
    let journals = place.journals("tight");
    assert_eq!(journals.len(), 1, "it is one run");
    let sizes: Vec<u64> = journals[0]
        .iter()
        .filter_map(|record| match &record.event {
            Event::RunStarted(header) => Some(&**header),
            Event::Continued(continuation) => Some(&continuation.header),
            _ => None,
        })
        .flat_map(|header| header.stages.iter().map(|stage| stage.batch_size))
        .collect();
    assert_eq!(sizes, [found; 4]);
}

#[test]
fn auto_says_so_when_nothing_fits() {
    let place = Place::new(3, 6);
    place.write("tight.yaml", SCHEDULE);
    let more = ["--headless", "--set", "batch_size=auto", "--set", "model={backbone: resnet152v2, embedding: 512}"];
    let output = limited(&place, &[&["tight.yaml"][..], &more].concat()).output().expect("starts");
    let said = plain(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("not even a step of two images fits into"), "{said}");
}
