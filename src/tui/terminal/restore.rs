//! Gives the terminal back as it was: at the end, in between, and before the report of a panic is printed.

use std::fs::File;
use std::io;
use std::panic::{self, PanicHookInfo};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crossterm::cursor::{Hide, Show};
use crossterm::event::{DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture};
use crossterm::execute;
use crossterm::terminal::{
    EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};

use super::stdio::RealStdio;

/// What is needed to give the terminal back, from anywhere.
#[derive(Debug)]
pub(super) struct Restorer {
    stdio: Arc<RealStdio>,
    screen: File,
    taken: AtomicBool,
    /// Whether the mouse is wanted.
    mouse: AtomicBool,
}

impl Restorer {
    pub(super) fn new(stdio: Arc<RealStdio>, mouse: bool) -> io::Result<Self> {
        let screen = stdio.screen()?;
        Ok(Self { stdio, screen, taken: AtomicBool::new(false), mouse: AtomicBool::new(mouse) })
    }

    /// Takes the terminal over.
    pub(super) fn take(&self) -> io::Result<()> {
        self.taken.store(true, Ordering::SeqCst);
        enable_raw_mode()?;
        execute!(&self.screen, EnterAlternateScreen, EnableBracketedPaste, Hide)?;
        self.set_mouse()
    }

    /// Takes the mouse, or gives it to the terminal.
    pub(super) fn want_mouse(&self, wanted: bool) -> io::Result<()> {
        self.mouse.store(wanted, Ordering::SeqCst);
        self.set_mouse()
    }

    /// Turns the terminal's mouse events on or off.
    fn set_mouse(&self) -> io::Result<()> {
        if self.mouse.load(Ordering::SeqCst) {
            execute!(&self.screen, EnableMouseCapture)
        } else {
            execute!(&self.screen, DisableMouseCapture)
        }
    }

    /// Gives the screen back. May be called any number of times; failures are left alone, since this is the way out.
    pub(super) fn give_back(&self) {
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

type Hook = dyn Fn(&PanicHookInfo<'_>) + Send + Sync;

/// The panic hook that restores the terminal first; dropped, it puts the hook of before back.
pub(super) struct PanicHook {
    previous: Arc<Hook>,
}

impl PanicHook {
    /// Sets it, for panics of the current thread.
    pub(super) fn set(restorer: &Arc<Restorer>) -> Self {
        let previous: Arc<Hook> = Arc::from(panic::take_hook());
        let hook = (Arc::clone(restorer), Arc::clone(&previous), thread::current().id());
        panic::set_hook(Box::new(move |info| {
            let (restorer, previous, drawing_thread) = &hook;
            if thread::current().id() == *drawing_thread {
                restorer.give_back();
            }
            previous(info);
        }));
        Self { previous }
    }
}

impl Drop for PanicHook {
    fn drop(&mut self) {
        // A panicking thread cannot change the hook, and has no use for it either.
        if !thread::panicking() {
            let previous = Arc::clone(&self.previous);
            panic::set_hook(Box::new(move |info| previous(info)));
        }
    }
}
