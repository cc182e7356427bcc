//! The thread that reads and changes past runs, so that a slow disk never holds up a frame.

use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use tokio::sync::mpsc::UnboundedSender;

use crate::run::history::schedule_diff::Change;
use crate::run::history::{HistorySource, PastRun};
use crate::run::state::RunState;

use super::action::Effect;
use super::drill::{Look, Wish};

/// What came back from the threads of the history and of the plots.
pub(super) enum Read {
    Listed(Vec<PastRun>),
    Opened(String, Box<Result<RunState, String>>),
    Plotted(Result<PathBuf, String>),
    Compared(String, Box<Result<RunState, String>>),
    Kept(Result<String, String>),
    Differs(String, Result<Vec<(Change, String)>, String>),
    Looked(Wish, Box<Result<Look, String>>),
}

/// Starts the thread; it ends when nobody asks any more, or nobody listens.
pub(super) fn start(mut source: Box<dyn HistorySource>, answers: UnboundedSender<Read>) -> io::Result<Sender<Effect>> {
    let (requests, wishes) = channel::<Effect>();
    thread::Builder::new().name("facetui-history".to_owned()).spawn(move || {
        while let Ok(first) = wishes.recv() {
            // Of lists and opened runs only the newest wish matters: someone holds the arrow key down.
            let (mut list, mut open) = (false, None);
            for wish in std::iter::once(first).chain(wishes.try_iter()) {
                let answer = match wish {
                    Effect::ListRuns => {
                        list = true;
                        None
                    }
                    Effect::OpenRun(run) => {
                        open = Some(run);
                        None
                    }
                    wish => answer(source.as_mut(), wish),
                };
                if answer.is_some_and(|answer| answers.send(answer).is_err()) {
                    return;
                }
            }
            if list && answers.send(Read::Listed(source.list())).is_err() {
                return;
            }
            if let Some(run) = open {
                let state = state(source.as_mut(), &run);
                if answers.send(Read::Opened(run.id, Box::new(state))).is_err() {
                    return;
                }
            }
        }
    })?;
    Ok(requests)
}

/// Does what was asked; none for what does not concern past runs.
fn answer(source: &mut dyn HistorySource, wish: Effect) -> Option<Read> {
    match wish {
        Effect::Compare(run) => {
            let state = state(source, &run);
            Some(Read::Compared(run.id, Box::new(state)))
        }
        Effect::Mark(run, marks) => {
            let kept = source.mark(&run, &marks).map(|()| format!("noted for `{}`", run.id));
            Some(Read::Kept(kept.map_err(|error| format!("nothing is noted for `{}`: {error}", run.id))))
        }
        Effect::Discard(run) => {
            let kept = source.discard(&run).map(|place| format!("`{}` lies in `{}` now", run.id, place.display()));
            Some(Read::Kept(kept.map_err(|error| format!("`{}` is not deleted: {error}", run.id))))
        }
        Effect::Difference(first, second) => {
            let lines = source.difference(&first, &second).map_err(|error| format!("they cannot be compared: {error}"));
            Some(Read::Differs(format!("from {} to {}", first.id, second.id), lines))
        }
        _ => None,
    }
}

fn state(source: &mut dyn HistorySource, run: &PastRun) -> Result<RunState, String> {
    source.open(run).map_err(|error| format!("cannot read `{}`: {error}", run.journal.display()))
}
