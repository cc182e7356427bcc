//! The recorder stands between the engine and everyone who watches: it hands each record on, to the front end, to the
//! clients of the socket and to the thread that writes the journals. It waits for none of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};
use tokio::sync::mpsc::UnboundedSender;

use super::clock::now;
use super::journal;
use super::journal::thread::JournalThread;
use super::socket::hub::Hub;
use crate::crash;
use crate::event::{Event, Record};

/// Between two looks whether the journal's disk answers.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// Everyone who is told of a record.
pub(super) struct Listeners {
    journal: JournalThread,
    subjournalr: UnboundedSender<Arc<Record>>,
    hub: Arc<Hub>,
    /// Set with the run's last event.
    over: Arc<AtomicBool>,
}

impl Listeners {
    /// Those of a run of which nothing was told yet. `over` is set with the run's last event.
    pub(super) const fn new(
        journal: JournalThread,
        subjournalr: UnboundedSender<Arc<Record>>,
        hub: Arc<Hub>,
        over: Arc<AtomicBool>,
    ) -> Self {
        Self { journal, subjournalr, hub, over }
    }

    fn has_ended(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    fn take(&mut self, record: Record) {
        crash::test("recorder");
        let line = journal::line(&record);
        let record = Arc::new(record);
        // Nobody may be watching any more: the journal continues. Those who watch do not wait for the disk.
        let _ = self.subjournalr.send(Arc::clone(&record));
        self.hub.publish(&line);
        self.journal.write(line, &record);
        if matches!(record.event, Event::Finished { .. }) {
            self.over.store(true, Ordering::Release);
        }
    }

    /// Takes what is said of the journal itself.
    fn note(&mut self, event: Option<Event>) {
        if let Some(event) = event.filter(|_| !self.has_ended()) {
            self.take(Record { at: now(), event });
        }
    }
}

/// The recorder's work, until the engine's end of `events` is gone. `log_lines` must not close before. Who sends to `flushes`
/// is answered when all that was said before is on the disk.
pub(super) fn record(
    events: &Receiver<Record>,
    log_lines: &Receiver<Record>,
    mut flushes: Receiver<Sender<()>>,
    listeners: &mut Listeners,
) {
    let news = listeners.journal.news.clone();
    loop {
        crossbeam_channel::select! {
            recv(events) -> record => match record {
                // The machine is sampled until the engine is gone, which is a moment after its last word.
                Ok(record) if listeners.has_ended() && matches!(record.event, Event::Machine(_)) => {}
                Ok(record) => listeners.take(record),
                Err(_) => break,
            },
            recv(log_lines) -> line => if let Ok(line) = line && !listeners.has_ended() {
                listeners.take(line);
            },
            recv(news) -> event => listeners.note(event.ok()),
            recv(flushes) -> done => match done {
                Ok(done) => {
                    for record in events.try_iter() {
                        listeners.take(record);
                    }
                    listeners.journal.sync(done);
                }
                // The engine has ended.
                Err(_) => flushes = crossbeam_channel::never(),
            },
            default(CHECK_EVERY) => {}
        }
        let event = listeners.journal.overdue_write();
        listeners.note(event);
    }
    listeners.journal.finish();
}
