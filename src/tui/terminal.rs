//! The terminal: taken over for the front end, and given back whatever happens.
//!
//! [`Screen`] is a guard. Dropping it restores the terminal, and a panic of the thread that draws restores it before the
//! report is printed. A panic elsewhere (the engine, a loader) leaves the screen alone: its report lands in the
//! log through the captured standard error, and the engine turns it into an event.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::panic::{self, PanicHookInfo};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crossterm::cursor::{Hide, Show};
use crossterm::event::{DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture};
use crossterm::execute;
use crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
    disable_raw_mode, enable_raw_mode,
};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::stdio::{RealStdio, StdioCapture};

type Hook = dyn Fn(&PanicHookInfo<'_>) + Send + Sync;

/// What is needed to give the terminal back, from anywhere.
#[derive(Debug)]
struct Restorer {
    stdio: Arc<RealStdio>,
    screen: File,
    taken: AtomicBool,
    /// Whether the mouse is wanted.
    mouse: AtomicBool,
}

impl Restorer {
    fn take(&self) -> io::Result<()> {
        self.taken.store(true, Ordering::SeqCst);
        enable_raw_mode()?;
        execute!(&self.screen, EnterAlternateScreen, EnableBracketedPaste, Hide)?;
        self.set_mouse()
    }

    /// Asks the terminal for the mouse's events, or no longer.
    fn set_mouse(&self) -> io::Result<()> {
        if self.mouse.load(Ordering::SeqCst) {
            execute!(&self.screen, EnableMouseCapture)
        } else {
            execute!(&self.screen, DisableMouseCapture)
        }
    }

    /// Gives the screen back. May be called any number of times; failures are left alone, since this is the way out.
    fn give_back(&self) {
        if self.taken.swap(false, Ordering::SeqCst) {
            let _ = execute!(
                &self.screen,
                EndSynchronizedUpdate,
                DisableMouseCapture,
                DisableBracketedPaste,
                LeaveAlternateScreen,
                Show
            );
            let _ = disable_raw_mode();
        }
        self.stdio.restore();
    }
}

/// The terminal while it is the front end's.
pub(super) struct Screen {
    terminal: Terminal<CrosstermBackend<BufWriter<File>>>,
    capture: StdioCapture,
    restorer: Arc<Restorer>,
    previous_hook: Arc<Hook>,
}

impl Screen {
    /// Takes the terminal over, and the mouse when it is wanted. `capture` must be at work already.
    pub(super) fn take(capture: StdioCapture, mouse: bool) -> io::Result<Self> {
        let stdio = capture.real();
        let terminal = blank(&stdio)?;
        let restorer = Arc::new(Restorer {
            screen: stdio.screen()?,
            stdio,
            taken: AtomicBool::new(false),
            mouse: AtomicBool::new(mouse),
        });
        let previous_hook: Arc<Hook> = Arc::from(panic::take_hook());
        let hook = (Arc::clone(&restorer), Arc::clone(&previous_hook), thread::current().id());
        panic::set_hook(Box::new(move |info| {
            let (restorer, previous, drawing_thread) = &hook;
            if thread::current().id() == *drawing_thread {
                restorer.give_back();
            }
            previous(info);
        }));
        let screen = Self { terminal, capture, restorer, previous_hook };
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
        self.restorer.mouse.store(wanted, Ordering::SeqCst);
        self.restorer.set_mouse()
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
        // A panicking thread cannot change the hook, and has no use for it either.
        if !thread::panicking() {
            let previous = Arc::clone(&self.previous_hook);
            panic::set_hook(Box::new(move |info| previous(info)));
        }
    }
}
