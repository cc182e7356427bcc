//! `batch_size: auto`: the largest batch whose memory, as [`Plan`] foretells it, fits into what is free, tried with a
//! step on drawn images before the run begins.
//!
//! It is one number for the whole run, the largest that suits every stage that asks for it, so that a learning rate means the
//! same all along; learning rates are not touched. The saved states of the run hold it: a run that resumes keeps it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::data;
use crate::event::{Event, Level};
use crate::schedule::{Optimizer, Schedule, Stage};
use crate::train::device::Device;
use crate::train::emit::Emit;
use crate::train::error::TrainError;
use crate::train::memory::forecast::{Plan, in_words};
use crate::train::model::Start;
use crate::train::trial;

/// The most images a step on a GPU.
const MOST: u64 = 4096;
/// The same on the CPU, which takes no more images a second from larger batches.
const MOST_ON_CPU: u64 = 256;
/// Sizes are multiples of it, where they are not smaller.
const MULTIPLE: u64 = 32;
/// The same below it.
const SMALL_MULTIPLE: u64 = 8;

/// Finds the batch size of a schedule for a network that begins as `start`, and tells it.
///
/// # Errors
/// A training set or network that cannot be used; less memory than a step of a few images takes.
pub fn find(schedule: &Schedule, start: &Start, device: Device, emit: &Emit) -> Result<u64, TrainError> {
    let progress = Arc::clone(emit);
    let data = data::open_all(&schedule.data.train, &move |done, total| {
        progress(Event::Preparing { what: "listing images".to_owned(), done, total });
    })
    .map_err(|error| TrainError::from_diagnostic(&error))?;
    let (images, classes) = (data.len() as u64, data.classes());
    drop(data);
    let plan = Plan {
        graph: &start.graph,
        embedding: start.embedding,
        classes: classes as u64,
        compute: device.compute,
        device: device.place,
    };
    let available = device.free;
    let too_little = || {
        let free = available.map_or_else(|| "the memory".to_owned(), in_words);
        TrainError::new(format!("`batch_size: auto`: not even a step of two images fits into {free} that is free"))
            .with_help("take a smaller network, fewer classes, `sample: 0.1` in the stages, or a larger machine")
    };
    let mut size = foretold(&plan, schedule, images, available).ok_or_else(too_little)?;
    let mut tried = Vec::new();
    loop {
        emit(Event::Preparing { what: format!("trying {size} images a step"), done: 0, total: 0 });
        let settled = schedule.with_batch(size);
        let Some(stage) = hungriest(&plan, &settled) else { break };
        let step = catch_unwind(AssertUnwindSafe(|| trial::one_step(&settled, stage, classes, device)));
        match step.unwrap_or_else(|panic| Err(TrainError::from_panic(&*panic))) {
            Ok(()) => break,
            Err(error) if error.is_out_of_memory() => {
                tried.push(size.to_string());
                size = rounded(size / 2).filter(|size| *size >= 2).ok_or_else(too_little)?;
            }
            Err(error) => return Err(error),
        }
    }
    let needs = hungriest(&plan, &schedule.with_batch(size)).map_or(0, |stage| plan.of(stage, &rule(stage)).total());
    let free = available.map_or_else(String::new, |bytes| format!(", of {} that were free", in_words(bytes)));
    let tried = match &tried[..] {
        [] => String::new(),
        sizes => format!(", and a step of {} ran out of memory", sizes.join(", and one of ")),
    };
    let message = format!(
        "`batch_size: auto` takes {size} images a step: {} at the peak{free}; a step was tried{tried}; learning rates stay \
         as they are",
        in_words(needs)
    );
    emit(Event::Log { level: Level::Info, message });
    Ok(size)
}

/// The size that the memory plan allows for a set of `images`, with a tenth of the free bytes to spare; none when not even
/// two images fit.
pub fn foretold(plan: &Plan<'_>, schedule: &Schedule, images: u64, available: Option<u64>) -> Option<u64> {
    let most = if plan.device.is_cuda() { MOST } else { MOST_ON_CPU };
    let most = most.min(images.max(2));
    let mut fits = most;
    let mut optimizer = Optimizer::FIRST;
    let all = schedule.with_batch(most);
    for stage in all.all_stages() {
        optimizer = stage.optimizer.unwrap_or(optimizer);
        if let Some(available) = available.filter(|_| stage.auto_batch) {
            let spared = available - available / 10;
            fits = fits.min(plan.batch_that_fits(stage, &optimizer, spared)?);
        }
    }
    rounded(fits)
}

/// A size that the device likes, and no larger.
fn rounded(size: u64) -> Option<u64> {
    let rounded = match size {
        MULTIPLE.. => size / MULTIPLE * MULTIPLE,
        SMALL_MULTIPLE.. => size / SMALL_MULTIPLE * SMALL_MULTIPLE,
        _ => size,
    };
    (rounded >= 2).then_some(rounded)
}

/// The stage with a found batch that takes the most memory.
fn hungriest<'a>(plan: &Plan<'_>, schedule: &'a Schedule) -> Option<&'a Stage> {
    let stages = schedule.all_stages().filter(|stage| stage.auto_batch);
    stages.max_by_key(|stage| plan.of(stage, &rule(stage)).total())
}

fn rule(stage: &Stage) -> Optimizer {
    stage.optimizer.unwrap_or(Optimizer::FIRST)
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;
    use crate::graph::backbone::{Options, build};
    use crate::schedule::parse;

    #[test]
    fn the_memory_the_set_and_the_device_bound_it() {
        let graph = build("mobilefacenet", &Options { embedding_size: 128, dropout: 0.0, width: 1.0 }).expect("builds");
        let embedding = graph.output();
        let text = "model: {backbone: mobilefacenet}\ndata: {train: x, bins: []}\nbatch_size: auto\n\
                    stages: [{loss: softmax, epochs: 1}, {loss: arcface, epochs: 1, batch_size: 1024}]";
        let schedule = parse("x.yaml", text, &[], &|_| None).expect("is valid").schedule;
        let on = |device| Plan { graph: &graph, embedding, classes: 100, compute: Kind::Float, device };
        let (cpu, gpu) = (on(tch::Device::Cpu), on(tch::Device::Cuda(0)));
        assert_eq!(foretold(&cpu, &schedule, 1_000_000, None), Some(256));
        assert_eq!(foretold(&gpu, &schedule, 1_000_000, None), Some(4096));
        assert_eq!(foretold(&gpu, &schedule, 1000, None), Some(992));
        assert_eq!(foretold(&cpu, &schedule, 30, None), Some(24));
        assert_eq!(foretold(&cpu, &schedule, 5, None), Some(5));
        let half = foretold(&cpu, &schedule, 1_000_000, Some(2 << 30)).expect("fits");
        let settled = schedule.with_batch(half);
        let needs = cpu.of(&settled.stages[0], &Optimizer::FIRST).total();
        assert!(half.is_multiple_of(8) && needs < (2 << 30) * 9 / 10, "{half}: {needs}");
        assert_eq!(foretold(&cpu, &schedule, 1_000_000, Some(1 << 20)), None);
    }
}
