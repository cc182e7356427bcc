//! The real binary in a pseudo terminal, under what happens to terminals: another size, a shell's job control, keys that
//! ask something of the training.

#[path = "support/place.rs"]
mod place;

use std::io::{Read, Write};
use std::num::NonZero;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use facetui::event::{Event, StopKind};
use place::Place;
use portable_pty::{CommandBuilder, PtySize, native_pty_system};

/// Longest that anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(3);

const SCHEDULE: &str = "\
name: tiny
model: {backbone: mobilefacenet, embedding: 16, width: 0.1}
data: {train: demo/faces_112x112_folders, bins: [demo/pose.bin], augment: 0}
batch_size: 2
device: cpu
stages:
  - {loss: softmax, optimizer: adam, epochs: 900}
";

/// A shell in a pseudo terminal.
struct Terminal {
    screen: Arc<Mutex<vt100::Parser>>,
    keys: Box<dyn Write + Send>,
    child: Box<dyn portable_pty::Child + Send + Sync>,
    master: Box<dyn portable_pty::MasterPty + Send>,
}

const fn side(cells: u16) -> NonZero<u16> {
    NonZero::new(cells).expect("not zero")
}

impl Terminal {
    /// A shell with job control, in which the program is started as a user starts it.
    fn start(place: &Place, rows: u16, columns: u16) -> Self {
        let pair = native_pty_system().openpty(size(rows, columns)).expect("a pseudo terminal");
        let mut command = CommandBuilder::new("bash");
        command.args(["--norc", "--noprofile", "-i"]);
        command.cwd(place.path("."));
        for (name, value) in
            [("TERM", "xterm-256color"), ("LC_ALL", "C.UTF-8"), ("OMP_NUM_THREADS", "1"), ("PS1", "shell> ")]
        {
            command.env(name, value);
        }
        command.env("XDG_CACHE_HOME", place.path("cache"));
        let child = pair.slave.spawn_command(command).expect("starts");
        drop(pair.slave);
        let screen = Arc::new(Mutex::new(vt100::Parser::new(side(rows), side(columns), 0)));
        let mut reader = pair.master.try_clone_reader().expect("a reader");
        let seen = Arc::clone(&screen);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                seen.lock().expect("a lock").process(&buffer[..count]);
            }
        });
        let keys = pair.master.take_writer().expect("a writer");
        let mut terminal = Self { screen, keys, child, master: pair.master };
        terminal.wait("shell> ");
        terminal.press(&format!("{} tiny.yaml\n", env!("CARGO_BIN_EXE_facetui")));
        terminal
    }

    fn text(&self) -> String {
        self.screen.lock().expect("a lock").screen().contents()
    }

    fn alternate(&self) -> bool {
        self.screen.lock().expect("a lock").screen().alternate_screen()
    }

    /// Waits for a text on the screen.
    fn wait(&self, what: &str) {
        let until = Instant::now() + PATIENCE;
        while !self.text().contains(what) {
            assert!(Instant::now() < until, "`{what}` never came; the screen is\n{}", self.text());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until a text has left the screen.
    fn wait_gone(&self, what: &str) {
        let until = Instant::now() + PATIENCE;
        while self.text().contains(what) {
            assert!(Instant::now() < until, "`{what}` stays; the screen is\n{}", self.text());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).and_then(|()| self.keys.flush()).expect("writes");
    }

    fn resize(&self, rows: u16, columns: u16) {
        self.screen.lock().expect("a lock").set_size(side(rows), side(columns));
        self.master.resize(size(rows, columns)).expect("another size");
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

const fn size(rows: u16, cols: u16) -> PtySize {
    PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }
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
    let mut terminal = Terminal::start(&place, 24, 80);
    terminal.wait("TRAINING");
    terminal.wait("pose: accuracy");

    // Another size is drawn at once, and a size that is too small says so.
    terminal.resize(40, 120);
    terminal.wait("╭");
    terminal.resize(10, 40);
    terminal.wait("terminal too small");
    terminal.resize(30, 100);
    terminal.wait("n stop after epoch");

    // To the background and back: the shell has its screen meanwhile, and the whole frame comes again.
    terminal.press("\u{1a}");
    terminal.wait("Stopped");
    terminal.wait("shell> ");
    assert!(!terminal.alternate(), "the shell has its screen back");
    terminal.press("fg\n");
    terminal.wait("n stop after epoch");
    assert!(terminal.alternate());
    terminal.wait("evaluation");

    // Pause, ask for a gentle stop and take that back, and look into a bin with its faces while nothing moves.
    pause_between_steps(&mut terminal);
    terminal.press("n");
    terminal.wait("stopping after epoch");
    terminal.press("n");
    terminal.wait("the stop was withdrawn");
    terminal.wait("n stop after epoch");
    // What something else wrote over the screen goes with Ctrl-L.
    terminal.screen.lock().expect("a lock").process(b"\x1b[5;5Hrubbish from elsewhere");
    terminal.wait("rubbish from elsewhere");
    terminal.press("\u{c}");
    terminal.wait_gone("rubbish from elsewhere");
    terminal.press("E");
    terminal.wait("evaluating before the next step");
    terminal.wait("PAUSED");
    terminal.press("v");
    terminal.wait("scores");
    terminal.wait("▀▀▀");
    terminal.press("\u{1b}");
    // A letter right behind an escape would be one key with it.
    std::thread::sleep(Duration::from_millis(300));
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
    let until = Instant::now() + Duration::from_secs(20);
    let seen = |place: &Place| {
        let journal = place.journals("tiny").remove(0);
        journal.iter().any(|record| matches!(&record.event, Event::Machine(sample) if sample.memory_total > 0))
    };
    while !seen(&place) {
        assert!(Instant::now() < until, "no sample of the machine");
        std::thread::sleep(Duration::from_millis(100));
    }

    // Stop now asks, and leaves a model of its own.
    terminal.press("N");
    terminal.wait("stop now?");
    terminal.press("s");
    terminal.wait("stopped - press q");
    terminal.press("q");
    terminal.wait("shell> ");
    assert!(!terminal.alternate());

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
    let mut terminal = Terminal::start(&place, 24, 80);
    terminal.wait("TRAINING");
    terminal.press("\u{1a}");
    terminal.wait("shell> ");
    terminal.press("kill -TERM %1; fg; echo ended with $?\n");
    terminal.wait("ended with 143");
    assert!(!terminal.alternate(), "the shell has its screen back");
    let journal = place.journals("tiny").remove(0);
    assert!(journal.iter().any(|record| matches!(&record.event, Event::CheckpointWritten { .. })));
    assert!(matches!(journal.last().expect("events").event, Event::Finished { .. }), "nothing follows the end");
}
