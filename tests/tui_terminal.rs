//! The front end in a real (pseudo) terminal: the screen is taken and given back, keys work, what native code prints
//! stays off the screen, signals and panics leave a sane terminal.
//!
//! Each test starts this very binary again inside a pseudo terminal, where [`child`] runs the front end with a
//! scripted engine.

use std::io::{self, Read, Write};
use std::num::NonZero;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use facetui::event::{Command, Event, Outcome, Record, RunHeader, StagePlan, StopKind};
use facetui::run::history::{HistorySource, PastRun};
use facetui::run::state::RunState;
use facetui::tui::{Abilities, LiveRun, TuiOptions};
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use vt100::MouseProtocolMode;

/// Names what the child should do.
const ROLE: &str = "FACETUI_TEST_ROLE";

/// Longest a screen may take to show something.
const PATIENCE: Duration = Duration::from_secs(20);

/// A history of nothing.
struct Empty;

impl HistorySource for Empty {
    fn list(&mut self) -> Vec<PastRun> {
        Vec::new()
    }

    fn open(&mut self, _: &PastRun) -> io::Result<RunState> {
        Err(io::Error::other("there is nothing to open"))
    }
}

fn header() -> RunHeader {
    let plan = StagePlan {
        loss: "softmax".to_owned(),
        optimizer: "adam".to_owned(),
        epochs: 2,
        bottleneck_only: false,
        steps_per_epoch: 100,
        ..StagePlan::default()
    };
    RunHeader {
        run_id: "pty-1".to_owned(),
        name: "pty".to_owned(),
        schedule: "pty.yaml".to_owned(),
        version: "0".to_owned(),
        model: "mobilefacenet".to_owned(),
        parameters: 1,
        embedding_size: 1,
        classes: 2,
        images: 2,
        batch_size: 2,
        device: "cpu".to_owned(),
        precision: "fp32".to_owned(),
        bins: Vec::new(),
        stages: vec![plan],
        initial_epoch: 0,
        pid: 1,
        branches: Vec::new(),
    }
}

/// Panics in the third frame.
fn trip() {
    static FRAMES: AtomicU32 = AtomicU32::new(0);
    assert!(FRAMES.fetch_add(1, Ordering::Relaxed) < 2, "the screen tripped over its feet");
}

/// The child's part: not a test of its own.
#[test]
#[ignore = "started by the other tests in a pseudo terminal"]
fn child() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let screen = role.clone();
    let (sender, events) = tokio::sync::mpsc::unbounded_channel();
    let (commands, wishes) = crossbeam_channel::unbounded();
    let engine = move || {
        let say = |event: Event| {
            let at = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64();
            let _ = sender.send(Arc::new(Record { at, event }));
        };
        say(Event::RunStarted(Box::new(header())));
        say(Event::StageStarted { stage: 0, optimizer: "adam".to_owned() });
        say(Event::EpochStarted { stage: 0, epoch: 1, index: 1, steps: 100, learning_rate: 0.1 });
        // What is printed before the front end has the terminal is not its business.
        thread::sleep(Duration::from_millis(700));
        match role.as_str() {
            "prints" => {
                let _ = rustix::io::write(rustix::stdio::stdout(), b"printed by a library\n");
                let _ = rustix::io::write(rustix::stdio::stderr(), b"\x1b[31mcomplained by a library\x1b[0m\n");
            }
            "panics" => panic!("the engine tripped over its feet"),
            _ => {}
        }
        for wish in wishes {
            if let Command::Stop(kind) = wish {
                say(Event::StopRequested { kind });
                if kind == StopKind::Now {
                    say(Event::Finished { outcome: Outcome::Stopped, seconds: 1.0 });
                    return;
                }
            }
        }
    };
    thread::Builder::new().name("engine".to_owned()).spawn(engine).expect("a thread");
    let abilities = Some(Abilities { color: true, unicode: true, light: false });
    let before_frame = (screen == "frame").then_some(trip as fn());
    let options = TuiOptions { abilities, before_frame, ..TuiOptions::default() };
    let left = facetui::tui::run(Some(LiveRun { events, commands }), Box::new(Empty), options).expect("a terminal");
    assert!(left.live.is_some(), "the run's other end was kept");
    println!("left: {:?} signal {:?}", left.state.expect("a live run").phase, left.signal);
}

/// A pseudo terminal with the child in it.
struct Terminal {
    screen: Arc<Mutex<Seen>>,
    keys: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    _master: Box<dyn MasterPty + Send>,
}

/// What the terminal shows, and how many bytes made it.
struct Seen {
    parser: vt100::Parser,
    bytes: usize,
}

impl Terminal {
    fn start(role: &str) -> Self {
        let size = PtySize { rows: 30, cols: 100, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("a pseudo terminal");
        let mut command = CommandBuilder::new(std::env::current_exe().expect("this binary"));
        command.args(["--ignored", "--exact", "child", "--nocapture", "--test-threads=1"]);
        command.env(ROLE, role);
        command.env("TERM", "xterm-256color");
        command.env("RUST_BACKTRACE", "0");
        let child = pair.slave.spawn_command(command).expect("the child starts");
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().expect("a reader");
        let keys = pair.master.take_writer().expect("a writer");
        let side = |cells| NonZero::new(cells).expect("a size");
        let parser = vt100::Parser::new(side(30), side(100), 0);
        let screen = Arc::new(Mutex::new(Seen { parser, bytes: 0 }));
        let seen = Arc::clone(&screen);
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                let mut seen = seen.lock().expect("no panic while reading");
                seen.parser.process(&buffer[..count]);
                seen.bytes += count;
            }
        });
        Self { screen, keys, child, _master: pair.master }
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("the terminal takes keys");
        self.keys.flush().expect("the terminal takes keys");
    }

    fn text(&self) -> String {
        self.screen.lock().expect("no panic while reading").parser.screen().contents()
    }

    fn bytes(&self) -> usize {
        self.screen.lock().expect("no panic while reading").bytes
    }

    /// Waits for a text on the screen.
    fn wait_for(&self, wanted: &str) -> Duration {
        let start = Instant::now();
        while !self.text().contains(wanted) {
            assert!(start.elapsed() < PATIENCE, "`{wanted}` never came; the screen shows:\n{}", self.text());
            thread::sleep(Duration::from_millis(2));
        }
        start.elapsed()
    }

    /// Waits for the child's end and checks that the terminal was given back.
    fn wait_for_the_end(&mut self) {
        let start = Instant::now();
        while self.child.try_wait().expect("the child can be asked").is_none() {
            assert!(start.elapsed() < PATIENCE, "the child does not end; the screen shows:\n{}", self.text());
            thread::sleep(Duration::from_millis(5));
        }
        self.wait_for("test result");
        let seen = self.screen.lock().expect("no panic while reading");
        let screen = seen.parser.screen();
        assert!(!screen.alternate_screen(), "the alternate screen was left");
        assert!(!screen.hide_cursor(), "the cursor is visible again");
        assert!(!screen.bracketed_paste(), "pastes are plain again");
        assert_eq!(screen.mouse_protocol_mode(), MouseProtocolMode::None, "the mouse is the terminal's again");
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

#[test]
fn keys_are_answered_and_the_terminal_is_given_back() {
    let mut terminal = Terminal::start("quiet");
    terminal.wait_for("TRAINING");
    terminal.press("?");
    let answer = terminal.wait_for("while a run is trained");
    assert!(answer < Duration::from_secs(1), "a key was answered after {answer:?}");
    println!("a key was answered after {answer:?}");
    terminal.press("\u{1b}");
    thread::sleep(Duration::from_millis(200));
    terminal.press("q");
    terminal.wait_for("keep watching");
    terminal.press("s");
    terminal.wait_for("left: Ended(Stopped) signal None");
    terminal.wait_for_the_end();
}

#[test]
fn the_mouse_is_taken_and_can_be_let_go() {
    let mut terminal = Terminal::start("quiet");
    terminal.wait_for("TRAINING");
    let mode = |terminal: &Terminal| terminal.screen.lock().expect("whole").parser.screen().mouse_protocol_mode();
    assert_eq!(mode(&terminal), MouseProtocolMode::AnyMotion);
    // A click on a tab, as terminals tell of it.
    terminal.press("\u{1b}[<0;15;1M\u{1b}[<0;15;1m");
    terminal.wait_for("No runs yet");
    terminal.press("m");
    terminal.wait_for("the mouse selects text");
    let patience = Instant::now();
    while mode(&terminal) != MouseProtocolMode::None && patience.elapsed() < PATIENCE {
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(mode(&terminal), MouseProtocolMode::None);
    terminal.press("q");
    terminal.wait_for("keep watching");
    terminal.press("s");
    terminal.wait_for_the_end();
}

#[test]
fn control_c_three_times_leaves() {
    let mut terminal = Terminal::start("quiet");
    terminal.wait_for("TRAINING");
    terminal.press("\u{3}");
    terminal.wait_for("Ctrl-C again stops now");
    terminal.press("\u{3}\u{3}");
    terminal.wait_for("left: ");
    terminal.wait_for_the_end();
}

#[test]
fn what_libraries_print_goes_to_the_log() {
    let mut terminal = Terminal::start("prints");
    terminal.wait_for("stdout: printed by a library");
    terminal.wait_for("stderr: complained by a library");
    terminal.press("q");
    terminal.wait_for("keep watching");
    terminal.press("s");
    terminal.wait_for_the_end();
}

#[test]
fn a_panic_of_the_engine_leaves_the_screen_standing() {
    let mut terminal = Terminal::start("panics");
    terminal.wait_for("the training thread ended without saying why");
    terminal.wait_for("FAILED");
    terminal.wait_for("the engine tripped over its feet");
    terminal.press("q");
    terminal.wait_for_the_end();
}

#[test]
fn a_panic_of_the_screen_gives_the_terminal_back_before_it_is_told() {
    let mut terminal = Terminal::start("frame");
    terminal.wait_for("the screen tripped over its feet");
    terminal.wait_for_the_end();
    assert!(!terminal.text().contains("evaluation"), "the frame is gone from the screen");
}

#[test]
fn nothing_is_drawn_while_nothing_happens() {
    let mut terminal = Terminal::start("panics");
    terminal.wait_for("FAILED");
    thread::sleep(Duration::from_millis(500));
    let before = terminal.bytes();
    thread::sleep(Duration::from_millis(1500));
    assert_eq!(terminal.bytes(), before, "an idle screen was drawn again");
    terminal.press("q");
    terminal.wait_for_the_end();
}

#[test]
fn a_continue_signal_draws_the_whole_screen_again() {
    let mut terminal = Terminal::start("quiet");
    terminal.wait_for("TRAINING");
    let id = terminal.child.process_id().and_then(|id| rustix::process::Pid::from_raw(id as i32)).expect("a process");
    // As a shell leaves it behind: something else was on the screen meanwhile.
    terminal.screen.lock().expect("no panic while reading").parser.process(b"\x1b[?1049l\x1b[2Jsomething else");
    rustix::process::kill_process(id, rustix::process::Signal::CONT).expect("the signal is sent");
    terminal.wait_for("TRAINING");
    terminal.wait_for("evaluation");
    terminal.press("q");
    terminal.wait_for("keep watching");
    terminal.press("s");
    terminal.wait_for_the_end();
}

#[test]
fn a_termination_signal_gives_the_terminal_back_and_leaves_the_run_to_others() {
    let mut terminal = Terminal::start("quiet");
    terminal.wait_for("TRAINING");
    let id = terminal.child.process_id().and_then(|id| rustix::process::Pid::from_raw(id as i32)).expect("a process");
    rustix::process::kill_process(id, rustix::process::Signal::TERM).expect("the signal is sent");
    terminal.wait_for("left: Training signal Some(15)");
    terminal.wait_for_the_end();
}
