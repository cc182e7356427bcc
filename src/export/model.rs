//! The network of an export: read from a checkpoint, cut at its embedding.

use std::path::Path;

use super::error::ExportError;
use crate::checkpoint::{self, SavedModel};
use crate::graph::{Graph, Weights, embedding};
use crate::schedule::EmbeddingLayer;

/// A basic model.
#[derive(Debug, Clone)]
pub struct Model {
    /// Its layers; the output is the embedding.
    pub graph: Graph,
    /// Their weights.
    pub weights: Weights,
    /// What the file held beside them: the whole model's optimiser and loss, the figures of its bins. Its graph and weights
    /// are empty.
    pub rest: SavedModel,
}

impl Model {
    /// Reads a checkpoint and cuts it at its embedding: `wanted`, or the input of its head, or its output.
    ///
    /// # Errors
    /// A file that cannot be read, or has no such layer.
    pub fn read(path: &Path, wanted: Option<&EmbeddingLayer>) -> Result<Self, ExportError> {
        let mut rest = checkpoint::read(path)?;
        let graph = std::mem::replace(&mut rest.graph, Graph::new(""));
        let weights = std::mem::take(&mut rest.weights);
        let output = embedding::find(&graph, wanted)
            .map_err(|source| ExportError::Graph { path: path.to_path_buf(), source })?;
        if embedding::find(&graph, None).ok() != Some(output) {
            // The figures are those of the embedding that was trained.
            rest.evaluation.clear();
        }
        let cut = graph.cut(output, graph.name.clone());
        let weights = weights.cut(&graph, output);
        Ok(Self { graph: cut, weights, rest })
    }
}
