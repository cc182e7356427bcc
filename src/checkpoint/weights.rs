//! Weights of a file into a graph of the same layers, wherever they come from: `save_weights` files, the published
//! weights of `keras.applications`, whole models. The caller decides what may be missing.

use std::collections::{HashMap, VecDeque};
use std::fmt::{self, Display};
use std::path::Path;

use super::CheckpointError;
use super::h5_file::H5File;
use super::layers::{self, FileLayer, snake_case};
use super::matching::{self, Misfit};
use super::strings::text;
use super::weight_order::keras_order;
use crate::graph::keras::{self, KerasModel};
use crate::graph::{Array, Graph, NodeId, Weights};

/// What a file had for a graph.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LoadedWeights {
    /// The weights of each node, in the order of [`Node::weights`](crate::graph::Node); none where the file had none
    /// that fit. Nodes without weights have none.
    pub nodes: Vec<Option<Vec<Array>>>,
    /// Layers of the graph that got their weights.
    pub loaded: Vec<String>,
    /// Layers of the graph that the file does not have.
    pub missing: Vec<String>,
    /// Layers of the file, with weights, that the graph does not have.
    pub unused: Vec<String>,
    /// Layers that both have, with other shapes.
    pub mismatched: Vec<Mismatch>,
    /// Whether no name of the file is a name of the graph, so that layers were matched by their order, as Keras does.
    pub by_order: bool,
}

/// A layer of a file whose weights do not fit the graph's layer of that name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// The layer's name.
    pub layer: String,
    /// The shapes of its weights in the file.
    pub file: Vec<Vec<usize>>,
    /// The shapes of its weights in the graph.
    pub graph: Vec<Vec<usize>>,
}

impl Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { layer, file, graph } = self;
        if file.len() != graph.len() {
            return write!(f, "layer `{layer}` has {} weights in the file; expected {}", file.len(), graph.len());
        }
        let pair = file.iter().zip(graph).find(|(file, graph)| file != graph);
        let (file, graph) = pair.map_or((&[][..], &[][..]), |(file, graph)| (file, graph));
        write!(f, "layer `{layer}` has a weight of the shape {file:?} in the file; expected {graph:?}")
    }
}

impl LoadedWeights {
    /// Puts the weights that were loaded in the place of those of the same graph.
    pub fn fill(self, weights: &mut Weights) {
        for (node, loaded) in weights.nodes.iter_mut().zip(self.nodes) {
            if let Some(loaded) = loaded {
                *node = loaded;
            }
        }
    }

    /// Whether every layer of the graph got its weights.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty() && self.mismatched.is_empty()
    }
}

/// Reads the weights of a file into the layers of a graph that have the same names; when no name is known at all, by
/// their order, if every layer of the file or every one of the graph then fits. Files without names (Keras's older
/// `.weights.h5`) go by class and order.
///
/// # Errors
/// A file that is missing, damaged, or holds no weights. Weights that are missing or do not fit are told in the result.
pub fn read_weights(path: &Path, graph: &Graph) -> Result<LoadedWeights, CheckpointError> {
    let source = H5File::open(path)?;
    let content = |reason: String| CheckpointError::content(path, reason);
    let mut file = layers::list(&source).map_err(content)?;
    file.retain(|layer| !layer.weights.is_empty());
    if let Some(model) = model(&source) {
        file = take_apart(file, &model);
    }
    let order = keras_order(graph);
    let mut pairs = by_name(&file, graph, &order);
    if pairs.is_empty() && file.iter().all(|layer| layer.class.is_some()) {
        pairs = by_class(&file, graph, &order);
        let mut loaded = load(&source, &file, graph, &pairs).map_err(content)?;
        loaded.by_order = true;
        return Ok(loaded);
    }
    if pairs.is_empty() && fits_in_order(&source, &file, graph, &order) {
        pairs = order.iter().enumerate().take(file.len()).map(|(at, node)| (*node, at)).collect();
        let mut loaded = load(&source, &file, graph, &pairs).map_err(content)?;
        loaded.by_order = true;
        return Ok(loaded);
    }
    load(&source, &file, graph, &pairs).map_err(content)
}

/// The layers that a file describes; none when it has weights alone, or layers that facetui does not know.
fn model(source: &H5File) -> Option<KerasModel> {
    let config = text(source, &source.file, "model_config").ok()??;
    keras::read(&serde_json::from_str(&config).ok()?).ok()
}

/// Puts the layers of inner models, whose weights a file lists as those of one layer, in that layer's place.
fn take_apart(file: Vec<FileLayer>, model: &KerasModel) -> Vec<FileLayer> {
    let mut apart = Vec::new();
    for layer in file {
        let nodes = model.graph.nodes().iter().zip(&model.places);
        let inner: Vec<FileLayer> = nodes
            .filter_map(|(node, place)| {
                let place =
                    place.as_ref().filter(|place| place.group == layer.name && place.positions.len() < place.total)?;
                let weights = matching::pick(&layer.weights, node, &place.positions)?;
                Some(FileLayer { name: node.name.clone(), class: None, group: layer.group.clone(), weights })
            })
            .collect();
        if inner.is_empty() { apart.push(layer) } else { apart.extend(inner) }
    }
    apart
}

/// Node → position in the file.
type Pairs = HashMap<NodeId, usize>;

fn by_name(file: &[FileLayer], graph: &Graph, order: &[NodeId]) -> Pairs {
    // Layers are read with `_` in the place of a slash.
    let places: HashMap<String, usize> = file
        .iter()
        .enumerate()
        .filter(|(_, layer)| layer.class.is_none())
        .map(|(at, layer)| (layer.name.replace('/', "_"), at))
        .collect();
    order.iter().filter_map(|node| Some((*node, *places.get(&graph.nodes()[*node].name.replace('/', "_"))?))).collect()
}

/// Whether the layers of the file and of the graph have the same shapes, one after the other, as far as both go. Layers
/// of another model may fit here and there, but not all along.
fn fits_in_order(source: &H5File, file: &[FileLayer], graph: &Graph, order: &[NodeId]) -> bool {
    !file.is_empty() && file.iter().zip(order).all(|(layer, node)| matching::fits(source, layer, &graph.nodes()[*node]))
}

fn by_class(file: &[FileLayer], graph: &Graph, order: &[NodeId]) -> Pairs {
    let mut classes: HashMap<&str, VecDeque<usize>> = HashMap::new();
    for (at, layer) in file.iter().enumerate() {
        if let Some((class, _)) = &layer.class {
            classes.entry(class).or_default().push_back(at);
        }
    }
    let next = |node: &NodeId| {
        let class = snake_case(graph.nodes()[*node].layer.class_name());
        Some((*node, classes.get_mut(&*class)?.pop_front()?))
    };
    order.iter().filter_map(next).collect()
}

fn load(source: &H5File, file: &[FileLayer], graph: &Graph, pairs: &Pairs) -> Result<LoadedWeights, String> {
    let mut result = LoadedWeights::default();
    let mut used = vec![false; file.len()];
    for (id, node) in graph.nodes().iter().enumerate() {
        result.nodes.push(None);
        if node.weights.is_empty() {
            continue;
        }
        let Some(at) = pairs.get(&id) else {
            result.missing.push(node.name.clone());
            continue;
        };
        used[*at] = true;
        match matching::read(source, &file[*at], node, None) {
            Ok(arrays) => {
                result.nodes[id] = Some(arrays);
                result.loaded.push(node.name.clone());
            }
            Err(Misfit::Shapes(file, graph)) => {
                result.mismatched.push(Mismatch { layer: node.name.clone(), file, graph });
            }
            Err(Misfit::Damaged(why)) => return Err(why),
        }
    }
    let unused = file.iter().zip(used).filter(|(_, used)| !used);
    result.unused = unused.map(|(layer, _)| layer.name.clone()).collect();
    Ok(result)
}
