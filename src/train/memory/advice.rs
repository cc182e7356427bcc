//! What is said of memory that is too little for a stage: a warning before it begins, where the plan foresees it, and what was
//! asked for and what would fit when libtorch finds none.

use crate::event::{Event, Level};
use crate::graph::{Graph, NodeId};
use crate::schedule::{Optimizer, Schedule, Stage};
use crate::train::device::Device;
use crate::train::emit::Emit;
use crate::train::error::TrainError;
use crate::train::memory::{Plan, in_words};

/// What the advice needs to know of a run.
#[derive(Debug, Clone, Copy)]
pub struct RunFacts<'a> {
    /// Its schedule.
    pub schedule: &'a Schedule,
    /// Images of its training set.
    pub images: u64,
    /// Classes of its training set.
    pub classes: u64,
    /// Where it computes.
    pub device: Device,
    /// Whether a branch is being trained.
    pub in_branch: bool,
}

/// Warns of the stages that will take more memory than was free when the run began. On the CPU alone: there the kernel may end
/// the program without a word where libtorch would have said something.
pub fn warn(run: &RunFacts<'_>, (graph, embedding): (&Graph, NodeId), emit: &Emit) {
    let Some(free) = run.device.free.filter(|_| !run.device.place.is_cuda()) else { return };
    let plan = plan(run, graph, embedding);
    let mut optimizer = Optimizer::FIRST;
    let schedule = run.schedule;
    let parts = std::iter::once((None, &schedule.stages));
    let branches = schedule.branches.iter().map(|branch| (Some(branch.name.as_str()), &branch.stages));
    for (branch, stages) in parts.chain(branches) {
        for (number, stage) in stages.iter().enumerate() {
            optimizer = stage.optimizer.unwrap_or(optimizer);
            let stage = bounded(stage, run);
            let needs = plan.of(&stage, &optimizer).total();
            if needs <= free {
                continue;
            }
            let of = branch.map_or_else(String::new, |name| format!(" of branch `{name}`"));
            let fits = plan.batch_that_fits(&stage, &optimizer, spared(free));
            let advice = fits.map_or_else(String::new, |size| format!("; a batch_size of {size} would fit"));
            let message = format!(
                "stage {}{of} takes about {} of memory at its peak, and {} were free when the run began{advice}",
                number + 1,
                in_words(needs),
                in_words(free)
            );
            emit(Event::Log { level: Level::Warning, message });
        }
    }
}

/// The failed allocation of `error` in the words of a user, with a batch size of which the memory plan says that it fits the
/// stage (its place, counted from 0, and the stage).
pub fn explained(
    error: &TrainError,
    (number, stage): (usize, &Stage),
    optimizer: &Optimizer,
    (graph, embedding): &(Graph, NodeId),
    run: &RunFacts<'_>,
) -> TrainError {
    let plan = plan(run, graph, *embedding);
    let whole = bounded(stage, run);
    let free = run.device.free;
    let needs = plan.of(&whole, optimizer).total();
    let asked = asked(&error.message).map_or_else(String::new, |bytes| format!("; {bytes} more were asked for"));
    let there =
        free.map_or_else(String::new, |bytes| format!(", and {} were free when the run began", in_words(bytes)));
    let message = format!(
        "out of memory with {} images a step: stage {} takes about {} at its peak{there}{asked} ({})",
        whole.batch_size,
        number + 1,
        in_words(needs),
        error.message.trim_start_matches("out of memory: ")
    );
    let fits = free.map(|bytes| plan.batch_that_fits(&whole, optimizer, spared(bytes)));
    let set = |size: &str| setting(number, stage, run, size);
    let (size, sure) = match fits {
        Some(Some(size)) if size < whole.batch_size => (size, "would fit"),
        // Others may have taken the memory, or the plan is wrong.
        _ => ((whole.batch_size / 2).max(2), "may fit"),
    };
    let mut ways = vec![format!("{} {sure}", set(&size.to_string()))];
    if !stage.auto_batch {
        ways.push(format!("{} finds the largest that does", set("auto")));
    }
    let sampled = Stage { sample: Some(0.1), ..whole.clone() };
    if stage.sample.is_none() && stage.loss.can_sample() && plan.of(&sampled, optimizer).total() < needs / 10 * 9 {
        ways.push("`sample: 0.1` in the stage takes less for its many classes".to_owned());
    }
    TrainError::new(message)
        .with_help(format!("{}; with `--resume-changed` the run resumes from its newest state", ways.join(", ")))
}

/// How a stage is given another batch size.
fn setting(number: usize, stage: &Stage, run: &RunFacts<'_>, size: &str) -> String {
    let schedule = run.schedule;
    if (stage.batch_size, stage.auto_batch) == (schedule.batch_size, schedule.auto_batch) {
        return format!("`--set batch_size={size}`");
    }
    // A branch may be written in two ways.
    if run.in_branch {
        return format!("`batch_size: {size}` in the branch's stage");
    }
    format!("`--set stages.{number}.batch_size={size}`")
}

fn plan<'a>(run: &RunFacts<'_>, graph: &'a Graph, embedding: NodeId) -> Plan<'a> {
    let RunFacts { classes, device, .. } = *run;
    Plan { graph, embedding, classes, compute: device.compute, device: device.place }
}

/// The stage with no more images a step than there are.
fn bounded(stage: &Stage, run: &RunFacts<'_>) -> Stage {
    Stage { batch_size: stage.batch_size.min(run.images), ..stage.clone() }
}

/// What of the free bytes is planned with.
const fn spared(bytes: u64) -> u64 {
    bytes - bytes / 10
}

/// How much libtorch could not get, from its message: "you tried to allocate 123 bytes", "Tried to allocate 2.00 GiB".
fn asked(message: &str) -> Option<String> {
    let rest = message.to_lowercase();
    let rest = rest.split_once("tried to allocate ")?.1.to_owned();
    let mut words = rest.split_whitespace();
    let (number, unit) = (words.next()?.parse::<f64>().ok()?, words.next()?.trim_end_matches(['.', ',']).to_owned());
    let scale = match unit.as_str() {
        "bytes" => 1.0,
        "kib" => 1024.0,
        "mib" => 1024.0 * 1024.0,
        "gib" => 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    Some(in_words((number * scale) as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_is_read_from_both_messages() {
        let cpu = "DefaultCPUAllocator: can't allocate memory: you tried to allocate 3221225472 bytes. Error code 12";
        assert_eq!(asked(cpu).as_deref(), Some("3.0 GiB"));
        assert_eq!(asked("CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has").as_deref(), Some("20 MiB"));
        assert_eq!(asked("CUDA error: out of memory"), None);
    }
}
