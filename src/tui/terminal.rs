//! The terminal: taken over for the front end, and given back whatever happens.
//!
//! [`Screen`] is a guard. Dropping it restores the terminal, and a panic of the thread that draws restores it before the
//! report is printed. A panic elsewhere (the engine, a loader) leaves the screen alone: its report lands in the
//! log through the captured standard error, and the engine turns it into an event.

pub(super) mod abilities;
pub(super) mod pictures;
mod restore;
pub(super) mod stdio;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::sync::Arc;

use crossterm::execute;
use crossterm::terminal::{BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use restore::{PanicHook, Restorer};
use stdio::{RealStdio, StdioCapture};

/// The terminal while it is the front end's.
pub(super) struct Screen {
    terminal: Terminal<CrosstermBackend<BufWriter<File>>>,
    capture: StdioCapture,
    restorer: Arc<Restorer>,
    _hook: PanicHook,
}

impl Screen {
    /// Takes the terminal over, and the mouse when it is wanted. `capture` must be at work already.
    pub(super) fn take(capture: StdioCapture, mouse: bool) -> io::Result<Self> {
        let stdio = capture.real();
        let terminal = blank(&stdio)?;
        let restorer = Arc::new(Restorer::new(stdio, mouse)?);
        let hook = PanicHook::set(&restorer);
        let screen = Self { terminal, capture, restorer, _hook: hook };
        screen.restorer.take()?;
        Ok(screen)
    }

    /// Draws a frame, which the terminal shows at once or not at all.
    pub(super) fn draw(&mut self, paint: impl FnOnce(Rect, &mut Buffer)) -> io::Result<()> {
        execute!(self.terminal.backend_mut(), BeginSynchronizedUpdate)?;
        let drawn = self.terminal.draw(|frame| paint(frame.area(), frame.buffer_mut())).map(|_| ());
        execute!(self.terminal.backend_mut(), EndSynchronizedUpdate)?;
        self.terminal.backend_mut().flush()?;
        drawn
    }

    /// Takes the mouse, or gives it to the terminal.
    pub(super) fn mouse(&self, wanted: bool) -> io::Result<()> {
        self.restorer.want_mouse(wanted)
    }

    /// Gives the terminal back for a while.
    pub(super) fn leave(&self) {
        self.restorer.give_back();
    }

    /// Takes the terminal over again; the next frame is drawn in full.
    pub(super) fn enter(&mut self) -> io::Result<()> {
        self.capture.divert()?;
        self.restorer.take()?;
        self.blank()
    }

    /// Empties the screen; the next frame is drawn in full.
    pub(super) fn blank(&mut self) -> io::Result<()> {
        // Not `Terminal::clear`: it asks the terminal for the cursor's place by way of standard output, which is
        // captured. The alternate screen is blank, and so is a new terminal's idea of it.
        execute!(self.terminal.backend_mut(), Clear(ClearType::All))?;
        self.terminal = blank(&self.capture.real())?;
        Ok(())
    }
}

/// A terminal on the real standard output that takes the screen to be blank.
fn blank(stdio: &RealStdio) -> io::Result<Terminal<CrosstermBackend<BufWriter<File>>>> {
    Terminal::new(CrosstermBackend::new(BufWriter::with_capacity(1 << 16, stdio.screen()?)))
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.restorer.give_back();
    }
}
