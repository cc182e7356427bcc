//! The tree of a model's layers → one flat [`Graph`]: inner models are taken apart, further uses of a layer become nodes
//! that share its weights, recorded operations become plain layers. On the way it is noted where a file holds the weights
//! of each node.

use std::collections::{HashMap, HashSet};

use super::error::KerasError;
use super::inbound_nodes::{Call, Reference};
use super::layers::Parsed;
use super::model::{KerasModel, WeightPlace};
use super::model_config::{Entry, Kind, Model};
use super::operations::{Operation, Source};
use crate::graph::{Graph, Layer, Node, NodeId};

/// No graph has more nodes.
const MOST_NODES: usize = 20_000;
/// No tensor of one image, no weight has more elements.
const MOST_ELEMENTS: usize = 1 << 31;

/// Makes the graph.
pub(super) fn flatten(model: &Model) -> Result<KerasModel, KerasError> {
    let [output] = model.outputs.as_slice() else {
        let why = format!("has {} outputs; facetui reads models with one", model.outputs.len());
        return Err(KerasError::NotAModel(why));
    };
    let inputs: Vec<&str> =
        model.entries.iter().filter(|entry| is_input(entry)).map(|entry| entry.name.as_str()).collect();
    if model.inputs.len() != 1 || inputs != [model.inputs[0].layer.as_str()] {
        let named: Vec<&str> = model.inputs.iter().map(|input| input.layer.as_str()).collect();
        let why = format!("has the input layers {inputs:?} and names {named:?}; facetui reads models with one input");
        return Err(KerasError::NotAModel(why));
    }
    let mut counts = HashMap::new();
    count_names(model, &mut counts);
    let reserved = model.entries.iter().map(|entry| file_name(&entry.name)).collect();
    let mut flattener =
        Flattener { graph: Graph::new(model.name.clone()), owners: HashMap::new(), counts, reserved, uses: 0 };
    let results = flattener.place(model, &[], None)?;
    let Flattener { mut graph, owners, .. } = flattener;
    let layers = model.entries.iter().filter_map(|entry| {
        let uses = results.get(entry.name.as_str())?;
        Some((file_name(&entry.name), *uses.iter().rev().find_map(|outputs| outputs.as_ref())?.first()?))
    });
    graph.set_layers(layers.collect());
    let missing = || KerasError::NotAModel(format!("names the output `{}`, which is not there", output.layer));
    let output = find(&results, &offsets(model)?, output).ok_or_else(missing)?;
    graph.set_output(output);
    let mut places = vec![None; graph.nodes().len()];
    for entry in &model.entries {
        let mut list = WeightList::default();
        list.add(entry, &[], &owners, &graph);
        list.note(&entry.name, &mut places, &graph);
    }
    Ok(KerasModel { graph, places })
}

/// Keras 3 refuses a slash in a layer's name.
fn file_name(name: &str) -> String {
    name.replace('/', "_")
}

fn is_input(entry: &Entry) -> bool {
    matches!(&entry.kind, Kind::Layer(parsed, _) if matches!(parsed.layer, Layer::Input { .. }))
}

fn count_names(model: &Model, counts: &mut HashMap<String, usize>) {
    for entry in &model.entries {
        *counts.entry(file_name(&entry.name)).or_default() += 1;
        if let Kind::Model(inner) = &entry.kind {
            count_names(inner, counts);
        }
    }
}

/// The results of a model's entries: by name, for each use the nodes of its outputs.
type Results<'a> = HashMap<&'a str, Vec<Option<Vec<NodeId>>>>;

/// What is to be subtracted from the number of a use: Keras counts an inner model's own making as its first.
fn offsets(model: &Model) -> Result<HashMap<&str, usize>, KerasError> {
    let mut largest: HashMap<&str, usize> = HashMap::new();
    let calls = model.entries.iter().flat_map(|entry| &entry.calls).flat_map(Call::tensors);
    for reference in calls.chain(&model.outputs) {
        let known = largest.entry(&reference.layer).or_default();
        *known = (*known).max(reference.call);
    }
    let offset = |entry: &Entry| match largest.get(entry.name.as_str()) {
        Some(largest) if *largest > 0 && *largest >= entry.calls.len() => {
            if *largest == entry.calls.len() && matches!(entry.kind, Kind::Model(_)) {
                return Ok(1);
            }
            let why = format!("is used {} times, but use {largest} is asked for", entry.calls.len());
            Err(KerasError::Connection { layer: entry.name.clone(), why })
        }
        _ => Ok(0),
    };
    model.entries.iter().map(|entry| Ok((entry.name.as_str(), offset(entry)?))).collect()
}

fn find(results: &Results, offsets: &HashMap<&str, usize>, wanted: &Reference) -> Option<NodeId> {
    let offset = offsets.get(wanted.layer.as_str())?;
    let outputs = results.get(wanted.layer.as_str())?.get(wanted.call.checked_sub(*offset)?)?.as_ref()?;
    outputs.get(wanted.output).copied()
}

struct Flattener {
    graph: Graph,
    /// The node of each layer's first use, by the path of its name.
    owners: HashMap<Vec<String>, NodeId>,
    counts: HashMap<String, usize>,
    /// Names of the outer layers, which inner ones must not take.
    reserved: HashSet<String>,
    /// Uses placed so far, those that make no node included.
    uses: usize,
}

impl Flattener {
    /// Adds a model's layers, each use as soon as its inputs are there. `outer` holds what an inner model is called with.
    fn place<'a>(
        &mut self,
        model: &'a Model,
        path: &[String],
        outer: Option<&[NodeId]>,
    ) -> Result<Results<'a>, KerasError> {
        let offsets = offsets(model)?;
        let mut results: Results = HashMap::new();
        let mut waiting: Vec<(&Entry, usize)> = Vec::new();
        for entry in &model.entries {
            let uses = entry.calls.len().max(1);
            if results.insert(&entry.name, vec![None; uses]).is_some() {
                return Err(crate::graph::GraphError::Duplicate(entry.name.clone()).into());
            }
            waiting.extend((0..uses).map(|at| (entry, at)));
        }
        while !waiting.is_empty() {
            let before = waiting.len();
            let mut left = Vec::new();
            for (entry, at) in waiting {
                let call = entry.calls.get(at);
                let tensors = call.map(Call::tensors).unwrap_or_default();
                let inputs: Option<Vec<NodeId>> =
                    tensors.iter().map(|tensor| find(&results, &offsets, tensor)).collect();
                let Some(inputs) = inputs else {
                    left.push((entry, at));
                    continue;
                };
                let outputs = match (call, outer) {
                    (None, Some(outer)) => {
                        let place = model.inputs.iter().position(|input| input.layer == entry.name);
                        let input = place.and_then(|place| outer.get(place));
                        let why = || format!("is an input of `{}` that gets nothing", model.name);
                        let error = || KerasError::Connection { layer: entry.name.clone(), why: why() };
                        vec![*input.ok_or_else(error)?]
                    }
                    _ => self.entry(entry, call, &inputs, path)?,
                };
                if let Some(uses) = results.get_mut(entry.name.as_str()) {
                    uses[at] = Some(outputs);
                }
            }
            if left.len() == before {
                return Err(stuck(&left, &results, &offsets));
            }
            waiting = left;
        }
        Ok(results)
    }

    /// Adds one use of an entry and returns the nodes of its outputs.
    fn entry(
        &mut self,
        entry: &Entry,
        call: Option<&Call>,
        inputs: &[NodeId],
        path: &[String],
    ) -> Result<Vec<NodeId>, KerasError> {
        self.uses += 1;
        if self.uses > MOST_NODES {
            return Err(KerasError::NotAModel(format!(
                "has more than {MOST_NODES} layers, its inner models' counted in"
            )));
        }
        let mut here = path.to_vec();
        here.push(entry.name.clone());
        match &entry.kind {
            Kind::Model(inner) => {
                if inputs.len() != inner.inputs.len() {
                    let why = format!("is a model of {} inputs, but gets {}", inner.inputs.len(), inputs.len());
                    return Err(KerasError::Connection { layer: entry.name.clone(), why });
                }
                if let Some(call) = call {
                    call.check_ordinary(&entry.name)?;
                }
                let results = self.place(inner, &here, Some(inputs))?;
                let offsets = offsets(inner)?;
                let output = |wanted: &Reference| {
                    let why = || format!("names the output `{}`, which is not there", wanted.layer);
                    let error = || KerasError::Connection { layer: entry.name.clone(), why: why() };
                    find(&results, &offsets, wanted).ok_or_else(error)
                };
                inner.outputs.iter().map(output).collect()
            }
            Kind::Operation(operation) => self.operation(operation, &entry.name, call, inputs, path),
            Kind::Layer(parsed, regularizers) => {
                let name = self.name(&entry.name, path);
                let layer = fitted(&self.graph, &entry.name, parsed, inputs)?;
                let owner = self.owners.get(&here).copied();
                let node = match owner {
                    Some(owner) => self.graph.add_use(name, owner, inputs)?,
                    None => self.graph.add(name, layer, inputs)?,
                };
                check_size(&self.graph.nodes()[node])?;
                if owner.is_none() {
                    self.owners.insert(here, node);
                    self.graph.set_trainable(node, entry.trainable);
                    for (setting, regularizer) in regularizers {
                        let weights = &self.graph.nodes()[node].weights;
                        let place = weights.iter().position(|weight| weight.regularizer_setting() == *setting);
                        if let Some(place) = place {
                            self.graph.set_regularizer(node, place, Some(*regularizer));
                        }
                    }
                }
                Ok(vec![node])
            }
        }
    }

    fn operation(
        &mut self,
        operation: &Operation,
        name: &str,
        call: Option<&Call>,
        inputs: &[NodeId],
        path: &[String],
    ) -> Result<Vec<NodeId>, KerasError> {
        let call = operation.complete(call.cloned().unwrap_or_default());
        let shapes: Vec<_> = inputs.iter().map(|input| self.graph.nodes()[*input].shape.clone()).collect();
        let shapes: Vec<&_> = shapes.iter().collect();
        let pieces = operation.pieces(name, &call, &shapes)?;
        let last = pieces.len().saturating_sub(1);
        let mut nodes: Vec<NodeId> = Vec::with_capacity(pieces.len());
        for (at, piece) in pieces.into_iter().enumerate() {
            let wanted = if at == last { name.to_owned() } else { format!("{name}_{}", piece.layer.keras_stem()) };
            let unique = self.name(&wanted, path);
            let from: Vec<NodeId> = piece
                .inputs
                .iter()
                .map(|source| match source {
                    Source::Tensor(at) => inputs[*at],
                    Source::Piece(at) => nodes[*at],
                })
                .collect();
            let parsed = Parsed { layer: piece.layer, axis: None };
            let layer = fitted(&self.graph, name, &parsed, &from)?;
            let node = self.graph.add(unique, layer, &from)?;
            check_size(&self.graph.nodes()[node])?;
            nodes.push(node);
        }
        Ok(nodes.last().map(|node| vec![*node]).unwrap_or_default())
    }

    /// A free name for a node: the layer's own where no other layer has it, with the inner model's name in front where one
    /// does, numbered where that is taken too.
    fn name(&self, name: &str, path: &[String]) -> String {
        let plain = file_name(name);
        let free = |name: &str| self.graph.find(name).is_none();
        let own = match path {
            [] => true,
            _ => self.counts.get(&plain).is_none_or(|count| *count == 1) && !self.reserved.contains(&plain),
        };
        if own && free(&plain) {
            return plain;
        }
        let stem = match path {
            [.., inner] if !own => file_name(&format!("{inner}_{plain}")),
            _ => plain,
        };
        let taken = |name: &String| !free(name) || self.reserved.contains(name) || self.counts.contains_key(name);
        if !taken(&stem) {
            return stem;
        }
        let most = self.counts.len() + self.graph.nodes().len() + 1;
        (1..=most).map(|number| format!("{stem}_{number}")).find(|name| !taken(name)).unwrap_or(stem)
    }
}

/// The error about uses whose inputs never come.
fn stuck(left: &[(&Entry, usize)], results: &Results, offsets: &HashMap<&str, usize>) -> KerasError {
    let Some((entry, at)) = left.first() else { return KerasError::NotAModel("has no layers".to_owned()) };
    let tensors = entry.calls.get(*at).map(Call::tensors).unwrap_or_default();
    let missing = tensors.iter().find(|tensor| find(results, offsets, tensor).is_none());
    let missing = missing.map_or("", |tensor| tensor.layer.as_str());
    let why = format!("takes its input from `{missing}`, which is not there or waits for it in turn");
    KerasError::Connection { layer: entry.name.clone(), why }
}

/// A layer that fits its inputs in ways that need their shapes: the axis is the last one, groups divide the channels.
fn fitted(graph: &Graph, name: &str, parsed: &Parsed, inputs: &[NodeId]) -> Result<Layer, KerasError> {
    let layer = &parsed.layer;
    let error = |setting: &str, found: String, expected: String| KerasError::Setting {
        layer: name.to_owned(),
        class: layer.class_name().to_owned(),
        setting: format!("`{setting}`"),
        found,
        expected,
    };
    let Some(shape) = inputs.first().map(|input| &graph.nodes()[*input].shape) else { return Ok(layer.clone()) };
    let axes = shape.len() as i64;
    if let Some(axis) = parsed.axis
        && axis != -1
        && axis != axes
    {
        return Err(error("axis", axis.to_string(), format!("the last axis (-1 or {axes})")));
    }
    match layer {
        Layer::Conv2D { groups, filters, .. } => {
            let channels = shape.last().copied().unwrap_or(0);
            if channels % groups != 0 || filters % groups != 0 {
                let expected = format!("a divisor of its {channels} input channels and {filters} filters");
                return Err(error("groups", groups.to_string(), expected));
            }
        }
        Layer::PReLU { shared_axes } if shared_axes.iter().any(|axis| *axis > shape.len()) => {
            return Err(error("shared_axes", format!("{shared_axes:?}"), format!("axes from 1 to {axes}")));
        }
        Layer::Concatenate { axis } => {
            let place = if *axis < 0 { axis.saturating_add(axes + 1) } else { *axis };
            if !(1..=axes).contains(&place) {
                return Err(error("axis", axis.to_string(), format!("an axis from 1 to {axes}, or from the end")));
            }
            return Ok(Layer::Concatenate { axis: if place == axes { -1 } else { place } });
        }
        _ => {}
    }
    Ok(layer.clone())
}

/// Tensors and weights that no machine holds are refused before anything multiplies their sizes.
fn check_size(node: &Node) -> Result<(), KerasError> {
    let elements = |shape: &[usize]| {
        let product = shape.iter().try_fold(1_usize, |product, size| product.checked_mul(*size));
        product.filter(|product| (1..=MOST_ELEMENTS).contains(product))
    };
    let shapes = std::iter::once(&node.shape).chain(node.weights.iter().map(|weight| &weight.shape));
    for shape in shapes {
        if elements(shape).is_none() {
            let why = format!("({}) has a tensor of the shape {shape:?}, which cannot be", node.layer.class_name());
            return Err(KerasError::Connection { layer: node.name.clone(), why });
        }
    }
    Ok(())
}

/// The weights of a top-level layer in the order of its list in the file: first those that are trained, then all others,
/// each in the order of the layers.
#[derive(Default)]
struct WeightList {
    trained: Vec<(NodeId, usize)>,
    others: Vec<(NodeId, usize)>,
}

impl WeightList {
    fn add(&mut self, entry: &Entry, path: &[String], owners: &HashMap<Vec<String>, NodeId>, graph: &Graph) {
        let mut here = path.to_vec();
        here.push(entry.name.clone());
        match &entry.kind {
            Kind::Operation(_) => {}
            Kind::Layer(..) => {
                let Some(node) = owners.get(&here) else { return };
                for (place, weight) in graph.nodes()[*node].weights.iter().enumerate() {
                    let list = if entry.trainable && weight.trainable { &mut self.trained } else { &mut self.others };
                    list.push((*node, place));
                }
            }
            Kind::Model(inner) => {
                let mut list = Self::default();
                inner.entries.iter().for_each(|entry| list.add(entry, &here, owners, graph));
                (if entry.trainable { &mut self.trained } else { &mut self.others }).extend(list.trained);
                self.others.extend(list.others);
            }
        }
    }

    fn note(self, group: &str, places: &mut [Option<WeightPlace>], graph: &Graph) {
        let total = self.trained.len() + self.others.len();
        for (position, (node, place)) in self.trained.into_iter().chain(self.others).enumerate() {
            let count = graph.nodes()[node].weights.len();
            let entry = places[node].get_or_insert_with(|| WeightPlace {
                group: group.to_owned(),
                positions: vec![0; count],
                total,
            });
            entry.positions[place] = position;
        }
    }
}
