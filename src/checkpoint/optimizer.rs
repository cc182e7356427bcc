//! An optimiser's state in `optimizer_weights`. Every Keras lays it out in its own way; one vocabulary stands for all of
//! them here: `momentum` (SGD), `m`, `v`, `vhat` (Adam, `AdamW`, Nadam), `rms`, `momentum`, `mg`
//! (`RMSprop`).

mod names;
mod read;
mod write;

use serde_json::Value;

use super::SavedOptimizer;
use crate::graph::keras::WeightPlace;
use crate::graph::{Graph, NodeId};

pub(super) use read::get;
pub(super) use write::{described, put};

/// The group below `facetui` with the state of weights that Keras does not train.
const KEPT: &str = "facetui/optimizer";

impl<A> SavedOptimizer<A> {
    /// Whether it is one of Keras's `legacy` optimisers, all there were before 2.11, which lie in files in their own way. A
    /// few compute otherwise than the newer of the same name: Nadam's momentum follows `0.96^(0.004 t)` and not `0.96^t`,
    /// `RMSprop` without momentum adds its epsilon outside the root.
    pub fn is_legacy(&self) -> bool {
        let decays = self.class_name != "SGDW" && !self.config["weight_decay"].is_null();
        self.config["is_legacy_optimizer"].as_bool().unwrap_or(!decays && self.class_name != "AdamW")
    }

    /// The state of one weight.
    pub fn slot(&self, slot: &str, layer: &str, weight: &str) -> Option<&A> {
        let mut slots = self.slots.iter();
        slots.find(|s| s.slot == slot && s.layer == layer && s.weight == weight).map(|slot| &slot.array)
    }
}

/// The slots that Keras keeps for a class, in its order; none for a class that is not known.
fn slots_of(class: &str, config: &Value, legacy: bool) -> Option<Vec<&'static str>> {
    let flag = |key: &str| config[key].as_bool().unwrap_or(false);
    let moving = config["momentum"].as_f64().is_some_and(|momentum| momentum > 0.0);
    let mut slots = Vec::new();
    match class {
        "SGD" | "SGDW" => {
            if moving || !legacy {
                slots.push("momentum");
            }
        }
        "Adam" | "AdamW" | "Nadam" => {
            slots.extend(["m", "v"]);
            if class != "Nadam" && flag("amsgrad") {
                slots.push("vhat");
            }
        }
        "RMSprop" => {
            slots.push("rms");
            if moving {
                slots.push("momentum");
            }
            if flag("centered") {
                slots.push("mg");
            }
        }
        _ => return None,
    }
    Some(slots)
}

/// A weight that may have state.
struct Target<'a> {
    node: NodeId,
    place: usize,
    layer: &'a str,
    /// The layer that the file lists it under.
    group: &'a str,
    weight: &'static str,
    shape: &'a [usize],
    /// Whether Keras trains it.
    trained: bool,
}

/// The weights that may have state, in the order of the layers in a file.
fn targets<'a>(graph: &'a Graph, places: &'a [Option<WeightPlace>], order: &[&str]) -> Vec<Target<'a>> {
    let ranks: std::collections::HashMap<&str, usize> =
        order.iter().enumerate().map(|(at, name)| (*name, at)).collect();
    let mut found = Vec::new();
    for (id, (node, place)) in graph.nodes().iter().zip(places).enumerate() {
        let Some(at) = place else { continue };
        let rank = ranks.get(&*at.group).copied().unwrap_or(usize::MAX);
        for (place, spec) in node.weights.iter().enumerate().filter(|(_, spec)| spec.trainable) {
            let position = at.positions.get(place).copied().unwrap_or(place);
            let target = Target {
                node: id,
                place,
                layer: &node.name,
                group: &at.group,
                weight: spec.name,
                shape: &spec.shape,
                trained: node.trainable,
            };
            found.push(((rank, position), target));
        }
    }
    found.sort_by_key(|(key, _)| *key);
    found.into_iter().map(|(_, target)| target).collect()
}
