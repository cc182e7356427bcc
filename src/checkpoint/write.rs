//! A model into a Keras `.h5` file.

use std::path::Path;

use hdf5::File;

use super::atomic::write_atomically;
use super::checksum::ChecksumWriter;
use super::dataset_addresses::{self, Dataset};
use super::datasets::{self, Pending, folder_in};
use super::strings::{put_names, put_text};
use super::{CheckpointError, Floats, SavedModel, extras, memory_file, optimizer, training_config, weight_order};
use crate::graph::keras;

/// The Keras whose layout is written; every reader takes it.
const KERAS_VERSION: &str = "2.12.0";

/// Writes a model whole or not at all, with a checksum behind its end. Returns the file's bytes.
///
/// HDF5 makes the file without its arrays, in memory; they are written behind it as they come, so that none of them is in
/// memory once more.
///
/// # Errors
/// The folder cannot be written, or the disk is full.
pub fn write<A: Floats>(path: &Path, model: &SavedModel<A>) -> Result<u64, CheckpointError> {
    let failed = |error: &dyn std::fmt::Display| CheckpointError::write(path, error);
    let mut later = Vec::new();
    let image = fill(model, &mut later).and_then(|file| memory_file::bytes(&file));
    let mut image = image.map_err(|error| failed(&error))?;
    let datasets: Vec<Dataset> = later.iter().map(Pending::dataset).collect();
    dataset_addresses::assign(&mut image, &datasets).map_err(|error| failed(&error))?;
    let written = |temporary: &Path| {
        let mut file = ChecksumWriter::create(temporary)?;
        file.put(&image)?;
        later.iter().try_for_each(|pending| pending.write(&mut file))?;
        file.finish()
    };
    write_atomically(path, |temporary| written(temporary).map_err(|error: std::io::Error| failed(&error)))
}

/// The file without its arrays, in memory; they are put into `later`.
fn fill<'a, A: Floats>(model: &'a SavedModel<A>, later: &mut Vec<Pending<'a>>) -> hdf5::Result<File> {
    let file = memory_file::create()?;
    put_text(&file, "keras_version", KERAS_VERSION)?;
    put_text(&file, "backend", "tensorflow")?;
    let config = keras::to_json(&model.graph);
    put_text(&file, "model_config", &config.to_string())?;
    put_weights(&file, model, &weight_order::layers(&config), later)?;
    if let Some(state) = &model.optimizer {
        let described = optimizer::described(state);
        put_text(&file, "training_config", &training_config::config(model, &described).to_string())?;
        optimizer::put(&file, &model.graph, state, later)?;
    }
    extras::put(&file, &model.extras, &model.evaluation, later)?;
    Ok(file)
}

fn put_weights<'a, A: Floats>(
    file: &File,
    model: &'a SavedModel<A>,
    layers: &[String],
    later: &mut Vec<Pending<'a>>,
) -> hdf5::Result<()> {
    let weights = file.create_group("model_weights")?;
    put_text(&weights, "keras_version", KERAS_VERSION)?;
    put_text(&weights, "backend", "tensorflow")?;
    // Keras matches layers by their places in this list.
    put_names(&weights, "layer_names", layers)?;
    for layer in layers {
        let group = folder_in(&weights, layer)?;
        if model.graph.find(layer).is_none_or(|node| model.graph.nodes()[node].weights.is_empty()) {
            put_names(&group, "weight_names", &[])?;
        }
    }
    for (node, arrays) in model.graph.nodes().iter().zip(&model.weights.nodes).filter(|(_, arrays)| !arrays.is_empty())
    {
        let group = folder_in(&weights, &node.name)?;
        let names: Vec<String> = node.weights.iter().map(|weight| format!("{}/{}:0", node.name, weight.name)).collect();
        put_names(&group, "weight_names", &names)?;
        for (name, array) in names.iter().zip(arrays) {
            datasets::put(&group, name, &array.shape(), Some(array), later)?;
        }
    }
    weights.create_group("top_level_model_weights").and_then(|group| put_names(&group, "weight_names", &[]))
}
