//! Keys that stop a run, in a pseudo terminal: the training, the files and the terminal are whole afterwards.

use facetui::event::Event;

use crate::place::Place;
use crate::pty::Terminal;

const SCHEDULE: &str = "\
name: tiny
model: {backbone: mobilefacenet, embedding: 16, width: 0.1}
data:
  train: demo/faces_112x112_folders
  bins: [demo/pose.bin]
  augment: 3
batch_size: 8
device: cpu
stages:
  - {loss: softmax, optimizer: nadam, epochs: 2}
  - {loss: arcface, bottleneck_only: true, epochs: 1}
  - {loss: arcface, epochs: EPOCHS}
";

const SIZE: (u16, u16) = (120, 40);

fn place(epochs: u32) -> Place {
    let place = Place::new(4, 10);
    place.write("tiny.yaml", &SCHEDULE.replace("EPOCHS", &epochs.to_string()));
    place
}

/// Waits for the end: the program was content, and the terminal was given back.
fn ended_well(terminal: &mut Terminal) {
    assert_eq!(terminal.end(), 0, "{}", terminal.text());
    terminal.until("the shell has its screen back", |screen| !screen.alternate_screen());
}

#[test]
fn n_stops_after_the_epoch_with_all_files_whole() {
    let place = place(500);
    let mut terminal = Terminal::start(&place, &["tiny.yaml"], SIZE);
    terminal.wait("softmax");
    terminal.press("n");
    terminal.wait("stopped");
    terminal.press("q");
    ended_well(&mut terminal);
    assert!(facetui::checkpoint::read(&place.path("checkpoints/tiny.h5")).is_ok());
    let journal = place.journals("tiny").remove(0);
    let asked = journal.iter().position(|record| matches!(record.event, Event::StopRequested { .. }));
    let (before, behind) = journal.split_at(asked.expect("it was asked for"));
    let is_end = |record: &&facetui::event::Record| matches!(record.event, Event::EpochEnded { .. });
    let ends = [before, behind].map(|records| records.iter().filter(is_end).count());
    assert!(ends[0] + ends[1] >= 1 && ends[1] <= 1, "{ends:?} epochs before and after the key");
    assert!(matches!(journal.last().expect("events").event, Event::Finished { .. }));
}

/// A run that was paused before it came to its end: where it was quicker than the key, another one.
fn paused() -> (Place, Terminal) {
    for _ in 0..20 {
        let place = place(2);
        let mut terminal = Terminal::start(&place, &["tiny.yaml"], SIZE);
        terminal.wait("softmax");
        terminal.press("p");
        let either =
            |screen: &vt100::Screen| ["PAUSED", "finished"].iter().any(|word| screen.contents().contains(word));
        terminal.until("it is paused, or over", either);
        if terminal.text().contains("PAUSED") {
            return (place, terminal);
        }
    }
    panic!("no run was paused before its end");
}

#[test]
fn n_pressed_twice_goes_on_and_the_run_is_found_in_the_history() {
    let (place, mut terminal) = paused();
    terminal.press("n");
    terminal.wait("stopping after epoch");
    terminal.press("n");
    terminal.wait("the stop was withdrawn");
    terminal.press("p");
    terminal.wait("finished");
    terminal.press("q");
    ended_well(&mut terminal);
    let journal = place.journals("tiny").remove(0);
    let ends = journal.iter().filter(|record| matches!(record.event, Event::EpochEnded { .. })).count();
    assert_eq!(ends, 5);
    let mut terminal = Terminal::start(&place, &[], SIZE);
    terminal.wait("tiny");
    terminal.wait("mobilefacenet");
    terminal.press("q");
    ended_well(&mut terminal);
}
