//! A panic in any thread of a run ends the run in order: its state is saved, the report's path is printed, and the schedule
//! trained again goes on and ends as the run that never had it. The real program; `FACETUI_TEST_PANIC` names the place.

use std::io::Read as _;
use std::os::unix::net::UnixStream;
use std::process::Stdio;

use facetui::event::Event;
use facetui::run::state::RunState;

use crate::place::{Place, text};
use crate::pty::Terminal;

const SCHEDULE: &str = "\
model: {backbone: mobilefacenet, embedding: 16, width: 0.1, dropout: 0.2}
data: {train: demo/faces_112x112_folders, bins: [demo/frontal.bin], augment: 2, workers: 1}
batch_size: 4
device: cpu
snapshot: off
stages:
  - {loss: softmax, optimizer: adam, epochs: EPOCHS}
";

fn place(epochs: u32) -> Place {
    let place = Place::new(3, 7);
    for name in ["alone", "panic"] {
        place.write(&format!("{name}.yaml"), &SCHEDULE.replace("EPOCHS", &epochs.to_string()));
    }
    place
}

/// The report of the only run that panicked.
fn report(place: &Place) -> String {
    let runs = std::fs::read_dir(place.path("runs")).expect("runs").flatten();
    let reports: Vec<_> = runs.map(|run| run.path().join("panic.txt")).filter(|path| path.exists()).collect();
    let [report] = &reports[..] else { unreachable!("reports: {reports:?}") };
    let text = std::fs::read_to_string(report).expect("reads");
    std::fs::remove_file(report).expect("removes");
    text
}

#[test]
fn a_panic_in_any_thread_ends_the_run_with_its_state() {
    let place = place(2);
    place.runs(&["alone.yaml", "--headless"]);
    let alone = place.model("checkpoints/alone.h5");
    // Where, in which thread, and whether anything was trained that a state can hold.
    for (spot, thread, trained) in [
        ("engine:8", "engine", true),
        ("step:8", "engine", true),
        ("decode:8", "decode-0", true),
        ("evaluation:2", "engine", true),
        ("figures:1", "figures", true),
        ("saver:3", "saver", true),
        ("details:1", "details", true),
        ("recorder:20", "recorder", true),
        ("journal:20", "journal", true),
        ("bins:1", "bins", false),
    ] {
        let output = place.command(&["panic.yaml", "--headless", "--fresh"]).env("FACETUI_TEST_PANIC", spot).output();
        let said = text(output.as_ref().expect("starts"));
        assert_eq!(output.expect("starts").status.code(), Some(1), "{spot}: {said}");
        assert!(
            said.contains("a test wanted it") && said.contains("the panic is described in `runs/panic-"),
            "{spot}: {said}"
        );
        let report = report(&place);
        assert!(report.contains(&format!("the thread `{thread}` panicked at src/crash.rs")), "{spot}: {report}");
        let said = place.runs(&["panic.yaml", "--headless"]);
        assert_eq!(said.contains("the run resumes from"), trained, "{spot}: {said}");
        // What was trained before is not trained again, unless the panic was in the middle of a step.
        let journal = place.journals("panic").pop().expect("a journal");
        let ended = |event: &Event| matches!(event, Event::Finished { .. });
        assert!(journal.last().is_some_and(|record| ended(&record.event)), "{spot}");
        let again = place.model("checkpoints/panic.h5");
        assert!(alone.weights == again.weights && alone.optimizer == again.optimizer, "{spot}");
        let losses = |name| RunState::replay(&place.journals(name).pop().expect("a journal")).step_loss;
        assert_eq!(losses("alone"), losses("panic"), "{spot}");
        std::fs::remove_dir_all(place.path("runs").join(newest(&place))).expect("removes");
    }
}

/// The folder of the newest run that panicked.
fn newest(place: &Place) -> String {
    let runs = std::fs::read_dir(place.path("runs")).expect("runs").flatten();
    let names = runs.map(|run| run.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with("panic")).max().expect("a run")
}

#[test]
fn so_does_one_in_the_sampler_and_one_in_a_client_of_the_socket() {
    let place = place(5000);
    for (spot, thread) in [("machine:1", "machine"), ("socket:1", "client")] {
        let mut command = place.command(&["panic.yaml", "--headless", "--fresh"]);
        let child = command.env("FACETUI_TEST_PANIC", spot).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.expect("starts");
        if thread == "client" {
            let socket = loop {
                assert!(child.try_wait().expect("waits").is_none(), "it ended");
                let processes = std::fs::read_dir(place.path("runs")).into_iter().flatten().flatten();
                let text = processes.filter_map(|run| std::fs::read_to_string(run.path().join("process.json")).ok());
                let owners = text.filter_map(|text| serde_json::from_str::<serde_json::Value>(&text).ok());
                let socket = owners
                    .filter(|owner| owner["pid"] == child.id())
                    .find_map(|owner| Some(owner["socket"].as_str()?.to_owned()));
                if let Some(stream) = socket.and_then(|socket| UnixStream::connect(socket).ok()) {
                    break stream;
                }
                std::thread::sleep(std::time::Duration::from_millis(20));
            };
            let _ = { socket }.read(&mut [0; 16]);
        }
        let output = child.wait_with_output().expect("ends");
        let said = text(&output);
        assert_eq!(output.status.code(), Some(1), "{spot}: {said}");
        assert!(said.contains("the run ends, with its state saved"), "{spot}: {said}");
        assert!(report(&place).contains(&format!("the thread `{thread}` panicked")), "{spot}");
        std::fs::remove_dir_all(place.path("runs").join(newest(&place))).expect("removes");
    }
}

#[test]
fn so_does_one_of_the_screen_and_the_terminal_is_given_back() {
    let place = place(5000);
    let environment = [("FACETUI_TEST_PANIC", "screen:30")];
    let mut terminal = Terminal::start_with(&place, &["panic.yaml"], (100, 30), &environment);
    terminal.wait("the screen failed");
    assert_eq!(terminal.end(), 1, "{}", terminal.text());
    terminal.wait("the panic is described in");
    let screen = terminal.text();
    assert!(screen.contains("failed,") && screen.contains("a test wanted it"), "{screen}");
    assert!(report(&place).contains("the thread `main` panicked"));
}
