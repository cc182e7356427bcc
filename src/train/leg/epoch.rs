//! One epoch: step by step, with the state of the run kept now and then, then the evaluation and the files.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use tch::{Device, Tensor};

use super::{EpochEnd, Leg, Now};
use crate::crash;
use crate::data::augment;
use crate::data::loader::{Batch, Loader};
use crate::data::random::{Stream, Use};
use crate::disk_watch;
use crate::event::{Event, Level};
use crate::nn::Network;
use crate::nn::device::upload;
use crate::train::control::{Control, Next};
use crate::train::details::Moment;
use crate::train::engine::Emit;
use crate::train::error::{Diverged, TrainError};
use crate::train::fault;
use crate::train::loss;
use crate::train::sample::Sample;
use crate::train::saver::{Kept, SaveJob};
use crate::train::session::Session;
use crate::train::standing::Standing;
use crate::train::step::{self, Goal};

/// Between two looks whether a step that waits for images is to be taken at all.
const GLANCE: Duration = Duration::from_millis(200);

/// Why steps are not taken for a moment, or any more.
enum Pause {
    /// The state of the run is to be kept.
    Due,
    /// The bins are to be evaluated.
    Evaluate,
    /// A checkpoint of its own is to be written.
    Save,
    /// The user asked to end now.
    End,
    /// The epoch has no more.
    Whole,
}

impl Leg {
    /// One epoch, or what is left of it: its steps, its evaluation, its files.
    pub(super) fn epoch(
        &mut self,
        session: &mut Session<'_>,
        network: &mut Network,
        now: &mut Now<'_>,
    ) -> Result<EpochEnd, TrainError> {
        let run = AssertUnwindSafe(|| self.run_to_its_end(session, network, now));
        let ended = catch_unwind(run).unwrap_or_else(|panic| Err(TrainError::from_panic(&*panic)));
        if let Err(error) = &ended
            && error.diverged.is_none()
            && now.whole
        {
            // Whatever fails of this: the newest snapshot is there.
            let _ = catch_unwind(AssertUnwindSafe(|| self.rescue(session, network, now)));
        }
        ended
    }

    /// Keeps the state as it was when something that has nothing to do with it failed.
    fn rescue(&self, session: &mut Session<'_>, network: &Network, now: &mut Now<'_>) -> Result<(), TrainError> {
        if let Some(event) = now.meter.report() {
            report(&session.emit, event, self.standing.drawn, now.batches)?;
        }
        self.check_weights(network, now)?;
        if now.meter.steps() > 0 {
            self.save_extra(session, network, now);
        }
        Ok(())
    }

    fn run_to_its_end(
        &mut self,
        session: &mut Session<'_>,
        network: &mut Network,
        now: &mut Now<'_>,
    ) -> Result<EpochEnd, TrainError> {
        loop {
            match self.steps(session, network, now)? {
                Pause::Due => self.snapshot(session, network, now)?,
                Pause::Evaluate => {
                    let held = Instant::now();
                    session.check_bins(network, self.index, now.meter.steps())?;
                    now.meter.paused(held.elapsed());
                }
                Pause::Save => self.save_extra(session, network, now),
                Pause::End => return Ok(EpochEnd::Interrupted),
                Pause::Whole => return self.end_epoch(session, network, now),
            }
        }
    }

    /// Steps of an epoch, up to the next pause. What they left on the device has been told then.
    fn steps(
        &mut self,
        session: &mut Session<'_>,
        network: &mut Network,
        now: &mut Now<'_>,
    ) -> Result<Pause, TrainError> {
        let pause = self.steps_to_pause(session, network, now)?;
        if let Some(event) = now.meter.report() {
            report(&session.emit, event, self.standing.drawn, now.batches)?;
        }
        Ok(pause)
    }

    fn steps_to_pause(
        &mut self,
        session: &mut Session<'_>,
        network: &mut Network,
        now: &mut Now<'_>,
    ) -> Result<Pause, TrainError> {
        let Session { schedule, emit, control, data, loader, bins, device, ledger, .. } = session;
        let Now { stage, planned, batches, meter, whole, .. } = now;
        let (input_shape, seed) = (loader.size(), schedule.seed);
        let Standing { optimizer, centers, drawn, .. } = &mut self.standing;
        let optimizer = optimizer.as_mut().ok_or_else(|| TrainError::new("the stage has no optimiser"))?;
        loop {
            if self.cadence.is_due() && self.saver.is_idle() {
                return Ok(Pause::Due);
            }
            self.saver.look();
            let held = Instant::now();
            let next = control.attend();
            if held.elapsed() > Duration::from_millis(50) {
                meter.paused(held.elapsed());
            }
            match next {
                Next::Step => {}
                Next::Evaluate => return Ok(Pause::Evaluate),
                Next::Save => return Ok(Pause::Save),
                Next::End => return Ok(Pause::End),
            }
            let learning_rate = *planned * control.rate_scale;
            bins.check()?;
            let asked = Instant::now();
            if !wait_for_batch(loader, control, emit) {
                return Ok(Pause::End);
            }
            let next = loader.next_batch();
            let waited = asked.elapsed();
            // Those that were too many are listed too.
            for bad in loader.take_bad_images() {
                emit(Event::BadImage { path: bad.name, reason: bad.reason, count: bad.count });
            }
            if let Some(message) = loader.take_resized() {
                emit(Event::Log { level: Level::Warning, message });
            }
            let Some(batch) = next else { break };
            let batch = batch.map_err(|error| TrainError::from_diagnostic(&error))?;
            // Counted when its step is taken.
            let number = *batches + 1;
            if ledger.setbacks.skipped.contains(&(*drawn, number)) {
                loader.recycle(batch);
                *batches = number;
                continue;
            }
            if batch.labels.is_empty() {
                *batches = number;
                continue;
            }
            crash::test("engine");
            let count = batch.labels.len() as u64;
            loss::check_labels(&batch.labels, data.classes())?;
            let (images, labels) = to_device(&batch, input_shape, device.place, stage.augment);
            let sample = stage.sample.map(|share| {
                // What a run that goes on from a file knows too.
                let turn = [u64::from(*drawn), optimizer.iterations as u64];
                Sample::draw(&batch.labels, data.classes(), share, seed, turn, device.place)
            });
            loader.recycle(batch);
            let images = fault::images(images, *drawn, number);
            let centers = centers.as_mut().filter(|_| stage.center.is_some());
            let goal = Goal { loss: &stage.loss, centers, sample: sample.as_ref(), measured: meter.is_due() };
            // Whatever libtorch draws in a step depends on nothing before it.
            tch::manual_seed(Stream::new(seed, u64::from(*drawn), Use::Step, number as u64).word() as i64);
            *whole = false;
            crash::test("step");
            let result = step::step(network, optimizer, goal, &images, &labels, learning_rate, stage.bottleneck_only);
            self.cadence.step();
            *batches = number;
            let told = meter.add(result, count, waited);
            *whole = true;
            if let Some(event) = told {
                report(emit, event, *drawn, *batches)?;
            }
        }
        Ok(Pause::Whole)
    }

    /// Evaluation and files.
    fn end_epoch(
        &mut self,
        session: &mut Session<'_>,
        network: &Network,
        now: &mut Now<'_>,
    ) -> Result<EpochEnd, TrainError> {
        let Now { number, stage, epoch, planned, .. } = *now;
        let learning_rate = planned * session.control.rate_scale;
        self.check_weights(network, now)?;
        let (totals, steps) = (now.meter.totals(), now.meter.steps());
        let index = self.index;
        let mut improved = None;
        // A frozen basic model gives the figures it gave before: the reference repeats them in its history.
        if !stage.bottleneck_only {
            let moment = Moment { index, step: None };
            let results = session.bins.evaluate(network, moment, &session.emit, &mut session.control)?;
            if session.control.poll() {
                // It is evaluated when the run goes on.
                return Ok(EpochEnd::Interrupted);
            }
            // From here on they are those of the epoch's end.
            now.whole = false;
            for result in &results {
                (session.emit)(Event::BinEvaluated { index, result: result.clone() });
            }
            if let Some(last) = results.last()
                && last.accuracy > self.best
            {
                self.best = last.accuracy;
                improved = Some((last.bin.clone(), last.accuracy));
            }
            self.standing.remember(results);
            self.standing.epoch += 1;
        }
        let standing = &mut self.standing;
        let bins = session.bins.names();
        let accuracies: Vec<f64> = bins.iter().map(|bin| standing.accuracy(bin)).collect();
        standing.history.push(totals.loss(), totals.accuracy(), learning_rate, bins, &accuracies);
        standing.newest = Some((totals.loss(), totals.accuracy()));
        self.progress.epoch_ended(standing, totals.elapsed.as_secs_f64(), steps);
        // Before its files: the journal is never behind them.
        (session.emit)(Event::EpochEnded {
            stage: number,
            epoch,
            index,
            loss: totals.loss(),
            accuracy: totals.accuracy(),
            learning_rate,
            seconds: totals.elapsed.as_secs_f64(),
            images_per_second: totals.images_per_second(),
            waited: totals.waited_share(),
        });
        if let Some((bin, accuracy)) = improved {
            let graph = network.graph().cut(network.embedding(), network.graph().name.clone());
            let snapshot = network.parameters.snapshot_of(graph.nodes().len());
            let figures = self.standing.figures.clone();
            self.basic = Some(self.saver.outputs().basic(&bin, epoch, accuracy));
            self.saver.submit(SaveJob::Basic { index, epoch, graph, snapshot, bin, accuracy, figures });
        }
        if let (Some(centers), Some(_)) = (&self.standing.centers, stage.center) {
            self.saver.submit(SaveJob::Centers { index, centers: centers.snapshot() });
        }
        // Before the state that says the epoch is done: a run that goes on from there does not write it again.
        self.saver.submit(SaveJob::History { index, history: self.standing.history.clone() });
        self.save(session, network, now, Kept::Epoch);
        Ok(EpochEnd::Whole)
    }
}

/// A batch on the device: images (B, 3, H, W) in [-1, 1], augmented, channels-last, and labels (B).
pub(in crate::train) fn to_device(batch: &Batch, size: (u32, u32), place: Device, level: u8) -> (Tensor, Tensor) {
    let labels = upload(&Tensor::from_slice(&batch.labels), place);
    (augment::to_device(&batch.images, size, &batch.variations, level, place), labels)
}

/// Waits for the loader's next batch. That none comes is told once, and a stop is heard meanwhile: whether there is one to take.
fn wait_for_batch(loader: &Loader, control: &mut Control, emit: &Emit) -> bool {
    let began = Instant::now();
    let say = |message| emit(Event::Log { level: Level::Warning, message });
    let mut told = false;
    while !loader.wait(GLANCE) {
        if control.ends_now() {
            return false;
        }
        if began.elapsed() >= disk_watch::silence_limit() && !std::mem::replace(&mut told, true) {
            let seconds = began.elapsed().as_secs();
            say(format!("no images for {seconds} s: the training set's disk does not answer; training waits for it"));
        }
    }
    if told {
        say(format!("images come again, after {} s", began.elapsed().as_secs()));
    }
    true
}

/// Tells of steps, the last of which took the batch `batches` of the epoch `drawn`. A loss that is no number any more is
/// told too, and ends the epoch before it spoils the weights on disk.
fn report(emit: &Emit, event: Event, drawn: u32, batches: usize) -> Result<(), TrainError> {
    let Event::Steps { step, loss, .. } = &event else { return Ok(()) };
    let result = match loss.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(place) => {
            let back = loss.len() - place - 1;
            let at = Diverged { drawn, batch: batches.saturating_sub(back) };
            Err(no_number(&format!("the loss became {}", loss[place]), *step - back as u64, at))
        }
    };
    emit(event);
    result
}

/// The error of a loss or weights that are no numbers any more.
pub(super) fn no_number(what: &str, step: u64, at: Diverged) -> TrainError {
    let mut error = TrainError::new(format!("{what} at step {step} of the epoch")).with_help(
        "the newest state on disk is from before that: train the schedule again with a lower `learning_rate` and \
         `--resume-changed`, or begin with a softmax stage before arcface; `recovery` in the schedule does so by itself",
    );
    error.diverged = Some(at);
    error
}
