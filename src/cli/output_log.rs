//! `output.log` in a run's folder: where a run without a terminal prints, and what libraries print.

use std::io::PipeWriter;
use std::path::Path;
use std::sync::OnceLock;

/// The log's name in a run's folder.
pub(super) const LOG_FILE: &str = "output.log";

/// Points standard output and error, where asked, at the end of a file, and standard input at a pipe that nobody writes to: whoever
/// still reads keys sleeps there. crossterm's thread does for as long as the process lives, and at a file's end, or a terminal
/// that is gone, it would read again and again.
pub(super) fn redirect_to(log: &Path, [out, err]: [bool; 2]) -> std::io::Result<()> {
    static NOBODY: OnceLock<PipeWriter> = OnceLock::new();
    if !out && !err {
        return Ok(());
    }
    let log = fs_err::OpenOptions::new().create(true).append(true).open(log)?;
    if out {
        rustix::stdio::dup2_stdout(log.file())?;
    }
    if err {
        rustix::stdio::dup2_stderr(log.file())?;
    }
    let (silence, end) = std::io::pipe()?;
    rustix::stdio::dup2_stdin(&silence)?;
    let _ = NOBODY.set(end);
    Ok(())
}
