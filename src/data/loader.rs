//! The prefetching loader: worker threads read and decode whole batches ahead of the engine.
//!
//! Batches come in the plan's order whatever the number of workers. Buffers go back and forth, so that nothing large is
//! allocated after the first batches. An image that cannot be read is left out, counted and named; too many of them end
//! the run.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Select, Sender};

use super::augment::Variation;
use super::sampler::EpochPlan;
use super::source::Source;
use crate::crash;
use crate::disk_watch;

/// How the loader works.
#[derive(Debug, Clone)]
pub struct LoaderOptions {
    /// Width and height of the decoded images.
    pub size: (u32, u32),
    /// Decoding threads; none means all cores but one, at least one.
    pub workers: Option<usize>,
    /// Share of unreadable images above which the epoch fails, 0 to 1.
    pub most_bad: f64,
}

impl Default for LoaderOptions {
    fn default() -> Self {
        Self { size: (112, 112), workers: None, most_bad: 0.01 }
    }
}

/// Decoded images of one step.
#[derive(Debug)]
pub struct Batch {
    /// (B, H, W, 3), bytes.
    pub images: Vec<u8>,
    /// Classes (B).
    pub labels: Vec<i64>,
    /// How each image is to be varied (B).
    pub variations: Vec<Variation>,
    bad: Vec<(u32, String)>,
    /// An image that did not have the network's size, and the size it had.
    resized: Option<(u32, (u32, u32))>,
}

/// An image that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadImage {
    /// Its path.
    pub name: String,
    /// Why it cannot be used.
    pub reason: String,
    /// How many there have been so far.
    pub count: u64,
}

/// Why no batches come.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum LoaderError {
    /// Too many images cannot be read.
    #[error(
        "{bad} of {images} images cannot be used, more than {} %; the first is `{first}`: {reason}",
        (most_bad * 100.0).round()
    )]
    #[diagnostic(help(
        "replace or remove the named image and its like; JPEG and PNG files are expected; `facetui data PATH` lists \
         them, and `data.most_bad` in the schedule sets how many a run bears"
    ))]
    TooManyBad {
        /// How many.
        bad: usize,
        /// Out of how many.
        images: usize,
        /// The share that is allowed.
        most_bad: f64,
        /// The first one.
        first: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The threads are gone.
    #[error("the decoding threads ended unexpectedly")]
    Ended,
    /// They cannot be made.
    #[error("no decoding thread can be started: {0}")]
    Threads(#[from] std::io::Error),
}

struct Job {
    plan: Arc<EpochPlan>,
    step: usize,
    buffer: Vec<u8>,
    reply: Sender<Batch>,
}

/// One epoch after the other, batch by batch.
pub struct Loader {
    source: Arc<dyn Source>,
    options: LoaderOptions,
    jobs: Option<Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
    plan: Option<Arc<EpochPlan>>,
    asked: usize,
    waiting: VecDeque<Receiver<Batch>>,
    buffers: Vec<Vec<u8>>,
    known_bad: HashSet<u32>,
    new_bad: Vec<BadImage>,
    resized: Option<String>,
    told_resized: bool,
    first_bad: Option<(String, String)>,
    ahead: usize,
}

impl Loader {
    /// Starts the threads.
    ///
    /// # Errors
    /// No thread can be made.
    pub fn new(source: Arc<dyn Source>, options: LoaderOptions) -> Result<Self, LoaderError> {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let workers = options.workers.unwrap_or(cores.saturating_sub(1)).max(1);
        let (jobs, receiver) = crossbeam_channel::unbounded::<Job>();
        let threads = (0..workers)
            .map(|number| {
                let (receiver, source, size) = (receiver.clone(), Arc::clone(&source), options.size);
                std::thread::Builder::new()
                    .name(format!("decode-{number}"))
                    .spawn(move || receiver.iter().for_each(|job| decode(&*source, size, job)))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            source,
            options,
            jobs: Some(jobs),
            threads,
            plan: None,
            asked: 0,
            waiting: VecDeque::new(),
            buffers: Vec::new(),
            known_bad: HashSet::new(),
            new_bad: Vec::new(),
            resized: None,
            told_resized: false,
            first_bad: None,
            ahead: workers + 2,
        })
    }

    /// Width and height of the images.
    pub const fn size(&self) -> (u32, u32) {
        self.options.size
    }

    /// Begins an epoch; batches of the one before that were not taken are dropped.
    pub fn start_epoch(&mut self, plan: EpochPlan) {
        self.start_epoch_at(plan, 0);
    }

    /// Begins an epoch at its batch number `step`, from 0.
    pub fn start_epoch_at(&mut self, plan: EpochPlan, step: usize) {
        self.waiting.clear();
        self.plan = Some(Arc::new(plan));
        self.asked = step;
        self.fill();
    }

    /// Numbers of the images that turned out bad so far, ascending.
    pub fn known_bad(&self) -> Vec<u32> {
        let mut known: Vec<u32> = self.known_bad.iter().copied().collect();
        known.sort_unstable();
        known
    }

    /// Takes over the bad images that an earlier part of the run knew: they are counted, and not told again.
    pub fn set_known_bad(&mut self, known: &[u32]) {
        self.known_bad = known.iter().copied().filter(|image| (*image as usize) < self.source.len()).collect();
        if let Some(first) = known.iter().find(|image| self.known_bad.contains(image)) {
            let reason = "it could not be used earlier in this run".to_owned();
            self.first_bad = Some((self.source.name(*first as usize), reason));
        }
    }

    /// Waits until [`Self::next_batch`] would not, but no longer than `most`: whether it would not.
    pub fn wait(&self, most: Duration) -> bool {
        self.waiting.front().is_none_or(|next| {
            let mut select = Select::new();
            select.recv(next);
            select.ready_timeout(most).is_ok()
        })
    }

    /// The next batch; none at the epoch's end.
    ///
    /// # Errors
    /// Too many unreadable images.
    pub fn next_batch(&mut self) -> Option<Result<Batch, LoaderError>> {
        let batch = self.waiting.pop_front()?.recv();
        self.fill();
        let Ok(mut batch) = batch else { return Some(Err(LoaderError::Ended)) };
        if let Some((image, (width, height))) = batch.resized.filter(|_| !self.told_resized) {
            self.told_resized = true;
            let (wide, high) = self.options.size;
            self.resized = Some(format!(
                "images of other sizes are resized to {wide}x{high}: `{}` has {width}x{height}; `facetui data` lists the sizes",
                self.source.name(image as usize)
            ));
        }
        for (image, reason) in batch.bad.drain(..) {
            if self.known_bad.insert(image) {
                let name = self.source.name(image as usize);
                self.first_bad.get_or_insert_with(|| (name.clone(), reason.clone()));
                self.new_bad.push(BadImage { name, reason, count: self.known_bad.len() as u64 });
            }
        }
        if self.known_bad.len() as f64 > self.options.most_bad * self.source.len() as f64
            && let Some((first, reason)) = &self.first_bad
        {
            return Some(Err(LoaderError::TooManyBad {
                bad: self.known_bad.len(),
                images: self.source.len(),
                most_bad: self.options.most_bad,
                first: first.clone(),
                reason: reason.clone(),
            }));
        }
        Some(Ok(batch))
    }

    /// The images that turned out bad since the last call.
    pub fn take_bad_images(&mut self) -> Vec<BadImage> {
        std::mem::take(&mut self.new_bad)
    }

    /// Says, once a run, that images are resized.
    pub const fn take_resized(&mut self) -> Option<String> {
        self.resized.take()
    }

    /// Gives a batch's buffer back.
    pub fn recycle(&mut self, batch: Batch) {
        if self.buffers.len() < self.ahead + 1 {
            self.buffers.push(batch.images);
        }
    }

    fn fill(&mut self) {
        let (Some(plan), Some(jobs)) = (&self.plan, &self.jobs) else { return };
        while self.waiting.len() < self.ahead && self.asked < plan.steps() {
            let (reply, receiver) = crossbeam_channel::bounded(1);
            let buffer = self.buffers.pop().unwrap_or_default();
            // The threads end only after this sender.
            let _ = jobs.send(Job { plan: Arc::clone(plan), step: self.asked, buffer, reply });
            self.waiting.push_back(receiver);
            self.asked += 1;
        }
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        self.waiting.clear();
        self.jobs = None;
        let began = Instant::now();
        for thread in self.threads.drain(..) {
            // One that waits for a disk that does not answer is left to it.
            disk_watch::join_within(thread, disk_watch::silence_limit().saturating_sub(began.elapsed()));
        }
    }
}

fn decode(source: &dyn Source, size: (u32, u32), job: Job) {
    // Nobody waits for it any more: the epoch was left.
    if Arc::strong_count(&job.plan) == 1 {
        return;
    }
    crash::test("decode");
    let images = job.plan.step(job.step);
    let one = size.0 as usize * size.1 as usize * 3;
    let mut pixels = job.buffer;
    pixels.resize(images.len() * one, 0);
    let mut scratch = Vec::new();
    let (mut labels, mut variations, mut bad) = (Vec::new(), Vec::new(), Vec::new());
    let mut resized = None;
    for image in images {
        let place = labels.len() * one;
        let read =
            crash::expected(|| source.read(*image as usize, size, &mut scratch, &mut pixels[place..place + one]));
        match read {
            Ok(Ok(read)) => {
                resized = resized.or(read.resized_from.map(|found| (*image, found)));
                labels.push(i64::from(source.label(*image as usize)));
                variations.push(Variation::draw(job.plan.seed, job.plan.epoch, u64::from(*image)));
            }
            Ok(Err(error)) => bad.push((*image, error.to_string())),
            Err(_) => bad.push((*image, "the decoder failed on it".to_owned())),
        }
    }
    pixels.truncate(labels.len() * one);
    let _ = job.reply.send(Batch { images: pixels, labels, variations, bad, resized });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::sampler::Sampler;
    use crate::data::source::{ImageError, ImageRead};

    /// Images whose every byte is their number; those in the list cannot be read.
    struct Numbers(usize, Vec<usize>);

    impl Source for Numbers {
        fn len(&self) -> usize {
            self.0
        }
        fn classes(&self) -> usize {
            2
        }
        fn label(&self, index: usize) -> u32 {
            index as u32 % 2
        }
        fn name(&self, index: usize) -> String {
            format!("{index}.jpg")
        }
        fn encoded(&self, _: usize, _: &mut Vec<u8>) -> Result<(), ImageError> {
            Err(ImageError::Decoder)
        }
        fn read(
            &self,
            index: usize,
            _: (u32, u32),
            _: &mut Vec<u8>,
            pixels: &mut [u8],
        ) -> Result<ImageRead, ImageError> {
            if self.1.contains(&index) {
                return Err(ImageError::Decoder);
            }
            pixels.fill(index as u8);
            Ok(ImageRead { resized_from: None })
        }
    }

    /// Images and labels of each batch.
    type Batches = Vec<(Vec<u8>, Vec<i64>)>;

    fn epoch(workers: usize, source: Numbers, most_bad: f64) -> Result<Batches, LoaderError> {
        let sampler = Sampler::shuffled(source.len(), 8, 3).expect("a sampler");
        let options = LoaderOptions { size: (2, 2), workers: Some(workers), most_bad };
        let mut loader = Loader::new(Arc::new(source), options)?;
        loader.start_epoch(sampler.plan(1));
        let mut batches = Vec::new();
        while let Some(batch) = loader.next_batch() {
            let batch = batch?;
            batches.push((batch.images.clone(), batch.labels.clone()));
            loader.recycle(batch);
        }
        Ok(batches)
    }

    #[test]
    fn batches_do_not_depend_on_the_number_of_workers() {
        let one = epoch(1, Numbers(50, vec![]), 0.0).expect("reads");
        let four = epoch(4, Numbers(50, vec![]), 0.0).expect("reads");
        assert_eq!(one, four);
        assert_eq!((one.len(), one[6].1.len()), (7, 2));
        let mut seen: Vec<u8> = one.iter().flat_map(|(images, _)| images.iter().step_by(12).copied()).collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..50).collect::<Vec<u8>>());
    }

    #[test]
    fn an_epoch_can_begin_in_its_middle() {
        let sampler = Sampler::shuffled(50, 8, 3).expect("a sampler");
        let options = LoaderOptions { size: (2, 2), workers: Some(2), most_bad: 0.0 };
        let mut loader = Loader::new(Arc::new(Numbers(50, vec![])), options).expect("starts");
        let mut rest = |from: usize| {
            loader.start_epoch_at(sampler.plan(4), from);
            let mut labels = Vec::new();
            while let Some(batch) = loader.next_batch() {
                labels.push(batch.expect("reads").images);
            }
            labels
        };
        let whole = rest(0);
        assert_eq!((rest(3), rest(7), rest(9)), (whole[3..].to_vec(), vec![], vec![]));
    }

    #[test]
    fn a_few_bad_images_are_left_out_and_many_end_it() {
        let batches = epoch(2, Numbers(50, vec![7]), 0.05).expect("reads");
        assert_eq!(batches.iter().map(|(_, labels)| labels.len()).sum::<usize>(), 49);
        let error = epoch(2, Numbers(50, vec![7, 8, 9]), 0.05).expect_err("too many").to_string();
        assert!(error.contains(".jpg") && error.contains("of 50"), "{error}");
    }

    #[test]
    fn a_file_that_vanishes_or_shrinks_between_epochs_is_a_bad_image() {
        let root = tempfile::tempdir().expect("a folder");
        let path = |class: usize, image: usize| root.path().join(format!("{class}/{image}.png"));
        for class in 0..2 {
            std::fs::create_dir(root.path().join(class.to_string())).expect("makes");
            for image in 0..6 {
                let bytes = crate::data::decode::png(2, 2, [image as u8; 3]);
                std::fs::write(path(class, image), bytes).expect("writes");
            }
        }
        let source = crate::data::folder::FolderSet::open(root.path(), None, &|_, _| {}).expect("lists");
        let options = LoaderOptions { size: (2, 2), workers: Some(2), most_bad: 0.5 };
        let mut loader = Loader::new(Arc::new(source), options).expect("starts");
        let sampler = Sampler::shuffled(12, 4, 3).expect("a sampler");
        let mut images = |epoch| {
            loader.start_epoch(sampler.plan(epoch));
            let mut count = 0;
            while let Some(batch) = loader.next_batch() {
                count += batch.expect("goes on").labels.len();
            }
            (count, loader.take_bad_images())
        };
        assert_eq!(images(0), (12, vec![]));
        std::fs::remove_file(path(0, 3)).expect("removes");
        std::fs::write(path(1, 2), b"\x89PNG").expect("cuts");
        let (count, bad) = images(1);
        assert_eq!((count, bad.len()), (10, 2));
        assert!(
            bad.iter().any(|bad| bad.name.ends_with("0/3.png") && bad.reason.contains("cannot be read")),
            "{bad:?}"
        );
        let (count, bad) = images(2);
        assert_eq!((count, bad.len()), (10, 0), "known already");
    }

    #[test]
    fn a_dropped_loader_ends_its_threads() {
        let sampler = Sampler::shuffled(5000, 8, 3).expect("a sampler");
        let mut loader = Loader::new(Arc::new(Numbers(5000, vec![])), LoaderOptions::default()).expect("starts");
        loader.start_epoch(sampler.plan(1));
        assert!(loader.next_batch().is_some());
    }
}
