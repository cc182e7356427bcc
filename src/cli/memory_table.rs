//! The memory that `facetui check` foretells, a line a stage.

use std::fmt::Write as _;

use crate::graph::{Graph, NodeId, backbone, embedding};
use crate::schedule::{ModelSource, Optimizer, Schedule, Stage};
use crate::train::device;
use crate::train::memory::{Memory, Plan, auto_batch, in_words};
use crate::{checkpoint, data};

/// The memory of every stage; nothing where the network or the training set cannot be looked at, which the run says.
pub(super) fn text(schedule: &Schedule) -> String {
    let Some((graph, embedding)) = network(&schedule.model) else { return String::new() };
    let Ok((classes, images)) = data_of(schedule) else { return String::new() };
    let Ok((device, compute)) = device::place(schedule) else { return String::new() };
    let plan = Plan { graph: &graph, embedding, classes: classes as u64, compute, device };
    let available = device::available_on(device);
    let mut text = String::new();
    let settled;
    let schedule = if schedule.has_auto_batch() {
        let Some(images) = auto_batch::foretold(&plan, schedule, images, available) else {
            return "batch_size: auto: not even two images per step fit into the free memory\n".to_owned();
        };
        let _ = writeln!(text, "batch_size: auto would choose {images} images per step");
        settled = schedule.with_batch(images);
        &settled
    } else {
        schedule
    };
    let there = available.map_or_else(String::new, |bytes| format!(" ({} are free here)", in_words(bytes)));
    let _ = writeln!(text, "peak memory{there}, for {classes} classes:");
    let mut optimizer = Optimizer::FIRST;
    list(&mut text, &plan, &schedule.stages, "", &mut optimizer, available);
    for branch in &schedule.branches {
        let name = format!("{}, ", branch.name);
        list(&mut text, &plan, &branch.stages, &name, &mut optimizer.clone(), available);
    }
    text
}

/// Classes of the training set, and its images where they are asked for: listing them may take a while.
fn data_of(schedule: &Schedule) -> Result<(usize, u64), data::OpenError> {
    if schedule.has_auto_batch() {
        let source = data::open_all(&schedule.data.train, &|_, _| {})?;
        return Ok((source.classes(), source.len() as u64));
    }
    Ok((data::count_classes(&schedule.data.train)?, u64::MAX))
}

fn list(text: &mut String, plan: &Plan, stages: &[Stage], of: &str, optimizer: &mut Optimizer, available: Option<u64>) {
    for (number, stage) in stages.iter().enumerate() {
        *optimizer = stage.optimizer.unwrap_or(*optimizer);
        let needs = plan.of(stage, optimizer);
        let Memory { weights, gradients, optimizer: state, activations, head, images, saving, program } = needs;
        let parts = [
            ("weights", weights),
            ("gradients", gradients),
            ("optimiser", state),
            ("activations", activations),
            ("the head's loss", head),
            ("images", images),
            ("files being written", saving),
            ("the program", program),
        ];
        let parts: Vec<String> = parts
            .iter()
            .filter(|(_, bytes)| *bytes >= 1 << 20)
            .map(|(name, bytes)| format!("{name} {}", in_words(*bytes)))
            .collect();
        let _ = writeln!(text, "  {of}{}. {}: {}", number + 1, in_words(needs.total()), parts.join(", "));
        if let Some(available) = available.filter(|available| needs.total() > *available) {
            let _ = writeln!(text, "     {}", advice(plan, stage, optimizer, available));
        }
    }
}

/// What would fit instead.
fn advice(plan: &Plan, stage: &Stage, optimizer: &Optimizer, available: u64) -> String {
    let mut ways = Vec::new();
    if let Some(batch) = plan.batch_that_fits(stage, optimizer, available) {
        ways.push(format!("batch_size: {batch}"));
    }
    if stage.sample.is_none() && stage.loss.can_sample() {
        let part = Stage { sample: Some(0.1), ..stage.clone() };
        let needs = plan.of(&part, optimizer).total();
        if needs <= available {
            ways.push(format!("sample: 0.1 ({})", in_words(needs)));
        }
    }
    match ways.as_slice() {
        [] => "that is more than is free: take a smaller network, fewer classes or a larger machine".to_owned(),
        ways => format!("that is more than is free; it fits with {}", ways.join(", or with ")),
    }
}

/// The basic model of a schedule, as far as memory goes.
fn network(source: &ModelSource) -> Option<(Graph, NodeId)> {
    match source {
        ModelSource::Backbone(wanted) => {
            let options = backbone::Options {
                embedding_size: wanted.embedding_size as usize,
                dropout: wanted.dropout,
                width: wanted.width,
            };
            let graph = backbone::build(&wanted.kind, &options).ok()?;
            let embedding = graph.output();
            Some((graph, embedding))
        }
        ModelSource::File { path, embedding: wanted, .. } => {
            let saved = checkpoint::read(path).ok()?;
            let node = embedding::find(&saved.graph, wanted.as_ref()).ok()?;
            let graph = saved.graph.cut(node, saved.graph.name.clone());
            let embedding = graph.output();
            Some((graph, embedding))
        }
    }
}
