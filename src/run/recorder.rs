//! The recorder stands between the engine and everyone who watches: it hands each record on, to the front end, to the
//! clients of the socket and to the scribe, who writes it to the journals. It waits for none of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};
use tokio::sync::mpsc::UnboundedSender;

use super::journal;
use super::launch::now;
use super::scribe::Scribe;
use super::socket::hub::Hub;
use crate::crash;
use crate::event::{Event, Level, Record};

/// Between two looks whether the journal's disk answers.
const GLANCE: Duration = Duration::from_secs(1);

/// Most notes that wait for the recorder.
const MOST_NOTES: usize = 256;

/// Puts lines into a run's log, the journal included, from outside the engine.
#[derive(Debug, Clone)]
pub struct Notes(Sender<Record>);

impl Notes {
    /// The two ends.
    pub(super) fn channel() -> (Self, Receiver<Record>) {
        let (sender, receiver) = crossbeam_channel::bounded(MOST_NOTES);
        (Self(sender), receiver)
    }

    /// Says something. After the run's end, or when too much was said already, it is lost.
    pub fn say(&self, level: Level, message: String) {
        let _ = self.0.try_send(Record { at: now(), event: Event::Log { level, message } });
    }
}

/// Everyone who is told of a record.
pub(super) struct Book {
    scribe: Scribe,
    subscriber: UnboundedSender<Arc<Record>>,
    hub: Arc<Hub>,
    /// Set with the run's last event.
    over: Arc<AtomicBool>,
}

impl Book {
    /// A book of a run of which nothing was told. `over` is set with the run's last event.
    pub(super) const fn new(
        scribe: Scribe,
        subscriber: UnboundedSender<Arc<Record>>,
        hub: Arc<Hub>,
        over: Arc<AtomicBool>,
    ) -> Self {
        Self { scribe, subscriber, hub, over }
    }

    fn has_ended(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    fn take(&mut self, record: Record) {
        crash::test("recorder");
        let line = journal::line(&record);
        let record = Arc::new(record);
        // Nobody may be watching any more: the journal goes on. Those who watch do not wait for the disk.
        let _ = self.subscriber.send(Arc::clone(&record));
        self.hub.publish(&line);
        self.scribe.write(line, &record);
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

/// The recorder's work, until the engine's end of `events` is gone. `notes` must not close before. Who sends to `flushes`
/// is answered when all that was said before is on the disk.
pub(super) fn record(
    events: &Receiver<Record>,
    notes: &Receiver<Record>,
    mut flushes: Receiver<Sender<()>>,
    book: &mut Book,
) {
    let news = book.scribe.news.clone();
    loop {
        crossbeam_channel::select! {
            recv(events) -> record => match record {
                // The machine is looked at until the engine is gone, which is a moment after its last word.
                Ok(record) if book.has_ended() && matches!(record.event, Event::Machine(_)) => {}
                Ok(record) => book.take(record),
                Err(_) => break,
            },
            recv(notes) -> note => if let Ok(note) = note && !book.has_ended() {
                book.take(note);
            },
            recv(news) -> event => book.note(event.ok()),
            recv(flushes) -> done => match done {
                Ok(done) => {
                    for record in events.try_iter() {
                        book.take(record);
                    }
                    book.scribe.sync(done);
                }
                // The engine has ended.
                Err(_) => flushes = crossbeam_channel::never(),
            },
            default(GLANCE) => {}
        }
        let event = book.scribe.look();
        book.note(event);
    }
    book.scribe.finish();
}
