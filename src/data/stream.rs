//! Items decoded ahead by worker threads, batch by batch, in their order. Only the batches on their way are held,
//! however many items there are.

use std::collections::VecDeque;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender};

use super::decode::image_bytes;
use super::items::{Item, ItemsError};

/// Decoded images of successive items.
#[derive(Debug)]
pub struct Decoded {
    /// The items, at most a batch of them.
    pub items: Vec<Item>,
    /// The images that can be read, (n, H, W, 3), bytes, in the order of their items.
    pub images: Vec<u8>,
    /// Places in `items` of those that cannot be read, ascending, and why.
    pub bad: Vec<(usize, String)>,
}

impl Decoded {
    /// Images that were read.
    pub const fn count(&self) -> usize {
        self.items.len() - self.bad.len()
    }
}

struct Job {
    items: Vec<Item>,
    buffer: Vec<u8>,
    reply: Sender<Decoded>,
}

/// Batches of decoded items.
pub struct Stream<I> {
    items: I,
    batch: usize,
    jobs: Option<Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
    waiting: VecDeque<Receiver<Decoded>>,
    buffers: Vec<Vec<u8>>,
    ended: bool,
    failed: Option<ItemsError>,
    ahead: usize,
}

impl<I: Iterator<Item = Result<Item, ItemsError>>> Stream<I> {
    /// Starts the threads, all cores but one, to decode `items` in the size (width, height), `batch` at a time.
    ///
    /// # Errors
    /// No thread can be made.
    pub fn new(items: I, size: (u32, u32), batch: usize) -> std::io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let workers = cores.saturating_sub(1).max(1);
        let (jobs, receiver) = crossbeam_channel::unbounded::<Job>();
        let threads = (0..workers)
            .map(|number| {
                let receiver = receiver.clone();
                let work = move || receiver.iter().for_each(|job| decode(size, job));
                std::thread::Builder::new().name(format!("decode-{number}")).spawn(work)
            })
            .collect::<Result<_, _>>()?;
        let (waiting, buffers) = (VecDeque::new(), Vec::new());
        let (jobs, batch, ahead) = (Some(jobs), batch.max(1), workers + 2);
        Ok(Self { items, batch, jobs, threads, waiting, buffers, ended: false, failed: None, ahead })
    }

    /// The next batch; none at the end.
    ///
    /// # Errors
    /// Items that cannot be listed; those before them have come.
    pub fn next_batch(&mut self) -> Option<Result<Decoded, ItemsError>> {
        self.fill();
        let Some(next) = self.waiting.pop_front() else { return self.failed.take().map(Err) };
        let decoded = next.recv().map_err(|_ended| ItemsError::Ended);
        self.fill();
        Some(decoded)
    }

    /// Gives a batch's buffer back.
    pub fn recycle(&mut self, decoded: Decoded) {
        self.buffers.push(decoded.images);
    }

    fn fill(&mut self) {
        let Some(jobs) = &self.jobs else { return };
        while !self.ended && self.waiting.len() < self.ahead {
            let mut items = Vec::with_capacity(self.batch);
            while items.len() < self.batch && !self.ended {
                match self.items.next() {
                    Some(Ok(item)) => items.push(item),
                    Some(Err(error)) => (self.ended, self.failed) = (true, Some(error)),
                    None => self.ended = true,
                }
            }
            if items.is_empty() {
                return;
            }
            let (reply, receiver) = crossbeam_channel::bounded(1);
            // The threads end only after this sender.
            let _ = jobs.send(Job { items, buffer: self.buffers.pop().unwrap_or_default(), reply });
            self.waiting.push_back(receiver);
        }
    }
}

impl<I> Drop for Stream<I> {
    fn drop(&mut self) {
        self.waiting.clear();
        self.jobs = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn decode(size: (u32, u32), job: Job) {
    let one = image_bytes(size);
    let Job { items, buffer: mut images, reply } = job;
    images.resize(items.len() * one, 0);
    let (mut scratch, mut bad) = (Vec::new(), Vec::new());
    for (at, item) in items.iter().enumerate() {
        let place = (at - bad.len()) * one;
        let read = crate::crash::expected(|| item.read(size, &mut scratch, &mut images[place..place + one]));
        match read {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => bad.push((at, error.to_string())),
            Err(_) => bad.push((at, "the decoder failed on it".to_owned())),
        }
    }
    images.truncate((items.len() - bad.len()) * one);
    let _ = reply.send(Decoded { items, images, bad });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::decode::png;

    #[test]
    fn images_come_in_order_and_bad_ones_are_told() {
        let place = tempfile::tempdir().expect("a folder");
        let path = |at: usize| place.path().join(format!("{at}.png"));
        for at in (0..20).filter(|at| at % 7 != 3) {
            std::fs::write(path(at), png(2, 2, [at as u8; 3])).expect("writes");
        }
        std::fs::write(path(10), "text").expect("writes");
        let items = (0..20).map(|at| Ok(Item::File(path(at))));
        let mut stream = Stream::new(items, (2, 2), 6).expect("starts");
        let (mut seen, mut bad, mut start) = (Vec::new(), Vec::new(), 0);
        while let Some(decoded) = stream.next_batch() {
            let decoded = decoded.expect("lists");
            assert_eq!(decoded.images.len(), decoded.count() * 12);
            seen.extend(decoded.images.iter().step_by(12).copied());
            bad.extend(decoded.bad.iter().map(|(at, _)| start + at));
            start += decoded.items.len();
            stream.recycle(decoded);
        }
        assert_eq!(bad, [3, 10, 17]);
        assert_eq!(seen, (0..20u8).filter(|at| at % 7 != 3).collect::<Vec<_>>());
    }

    #[test]
    fn a_listing_that_fails_comes_after_what_it_listed() {
        let items = vec![
            Ok(Item::File("a.png".into())),
            Err(ItemsError::List { line: 2, reason: "odd".into() }),
            Ok(Item::File("b.png".into())),
        ];
        let mut stream = Stream::new(items.into_iter(), (2, 2), 6).expect("starts");
        let first = stream.next_batch().expect("a batch").expect("lists");
        assert_eq!((first.items.len(), first.bad.len()), (1, 1));
        assert!(stream.next_batch().is_some_and(|batch| batch.is_err()));
        assert!(stream.next_batch().is_none());
    }
}
