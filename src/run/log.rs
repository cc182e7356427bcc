//! Puts lines into a run's log from outside the engine: from the signal handlers, the socket, the journal's writer.

use crossbeam_channel::{Receiver, Sender};

use super::clock::now;
use crate::event::{Event, Level, Record};

/// Most lines that wait for the recorder.
const MAX_WAITING: usize = 256;

/// The sending end. A line becomes a log event of the run, in the journal too.
#[derive(Debug, Clone)]
pub struct RunLog(Sender<Record>);

impl RunLog {
    /// The two ends.
    pub(crate) fn channel() -> (Self, Receiver<Record>) {
        let (sender, receiver) = crossbeam_channel::bounded(MAX_WAITING);
        (Self(sender), receiver)
    }

    /// Adds a line. After the run's end, or when too many lines wait already, it is lost.
    pub fn add(&self, level: Level, message: String) {
        let _ = self.0.try_send(Record { at: now(), event: Event::Log { level, message } });
    }
}
