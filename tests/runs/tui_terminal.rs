//! The front end in a real (pseudo) terminal: the screen is taken and given back, keys work, what native code prints
//! stays off the screen, signals and panics leave a sane terminal.
//!
//! Each test starts this very binary again inside a pseudo terminal, where [`child`] runs the front end with a
//! scripted engine.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use facetui::event::{Command, Event, Outcome, Record, RunHeader, StagePlan, StopKind};
use facetui::run::history::{HistorySource, PastRun};
use facetui::run::state::RunState;
use facetui::tui::{Abilities, LiveRun, TuiOptions};
use portable_pty::CommandBuilder;
use vt100::MouseProtocolMode;

use crate::pty::Terminal;

/// Names what the child should do.
const ROLE: &str = "FACETUI_TEST_ROLE";

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

/// Frames that the child's screen has drawn or begun to draw.
static FRAMES: AtomicU32 = AtomicU32::new(0);

/// Counts frames.
fn count() {
    FRAMES.fetch_add(1, Ordering::Relaxed);
}

/// Panics in the third frame.
fn trip() {
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
        while FRAMES.load(Ordering::Relaxed) == 0 {
            thread::sleep(Duration::from_millis(5));
        }
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
    let before_frame = Some(if screen == "frame" { trip } else { count as fn() });
    let options = TuiOptions { abilities, before_frame, ..TuiOptions::default() };
    let left = facetui::tui::run(Some(LiveRun { events, commands }), Box::new(Empty), options).expect("a terminal");
    assert!(left.live.is_some(), "the run's other end was kept");
    println!("left: {:?} signal {:?}", left.state.expect("a live run").phase, left.signal);
}

/// A pseudo terminal with the child in it.
fn start(role: &str) -> Terminal {
    let mut command = CommandBuilder::new(std::env::current_exe().expect("this binary"));
    command.args(["--ignored", "--exact", "tui_terminal::child", "--nocapture", "--test-threads=1"]);
    command.env(ROLE, role);
    command.env("RUST_BACKTRACE", "0");
    Terminal::spawn(command, (100, 30))
}

/// Waits for the child's end and checks that the terminal was given back.
fn wait_for_the_end(terminal: &mut Terminal) {
    terminal.end();
    terminal.wait("test result");
    terminal.with_screen(|screen| {
        assert!(!screen.alternate_screen(), "the alternate screen was left");
        assert!(!screen.hide_cursor(), "the cursor is visible again");
        assert!(!screen.bracketed_paste(), "pastes are plain again");
        assert_eq!(screen.mouse_protocol_mode(), MouseProtocolMode::None, "the mouse is the terminal's again");
    });
}

#[test]
fn keys_are_answered_and_the_terminal_is_given_back() {
    let mut terminal = start("quiet");
    terminal.wait("TRAINING");
    // A machine that has other things to do may answer one key late, and not all of them.
    let answers = (0..20).map(|_| {
        let asked = Instant::now();
        terminal.press("?");
        terminal.wait("while a run is trained");
        let answer = asked.elapsed();
        terminal.escape("while a run is trained");
        answer
    });
    let answers: Vec<Duration> = answers
        .scan(false, |is_quick, answer| {
            (!std::mem::replace(is_quick, answer < Duration::from_secs(1))).then_some(answer)
        })
        .collect();
    println!("a key was answered after {answers:?}");
    assert!(
        answers.last().is_some_and(|answer| *answer < Duration::from_secs(1)),
        "a key was answered after {answers:?}"
    );
    terminal.press("q");
    terminal.wait("stop now, then quit");
    terminal.press("s");
    terminal.wait("left: Ended(Stopped) signal None");
    wait_for_the_end(&mut terminal);
}

#[test]
fn the_mouse_is_taken_and_can_be_let_go() {
    let mut terminal = start("quiet");
    terminal.wait("TRAINING");
    let mode = |wanted: MouseProtocolMode| move |screen: &vt100::Screen| screen.mouse_protocol_mode() == wanted;
    terminal.until("the mouse is taken", mode(MouseProtocolMode::AnyMotion));
    // A click on a tab, as terminals tell of it.
    terminal.press("\u{1b}[<0;15;1M\u{1b}[<0;15;1m");
    terminal.wait("No runs yet");
    terminal.press("m");
    terminal.wait("the terminal selects text");
    terminal.until("the mouse is let go", mode(MouseProtocolMode::None));
    terminal.press("q");
    terminal.wait("stop now, then quit");
    terminal.press("s");
    wait_for_the_end(&mut terminal);
}

#[test]
fn control_c_three_times_leaves() {
    let mut terminal = start("quiet");
    terminal.wait("TRAINING");
    terminal.press("\u{3}");
    terminal.wait("Ctrl-C again stops now");
    terminal.press("\u{3}\u{3}");
    terminal.wait("left: ");
    wait_for_the_end(&mut terminal);
}

#[test]
fn what_libraries_print_goes_to_the_log() {
    let mut terminal = start("prints");
    terminal.wait("stdout: printed by a library");
    terminal.wait("stderr: complained by a library");
    terminal.press("q");
    terminal.wait("stop now, then quit");
    terminal.press("s");
    wait_for_the_end(&mut terminal);
}

#[test]
fn a_panic_of_the_engine_leaves_the_screen_standing() {
    let mut terminal = start("panics");
    terminal.wait("the training thread ended without saying why");
    terminal.wait("FAILED");
    terminal.wait("the engine tripped over its feet");
    terminal.press("q");
    wait_for_the_end(&mut terminal);
}

#[test]
fn a_panic_of_the_screen_gives_the_terminal_back_before_it_is_told() {
    let mut terminal = start("frame");
    terminal.wait("the screen tripped over its feet");
    wait_for_the_end(&mut terminal);
    assert!(!terminal.text().contains("evaluation"), "the frame is gone from the screen");
}

#[test]
fn nothing_is_drawn_while_nothing_happens() {
    let mut terminal = start("panics");
    terminal.wait("FAILED");
    // What was still to be drawn may take a moment; then nothing is, for as long as the clock would take to tick.
    let quiet = (0..20).any(|_| {
        let before = terminal.bytes();
        thread::sleep(Duration::from_millis(1500));
        terminal.bytes() == before
    });
    assert!(quiet, "an idle screen is drawn again and again");
    terminal.press("q");
    wait_for_the_end(&mut terminal);
}

#[test]
fn a_continue_signal_draws_the_whole_screen_again() {
    let mut terminal = start("quiet");
    terminal.wait("TRAINING");
    let id = terminal.pid();
    // As a shell leaves it behind: something else was on the screen meanwhile.
    terminal.scribble(b"\x1b[?1049l\x1b[2Jsomething else");
    rustix::process::kill_process(id, rustix::process::Signal::CONT).expect("the signal is sent");
    terminal.wait("TRAINING");
    terminal.wait("evaluation");
    terminal.press("q");
    terminal.wait("stop now, then quit");
    terminal.press("s");
    wait_for_the_end(&mut terminal);
}

#[test]
fn a_termination_signal_gives_the_terminal_back_and_leaves_the_run_to_others() {
    let mut terminal = start("quiet");
    terminal.wait("TRAINING");
    let id = terminal.pid();
    rustix::process::kill_process(id, rustix::process::Signal::TERM).expect("the signal is sent");
    terminal.wait("left: Training signal Some(15)");
    wait_for_the_end(&mut terminal);
}
