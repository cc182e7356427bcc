//! Keeps what native libraries print off the screen.
//!
//! libtorch, CUDA and HDF5 write to file descriptors 1 and 2 whenever they like, which would destroy the frame. The
//! capture points both at pipes, reads those line by line on a thread each, and gives the descriptors back when it is
//! dropped. The screen itself is drawn to a duplicate of the real standard output.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal as _, Read, Write};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rustix::pipe::{PipeFlags, pipe_with};
use rustix::stdio::{dup2_stderr, dup2_stdout, stderr, stdout};
use rustix::termios::tcgetattr;

/// Longest line that is kept, in bytes: a library that never ends its lines must not fill the memory.
const LONGEST: u64 = 8192;

/// The real standard output and error, to be put back.
#[derive(Debug)]
pub(in crate::tui) struct RealStdio {
    out: OwnedFd,
    err: OwnedFd,
    /// Whether each was a terminal.
    terminals: [bool; 2],
    /// What takes the place of a terminal that went away.
    instead: Option<File>,
}

impl RealStdio {
    /// Puts the real descriptors back. May be called any number of times.
    pub(in crate::tui) fn restore(&self) {
        let _ = io::stdout().flush();
        let [out, err] = [(&self.out, self.terminals[0]), (&self.err, self.terminals[1])].map(|(real, terminal)| {
            // Much that prints panics when it cannot: a terminal that is gone must not be printed to.
            let gone = terminal && tcgetattr(real).is_err();
            self.instead.as_ref().filter(|_| gone).map_or_else(|| real.as_fd(), File::as_fd)
        });
        // Nothing can be done about a failure: there is no other place to report it.
        let _ = dup2_stdout(out);
        let _ = dup2_stderr(err);
    }

    /// Another handle of the real standard output, to draw on.
    pub(in crate::tui) fn screen(&self) -> io::Result<File> {
        self.out.try_clone().map(File::from)
    }
}

/// The capture: while it lives, printed lines go to its sink.
#[derive(Debug)]
pub(in crate::tui) struct StdioCapture {
    real: Arc<RealStdio>,
    pipes: [OwnedFd; 2],
}

impl StdioCapture {
    /// Starts to capture. Each line goes to `sink` without colours and control letters, tagged with where it came
    /// from, and to the end of `log_file`.
    pub(in crate::tui) fn start(
        log_file: Option<&Path>,
        sink: impl Fn(String) + Send + Clone + 'static,
    ) -> io::Result<Self> {
        let file = log_file.map(|path| File::options().create(true).append(true).open(path)).transpose()?;
        let file = Arc::new(Mutex::new(file));
        let instead = match file.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            Some(log) => log.try_clone().ok(),
            None => File::options().write(true).open("/dev/null").ok(),
        };
        let real = Arc::new(RealStdio {
            out: rustix::io::fcntl_dupfd_cloexec(stdout(), 3)?,
            err: rustix::io::fcntl_dupfd_cloexec(stderr(), 3)?,
            terminals: [io::stdout().is_terminal(), io::stderr().is_terminal()],
            instead,
        });
        let out = read_lines("stdout", &file, sink.clone())?;
        let err = read_lines("stderr", &file, sink)?;
        let capture = Self { real, pipes: [out, err] };
        capture.divert()?;
        Ok(capture)
    }

    /// Points the descriptors at the pipes (again).
    pub(in crate::tui) fn divert(&self) -> io::Result<()> {
        io::stdout().flush()?;
        dup2_stdout(&self.pipes[0])?;
        dup2_stderr(&self.pipes[1])?;
        Ok(())
    }

    /// The real descriptors.
    pub(in crate::tui) fn real(&self) -> Arc<RealStdio> {
        Arc::clone(&self.real)
    }
}

impl Drop for StdioCapture {
    fn drop(&mut self) {
        // With the pipes' only writers gone, the threads read what is left and end by themselves.
        self.real.restore();
    }
}

/// Opens a pipe, reads its lines on a thread, and gives its writing end.
fn read_lines(
    tag: &'static str,
    file: &Arc<Mutex<Option<File>>>,
    sink: impl Fn(String) + Send + 'static,
) -> io::Result<OwnedFd> {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
    let file = Arc::clone(file);
    thread::Builder::new().name(format!("facetui-{tag}")).spawn(move || {
        let mut reader = BufReader::new(File::from(reader));
        let mut line = Vec::new();
        loop {
            line.clear();
            match reader.by_ref().take(LONGEST).read_until(b'\n', &mut line) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => break,
            }
            let text = clean(&String::from_utf8_lossy(&line));
            if text.is_empty() {
                continue;
            }
            let text = format!("{tag}: {text}");
            if let Some(file) = file.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
                // The log pane has the line in any case.
                let _ = writeln!(file, "{text}");
            }
            sink(text);
        }
    })?;
    Ok(writer)
}

/// A printed line without escape sequences and control letters; of a progress line that was rewritten with carriage
/// returns, the last version.
fn clean(line: &str) -> String {
    let line = line.trim_end_matches(['\n', '\r']);
    let line = line.rsplit('\r').next().unwrap_or_default();
    let mut text = String::with_capacity(line.len());
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\u{1b}' => match letters.next() {
                // CSI: up to its final letter.
                Some('[') => while letters.next().is_some_and(|next| !('@'..='~').contains(&next)) {},
                // OSC: up to BEL or ESC \.
                Some(']') => {
                    while let Some(next) = letters.next() {
                        if next == '\u{7}' || (next == '\u{1b}' && letters.next_if_eq(&'\\').is_some()) {
                            break;
                        }
                    }
                }
                _ => {}
            },
            '\t' => text.push(' '),
            other if other.is_control() => {}
            other => text.push(other),
        }
    }
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_and_progress_bars_are_taken_out() {
        assert_eq!(clean("\u{1b}[31mred\u{1b}[0m text\n"), "red text");
        assert_eq!(clean("10%\r55%\r100%\n"), "100%");
        assert_eq!(clean("\u{1b}]0;title\u{7}after\ttab"), "after tab");
        assert_eq!(clean("\u{1b}[2K\r\n"), "");
        assert_eq!(clean("\u{1b}"), "");
    }
}
