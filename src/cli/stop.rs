//! `facetui stop`: asks a live run to stop, after its epoch or now.

use std::time::{Duration, Instant};

use super::failure::Failure;
use super::output::say;
use super::which_run::{WhichRun, socket, unreachable};
use crate::event::{Command, StopKind};
use crate::report::summary;
use crate::run::find::Wanted;
use crate::run::socket::client::{ClientError, Connection};
use crate::run::socket::protocol::ToClient;
use crate::run::state::RunState;

/// How long a run may take to answer; it looks for commands between two steps.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(1);

/// `facetui stop`.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct Request {
    #[command(flatten)]
    which: WhichRun,
    /// Stop after the current step instead of after the epoch
    #[arg(long)]
    now: bool,
    /// Wait until the run has ended
    #[arg(long)]
    wait: bool,
}

/// Asks a run to stop and says what came of it.
pub(super) fn stop(request: &Request) -> Result<(), Failure> {
    let found = request.which.find(Wanted::Live)?;
    let mut connection = Connection::open(&socket(&found)?).map_err(|error| unreachable(&found, &error))?;
    let kind = if request.now { StopKind::Now } else { StopKind::AfterEpoch };
    let broken = |error: std::io::Error| Failure::Run(miette::miette!("`{}` does not answer: {error}", found.id));
    connection.set_timeout(Some(ANSWER_TIMEOUT)).map_err(broken)?;
    let mut state = RunState::default();
    let mut asked = false;
    let mut told = false;
    let since = Instant::now();
    while !state.is_ended() {
        let answered = asked && (state.stop == Some(kind) || state.stop == Some(StopKind::Now));
        if answered && !told {
            told = true;
            let when = match state.stop {
                Some(StopKind::Now) => "now",
                _ => "after its epoch",
            };
            let epoch = state.current.as_ref().map_or_else(String::new, |now| format!(", in epoch {}", now.epoch));
            say(&format!("{} stops {when}{epoch}\n", found.id));
            if !request.wait {
                return Ok(());
            }
            connection.set_timeout(None).map_err(broken)?;
        }
        if asked && !told && since.elapsed() > ANSWER_TIMEOUT {
            return Err(broken(std::io::ErrorKind::TimedOut.into()));
        }
        match connection.receive().map_err(broken)? {
            Some(ToClient::Record(record)) => state.apply(&record),
            Some(ToClient::Live) if !asked => {
                asked = true;
                connection.send(Command::Stop(kind)).map_err(broken)?;
            }
            Some(ToClient::Refused(reason)) => return Err(unreachable(&found, &ClientError::Refused(reason))),
            Some(_) => {}
            None => break,
        }
    }
    if !state.is_ended() {
        return Err(Failure::Run(miette::miette!("`{}` was killed", found.id)));
    }
    say(&summary::text(&state));
    Ok(())
}
