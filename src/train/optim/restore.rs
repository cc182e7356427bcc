//! The state of an optimiser restored: from a saved model, or over a change of the head.

use serde_json::json;
use tch::Tensor;

use crate::checkpoint::SavedOptimizer;
use crate::graph::Graph;
use crate::nn::Network;
use crate::nn::parameters::import_slot;
use crate::schedule::{Clip, Method, Optimizer};
use crate::train::optim::optimizer::{self, OptimizerState};

/// The optimiser that Keras calls `class_name` (`Adam`, `Addons>AdamW`) and configures so; none when it is not known.
///
/// Of Keras's two generations the configuration tells which one it is: `is_legacy_optimizer`, or that the older has
/// `decay`. Their Nadams differ in the momentum's schedule only. Without momentum the newer `RMSprop` adds its epsilon
/// inside the root; it is taken as the older one.
pub fn rule(class_name: &str, config: &serde_json::Value) -> Option<Optimizer> {
    let number = |key: &str, default: f64| config[key].as_f64().unwrap_or(default);
    let flag = |key: &str| config[key].as_bool().unwrap_or(false);
    let (addons, class) = match class_name.rsplit_once('>') {
        Some((package, class)) => (package == "Addons", class),
        None => (false, class_name),
    };
    let older = config["is_legacy_optimizer"].as_bool().unwrap_or(config.get("decay").is_some());
    let weight_decay = config["weight_decay"].as_f64().filter(|share| *share != 0.0);
    let (beta_1, beta_2, epsilon) = (number("beta_1", 0.9), number("beta_2", 0.999), number("epsilon", 1e-7));
    let (momentum, nesterov) = (number("momentum", 0.0), flag("nesterov"));
    let method = match (class, weight_decay) {
        ("SGD", None) => Method::Sgd { momentum, nesterov },
        ("SGDW", _) => Method::SgdW { momentum, nesterov, weight_decay: weight_decay.unwrap_or(0.0) },
        ("Adam", None) => Method::Adam { beta_1, beta_2, epsilon, amsgrad: flag("amsgrad") },
        ("AdamW" | "Adam", _) => Method::AdamW {
            beta_1,
            beta_2,
            epsilon,
            amsgrad: flag("amsgrad"),
            weight_decay: weight_decay.unwrap_or(0.0),
            fixed_decay: addons || older,
        },
        ("Nadam", None) => Method::Nadam {
            beta_1,
            beta_2,
            epsilon,
            schedule_decay: number("decay", number("schedule_decay", if older { 0.004 } else { 1.0 })),
        },
        ("RMSprop", None) => Method::RmsProp { rho: number("rho", 0.9), momentum, epsilon, centered: flag("centered") },
        _ => return None,
    };
    let clip = Clip {
        value: config["clipvalue"].as_f64(),
        norm: config["clipnorm"].as_f64(),
        global_norm: config["global_clipnorm"].as_f64(),
    };
    let decay = if class == "Nadam" { 0.0 } else { number("decay", 0.0) };
    Some(Optimizer { method, clip, decay })
}

/// Keras's class and configuration of an optimiser, as [`rule`] reads them.
pub fn keras_config(optimizer: &Optimizer, learning_rate: f64) -> (&'static str, serde_json::Value) {
    let decay = optimizer.decay;
    let (class, mut config) = match optimizer.method {
        Method::Sgd { momentum, nesterov } => (
            "SGD",
            json!({"name": "SGD", "learning_rate": learning_rate, "decay": decay, "momentum": momentum, "nesterov": nesterov}),
        ),
        Method::Adam { beta_1, beta_2, epsilon, amsgrad } => (
            "Adam",
            json!({"name": "Adam", "learning_rate": learning_rate, "decay": decay, "beta_1": beta_1, "beta_2": beta_2, "epsilon": epsilon, "amsgrad": amsgrad}),
        ),
        // The newer Nadam takes no other.
        Method::Nadam { beta_1, beta_2, epsilon, schedule_decay: 1.0 } => (
            "Nadam",
            json!({"name": "Nadam", "learning_rate": learning_rate, "is_legacy_optimizer": false, "beta_1": beta_1, "beta_2": beta_2, "epsilon": epsilon}),
        ),
        Method::Nadam { beta_1, beta_2, epsilon, schedule_decay } => (
            "Nadam",
            json!({"name": "Nadam", "learning_rate": learning_rate, "decay": schedule_decay, "beta_1": beta_1, "beta_2": beta_2, "epsilon": epsilon}),
        ),
        Method::RmsProp { rho, momentum, epsilon, centered } => (
            "RMSprop",
            json!({"name": "RMSprop", "learning_rate": learning_rate, "decay": decay, "rho": rho, "momentum": momentum, "epsilon": epsilon, "centered": centered}),
        ),
        Method::AdamW { beta_1, beta_2, epsilon, amsgrad, weight_decay, fixed_decay: false } => (
            "AdamW",
            json!({"name": "AdamW", "learning_rate": learning_rate, "weight_decay": weight_decay, "is_legacy_optimizer": false, "beta_1": beta_1, "beta_2": beta_2, "epsilon": epsilon, "amsgrad": amsgrad}),
        ),
        Method::AdamW { beta_1, beta_2, epsilon, amsgrad, weight_decay, fixed_decay: true } => (
            "AdamW",
            json!({"name": "AdamW", "learning_rate": learning_rate, "decay": decay, "beta_1": beta_1, "beta_2": beta_2, "epsilon": epsilon, "amsgrad": amsgrad, "weight_decay": weight_decay, "is_legacy_optimizer": true}),
        ),
        Method::SgdW { momentum, nesterov, weight_decay } => (
            "SGDW",
            json!({"name": "SGDW", "learning_rate": learning_rate, "decay": decay, "momentum": momentum, "nesterov": nesterov, "weight_decay": weight_decay}),
        ),
    };
    let clip = optimizer.clip;
    for (key, value) in [("clipnorm", clip.norm), ("clipvalue", clip.value), ("global_clipnorm", clip.global_norm)] {
        if let Some(value) = value {
            config[key] = value.into();
        }
    }
    (class, config)
}

/// The optimiser of a saved model, for a network made from it; none when its class is not known. Weights without a
/// saved state (a fresh head) begin at zero.
pub fn optimizer(saved: &SavedOptimizer, network: &Network) -> Option<OptimizerState> {
    let rule = rule(&saved.class_name, &saved.config)?;
    let mut state = OptimizerState::new(rule, &network.parameters.flat);
    state.iterations = saved.iterations;
    state.momentum_cache =
        saved.momentum_cache.map_or_else(|| optimizer::momentum_product(&rule, saved.iterations), f64::from);
    state.set_slots(slots(&rule, saved, network));
    Some(state)
}

/// The state buffers of a rule for a network, as a file holds them.
pub fn slots(rule: &Optimizer, saved: &SavedOptimizer, network: &Network) -> Vec<Tensor> {
    let nodes = network.graph().nodes();
    let slots = OptimizerState::slot_names(rule).iter().map(|name| {
        import_slot(&network.parameters, |node, place| {
            let (layer, weight) = (&nodes[node].name, nodes[node].weights[place].name);
            saved.slot(name, layer, weight)
        })
    });
    slots.collect()
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

#[cfg(test)]
mod tests;
