//! The program in a pseudo terminal that can be read, typed into and closed.

use std::io::{Read, Write};
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use crate::place::Place;

/// Longest a screen may take to show something.
const PATIENCE: Duration = Duration::from_mins(2);

/// A pseudo terminal with the program in it.
#[allow(dead_code, reason = "each test file uses a part of it")]
pub struct Terminal {
    screen: Arc<Mutex<vt100::Parser>>,
    closing: Arc<AtomicBool>,
    reader: Option<std::thread::JoinHandle<()>>,
    keys: Option<Box<dyn Write + Send>>,
    child: Box<dyn Child + Send + Sync>,
    master: Option<Box<dyn MasterPty + Send>>,
}

#[allow(dead_code, reason = "each test file uses a part of it")]
impl Terminal {
    /// Starts the program with arguments in a place.
    pub fn start(place: &Place, arguments: &[&str], size: (u16, u16)) -> Self {
        Self::start_with(place, arguments, size, &[])
    }

    /// As [`Self::start`], with more in the environment.
    pub fn start_with(
        place: &Place,
        arguments: &[&str],
        (columns, rows): (u16, u16),
        environment: &[(&str, &str)],
    ) -> Self {
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("a pseudo terminal");
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_facetui"));
        command.args(arguments);
        command.cwd(place.path("."));
        command.env("XDG_CACHE_HOME", place.path("cache"));
        command.env("XDG_STATE_HOME", place.path("state"));
        for (name, value) in [("TERM", "xterm-256color"), ("LC_ALL", "C.UTF-8"), ("OMP_NUM_THREADS", "1")] {
            command.env(name, value);
        }
        for (name, value) in environment {
            command.env(name, value);
        }
        let child = pair.slave.spawn_command(command).expect("starts");
        drop(pair.slave);
        let side = |cells| NonZero::new(cells).expect("a size");
        let screen = Arc::new(Mutex::new(vt100::Parser::new(side(rows), side(columns), 0)));
        let closing = Arc::new(AtomicBool::new(false));
        let mut reader = pair.master.try_clone_reader().expect("a reader");
        let (seen, closed) = (Arc::clone(&screen), Arc::clone(&closing));
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                seen.lock().expect("a lock").process(&buffer[..count]);
                if closed.load(Ordering::SeqCst) {
                    return;
                }
            }
        });
        let keys = Some(pair.master.take_writer().expect("a writer"));
        Self { screen, closing, reader: Some(reader), keys, child, master: Some(pair.master) }
    }

    /// What the screen shows.
    pub fn text(&self) -> String {
        self.screen.lock().expect("a lock").screen().contents()
    }

    /// Waits for a text on the screen.
    pub fn wait(&self, what: &str) {
        let until = Instant::now() + PATIENCE;
        while !self.text().contains(what) {
            assert!(Instant::now() < until, "`{what}` never came; the screen is\n{}", self.text());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Types.
    pub fn press(&mut self, keys: &str) {
        let writer = self.keys.as_mut().expect("open");
        writer.write_all(keys.as_bytes()).and_then(|()| writer.flush()).expect("writes");
    }

    /// Closes the terminal as a lost connection does. The program goes on, or not. Something must be drawn now and then.
    pub fn close(&mut self) {
        self.closing.store(true, Ordering::SeqCst);
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the reader ends");
        }
        self.keys = None;
        self.master = None;
    }

    /// Waits for the program's end; its exit code.
    pub fn end(&mut self) -> u32 {
        let code = self.child.wait().expect("ends").exit_code();
        std::thread::sleep(Duration::from_millis(100));
        code
    }

    /// Kills the program.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.kill();
    }
}
