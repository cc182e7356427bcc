//! The program, or a shell, in a pseudo terminal that can be read, typed into, resized and closed.

use std::io::{Read, Write};
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use crate::place::Place;
use crate::process::PATIENCE;

/// A pseudo terminal with a program in it.
pub struct Terminal {
    screen: Arc<Mutex<vt100::Parser>>,
    bytes: Arc<AtomicUsize>,
    closing: Arc<AtomicBool>,
    reader: Option<std::thread::JoinHandle<()>>,
    keys: Option<Box<dyn Write + Send>>,
    child: Box<dyn Child + Send + Sync>,
    master: Option<Box<dyn MasterPty + Send>>,
}

const fn side(cells: u16) -> NonZero<u16> {
    NonZero::new(cells).expect("a size")
}

const fn size((columns, rows): (u16, u16)) -> PtySize {
    PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }
}

impl Terminal {
    /// Starts the program with arguments in a place; a size is columns and rows.
    pub fn start(place: &Place, arguments: &[&str], size: (u16, u16)) -> Self {
        Self::start_with(place, arguments, size, &[])
    }

    /// As [`Self::start`], with more in the environment.
    pub fn start_with(place: &Place, arguments: &[&str], size: (u16, u16), environment: &[(&str, &str)]) -> Self {
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_facetui"));
        command.args(arguments);
        command.env("XDG_STATE_HOME", place.path("state"));
        for (name, value) in environment {
            command.env(name, value);
        }
        Self::spawn_in(place, command, size)
    }

    /// A shell with job control, its prompt on the screen, in which the program is started as a user starts it.
    pub fn shell(place: &Place, size: (u16, u16)) -> Self {
        let mut command = CommandBuilder::new("bash");
        command.args(["--norc", "--noprofile", "-i"]);
        command.env("PS1", "shell> ");
        let terminal = Self::spawn_in(place, command, size);
        terminal.wait("shell> ");
        terminal
    }

    fn spawn_in(place: &Place, mut command: CommandBuilder, size: (u16, u16)) -> Self {
        command.cwd(place.path("."));
        command.env("XDG_CACHE_HOME", place.path("cache"));
        for (name, value) in [("LC_ALL", "C.UTF-8"), ("OMP_NUM_THREADS", "1")] {
            command.env(name, value);
        }
        Self::spawn(command, size)
    }

    /// Starts a command in a new pseudo terminal.
    pub fn spawn(mut command: CommandBuilder, (columns, rows): (u16, u16)) -> Self {
        command.env("TERM", "xterm-256color");
        let pair = native_pty_system().openpty(size((columns, rows))).expect("a pseudo terminal");
        let child = pair.slave.spawn_command(command).expect("starts");
        drop(pair.slave);
        let screen = Arc::new(Mutex::new(vt100::Parser::new(side(rows), side(columns), 0)));
        let closing = Arc::new(AtomicBool::new(false));
        let mut reader = pair.master.try_clone_reader().expect("a reader");
        let bytes = Arc::new(AtomicUsize::new(0));
        let (seen, read, closed) = (Arc::clone(&screen), Arc::clone(&bytes), Arc::clone(&closing));
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                seen.lock().expect("a lock").process(&buffer[..count]);
                read.fetch_add(count, Ordering::SeqCst);
                if closed.load(Ordering::SeqCst) {
                    return;
                }
            }
        });
        let keys = Some(pair.master.take_writer().expect("a writer"));
        Self { screen, bytes, closing, reader: Some(reader), keys, child, master: Some(pair.master) }
    }

    /// What the terminal holds now.
    pub fn with_screen<T>(&self, look: impl FnOnce(&vt100::Screen) -> T) -> T {
        look(self.screen.lock().expect("a lock").screen())
    }

    /// What the screen shows.
    pub fn text(&self) -> String {
        self.with_screen(vt100::Screen::contents)
    }

    /// How many bytes were written to the terminal.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::SeqCst)
    }

    /// Whether the program has the screen, not the shell.
    pub fn is_alternate(&self) -> bool {
        self.with_screen(vt100::Screen::alternate_screen)
    }

    /// The process in the terminal.
    pub fn pid(&self) -> rustix::process::Pid {
        let id = self.child.process_id().and_then(|id| rustix::process::Pid::from_raw(id as i32));
        id.expect("a process")
    }

    /// Writes over the screen what another program would have written.
    pub fn scribble(&self, bytes: &[u8]) {
        self.screen.lock().expect("a lock").process(bytes);
    }

    /// Waits until something is so of what the terminal holds.
    pub fn until(&self, what: &str, so: impl Fn(&vt100::Screen) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !self.with_screen(&so) {
            assert!(Instant::now() < end, "it never came that {what}; the screen is\n{}", self.text());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits for a text on the screen.
    pub fn wait(&self, what: &str) {
        self.until(&format!("`{what}` is shown"), |screen| screen.contents().contains(what));
    }

    /// Waits until a text has left the screen.
    pub fn wait_gone(&self, what: &str) {
        self.until(&format!("`{what}` is shown no more"), |screen| !screen.contents().contains(what));
    }

    /// Types.
    pub fn press(&mut self, keys: &str) {
        let writer = self.keys.as_mut().expect("open");
        writer.write_all(keys.as_bytes()).and_then(|()| writer.flush()).expect("writes");
    }

    /// Types an escape, and waits until it has closed what shows a text: a letter right behind it would be one key with it.
    pub fn escape(&mut self, closed: &str) {
        self.press("\u{1b}");
        self.wait_gone(closed);
    }

    /// Gives the terminal another size, in columns and rows.
    pub fn resize(&self, (columns, rows): (u16, u16)) {
        self.screen.lock().expect("a lock").set_size(side(rows), side(columns));
        self.master.as_ref().expect("open").resize(size((columns, rows))).expect("another size");
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

    /// Waits for the program's end, and for its last words on the screen; its exit code.
    pub fn end(&mut self) -> u32 {
        let end = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("the child is ours") {
                break status;
            }
            assert!(Instant::now() < end, "it does not end; the screen is\n{}", self.text());
            std::thread::sleep(Duration::from_millis(10));
        };
        // The reader ends when nobody has the terminal any more, which somebody in the background may.
        let end = Instant::now() + Duration::from_secs(5);
        while self.reader.as_ref().is_some_and(|reader| !reader.is_finished()) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(5));
        }
        status.exit_code()
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
