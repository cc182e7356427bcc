//! A model into a Keras `.h5` file.

use std::path::Path;

use hdf5::{File, Group};

use super::atomic::write_atomically;
use super::strings::{put_names, put_text};
use super::{CheckpointError, SavedModel, optimizer};
use crate::graph::{Array, keras};

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
    let weights = file.create_group("model_weights")?;
    put_text(&weights, "keras_version", KERAS_VERSION)?;
    put_text(&weights, "backend", "tensorflow")?;
    let names: Vec<String> = model.graph.nodes().iter().map(|node| node.name.clone()).collect();
    put_names(&weights, "layer_names", &names)?;
    for (node, arrays) in model.graph.nodes().iter().zip(&model.weights.nodes) {
        let group = weights.create_group(&node.name)?;
        let names: Vec<String> = node.weights.iter().map(|weight| format!("{}/{}:0", node.name, weight.name)).collect();
        put_names(&group, "weight_names", &names)?;
        for (name, array) in names.iter().zip(arrays) {
            put_array(&group, name, array)?;
        }
    }
    weights.create_group("top_level_model_weights").and_then(|group| put_names(&group, "weight_names", &[]))?;
    if let Some(state) = &model.optimizer {
        let config = serde_json::json!({
            "loss": model.loss,
            "metrics": ["accuracy"],
            "weighted_metrics": null,
            "loss_weights": null,
            "optimizer_config": {"class_name": state.class_name, "config": state.config},
        });
        put_text(&file, "training_config", &config.to_string())?;
        optimizer::put(&file.create_group("optimizer_weights")?, state)?;
    }
    file.close()
}

/// Writes a float32 dataset; slashes in the name make groups.
pub(super) fn put_array(group: &Group, name: &str, array: &Array) -> hdf5::Result<()> {
    let parent = match name.rsplit_once('/') {
        None => group.clone(),
        Some((folder, _)) if group.link_exists(folder) => group.group(folder)?,
        Some((folder, _)) => group.create_group(folder)?,
    };
    let leaf = name.rsplit('/').next().unwrap_or(name);
    let dataset = parent.new_dataset::<f32>().shape(array.shape.clone()).create(leaf)?;
    dataset.write_raw(&array.data)
}
