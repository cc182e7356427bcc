//! A large head is written from the copy that the training thread made, and takes next to no memory on its way: in a process
//! of its own, so that its peak memory is the file's.
//!
//! `FACETUI_CLASSES=1000000 cargo test --test counts saving_memory -- --nocapture` prints what another head takes.

use std::time::Instant;

use facetui::checkpoint::{self, SavedModel};
use facetui::schedule::{Backbone, HeadKind, ModelSource, Optimizer};
use facetui::train::model;
use facetui::train::optim::optimizer::OptimizerState;
use facetui::train::saver::job::OptimizerSnapshot;
use tch::{Device, Kind, Tensor};

use crate::alone::in_a_process;

/// Classes of the head, whose weights and momentum are 195 MiB.
const CLASSES: usize = 50_000;
const EMBEDDING: usize = 512;
/// What saving may take, of weights and momentum.
const LIMIT: f64 = 0.2;

/// A line of this process's status, in MiB; none where the system does not say.
fn status(line: &str) -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|found| found.strip_prefix(line))?;
    line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok().map(|kibibytes| kibibytes / 1024.0)
}

#[test]
fn a_head_is_not_in_memory_again_while_it_is_written() {
    in_a_process("saving_memory::a_head_is_not_in_memory_again_while_it_is_written", measure);
}

fn measure() {
    let classes = std::env::var("FACETUI_CLASSES").ok().and_then(|text| text.parse().ok()).unwrap_or(CLASSES);
    let backbone = Backbone { dropout: 0.0, ..Backbone::new("mobilefacenet", EMBEDDING as u64) };
    let start = model::start(&ModelSource::Backbone(backbone), 1).expect("builds");
    let (network, _) = model::with_head(start, HeadKind::Arcface, classes, 1, Device::Cpu, Kind::Float).expect("fits");
    let mut optimizer = OptimizerState::new(Optimizer::sgd(0.9, false), &network.parameters.flat);
    let momentum = Tensor::arange(network.parameters.flat.numel() as i64, (Kind::Float, Device::Cpu));
    optimizer.set_slots(vec![momentum]);
    let (snapshot, state) = (network.parameters.snapshot(), OptimizerSnapshot::new(&optimizer, 0.1));
    let graph = network.graph().clone();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("large.h5");
    let write = || {
        let model = SavedModel {
            optimizer: Some(state.saved(&graph, &snapshot)),
            ..SavedModel::new(graph.clone(), snapshot.pieces(graph.nodes().len()))
        };
        checkpoint::write(&path, &model).expect("writes")
    };
    // From here on the peak is that of writing.
    let cleared = std::fs::write("/proc/self/clear_refs", "5").is_ok();
    let (Some(before), true) = (status("VmRSS:"), cleared) else { return };
    let started = Instant::now();
    let bytes = write();
    let (seconds, peak) = (started.elapsed().as_secs_f64(), status("VmHWM:").expect("is told"));
    let file = bytes as f64 / f64::from(1 << 20);
    eprintln!("{classes} classes: {file:.0} MiB written in {seconds:.2} s, {:.0} MiB more at the peak", peak - before);
    assert!(file > 2.0 * (classes * EMBEDDING * 4) as f64 / f64::from(1 << 20), "weights and momentum are there");
    assert!(peak - before < LIMIT * file, "{:.0} MiB more for a file of {file:.0} MiB", peak - before);
    if classes != CLASSES {
        return;
    }
    // And it is what it was.
    assert!(checkpoint::verify(&path).expect("reads"), "is sealed and whole");
    let read = checkpoint::read(&path).expect("reads");
    assert!(read.weights == snapshot.weights(graph.nodes().len()), "the weights came back");
    let back =
        facetui::train::optim::restore::optimizer(&read.optimizer.expect("has one"), &network).expect("is known");
    assert!(back.slots()[0].equal(&optimizer.slots()[0]), "so did the momentum");
}
