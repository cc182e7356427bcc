//! The real binary in a pseudo terminal, under what happens to terminals: another size, a shell's job control, keys that
//! ask something of the training.

use std::time::Duration;

use facetui::event::{Event, StopKind};

use crate::place::Place;
use crate::process::until;
use crate::pty::Terminal;

const SCHEDULE: &str = "\
name: tiny
model: {backbone: mobilefacenet, embedding: 16, width: 0.1}
data: {train: demo/faces_112x112_folders, bins: [demo/pose.bin], augment: 0}
batch_size: 2
device: cpu
stages:
  - {loss: softmax, optimizer: adam, epochs: 900}
";

/// The program in a shell of 80 columns and 24 rows.
fn start(place: &Place) -> Terminal {
    let mut terminal = Terminal::shell(place, (80, 24));
    terminal.press(&format!("{} tiny.yaml\n", env!("CARGO_BIN_EXE_facetui")));
    terminal
}

/// Pauses the run where it takes steps: while a bin is embedded, what is asked for waits until it goes on.
fn pause_between_steps(terminal: &mut Terminal) {
    for attempt in 0..50 {
        terminal.press("p");
        terminal.wait("PAUSED");
        if !terminal.text().contains("24/24") {
            return;
        }
        terminal.press("p");
        terminal.wait("TRAINING");
        // Another moment each time: an epoch and its evaluation may take as long as a fixed wait.
        std::thread::sleep(Duration::from_millis(20 + attempt * 37 % 300));
    }
    panic!("every pause met an evaluation");
}

#[test]
fn a_run_is_sized_suspended_asked_and_stopped() {
    let place = Place::new(4, 12);
    place.write("tiny.yaml", SCHEDULE);
    let mut terminal = start(&place);
    terminal.wait("TRAINING");
    terminal.wait("pose: accuracy");

    // Another size is drawn at once, and a size that is too small says so.
    terminal.resize((120, 40));
    terminal.wait("╭");
    terminal.resize((40, 10));
    terminal.wait("terminal too small");
    terminal.resize((100, 30));
    terminal.wait("n stop after epoch");

    // To the background and back: the shell has its screen meanwhile, and the whole frame comes again.
    terminal.press("\u{1a}");
    terminal.wait("Stopped");
    terminal.wait("shell> ");
    assert!(!terminal.is_alternate(), "the shell has its screen back");
    terminal.press("fg\n");
    terminal.wait("n stop after epoch");
    assert!(terminal.is_alternate());
    terminal.wait("evaluation");

    // Pause, ask for a gentle stop and take that back, and look into a bin with its faces while nothing moves.
    pause_between_steps(&mut terminal);
    terminal.press("n");
    terminal.wait("stopping after epoch");
    terminal.press("n");
    terminal.wait("the stop was withdrawn");
    terminal.wait("n stop after epoch");
    // What something else wrote over the screen goes with Ctrl-L.
    terminal.scribble(b"\x1b[5;5Hrubbish from elsewhere");
    terminal.wait("rubbish from elsewhere");
    terminal.press("\u{c}");
    terminal.wait_gone("rubbish from elsewhere");
    terminal.press("E");
    terminal.wait("evaluating before the next step");
    terminal.wait("PAUSED");
    terminal.press("v");
    terminal.wait("scores");
    terminal.wait("▀▀▀");
    terminal.escape("scores");
    terminal.wait("n stop after epoch");
    terminal.press("S");
    terminal.wait("tiny_at_epoch_");
    terminal.press("*");
    terminal.wait("times  1");
    terminal.press("0.5\r");
    terminal.wait("x0.5");
    terminal.press("p");
    terminal.wait("TRAINING");

    // The machine is looked at every two seconds.
    until("the machine is looked at", || {
        let journal = place.journals("tiny").remove(0);
        journal.iter().any(|record| matches!(&record.event, Event::Machine(sample) if sample.memory_total > 0))
    });

    // Stop now asks, and leaves a model of its own.
    terminal.press("N");
    terminal.wait("stop now?");
    terminal.press("s");
    terminal.wait("stopped - press q");
    terminal.press("q");
    terminal.wait("shell> ");
    assert!(!terminal.is_alternate());

    let journal = place.journals("tiny").remove(0);
    let has = |wanted: fn(&Event) -> bool| journal.iter().any(|record| wanted(&record.event));
    assert!(has(|event| matches!(event, Event::BinChecked { .. })));
    assert!(has(|event| matches!(event, Event::LearningRateScaled { factor } if (*factor - 0.5).abs() < 1e-9)));
    assert!(has(|event| matches!(event, Event::StopRequested { kind: StopKind::Now })));
    let ended = matches!(journal.last().expect("events").event, Event::Finished { .. });
    assert!(ended, "nothing follows the end");
}

#[test]
fn sigterm_ends_the_run_in_order_and_gives_the_terminal_back() {
    let place = Place::new(4, 12);
    place.write("tiny.yaml", SCHEDULE);
    let mut terminal = start(&place);
    terminal.wait("TRAINING");
    terminal.press("\u{1a}");
    // Before that what is typed would still be the program's.
    terminal.wait("Stopped");
    terminal.press("kill -TERM %1; fg; echo ended with $?\n");
    terminal.wait("ended with 143");
    assert!(!terminal.is_alternate(), "the shell has its screen back");
    let journal = place.journals("tiny").remove(0);
    assert!(journal.iter().any(|record| matches!(&record.event, Event::CheckpointWritten { .. })));
    assert!(matches!(journal.last().expect("events").event, Event::Finished { .. }), "nothing follows the end");
}
