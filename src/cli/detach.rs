//! `--detach`: the run as a process of its own, in a session of its own, without a terminal.
//!
//! The program starts itself again with the same arguments and waits until the run has taken its first steps, so that
//! what fails at the start is told here and not in a log.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::exit_code::ExitCode;
use super::failure::Failure;
use super::output::say;
use super::output_log::{LOG_FILE, redirect_to};
use crate::event::{Event, Outcome};
use crate::run::journal::{self, tail::JournalTail};

/// Set for the process that trains.
const CHILD: &str = "FACETUI_DETACHED";

/// How long the first steps are waited for; a big training set takes its time to list.
const START_TIMEOUT: Duration = Duration::from_mins(2);

/// How often the journal is polled.
const POLL_EVERY: Duration = Duration::from_millis(50);

/// What the process that trains says to the one that started it.
#[derive(Debug, Serialize, Deserialize)]
struct Started {
    run: String,
    folder: PathBuf,
}

/// Whether this process is the one that trains.
pub(super) fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// Leaves the terminal's session: its end, and Ctrl-C there, are no business of this process any more.
pub(super) fn leave_session() {
    // It fails for the first process of a group, which this one is only when started by hand.
    let _ = rustix::process::setsid();
}

/// Tells the process that started this one that the run has begun, and prints to the run's log from now on.
pub(super) fn report(run: &str, folder: &Path) -> Result<(), Failure> {
    let started = Started { run: run.to_owned(), folder: folder.to_path_buf() };
    let line = serde_json::to_string(&started).unwrap_or_default();
    let mut out = std::io::stdout();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    redirect_to(&folder.join(LOG_FILE), [true, true]).map_err(|error| {
        Failure::Run(miette::miette!(
            help = "make the run's folder writable",
            "`{LOG_FILE}` cannot be written: {error}"
        ))
    })
}

/// Starts the process that trains, waits for its first steps, and says how to reach it.
pub(super) fn start() -> Result<(), Failure> {
    let failed =
        |error: &std::io::Error| Failure::Run(miette::miette!("the training process cannot be started: {error}"));
    let program = std::env::current_exe().map_err(|error| failed(&error))?;
    let mut child = std::process::Command::new(program)
        .args(std::env::args_os().skip(1))
        .env(CHILD, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed(&error))?;
    let mut line = String::new();
    if let Some(out) = child.stdout.take() {
        // Anything else is a failure, told below.
        let _ = BufReader::new(out.take(1 << 16)).read_line(&mut line);
    }
    let Ok(started) = serde_json::from_str::<Started>(&line) else {
        let code = child.wait().ok().and_then(|status| status.code()).unwrap_or(1);
        // Its own words are on the standard error already.
        return Err(Failure::Told(ExitCode::OfChild(u8::try_from(code).unwrap_or(1).max(1))));
    };
    let begun = wait_for_steps(&mut child, &started.folder)?;
    let what = if begun { "is training" } else { "is still being prepared" };
    say(&format!(
        "{run} {what} in the background, process {pid}\n  facetui attach {run}   shows it, with all keys\n  \
         facetui stop {run}     stops it after the epoch, with --now at once\n  output: {log}\n",
        run = started.run,
        pid = child.id(),
        log = started.folder.join(LOG_FILE).display()
    ));
    Ok(())
}

/// Waits for the first steps; false when they take too long.
fn wait_for_steps(child: &mut Child, folder: &Path) -> Result<bool, Failure> {
    let mut tail = JournalTail::new(journal::path(folder));
    let until = Instant::now() + START_TIMEOUT;
    while Instant::now() < until {
        // Asked before the journal is read, so that its last words are not missed.
        let gone = child.try_wait().ok().flatten();
        let (mut begun, mut failure) = (false, None);
        // The journal may not be there yet.
        let _ = tail.poll(|record| match record.event {
            Event::Finished { outcome: Outcome::Failed { error, help }, .. } => failure = Some((error, help)),
            Event::Steps { .. } | Event::Finished { .. } => begun = true,
            _ => {}
        });
        if let Some((error, help)) = failure {
            let _ = child.wait();
            let help = help.map_or_else(String::new, |help| format!("{help}\n"));
            let log = folder.join(LOG_FILE);
            return Err(Failure::Run(miette::miette!(
                help = format!("{help}its output is in `{}`", log.display()),
                "the run failed at its start: {error}"
            )));
        }
        if begun {
            return Ok(true);
        }
        if let Some(status) = gone {
            return Err(Failure::Run(miette::miette!(
                help = format!("its output is in `{}`", folder.join(LOG_FILE).display()),
                "the training process ended before its first step: {status}"
            )));
        }
        std::thread::sleep(POLL_EVERY);
    }
    Ok(false)
}
