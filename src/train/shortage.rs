//! What is said when libtorch finds no memory in a stage: what was asked for, and what would fit instead.

use super::error::TrainError;
use super::memory::{self, Plan};
use crate::graph::{Graph, NodeId};
use crate::nn::device;
use crate::schedule::{Optimizer, Stage};
use crate::train::session::Device;

/// The failed allocation of `error` in the words of a user: the stage of a run with `classes` classes, and a batch size of
/// which the memory plan says that it fits.
pub fn explained(
    error: &TrainError,
    stage: &Stage,
    optimizer: &Optimizer,
    network: &(Graph, NodeId),
    classes: usize,
    on: Device,
) -> TrainError {
    let (graph, embedding) = network;
    let plan = Plan { graph, embedding: *embedding, classes: classes as u64, compute: on.compute, device: on.place };
    // On a GPU libtorch keeps what it had: all of it counts.
    let available = match on.place {
        tch::Device::Cuda(number) => device::gpu_memory(number).map(|(_, all)| all),
        _ => memory::available(),
    };
    let asked = asked(&error.message).map_or_else(String::new, |bytes| format!(", {bytes} more were asked for"));
    let free = available.map_or_else(String::new, |bytes| format!(" of {}", memory::in_words(bytes)));
    let needs = memory::in_words(plan.of(stage, optimizer).total());
    let message = format!(
        "out of memory with {} images a step: the stage takes about {needs}{free}{asked} ({})",
        stage.batch_size,
        error.message.trim_start_matches("out of memory: ")
    );
    let spared = available.map(|bytes| bytes - bytes / 10);
    let fits = spared.and_then(|bytes| plan.batch_that_fits(stage, optimizer, bytes));
    // The plan may be wrong, or others may have taken the memory.
    let fits = fits.filter(|size| *size < stage.batch_size).unwrap_or(stage.batch_size / 2).max(2);
    let sample = if stage.sample.is_none() && stage.loss.can_sample() {
        ", or `sample: 0.1` in the stage where classes are very many"
    } else {
        ""
    };
    TrainError::new(message).with_help(format!(
        "`--set batch_size={fits}` would fit, `batch_size: auto` finds one{sample}; with `--resume-changed` the run goes on \
         from its newest state"
    ))
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
    Some(memory::in_words((number * scale) as u64))
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
