//! A model into a Keras `.h5` file.

use std::path::Path;

use hdf5::File;

use super::arrays::{self, folder_in};
use super::atomic::write_atomically;
use super::order::keras_order;
use super::strings::{put_names, put_text};
use super::{CheckpointError, SavedModel, extras, optimizer, training};
use crate::graph::{Graph, NodeId, keras};

/// The Keras whose layout is written; every reader takes it.
const KERAS_VERSION: &str = "2.12.0";

/// Writes a model whole or not at all. Returns the file's bytes.
///
/// # Errors
/// The folder cannot be written, or the disk is full.
pub fn write(path: &Path, model: &SavedModel) -> Result<u64, CheckpointError> {
    write_atomically(path, |temporary| fill(temporary, model).map_err(|error| CheckpointError::write(path, error)))
}

fn fill(path: &Path, model: &SavedModel) -> hdf5::Result<()> {
    let file = File::create(path)?;
    put_text(&file, "keras_version", KERAS_VERSION)?;
    put_text(&file, "backend", "tensorflow")?;
    let graph = keras::portable(&model.graph);
    put_text(&file, "model_config", &keras::to_json(&graph).to_string())?;
    put_weights(&file, &graph, model)?;
    if let Some(state) = &model.optimizer {
        let described = optimizer::described(state);
        put_text(&file, "training_config", &training::config(model, &described).to_string())?;
        optimizer::put(&file, &graph, state)?;
    }
    extras::put(&file, &model.extras)?;
    file.close()
}

/// Writes the weights of a model whose graph has the form `graph` in the file: other layers, but the same weights.
fn put_weights(file: &File, graph: &Graph, model: &SavedModel) -> hdf5::Result<()> {
    let weights = file.create_group("model_weights")?;
    put_text(&weights, "keras_version", KERAS_VERSION)?;
    put_text(&weights, "backend", "tensorflow")?;
    // Keras matches layers by their places in this list.
    let mut order = keras_order(graph);
    let owns = |node: &NodeId| graph.nodes()[*node].shares.is_none();
    let unreached = (0..graph.nodes().len()).filter(|node| !order.contains(node) && owns(node)).collect::<Vec<_>>();
    let names: Vec<String> = order.iter().map(|node| graph.nodes()[*node].name.clone()).collect();
    put_names(&weights, "layer_names", &names)?;
    order.extend(unreached);
    for id in order {
        let node = &graph.nodes()[id];
        let group = folder_in(&weights, &node.name)?;
        let names: Vec<String> = node.weights.iter().map(|weight| format!("{}/{}:0", node.name, weight.name)).collect();
        put_names(&group, "weight_names", &names)?;
        let stored = model.graph.find(&node.name).map_or(&[][..], |own| &model.weights.nodes[own]);
        for (name, array) in names.iter().zip(stored) {
            arrays::put(&group, name, array)?;
        }
    }
    weights.create_group("top_level_model_weights").and_then(|group| put_names(&group, "weight_names", &[]))
}
