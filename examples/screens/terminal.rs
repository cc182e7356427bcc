//! A program in a pseudo terminal, and the screen it draws.

use std::io::{Read as _, Write};
use std::num::NonZero;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use super::Result;

/// A running program and its screen.
pub struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    keys: Box<dyn Write + Send>,
    parser: Arc<Mutex<vt100::Parser>>,
}

fn size((rows, cols): (u16, u16)) -> PtySize {
    PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }
}

fn grid(cells: u16) -> Result<NonZero<u16>> {
    NonZero::new(cells).ok_or_else(|| "a screen has rows and columns".into())
}

impl Terminal {
    /// Starts a program in `folder` on a screen of rows and columns.
    pub fn start(program: &Path, arguments: &[&str], folder: &Path, shape: (u16, u16)) -> Result<Self> {
        let pair = native_pty_system().openpty(size(shape)).map_err(|error| error.to_string())?;
        let mut command = CommandBuilder::new(program);
        command.args(arguments);
        command.cwd(folder);
        for (name, value) in [("TERM", "xterm-256color"), ("COLORTERM", "truecolor"), ("LANG", "C.UTF-8")] {
            command.env(name, value);
        }
        command.env_remove("LC_ALL");
        command.env("FACETUI_CONFIG", "");
        let child = pair.slave.spawn_command(command).map_err(|error| error.to_string())?;
        drop(pair.slave);
        let mut output = pair.master.try_clone_reader().map_err(|error| error.to_string())?;
        let keys = pair.master.take_writer().map_err(|error| error.to_string())?;
        let parser = Arc::new(Mutex::new(vt100::Parser::new(grid(shape.0)?, grid(shape.1)?, 0)));
        let screen = Arc::clone(&parser);
        thread::spawn(move || {
            let mut bytes = [0; 1 << 14];
            // The end of the program is an error here, not an end of file.
            while let Ok(count) = output.read(&mut bytes) {
                if count == 0 {
                    break;
                }
                screen.lock().unwrap_or_else(PoisonError::into_inner).process(&bytes[..count]);
            }
        });
        Ok(Self { child, master: pair.master, keys, parser })
    }

    /// The screen as it is.
    pub fn screen(&self) -> MutexGuard<'_, vt100::Parser> {
        self.parser.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Types.
    pub fn press(&mut self, keys: &str) -> Result<()> {
        self.keys.write_all(keys.as_bytes())?;
        self.keys.flush()?;
        // An escape is one only when nothing follows it.
        self.settle(Duration::from_millis(300));
        Ok(())
    }

    /// Another size.
    pub fn resize(&self, shape: (u16, u16)) -> Result<()> {
        self.screen().screen_mut().set_size(grid(shape.0)?, grid(shape.1)?);
        self.master.resize(size(shape)).map_err(|error| error.to_string().into())
    }

    /// Lets the program draw.
    #[allow(clippy::unused_self, reason = "reads as what it is for")]
    pub fn settle(&self, time: Duration) {
        thread::sleep(time);
    }

    /// Waits until the screen holds a text.
    pub fn wait_for(&mut self, text: &str, patience: Duration) -> Result<()> {
        let until = Instant::now() + patience;
        while !self.screen().screen().contents().contains(text) {
            if Instant::now() > until || self.child.try_wait()?.is_some() {
                let screen = self.screen().screen().contents();
                return Err(format!("the screen never held `{text}`:\n{screen}").into());
            }
            thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// Waits until the program has ended.
    pub fn wait_for_the_end(&mut self, patience: Duration) -> Result<()> {
        let until = Instant::now() + patience;
        while self.child.try_wait()?.is_none() {
            if Instant::now() > until {
                return Err("the program did not end".into());
            }
            thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It has ended already, unless something went wrong.
        let _ = self.child.kill();
    }
}
