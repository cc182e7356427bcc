//! A [`SavedOptimizer`] into `optimizer_weights`, so that `load_model` goes on with it: Keras takes the variables by their
//! places in the list alone, so that the list follows its own order, without a gap. Keras 2's `legacy` optimisers are what
//! every Keras 2 reads; `AdamW` and weight decay are of the newer ones only (Keras 2.11 and `tf_keras`).

use std::collections::HashMap;

use hdf5::{File, Group};
use serde_json::Value;

use super::{KEPT, slots_of};
use crate::checkpoint::datasets::{Pending, folder_in, put as put_array, put_count, put_number};
use crate::checkpoint::strings::put_names;
use crate::checkpoint::weight_order::keras_order;
use crate::checkpoint::{Floats, OptimizerSlot, SavedOptimizer};
use crate::graph::Graph;

/// Settings that the `legacy` optimisers do not take.
const NEWER_ONLY: [&str; 6] =
    ["is_legacy_optimizer", "weight_decay", "use_ema", "ema_momentum", "ema_overwrite_frequency", "jit_compile"];
/// Settings that no optimiser of Keras 2 takes.
const KERAS_3_ONLY: [&str; 2] = ["loss_scale_factor", "gradient_accumulation_steps"];

/// The class and configuration as Keras takes them.
pub(in crate::checkpoint) fn described<A>(state: &SavedOptimizer<A>) -> SavedOptimizer<A> {
    // Of TensorFlow Addons.
    let decoupled = state.is_legacy() && matches!(state.class_name.as_str(), "SGDW" | "AdamW");
    let mut config = state.config.clone();
    if let Some(settings) = config.as_object_mut() {
        settings.retain(|key, _| !KERAS_3_ONLY.contains(&key.as_str()));
        if state.is_legacy() {
            settings.retain(|key, _| !NEWER_ONLY.contains(&key.as_str()) || (decoupled && key == "weight_decay"));
        } else {
            settings.remove("decay");
            settings.insert("is_legacy_optimizer".to_owned(), Value::Bool(false));
        }
    }
    let package = if decoupled { "Addons>" } else { "" };
    let class_name = format!("{package}{}", state.class_name);
    SavedOptimizer { class_name, config, iterations: 0, momentum_cache: None, slots: Vec::new() }
}

/// Writes the state.
pub(in crate::checkpoint) fn put<'a, A: Floats>(
    file: &File,
    graph: &Graph,
    state: &'a SavedOptimizer<A>,
    later: &mut Vec<Pending<'a>>,
) -> hdf5::Result<()> {
    let group = file.create_group("optimizer_weights")?;
    let class = &state.class_name;
    let legacy = state.is_legacy();
    let mut left: HashMap<(&str, &str, &str), &'a OptimizerSlot<A>> =
        state.slots.iter().map(|slot| ((&*slot.slot, &*slot.layer, &*slot.weight), slot)).collect();
    let mut names = Vec::new();
    let steps = if legacy { format!("{class}/iter:0") } else { "iteration:0".to_owned() };
    put_count(&group, &steps, state.iterations)?;
    names.push(steps);
    if let (true, Some(cache)) = (legacy, state.momentum_cache) {
        let name = format!("{class}/momentum_cache:0");
        put_number(&group, &name, cache)?;
        names.push(name);
    }
    let mut weights = Vec::new();
    for node in keras_order(graph) {
        let node = &graph.nodes()[node];
        let trained = node.weights.iter().filter(|spec| spec.trainable && node.trainable);
        weights.extend(trained.map(|spec| (&*node.name, spec)));
    }
    let slots = slots_of(class, &state.config, legacy).unwrap_or_else(|| in_use(state));
    for (slot, at) in arrange(&slots, weights.len(), legacy) {
        let (layer, spec) = weights[at];
        let name = if legacy {
            format!("{class}/{layer}/{}/{slot}:0", spec.name)
        } else {
            format!("{class}/{}/{layer}/{}:0", newer_word(class, slot), spec.name)
        };
        let known = left.remove(&(slot, layer, spec.name)).map(|known| &known.array);
        let array = known.filter(|array| array.shape() == spec.shape).map(|array| array as &dyn Floats);
        put_array(&group, &name, &spec.shape, array, later)?;
        names.push(name);
    }
    put_names(&group, "weight_names", &names)?;
    put_rest(file, state, &left, later)
}

/// The state of weights that Keras does not train, for facetui alone.
fn put_rest<'a, A: Floats>(
    file: &File,
    state: &'a SavedOptimizer<A>,
    left: &HashMap<(&str, &str, &str), &OptimizerSlot<A>>,
    later: &mut Vec<Pending<'a>>,
) -> hdf5::Result<()> {
    let matters =
        |slot: &&OptimizerSlot<A>| left.contains_key(&(&*slot.slot, &*slot.layer, &*slot.weight)) && slot.array.any();
    let rest: Vec<&'a OptimizerSlot<A>> = state.slots.iter().filter(matters).collect();
    if rest.is_empty() {
        return Ok(());
    }
    let group: Group = folder_in(file, KEPT)?;
    let mut names = Vec::new();
    for slot in rest {
        let name = format!("{}/{}/{}", slot.slot, slot.layer, slot.weight);
        put_array(&group, &name, &slot.array.shape(), Some(&slot.array), later)?;
        names.push(name);
    }
    put_names(&group, "weight_names", &names)
}

/// The slots of an optimiser that is not known, as they come.
fn in_use<A>(state: &SavedOptimizer<A>) -> Vec<&str> {
    let mut slots: Vec<&str> = Vec::new();
    for slot in &state.slots {
        if !slots.contains(&&*slot.slot) {
            slots.push(&slot.slot);
        }
    }
    slots
}

/// (Slot, weight) in Keras's order: slot by slot, but Adam's first two weight by weight in the newer optimisers.
fn arrange<'a>(slots: &[&'a str], weights: usize, legacy: bool) -> Vec<(&'a str, usize)> {
    let paired = if legacy || !slots.contains(&"m") { 0 } else { 2 };
    let pairs = (0..weights).flat_map(|at| slots[..paired].iter().map(move |slot| (*slot, at)));
    let rest = slots[paired..].iter().flat_map(|slot| (0..weights).map(move |at| (*slot, at)));
    pairs.chain(rest).collect()
}

/// A slot's name in the newer optimisers.
fn newer_word<'a>(class: &str, slot: &'a str) -> &'a str {
    match (class, slot) {
        ("SGD" | "SGDW", "momentum") => "m",
        ("RMSprop", "rms") => "velocity",
        ("RMSprop", "mg") => "average_gradient",
        (_, slot) => slot,
    }
}
