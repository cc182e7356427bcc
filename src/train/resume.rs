//! An optimiser that goes on: from a saved model, or over a change of the head.

use tch::Tensor;

use super::optimizer::OptimizerState;
use crate::checkpoint::SavedOptimizer;
use crate::graph::{Array, Graph};
use crate::nn::Network;
use crate::nn::parameters::import_slot;
use crate::schedule::Optimizer;

/// The optimiser of a saved model, for a network made from it; none when its class is not known. Weights without a
/// saved state (a fresh head) begin at zero.
pub fn optimizer(saved: &SavedOptimizer, network: &Network) -> Option<OptimizerState> {
    let number = |key: &str, default: f64| saved.config[key].as_f64().unwrap_or(default);
    let rule = match saved.class_name.as_str() {
        "SGD" => Optimizer::Sgd {
            momentum: number("momentum", 0.0),
            nesterov: saved.config["nesterov"].as_bool().unwrap_or(false),
        },
        "Adam" => Optimizer::Adam {
            beta_1: number("beta_1", 0.9),
            beta_2: number("beta_2", 0.999),
            epsilon: number("epsilon", 1e-7),
        },
        "Nadam" => Optimizer::Nadam {
            beta_1: number("beta_1", 0.9),
            beta_2: number("beta_2", 0.999),
            epsilon: number("epsilon", 1e-7),
        },
        _ => return None,
    };
    let mut state = OptimizerState::new(rule, &network.parameters.flat);
    state.iterations = saved.iterations;
    state.momentum_cache = saved.momentum_cache.map_or(1.0, f64::from);
    let nodes = network.graph().nodes();
    let slots = OptimizerState::slot_names(&rule).iter().map(|name| {
        import_slot(&network.parameters, |node, place| {
            let (layer, weight) = (&nodes[node].name, nodes[node].weights[place].name);
            let found =
                saved.slots.iter().find(|slot| slot.slot == **name && slot.layer == *layer && slot.weight == weight);
            found.map(|slot| &slot.array)
        })
    });
    let slots: Vec<Tensor> = slots.collect();
    state.set_slots(slots);
    Some(state)
}

/// Carries an optimiser's state over to a network with another head: the weights that stay keep theirs, the new head's
/// begins at zero.
pub fn keep_state(state: &mut OptimizerState, old: &Graph, network: &Network) {
    let kept = network.head().min(old.nodes().len());
    let basic = network.parameters.range(0).1 - network.parameters.range(network.head()).1;
    debug_assert!(old.nodes()[..kept].iter().zip(network.graph().nodes()).all(|(a, b)| a.name == b.name));
    let total = network.parameters.flat.numel() as i64;
    let slots = state.slots().iter().map(|slot| {
        let fresh = Tensor::zeros([total - basic], (slot.kind(), slot.device()));
        Tensor::cat(&[slot.narrow(0, 0, basic), fresh], 0)
    });
    let slots: Vec<Tensor> = slots.collect();
    state.set_slots(slots);
}

/// The saved state of one weight, for tests and tools.
pub fn slot<'a>(saved: &'a SavedOptimizer, slot: &str, layer: &str, weight: &str) -> Option<&'a Array> {
    let mut slots = saved.slots.iter();
    slots.find(|known| known.slot == slot && known.layer == layer && known.weight == weight).map(|known| &known.array)
}
