//! A Keras `.h5` file into a model.

use std::collections::HashMap;
use std::path::Path;

use super::h5_file::H5File;
use super::layers::{self, FileLayer};
use super::matching::{self, Misfit};
use super::strings::text;
use super::training_config::Training;
use super::weights::Mismatch;
use super::{CheckpointError, SavedModel, extras, optimizer};
use crate::graph::keras::{self, KerasModel, WeightPlace};
use crate::graph::{Graph, Weights};

/// Reads a whole model.
///
/// # Errors
/// A file that is missing, damaged, no Keras model, or has layers that facetui does not know.
pub fn read(path: &Path) -> Result<SavedModel, CheckpointError> {
    let source = H5File::open(path)?;
    let content = |reason: String| CheckpointError::content(path, reason);
    let config = text(&source, &source.file, "model_config").map_err(content)?;
    let Some(config) = config else {
        return Err(match layers::list(&source) {
            Ok(_) => CheckpointError::WeightsOnly { path: path.to_path_buf() },
            Err(_) => content("it has no `model_config`".to_owned()),
        });
    };
    let config: serde_json::Value =
        serde_json::from_str(&config).map_err(|error| content(format!("`model_config`: {error}")))?;
    let KerasModel { graph, places } = keras::read(&config)
        .map_err(|source| CheckpointError::Layers { path: path.to_path_buf(), source: Box::new(source) })?;
    if source.file.group("model_weights").is_err() {
        return Err(content("it has no `model_weights`".to_owned()));
    }
    let file = layers::list(&source).map_err(content)?;
    let weights = weights(&source, &file, &graph, &places).map_err(content)?;
    let training = Training::read(&source).map_err(content)?;
    let order: Vec<&str> = file.iter().map(|layer| layer.name.as_str()).collect();
    let (optimizer, optimizer_note) = match optimizer::get(&source, &training, &graph, &places, &order) {
        Ok(found) => found,
        Err(why) => (None, Some(why)),
    };
    let extras = extras::get(&source).map_err(content)?;
    let evaluation = extras::evaluation(&source).map_err(content)?;
    let (loss, loss_config) = (training.loss(), training.loss_config());
    Ok(SavedModel { graph, weights, optimizer, optimizer_note, loss, loss_config, extras, evaluation })
}

/// What facetui noted in a file beside the model; null where it noted nothing.
///
/// # Errors
/// A file that is missing, damaged, or no HDF5 file.
pub fn notes(path: &Path) -> Result<serde_json::Value, CheckpointError> {
    let source = H5File::open(path)?;
    extras::notes(&source).map_err(|reason| CheckpointError::content(path, reason))
}

fn weights(
    source: &H5File,
    file: &[FileLayer],
    graph: &Graph,
    places: &[Option<WeightPlace>],
) -> Result<Weights, String> {
    let listed: HashMap<&str, &FileLayer> = file.iter().map(|layer| (&*layer.name, layer)).collect();
    let nodes = graph.nodes().iter().zip(places).map(|(node, place)| {
        let Some(place) = place else { return Ok(Vec::new()) };
        let unlisted;
        let layer = if let Some(layer) = listed.get(&*place.group) {
            *layer
        } else {
            unlisted = layers::unlisted(source, &place.group)?;
            &unlisted
        };
        // A layer of its own, or one of several in a model that the file lists as one layer.
        let inside = (place.positions.len() < place.total).then_some(&*place.positions);
        if inside.is_some() && layer.weights.len() != place.total {
            let found = layer.weights.len();
            return Err(format!("layer `{}` has {found} weights in the file; expected {}", place.group, place.total));
        }
        matching::read(source, layer, node, inside).map_err(|misfit| match misfit {
            Misfit::Shapes(file, graph) => Mismatch { layer: node.name.clone(), file, graph }.to_string(),
            Misfit::Damaged(why) => why,
        })
    });
    Ok(Weights { nodes: nodes.collect::<Result<_, String>>()? })
}
