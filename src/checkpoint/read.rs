//! A Keras `.h5` file into a model. Weights are matched to layers by the layers' names and, inside a layer, by their
//! order, since Keras's versions name them differently.

use std::path::Path;

use hdf5::{File, Group};

use super::strings::{text, texts};
use super::{CheckpointError, SavedModel, optimizer};
use crate::graph::{Array, Graph, Node, Weights, keras};

/// Reads a whole model.
///
/// # Errors
/// A file that is missing, damaged, no Keras model, or has layers that facetui does not know.
pub fn read(path: &Path) -> Result<SavedModel, CheckpointError> {
    if let Err(error) = fs_err::metadata(path) {
        return Err(CheckpointError::Read { path: path.to_path_buf(), reason: error.to_string() });
    }
    let file = File::open(path).map_err(|_ignored| CheckpointError::Read {
        path: path.to_path_buf(),
        reason: "it is no HDF5 file, or a damaged one".to_owned(),
    })?;
    let content = |reason: &str| CheckpointError::content(path, reason);
    let config = text(&file, "model_config").ok_or_else(|| content("it has no `model_config`"))?;
    let config: serde_json::Value = serde_json::from_str(&config)
        .map_err(|error| CheckpointError::content(path, format!("`model_config`: {error}")))?;
    let graph = keras::from_json(&config)
        .map_err(|source| CheckpointError::Layers { path: path.to_path_buf(), source: Box::new(source) })?;
    let group = file.group("model_weights").map_err(|_ignored| content("it has no `model_weights`"))?;
    let weights = weights(&group, &graph).map_err(|reason| CheckpointError::content(path, reason))?;
    let state = file.group("optimizer_weights").ok().and_then(|group| optimizer::get(&file, &group, &graph));
    let (optimizer, loss) = state.map_or((None, None), |(state, loss)| (Some(state), loss));
    Ok(SavedModel { graph, weights, optimizer, loss })
}

fn weights(group: &Group, graph: &Graph) -> Result<Weights, String> {
    let nodes = graph.nodes().iter().map(|node| {
        if node.weights.is_empty() {
            return Ok(Vec::new());
        }
        let layer = group.group(&node.name).map_err(|_ignored| format!("layer `{}` has no weights", node.name))?;
        layer_weights(&layer, node)
    });
    Ok(Weights { nodes: nodes.collect::<Result<_, String>>()? })
}

fn layer_weights(group: &Group, node: &Node) -> Result<Vec<Array>, String> {
    let names = texts(group, "weight_names").unwrap_or_default();
    if names.len() != node.weights.len() {
        return Err(format!(
            "layer `{}` ({}) has {} weights in the file; expected {}",
            node.name,
            node.layer.class_name(),
            names.len(),
            node.weights.len()
        ));
    }
    let arrays = names.iter().zip(&node.weights).map(|(name, spec)| {
        let dataset =
            group.dataset(name).map_err(|_ignored| format!("weight `{name}` of layer `{}` is missing", node.name))?;
        let shape = dataset.shape();
        if shape != spec.shape {
            return Err(format!(
                "weight `{name}` of layer `{}` has the shape {shape:?}; expected {:?}",
                node.name, spec.shape
            ));
        }
        let data = dataset
            .read_raw::<f32>()
            .map_err(|_ignored| format!("weight `{name}` of layer `{}` cannot be read", node.name))?;
        Ok(Array { shape, data })
    });
    arrays.collect()
}
