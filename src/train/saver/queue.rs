//! What waits for the saver. The engine puts jobs in and the saver takes them out, in order. A disk that is slower than the
//! training holds it for a while, rather than letting epochs go unsaved; one that does not answer at all does so once, and then
//! only the newest job of each kind is kept.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::job::{SaveJob, keep_newest};
use crate::disk_watch;

/// Jobs that may wait before the engine does: two epochs' files.
const MOST: usize = 6;

/// The jobs.
#[derive(Debug, Default)]
pub struct Queue {
    inner: Mutex<Inner>,
    news: Condvar,
}

#[derive(Debug, Default)]
struct Inner {
    waiting: Vec<SaveJob>,
    /// The engine has waited in vain, and nothing was taken since.
    is_late: bool,
    /// A whole model is being written for the first time.
    has_model: bool,
    end: End,
}

/// What is known of the end.
#[derive(Debug, Default, PartialEq, Eq)]
enum End {
    /// More jobs may come.
    #[default]
    Open,
    /// No more will.
    Closed,
    /// And what could not be written is given up.
    GivenUp,
}

/// What the saver has to do.
#[derive(Debug)]
pub enum Taken {
    /// This.
    Job(Box<SaveJob>),
    /// Nothing new came.
    Nothing,
    /// Nothing, and no more will come.
    Closed,
}

impl Queue {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, inner: MutexGuard<'a, Inner>, most: Duration) -> MutexGuard<'a, Inner> {
        self.news.wait_timeout(inner, most).unwrap_or_else(PoisonError::into_inner).0
    }

    /// Adds a job. Waits for a place, but not for a disk that does not answer. Whether a model that was saved on request was
    /// given up for it.
    pub fn put(&self, job: SaveJob) -> bool {
        let began = Instant::now();
        let mut inner = self.inner();
        while inner.waiting.len() >= MOST && !inner.is_late {
            let left = disk_watch::silence_limit().saturating_sub(began.elapsed());
            inner.is_late = left.is_zero();
            inner = self.wait(inner, left);
        }
        let mut given_up = false;
        if inner.is_late {
            given_up = keep_newest(&mut inner.waiting, job);
        } else {
            inner.waiting.push(job);
        }
        drop(inner);
        self.news.notify_all();
        given_up
    }

    /// The next job. Waits for it, no longer than `most` when that is given.
    pub fn take(&self, most: Option<Duration>) -> Taken {
        let began = Instant::now();
        let mut inner = self.inner();
        inner.has_model = false;
        while inner.waiting.is_empty() && inner.end == End::Open {
            let left = most.map(|most| most.saturating_sub(began.elapsed()));
            if left.is_some_and(|left| left.is_zero()) {
                return Taken::Nothing;
            }
            inner = self.wait(inner, left.unwrap_or(Duration::from_hours(1)));
        }
        if inner.waiting.is_empty() {
            return Taken::Closed;
        }
        let job = inner.waiting.remove(0);
        (inner.has_model, inner.is_late) = (job.is_model(), false);
        drop(inner);
        self.news.notify_all();
        Taken::Job(Box::new(job))
    }

    /// Whether no whole model waits to be written for the first time.
    pub fn is_idle(&self) -> bool {
        let inner = self.inner();
        !inner.has_model && !inner.waiting.iter().any(SaveJob::is_model)
    }

    /// No more jobs will come.
    pub fn close(&self) {
        self.inner().end = End::Closed;
        self.news.notify_all();
    }

    /// No more jobs will come, and what could not be written is to be given up.
    pub fn give_up(&self) {
        self.inner().end = End::GivenUp;
        self.news.notify_all();
    }

    /// Waits for so long, or until what could not be written is to be given up: whether it is.
    pub fn is_given_up(&self, most: Duration) -> bool {
        let began = Instant::now();
        let mut inner = self.inner();
        while inner.end != End::GivenUp {
            let left = most.saturating_sub(began.elapsed());
            if left.is_zero() {
                return false;
            }
            inner = self.wait(inner, left);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::keras_history::History;

    fn history(index: u32) -> SaveJob {
        SaveJob::History { index, history: History::default() }
    }

    fn taken(queue: &Queue) -> u32 {
        match queue.take(Some(Duration::ZERO)) {
            Taken::Job(job) => job.index(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn jobs_come_out_in_order_until_the_queue_is_closed() {
        let queue = Queue::default();
        for index in 1..=MOST as u32 {
            assert!(!queue.put(history(index)));
        }
        for index in 1..=MOST as u32 {
            assert_eq!(taken(&queue), index, "a disk that takes what it is given gets everything");
        }
        assert!(matches!(queue.take(Some(Duration::from_millis(5))), Taken::Nothing));
        assert!(queue.is_idle() && !queue.is_given_up(Duration::from_millis(5)));
        queue.close();
        queue.give_up();
        assert!(matches!(queue.take(None), Taken::Closed));
        assert!(queue.is_given_up(Duration::from_hours(1)));
    }

    #[test]
    fn where_nothing_is_taken_the_newest_of_each_kind_waits() {
        let queue = Queue::default();
        for index in 1..=MOST as u32 {
            queue.put(history(index));
        }
        queue.inner().is_late = true;
        queue.put(history(100));
        assert_eq!(taken(&queue), 100);
        assert!(!queue.inner().is_late, "the disk is there again");
        assert!(matches!(queue.take(Some(Duration::ZERO)), Taken::Nothing));
    }

    #[test]
    fn a_slow_disk_holds_the_engine() {
        let queue = Queue::default();
        for index in 0..MOST as u32 {
            queue.put(history(index));
        }
        std::thread::scope(|scope| {
            let putting = scope.spawn(|| queue.put(history(99)));
            assert_eq!(taken(&queue), 0);
            putting.join().expect("puts");
        });
        assert_eq!((1..MOST as u32).chain([99]).map(|_| taken(&queue)).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 99]);
    }
}
