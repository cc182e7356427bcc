//! `facetui inspect`: what a Keras file holds, as Keras's `model.summary()` shows it, or as JSON.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::json;

use super::failure::Failure;
use super::output::say;
use crate::checkpoint::{self, SavedModel};
use crate::graph::summary;

/// Prints the layers, totals, optimiser and loss of a file.
pub(super) fn inspect(path: &Path, as_json: bool) -> Result<(), Failure> {
    if !path.is_file() {
        let report =
            miette::miette!(help = "give the path of a Keras .h5 file", "there is no file `{}`", path.display());
        return Err(Failure::Usage(report));
    }
    let model = checkpoint::read(path).map_err(|error| Failure::Run(error.into()))?;
    if as_json {
        let mut value = summary::json(&model.graph);
        value["file"] = json!(path.display().to_string());
        value["optimizer"] = json!(model.optimizer.as_ref().map(|optimizer| {
            json!({
                "class": optimizer.class_name,
                "iterations": optimizer.iterations,
                "slots": optimizer.slots.len(),
                "config": optimizer.config,
            })
        }));
        value["optimizer_note"] = json!(model.optimizer_note);
        value["loss"] = json!(model.loss);
        value["evaluation"] = json!(model.evaluation);
        say(&format!("{value}\n"));
    } else {
        say(&text(path, &model));
    }
    Ok(())
}

fn text(path: &Path, model: &SavedModel) -> String {
    let optimizer = match &model.optimizer {
        None => "none".to_owned(),
        Some(state) => {
            let steps = state.iterations;
            let state_of = if state.slots.is_empty() { "no state" } else { "its state" };
            format!("{} after {steps} steps, with {state_of}", state.class_name)
        }
    };
    let mut bins = String::new();
    for bin in &model.evaluation {
        let _ = writeln!(bins, "{}: accuracy {:.6} at the threshold {:.6}", bin.bin, bin.accuracy, bin.threshold);
    }
    let note = model.optimizer_note.as_ref().map(|note| format!("note: {note}\n")).unwrap_or_default();
    format!(
        "`{}`: model `{}`\n{}\noptimizer: {optimizer}\nloss: {}\n{bins}{note}",
        path.display(),
        model.graph.name,
        summary::table(&model.graph),
        model.loss.as_deref().unwrap_or("none")
    )
}
