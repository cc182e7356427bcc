//! `optimizer_weights` into a [`SavedOptimizer`], by names where they say which weight they are of, by Keras's order where
//! they do not. What is left out is said.

use std::collections::HashSet;

use serde_json::Value;

use super::names::{Index, Meaning, slot_name};
use super::{KEPT, Target, slots_of, targets};
use crate::checkpoint::datasets::{self, Numbers};
use crate::checkpoint::h5_file::H5File;
use crate::checkpoint::strings::texts;
use crate::checkpoint::training_config::Training;
use crate::checkpoint::{OptimizerSlot, SavedOptimizer};
use crate::graph::keras::WeightPlace;
use crate::graph::{Array, Graph};

/// Steps after which Nadam's product of momenta is zero whatever they are.
const ZERO_AFTER: i64 = 10_000;

/// The optimiser of a file, and what had to be left out of it or why there is none.
///
/// # Errors
/// A damaged one, as a sentence.
pub(in crate::checkpoint) fn get(
    source: &H5File,
    training: &Training,
    graph: &Graph,
    places: &[Option<WeightPlace>],
    order: &[&str],
) -> Result<(Option<SavedOptimizer>, Option<String>), String> {
    let group = source.file.group("optimizer_weights").ok();
    let Some((class_name, config)) = training.optimizer() else {
        let note = group.map(|_| "the file has an optimiser's state without saying which optimiser's it is".to_owned());
        return Ok((None, note));
    };
    let mut state = SavedOptimizer { class_name, config, iterations: 0, momentum_cache: None, slots: Vec::new() };
    let targets = targets(graph, places, order);
    let mut notes = Vec::new();
    match group {
        Some(group) => fill(source, &group, &targets, &mut state, &mut notes)?,
        None => notes.push(format!("the file has no state of its optimiser ({})", state.class_name)),
    }
    if let Ok(group) = source.file.group(KEPT) {
        fill(source, &group, &targets, &mut state, &mut notes)?;
    }
    let place = |slot: &OptimizerSlot| {
        targets.iter().find(|t| t.layer == slot.layer && t.weight == slot.weight).map(|t| (t.node, t.place))
    };
    let known = slots_of(&state.class_name, &state.config, state.is_legacy()).unwrap_or_default();
    let rank = |slot: &str| known.iter().position(|known| *known == slot).unwrap_or(usize::MAX);
    let mut slots: Vec<_> = std::mem::take(&mut state.slots)
        .into_iter()
        .map(|slot| ((rank(&slot.slot), slot.slot.clone(), place(&slot)), slot))
        .collect();
    slots.sort_by(|(a, _), (b, _)| a.cmp(b));
    state.slots = slots.into_iter().map(|(_, slot)| slot).collect();
    let lacking = lacking(&state, &targets);
    if lacking > 0 && !state.slots.is_empty() {
        notes.push(format!("{lacking} trainable weights have no state in the file and begin at zero"));
    }
    if state.class_name == "Nadam" && state.momentum_cache.is_none() {
        state.momentum_cache = Some(product(&state) as f32);
    }
    Ok((Some(state), (!notes.is_empty()).then(|| notes.join("; "))))
}

/// A variable that is not a single number.
struct Variable {
    name: String,
    numbers: Numbers,
    meaning: Meaning,
}

fn fill(
    source: &H5File,
    group: &hdf5::Group,
    targets: &[Target<'_>],
    state: &mut SavedOptimizer,
    notes: &mut Vec<String>,
) -> Result<(), String> {
    let index = Index::new(targets);
    let names = texts(source, group, "weight_names").map_err(|why| format!("`optimizer_weights`: {why}"))?;
    let mut variables = Vec::new();
    for name in names.unwrap_or_default() {
        let wrong = |why: String| format!("the optimiser's `{name}` {why}");
        let numbers = datasets::open(source, group, &name).map_err(wrong)?;
        let meaning = index.meaning(&name);
        if !numbers.is_scalar() && !matches!(meaning, Meaning::Iterations) {
            variables.push(Variable { name, numbers, meaning });
            continue;
        }
        match meaning {
            Meaning::Iterations => {
                let steps = numbers.number(source).map_err(wrong)?;
                if !(0.0..9e15).contains(&steps) {
                    return Err(wrong(format!("is {steps}; expected a number of steps")));
                }
                state.iterations = steps as i64;
            }
            Meaning::Rate => set_rate(&mut state.config, numbers.number(source).map_err(wrong)?),
            Meaning::Product => state.momentum_cache = Some(numbers.number(source).map_err(wrong)? as f32),
            Meaning::Setting => {}
            Meaning::LossScale => {
                if !notes.iter().any(|note| note.contains("loss scale")) {
                    notes.push("the state of its loss scale is left out".to_owned());
                }
            }
            // Keras 3 does not name Nadam's.
            Meaning::Unknown if state.class_name == "Nadam" && state.momentum_cache.is_none() => {
                state.momentum_cache = Some(numbers.number(source).map_err(wrong)? as f32);
            }
            Meaning::Unknown | Meaning::Slot(..) => notes.push(format!("its `{name}` is left out")),
        }
    }
    assign(source, variables, targets, state, notes)
}

/// The file's learning rate is newer than its configuration's, but does not replace a schedule of rates.
fn set_rate(config: &mut Value, rate: f64) {
    if let Some(config) = config.as_object_mut()
        && !config.get("learning_rate").is_some_and(Value::is_object)
    {
        config.insert("learning_rate".to_owned(), Value::from(rate));
    }
}

fn assign(
    source: &H5File,
    mut variables: Vec<Variable>,
    targets: &[Target<'_>],
    state: &mut SavedOptimizer,
    notes: &mut Vec<String>,
) -> Result<(), String> {
    let mut taken = HashSet::new();
    let named = |variable: &Variable| match &variable.meaning {
        Meaning::Slot(slot, at) if variable.numbers.shape == targets[*at].shape => Some((slot.clone(), *at)),
        _ => None,
    };
    let all_named = variables.iter().all(|variable| named(variable).is_some_and(|place| taken.insert(place)));
    if !all_named && let Some(order) = by_order(&variables, targets, state) {
        variables.truncate(order.len());
        for (variable, (slot, at)) in variables.iter_mut().zip(order) {
            variable.meaning = Meaning::Slot(slot.to_owned(), at);
        }
    }
    taken.clear();
    let mut left_out = Vec::new();
    for variable in variables {
        let place = named(&variable).filter(|place| taken.insert(place.clone()));
        let Some((slot, at)) = place else {
            left_out.push(variable.name);
            continue;
        };
        let array: Array =
            variable.numbers.read(source).map_err(|why| format!("the optimiser's `{}` {why}", variable.name))?;
        let (layer, weight) = (targets[at].layer.to_owned(), targets[at].weight.to_owned());
        state.slots.push(OptimizerSlot { slot: slot_name(&state.class_name, &slot), layer, weight, array });
    }
    if let Some(first) = left_out.first() {
        notes.push(match left_out.len() {
            1 => format!("its `{first}` is of no trainable weight of the model and is left out"),
            count => format!(
                "{count} of its variables are of no trainable weight of the model and are left out, `{first}` first"
            ),
        });
    }
    Ok(())
}

/// The slot and the target of each variable, by Keras's order; none when their number or shapes do not allow it. Fewer
/// places than variables when old Keras's empty `vhat`s follow.
fn by_order(
    variables: &[Variable],
    targets: &[Target<'_>],
    state: &SavedOptimizer,
) -> Option<Vec<(&'static str, usize)>> {
    let legacy = state.is_legacy();
    let mut slots = slots_of(&state.class_name, &state.config, legacy)?;
    if state.class_name == "SGD" && slots.is_empty() {
        // Keras before it was TensorFlow's kept them without momentum too.
        slots.push("momentum");
    }
    let all: Vec<usize> = (0..targets.len()).collect();
    let trained: Vec<usize> = all.iter().copied().filter(|at| targets[*at].trained).collect();
    for chosen in [&trained, &all] {
        let fits = |order: &[(&str, usize)]| {
            let pairs = order.iter().zip(variables);
            let whole = variables.len() == order.len()
                || (state.class_name == "Adam" && variables.len() * 2 == order.len() * 3);
            whole && pairs.into_iter().all(|((_, at), variable)| variable.numbers.shape == targets[*at].shape)
        };
        let slot_by_slot: Vec<_> = slots.iter().flat_map(|slot| chosen.iter().map(move |at| (*slot, *at))).collect();
        // Adam's pair goes weight by weight in the newer optimisers, the rest follows.
        let paired = slots.len().min(2);
        let mut weight_by_weight: Vec<_> =
            chosen.iter().flat_map(|at| slots[..paired].iter().map(move |slot| (*slot, *at))).collect();
        weight_by_weight.extend_from_slice(&slot_by_slot[paired * chosen.len()..]);
        let newer = !legacy && slots.contains(&"m");
        let tries = if newer { [weight_by_weight, slot_by_slot] } else { [slot_by_slot, weight_by_weight] };
        if let Some(order) = tries.into_iter().find(|order| fits(order)) {
            return Some(order);
        }
    }
    None
}

/// Number of weights that Keras trains and that lack a slot.
fn lacking(state: &SavedOptimizer, targets: &[Target<'_>]) -> usize {
    let slots: HashSet<(&str, &str)> = state.slots.iter().map(|slot| (&*slot.layer, &*slot.weight)).collect();
    targets.iter().filter(|target| target.trained && !slots.contains(&(target.layer, target.weight))).count()
}

/// Nadam's product of momenta after the steps taken, which the newer optimisers of Keras 2 do not save.
fn product(state: &SavedOptimizer) -> f64 {
    let number = |key: &str, default: f64| state.config[key].as_f64().unwrap_or(default);
    let decay = if state.is_legacy() { number("schedule_decay", number("decay", 0.004)) } else { 1.0 };
    let momentum = |step: i64| number("beta_1", 0.9) * (1.0 - 0.5 * 0.96f64.powf(decay * step as f64));
    if state.iterations > ZERO_AFTER { 0.0 } else { (1..=state.iterations).map(momentum).product() }
}
