//! What can be said of a schedule once its files are at hand, before anything is trained: whether the saved model can be
//! used, has the embedding layer that is named, and whether the training set has the classes that are expected.

use crate::checkpoint;
use crate::data;
use crate::graph::{Graph, embedding};
use crate::schedule::{EmbeddingLayer, Loaded, ModelSource, Place, Problem};
use crate::train::model;

/// Every problem, each at its line. Call it when [`check_paths`](crate::schedule::check_paths) has found nothing.
///
/// Reads the saved model and, where the schedule says a number of classes, as much of the training set as tells theirs.
pub fn check(loaded: &Loaded) -> Vec<Problem> {
    let mut problems = Vec::new();
    if let ModelSource::File { path, embedding, .. } = &loaded.schedule.model {
        match checkpoint::read(path) {
            Ok(saved) => problems.extend(embedding_problem(loaded, &saved.graph, embedding.as_ref())),
            Err(error) => {
                let help = miette::Diagnostic::help(&error).map(|help| help.to_string());
                problems.push(loaded.error_at(
                    Place::Model,
                    crate::train::error::TrainError::from_diagnostic(&error).message,
                    "the saved model cannot be used",
                    help.unwrap_or_else(|| "name a Keras .h5 file that holds the whole model".to_owned()),
                ));
            }
        }
    }
    let mut said = loaded.classes().enumerate().peekable();
    if said.peek().is_some()
        && let Ok(found) = data::count_classes(&loaded.schedule.data.train)
    {
        problems.extend(said.filter(|(_, expected)| *expected != found as u64).map(|(at, expected)| {
            loaded.error_at(
                Place::Classes(at),
                format!("the training set has {found} classes, not {expected}"),
                format!("there are {found}"),
                "the number of classes is the highest folder number or label plus one; take this out to use what is there",
            )
        }));
    }
    problems
}

/// What is wrong with the embedding that a schedule names in a file.
fn embedding_problem(loaded: &Loaded, graph: &Graph, wanted: Option<&EmbeddingLayer>) -> Option<Problem> {
    let help = "name a layer, as embedding: embedding, or its position, as embedding: -2 for the one before the head";
    match embedding::find(graph, wanted) {
        Err(error) => {
            let label = format!("the file has {} layers", graph.nodes().len());
            Some(loaded.error_at(Place::Embedding, error.to_string(), label, help))
        }
        Ok(node) => {
            let basic = graph.cut(node, graph.name.clone());
            let reason = model::fits(&basic, basic.output()).err()?;
            Some(loaded.error_at(Place::Embedding, reason, "cannot be trained here", help))
        }
    }
}
