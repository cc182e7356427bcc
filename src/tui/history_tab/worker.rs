//! The thread that reads and changes past runs, so that a slow disk never holds up a frame.

use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use tokio::sync::mpsc::UnboundedSender;

use crate::run::history::schedule_diff::Change;
use crate::run::history::{HistorySource, PastRun};
use crate::run::state::RunState;

use crate::tui::action::Effect;
use crate::tui::bin_details::{BinDetails, BinRequest};

/// What came back from the threads of the history and of the plots.
pub(in crate::tui) enum Answer {
    Listed(Vec<PastRun>),
    Opened(String, Box<Result<RunState, String>>),
    Plotted(Result<PathBuf, String>),
    Compared(String, Box<Result<RunState, String>>),
    Changed(Result<String, String>),
    SchedulesDiffed(String, Result<Vec<(Change, String)>, String>),
    BinRead(BinRequest, Box<Result<BinDetails, String>>),
}

/// Starts the thread; it ends when nobody asks any more, or nobody listens.
pub(in crate::tui) fn start(
    mut source: Box<dyn HistorySource>,
    answers: UnboundedSender<Answer>,
) -> io::Result<Sender<Effect>> {
    let (sender, requests) = channel::<Effect>();
    thread::Builder::new().name("facetui-history".to_owned()).spawn(move || {
        while let Ok(first) = requests.recv() {
            // Of lists and opened runs only the newest request matters: someone holds the arrow key down.
            let (mut list, mut open) = (false, None);
            for request in std::iter::once(first).chain(requests.try_iter()) {
                let answer = match request {
                    Effect::ListRuns => {
                        list = true;
                        None
                    }
                    Effect::OpenRun(run) => {
                        open = Some(run);
                        None
                    }
                    request => answer(source.as_mut(), request),
                };
                if answer.is_some_and(|answer| answers.send(answer).is_err()) {
                    return;
                }
            }
            if list && answers.send(Answer::Listed(source.list())).is_err() {
                return;
            }
            if let Some(run) = open {
                let state = state(source.as_mut(), &run);
                if answers.send(Answer::Opened(run.id, Box::new(state))).is_err() {
                    return;
                }
            }
        }
    })?;
    Ok(sender)
}

/// Does what was asked; none for what does not concern past runs.
fn answer(source: &mut dyn HistorySource, request: Effect) -> Option<Answer> {
    match request {
        Effect::Compare(run) => {
            let state = state(source, &run);
            Some(Answer::Compared(run.id, Box::new(state)))
        }
        Effect::Mark(run, marks) => {
            let changed = source.mark(&run, &marks).map(|()| format!("saved for `{}`", run.id));
            Some(Answer::Changed(changed.map_err(|error| format!("cannot save it for `{}`: {error}", run.id))))
        }
        Effect::Discard(run) => {
            let changed = source.discard(&run).map(|place| format!("moved `{}` to `{}`", run.id, place.display()));
            Some(Answer::Changed(changed.map_err(|error| format!("cannot delete `{}`: {error}", run.id))))
        }
        Effect::DiffSchedules(first, second) => {
            let lines =
                source.difference(&first, &second).map_err(|error| format!("cannot compare the schedules: {error}"));
            Some(Answer::SchedulesDiffed(format!("from {} to {}", first.id, second.id), lines))
        }
        _ => None,
    }
}

fn state(source: &mut dyn HistorySource, run: &PastRun) -> Result<RunState, String> {
    source.open(run).map_err(|error| format!("cannot read `{}`: {error}", run.journal.display()))
}
