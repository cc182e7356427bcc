//! The real program in a pseudo terminal of 200x60: `cargo bench --bench front_end`. Needs the demo's data
//! (`cargo xtask demo` makes it); the training takes two cores meanwhile.
//!
//! Prints how long a key takes to change the screen while a network is trained, and how much of a core the front end
//! uses while nothing happens: in the history, and while the training holds.

#![allow(clippy::print_stdout, reason = "a benchmark prints")]

use std::io::{Read, Write};
use std::num::NonZero;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

const ROWS: NonZero<u16> = NonZero::new(60).expect("rows");
const COLUMNS: NonZero<u16> = NonZero::new(200).expect("columns");
const KEYS: usize = 40;
const IDLE: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_mins(1);

/// The program on its terminal.
struct Program {
    screen: Arc<(Mutex<vt100::Parser>, Condvar)>,
    keys: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    _master: Box<dyn MasterPty + Send>,
}

impl Program {
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        let size = PtySize { rows: ROWS.get(), cols: COLUMNS.get(), pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("a pseudo terminal");
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_facetui"));
        command.args(arguments);
        command.cwd(folder);
        command.env("TERM", "xterm-256color");
        command.env("LANG", "C.UTF-8");
        // Where it would remember what a user chose.
        command.env("XDG_STATE_HOME", folder);
        let child = pair.slave.spawn_command(command).expect("starts");
        let mut output = pair.master.try_clone_reader().expect("a reader");
        let keys = pair.master.take_writer().expect("a writer");
        let screen = Arc::new((Mutex::new(vt100::Parser::new(ROWS, COLUMNS, 0)), Condvar::new()));
        let seen = Arc::clone(&screen);
        thread::spawn(move || {
            let mut bytes = vec![0; 1 << 16];
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                seen.0.lock().expect("whole").process(&bytes[..count]);
                seen.1.notify_all();
            }
        });
        Self { screen, keys, child, _master: pair.master }
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).and_then(|()| self.keys.flush()).expect("takes keys");
    }

    /// Waits until the screen shows a text, or no longer does.
    fn wait(&self, text: &str, shown: bool) {
        let (screen, changed) = &*self.screen;
        let other = |parser: &mut vt100::Parser| parser.screen().contents().contains(text) != shown;
        let guard = screen.lock().expect("whole");
        let (guard, late) = changed.wait_timeout_while(guard, PATIENCE, other).expect("whole");
        assert!(!late.timed_out(), "`{text}` was waited for:\n{}", guard.screen().contents());
    }

    /// Seconds of processor time so far.
    fn used(&self) -> f64 {
        let id = self.child.process_id().expect("runs");
        let text = std::fs::read_to_string(format!("/proc/{id}/stat")).expect("Linux");
        let fields: Vec<&str> = text.rsplit(')').next().expect("a name").split_whitespace().collect();
        let ticks = |at: usize| fields[at].parse::<f64>().expect("a number");
        (ticks(11) + ticks(12)) / 100.0
    }

    /// Share of a core that is used meanwhile, in percent.
    fn idle(&self, name: &str) {
        let (before, began) = (self.used(), Instant::now());
        thread::sleep(IDLE);
        let share = (self.used() - before) / began.elapsed().as_secs_f64() * 100.0;
        println!("{name:<44} {share:>6.2} % of a core");
    }
}

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut history = Program::start(folder.path(), &[]);
    history.wait("No runs yet", true);
    history.idle("history, nothing happens");
    history.press("q");
    let _ = history.child.wait();

    let mut demo = Program::start(folder.path(), &["demo"]);
    demo.wait("images/s", true);
    // The first report of the first epoch.
    demo.wait("epoch 1", true);
    thread::sleep(Duration::from_secs(3));
    let mut times = Vec::new();
    for _ in 0..KEYS {
        for (key, shown) in [("?", true), ("\u{1b}", false)] {
            let pressed = Instant::now();
            demo.press(key);
            demo.wait("to scroll, Esc to close", shown);
            times.push(pressed.elapsed().as_secs_f64() * 1e3);
            thread::sleep(Duration::from_millis(37));
        }
    }
    times.sort_by(f64::total_cmp);
    let (median, slowest) = (times[times.len() / 2], times[times.len() - 1]);
    println!(
        "{:<44} {median:>6.1} ms median, {slowest:.1} ms slowest of {}",
        "key to screen while training",
        times.len()
    );
    demo.press("p");
    demo.wait("PAUSED", true);
    thread::sleep(Duration::from_secs(1));
    demo.idle("training that holds, all panes on screen");
    demo.press("p");
    demo.press("q");
    demo.wait("leave?", true);
    demo.press("s");
    let _ = demo.child.wait();
}
