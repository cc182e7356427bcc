//! One epoch: step by step, with a snapshot when one is due, then the evaluation and the files.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crate::crash;
use crate::data::loader::{Batch, Loader};
use crate::data::random::{Stream, Use};
use crate::disk_watch;
use crate::event::{Event, Level};
use crate::nn::Network;
use crate::train::check::fault;
use crate::train::control::{Control, Next};
use crate::train::emit::Emit;
use crate::train::error::{Diverged, TrainError};
use crate::train::evaluation::details::Moment;
use crate::train::loss;
use crate::train::loss::sampled_classes::Sample;
use crate::train::meter::Totals;
use crate::train::saver::job::{Kept, SaveJob};
use crate::train::session::Session;
use crate::train::stage_loop::loop_state::LoopState;
use crate::train::stage_loop::running_epoch::{EpochEnd, RunningEpoch};
use crate::train::step::{Goal, step, to_device};

/// Between two looks for a request, while a step waits for images.
const GLANCE: Duration = Duration::from_millis(200);

/// Why no step is taken for a moment, or any more.
enum Pause {
    /// A snapshot is due.
    Snapshot,
    /// The bins are to be evaluated.
    Evaluate,
    /// A checkpoint of its own is to be written.
    Save,
    /// The user asked to stop now.
    Stop,
    /// The epoch has no more steps.
    Whole,
}

/// What the loader gave.
enum Fetched {
    /// A batch, and how long it was waited for.
    Batch(Batch, Duration),
    /// A batch that is left out: without images, or skipped after a loss that was NaN or infinite.
    LeftOut,
    /// The epoch has no more batches.
    Whole,
    /// The user asked to stop now.
    Stop,
}

/// How the evaluation at an epoch's end went.
enum Evaluated {
    /// All bins were evaluated: the last one and its accuracy, if that is the best so far.
    Whole(Option<(String, f64)>),
    /// The user asked to stop now.
    Interrupted,
}

/// An epoch, or what is left of it, and all that it works on.
pub struct EpochLoop<'a, 's, 'e> {
    /// What the stage loop carries.
    pub state: &'a mut LoopState,
    /// What the run shares.
    pub session: &'a mut Session<'s>,
    /// The network with the stage's head.
    pub network: &'a mut Network,
    /// The epoch.
    pub now: &'a mut RunningEpoch<'e>,
}

impl EpochLoop<'_, '_, '_> {
    /// Its steps, its evaluation, its files. What was done before an error is saved.
    ///
    /// # Errors
    /// What ends the training before its time.
    pub fn run(&mut self) -> Result<EpochEnd, TrainError> {
        let ended = catch_unwind(AssertUnwindSafe(|| self.run_to_its_end()));
        let ended = ended.unwrap_or_else(|panic| Err(TrainError::from_panic(&*panic)));
        if let Err(error) = &ended
            && error.diverged.is_none()
            && self.now.is_consistent
        {
            // Whatever fails of this: the newest snapshot is there.
            let _ = catch_unwind(AssertUnwindSafe(|| self.rescue()));
        }
        ended
    }

    /// Saves the state as it was when something that has nothing to do with it failed.
    fn rescue(&mut self) -> Result<(), TrainError> {
        self.report_steps()?;
        self.state.check_weights(self.network, self.now)?;
        if self.now.meter.steps() > 0 {
            self.state.save_extra(self.session, self.network, self.now);
        }
        Ok(())
    }

    fn run_to_its_end(&mut self) -> Result<EpochEnd, TrainError> {
        loop {
            let pause = self.steps_to_pause()?;
            self.report_steps()?;
            match pause {
                Pause::Snapshot => self.state.snapshot(self.session, self.network, self.now)?,
                Pause::Evaluate => {
                    let held = Instant::now();
                    self.session.check_bins(self.network, self.state.index, self.now.meter.steps())?;
                    self.now.meter.paused(held.elapsed());
                }
                Pause::Save => self.state.save_extra(self.session, self.network, self.now),
                Pause::Stop => return Ok(EpochEnd::Interrupted),
                Pause::Whole => return self.end(),
            }
        }
    }

    /// Takes steps up to the next pause.
    fn steps_to_pause(&mut self) -> Result<Pause, TrainError> {
        loop {
            if self.state.timer.is_due() && self.state.saver.is_idle() {
                return Ok(Pause::Snapshot);
            }
            self.state.saver.look();
            match self.attend_to_requests() {
                Next::Step => {}
                Next::Evaluate => return Ok(Pause::Evaluate),
                Next::Save => return Ok(Pause::Save),
                Next::End => return Ok(Pause::Stop),
            }
            let learning_rate = self.now.planned * self.session.control.rate_scale;
            self.session.bins.check()?;
            match self.fetch_batch()? {
                Fetched::Batch(batch, waited) => self.take_step(batch, waited, learning_rate)?,
                Fetched::LeftOut => self.now.batches += 1,
                Fetched::Whole => return Ok(Pause::Whole),
                Fetched::Stop => return Ok(Pause::Stop),
            }
        }
    }

    /// What the user asked for; holds here while paused.
    fn attend_to_requests(&mut self) -> Next {
        let held = Instant::now();
        let next = self.session.control.attend();
        if held.elapsed() > Duration::from_millis(50) {
            self.now.meter.paused(held.elapsed());
        }
        next
    }

    /// The next batch of the epoch's order; images that could not be read are told.
    fn fetch_batch(&mut self) -> Result<Fetched, TrainError> {
        let Session { emit, control, loader, state_header, .. } = &mut *self.session;
        let asked = Instant::now();
        if !wait_for_batch(loader, control, emit) {
            return Ok(Fetched::Stop);
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
        let Some(batch) = next else { return Ok(Fetched::Whole) };
        let batch = batch.map_err(|error| TrainError::from_diagnostic(&error))?;
        let address = (self.state.train_state.drawn, self.now.batches + 1);
        if state_header.recovery.skipped.contains(&address) {
            loader.recycle(batch);
            return Ok(Fetched::LeftOut);
        }
        Ok(if batch.labels.is_empty() { Fetched::LeftOut } else { Fetched::Batch(batch, waited) })
    }

    /// One optimiser step on a batch that was waited for as long as `waited`.
    fn take_step(&mut self, batch: Batch, waited: Duration, learning_rate: f64) -> Result<(), TrainError> {
        crash::test("engine");
        let Session { schedule, emit, data, loader, device, .. } = &mut *self.session;
        let RunningEpoch { stage, batches, meter, is_consistent, .. } = &mut *self.now;
        let LoopState { train_state, timer, .. } = &mut *self.state;
        let optimizer = train_state.optimizer.as_mut();
        let optimizer = optimizer.ok_or_else(|| TrainError::new("the stage has no optimiser"))?;
        let (seed, drawn, number) = (schedule.seed, train_state.drawn, *batches + 1);
        let count = batch.labels.len() as u64;
        loss::check_labels(&batch.labels, data.classes())?;
        let (images, labels) = to_device(&batch, loader.size(), device.place, stage.augment);
        let sample = stage.sample.map(|share| {
            // What a run that resumes from a file knows too.
            let turn = [u64::from(drawn), optimizer.iterations as u64];
            Sample::draw(&batch.labels, data.classes(), share, seed, turn, device.place)
        });
        loader.recycle(batch);
        let images = fault::images(images, drawn, number);
        let centers = train_state.centers.as_mut().filter(|_| stage.center.is_some());
        let goal = Goal { loss: &stage.loss, centers, sample: sample.as_ref(), measured: meter.is_due() };
        // Whatever libtorch draws in a step depends on nothing before it.
        tch::manual_seed(Stream::new(seed, u64::from(drawn), Use::Step, number as u64).word() as i64);
        *is_consistent = false;
        crash::test("step");
        let result = step(self.network, optimizer, goal, &images, &labels, learning_rate, stage.bottleneck_only);
        timer.step();
        *batches = number;
        let told = meter.add(result, count, waited);
        *is_consistent = true;
        told.map_or(Ok(()), |event| report(emit, event, drawn, number))
    }

    /// Tells of the steps whose figures still lie on the device.
    fn report_steps(&mut self) -> Result<(), TrainError> {
        let Some(event) = self.now.meter.report() else { return Ok(()) };
        report(&self.session.emit, event, self.state.train_state.drawn, self.now.batches)
    }

    /// Evaluation and files.
    fn end(&mut self) -> Result<EpochEnd, TrainError> {
        let learning_rate = self.now.planned * self.session.control.rate_scale;
        self.state.check_weights(self.network, self.now)?;
        let totals = self.now.meter.totals();
        let mut improved = None;
        // A frozen basic model gives the figures it gave before: the reference repeats them in its history.
        if !self.now.stage.bottleneck_only {
            match self.evaluate()? {
                Evaluated::Whole(best) => improved = best,
                // It is evaluated when the run resumes.
                Evaluated::Interrupted => return Ok(EpochEnd::Interrupted),
            }
        }
        self.record(&totals, learning_rate);
        self.submit_files(improved);
        Ok(EpochEnd::Whole)
    }

    /// Evaluates the bins.
    fn evaluate(&mut self) -> Result<Evaluated, TrainError> {
        let Session { bins, emit, control, .. } = &mut *self.session;
        let state = &mut *self.state;
        let index = state.index;
        let moment = Moment { index, step: None };
        let results = bins.evaluate(self.network, moment, emit, control)?;
        if control.poll() {
            return Ok(Evaluated::Interrupted);
        }
        // From here on they are those of the epoch's end.
        self.now.is_consistent = false;
        for result in &results {
            emit(Event::BinEvaluated { index, result: result.clone() });
        }
        let last = results.last().filter(|last| last.accuracy > state.best);
        let improved = last.map(|last| (last.bin.clone(), last.accuracy));
        if let Some((_, accuracy)) = &improved {
            state.best = *accuracy;
        }
        state.train_state.remember(results);
        state.train_state.epoch += 1;
        Ok(Evaluated::Whole(improved))
    }

    /// Takes the epoch's figures into the history, and tells that it ended.
    fn record(&mut self, totals: &Totals, learning_rate: f64) {
        let Session { bins, emit, .. } = &*self.session;
        let LoopState { train_state, progress, index, .. } = &mut *self.state;
        let RunningEpoch { number, epoch, meter, .. } = &*self.now;
        let names = bins.names();
        let accuracies: Vec<f64> = names.iter().map(|bin| train_state.accuracy(bin)).collect();
        train_state.history.push(totals.loss(), totals.accuracy(), learning_rate, names, &accuracies);
        train_state.newest = Some((totals.loss(), totals.accuracy()));
        let seconds = totals.elapsed.as_secs_f64();
        progress.epoch_ended(train_state, seconds, meter.steps());
        // Before its files: the journal is never behind them.
        emit(Event::EpochEnded {
            stage: *number,
            epoch: *epoch,
            index: *index,
            loss: totals.loss(),
            accuracy: totals.accuracy(),
            learning_rate,
            seconds,
            images_per_second: totals.images_per_second(),
            waited: totals.waited_share(),
        });
    }

    /// Hands the epoch's files to the saver, in the reference's order.
    fn submit_files(&mut self, improved: Option<(String, f64)>) {
        let (index, epoch, network) = (self.state.index, self.now.epoch, &*self.network);
        if let Some((bin, accuracy)) = improved {
            let graph = network.graph().cut(network.embedding(), network.graph().name.clone());
            let snapshot = network.parameters.snapshot_of(graph.nodes().len());
            let figures = self.state.train_state.figures.clone();
            self.state.basic = Some(self.state.saver.paths().basic(&bin, epoch, accuracy));
            self.state.saver.submit(SaveJob::Basic { index, epoch, graph, snapshot, bin, accuracy, figures });
        }
        if let (Some(centers), Some(_)) = (&self.state.train_state.centers, self.now.stage.center) {
            self.state.saver.submit(SaveJob::Centers { index, centers: centers.snapshot() });
        }
        // Before the state that says the epoch is done: a run that resumes from there does not write it again.
        self.state.saver.submit(SaveJob::History { index, history: self.state.train_state.history.clone() });
        self.state.save(self.session, network, self.now, Kept::Epoch);
    }
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
        say(format!("images are arriving again after {} s", began.elapsed().as_secs()));
    }
    true
}

/// Tells of steps, the last of which took the batch `batches` of the epoch `drawn`. A loss that is NaN or infinite is told too,
/// and ends the epoch before it spoils the weights on disk.
fn report(emit: &Emit, event: Event, drawn: u32, batches: usize) -> Result<(), TrainError> {
    let Event::Steps { step, loss, .. } = &event else { return Ok(()) };
    let result = match loss.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(place) => {
            let back = loss.len() - place - 1;
            let at = Diverged { drawn, batch: batches.saturating_sub(back) };
            Err(TrainError::diverged(&format!("the loss became {}", loss[place]), *step - back as u64, at))
        }
    };
    emit(event);
    result
}
