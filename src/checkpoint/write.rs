//! A model into a Keras `.h5` file.

use std::path::Path;

use hdf5::File;

use super::arrays::{self, folder_in};
use super::atomic::write_atomically;
use super::order::keras_order;
use super::strings::{put_names, put_text};
use super::{CheckpointError, SavedModel, extras, optimizer, training};
use crate::graph::keras;

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
    put_text(&file, "model_config", &keras::to_json(&model.graph).to_string())?;
    put_weights(&file, model)?;
    if let Some(state) = &model.optimizer {
        let described = optimizer::described(state);
        put_text(&file, "training_config", &training::config(model, &described).to_string())?;
        optimizer::put(&file, &model.graph, state)?;
    }
    extras::put(&file, &model.extras)?;
    file.close()
}

fn put_weights(file: &File, model: &SavedModel) -> hdf5::Result<()> {
    let weights = file.create_group("model_weights")?;
    put_text(&weights, "keras_version", KERAS_VERSION)?;
    put_text(&weights, "backend", "tensorflow")?;
    // Keras matches layers by their places in this list.
    let mut order = keras_order(&model.graph);
    let unreached = (0..model.graph.nodes().len()).filter(|node| !order.contains(node)).collect::<Vec<_>>();
    let names: Vec<String> = order.iter().map(|node| model.graph.nodes()[*node].name.clone()).collect();
    put_names(&weights, "layer_names", &names)?;
    order.extend(unreached);
    for id in order {
        let node = &model.graph.nodes()[id];
        let group = folder_in(&weights, &node.name)?;
        let names: Vec<String> = node.weights.iter().map(|weight| format!("{}/{}:0", node.name, weight.name)).collect();
        put_names(&group, "weight_names", &names)?;
        for (name, array) in names.iter().zip(&model.weights.nodes[id]) {
            arrays::put(&group, name, array)?;
        }
    }
    weights.create_group("top_level_model_weights").and_then(|group| put_names(&group, "weight_names", &[]))
}
