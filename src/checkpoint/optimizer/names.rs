//! The names that Keras's versions give the variables of an optimiser:
//!
//! - `Adam/iter:0`, `Adam/conv2d/kernel/m:0`: Keras 2's, `legacy` since 2.11, also below `training/` or other scopes;
//! - `iteration:0`, `Adam/m/conv2d/kernel:0`: the newer optimisers of Keras 2.11 to 2.15 and `tf_keras`;
//! - `adam/iteration`, `adam/conv2d_kernel_momentum`: Keras 3;
//! - `training/Adam/m_0:0`, `Adam/iterations:0`, `training/Adam/Variable_3:0`: Keras before it was TensorFlow's.

use std::collections::HashMap;

use super::Target;

/// Names of slots, in all vocabularies; of two that end alike the longer first.
const SLOTS: [&str; 14] = [
    "momentum",
    "velocity_hat",
    "velocity",
    "average_gradient",
    "gradient_accumulator",
    "average",
    "accumulator",
    "vhat",
    "rms",
    "mg",
    "m",
    "v",
    "accum_var",
    "accum_grad",
];

/// What a variable is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The number of steps taken.
    Iterations,
    /// The learning rate.
    Rate,
    /// Nadam's product of momenta.
    Product,
    /// A hyper-parameter, which the configuration has too.
    Setting,
    /// The state of a loss scale, which facetui does not need.
    LossScale,
    /// A slot of a target, by Keras's name of the slot.
    Slot(String, usize),
    /// None of these.
    Unknown,
}

/// The targets by name.
pub(super) struct Index {
    /// `layer/weight` and `layer_weight`; none where two targets have one name.
    paths: HashMap<String, Option<usize>>,
    trained: Vec<usize>,
}

impl Index {
    /// Of all targets.
    pub(super) fn new(targets: &[Target<'_>]) -> Self {
        let mut paths: HashMap<String, Option<usize>> = HashMap::new();
        let mut note = |name: String, at: usize| {
            paths.entry(name).and_modify(|known| *known = known.filter(|known| *known == at)).or_insert(Some(at));
        };
        for (at, target) in targets.iter().enumerate() {
            // The graph has no slashes in its names.
            let other = (target.group != target.layer).then_some(target.group);
            let also = (target.weight == "depthwise_kernel").then_some("kernel");
            for layer in [Some(target.layer), other].into_iter().flatten() {
                for weight in [Some(target.weight), also].into_iter().flatten() {
                    note(format!("{layer}/{weight}"), at);
                    note(format!("{layer}_{weight}").replace('/', "_"), at);
                }
            }
        }
        let trained = targets.iter().enumerate().filter(|(_, target)| target.trained).map(|(at, _)| at).collect();
        Self { paths, trained }
    }

    fn find(&self, path: &str) -> Option<usize> {
        self.paths.get(path).copied().flatten()
    }

    /// The target at the end of a path, whatever scopes lie before it.
    fn at_end(&self, parts: &[&str]) -> Option<usize> {
        (0..parts.len().saturating_sub(1)).find_map(|from| self.find(&parts[from..].join("/")))
    }

    /// What the variable of a name is.
    pub(super) fn meaning(&self, name: &str) -> Meaning {
        let parts: Vec<&str> = name.split('/').collect();
        let Some((last, before)) = parts.split_last() else { return Meaning::Unknown };
        let last = last.split(':').next().unwrap_or(last);
        match last {
            "iter" | "iteration" | "iterations" => return Meaning::Iterations,
            "learning_rate" | "current_learning_rate" | "lr" => return Meaning::Rate,
            "momentum_cache" | "m_schedule" | "u_product" | "_u_product" => return Meaning::Product,
            "decay" | "beta_1" | "beta_2" | "rho" | "epsilon" | "weight_decay" => return Meaning::Setting,
            "loss_scale" | "current_loss_scale" | "good_steps" | "dynamic_counter" | "step_counter" => {
                return Meaning::LossScale;
            }
            _ => {}
        }
        self.slot(last, before).unwrap_or(Meaning::Unknown)
    }

    fn slot(&self, last: &str, before: &[&str]) -> Option<Meaning> {
        let slot = |slot: &str, at: usize| Some(Meaning::Slot(slot.to_owned(), at));
        if SLOTS.contains(&last)
            && let Some(at) = self.at_end(before)
        {
            return slot(last, at);
        }
        let mut whole = before.to_vec();
        whole.push(last);
        for (from, part) in before.iter().enumerate().take(3).filter(|(_, part)| SLOTS.contains(part)) {
            if let Some(at) = self.at_end(&whole[from + 1..]) {
                return slot(part, at);
            }
        }
        for word in SLOTS {
            let Some(rest) = last.strip_suffix(word).and_then(|rest| rest.strip_suffix('_')) else { continue };
            if let Some(at) = self.find(rest) {
                return slot(word, at);
            }
        }
        let (word, number) = last.rsplit_once('_')?;
        let at = self.trained.get(number.parse::<usize>().ok()?)?;
        if SLOTS.contains(&word) { slot(word, *at) } else { None }
    }
}

/// Keras's name of a slot in facetui's vocabulary.
pub(super) fn slot_name(class: &str, word: &str) -> String {
    let name = match (class, word) {
        ("SGD" | "SGDW", "m") => "momentum",
        ("RMSprop", "velocity") => "rms",
        ("RMSprop", "average_gradient") => "mg",
        ("Adam" | "AdamW" | "Nadam", "momentum") => "m",
        ("Adam" | "AdamW" | "Nadam", "velocity") => "v",
        ("Adam" | "AdamW" | "Nadam", "velocity_hat") => "vhat",
        (_, word) => word,
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index() -> Index {
        let target = |layer: &'static str, weight: &'static str| Target {
            node: 0,
            place: 0,
            layer,
            group: if layer == "Conv_BatchNorm" { "Conv/BatchNorm" } else { layer },
            weight,
            shape: &[2],
            trained: layer != "frozen",
        };
        Index::new(&[
            target("frozen", "kernel"),
            target("conv", "kernel"),
            target("Conv_BatchNorm", "gamma"),
            target("dw", "depthwise_kernel"),
            target("dense", "bias"),
        ])
    }

    #[test]
    fn every_keras_has_its_names() {
        let slot = |name: &str, at| Meaning::Slot(name.to_owned(), at);
        for (name, meaning) in [
            ("Adam/iter:0", Meaning::Iterations),
            ("training/Adam/conv/kernel/m:0", slot("m", 1)),
            ("training_2/Adam/Conv/BatchNorm/gamma/v:0", slot("v", 2)),
            ("Adam/dw/depthwise_kernel/vhat:0", slot("vhat", 3)),
            ("iteration:0", Meaning::Iterations),
            ("Adam/m/conv/kernel:0", slot("m", 1)),
            ("RMSprop/velocity/Conv/BatchNorm/gamma:0", slot("velocity", 2)),
            ("adam/learning_rate", Meaning::Rate),
            ("adam/conv_kernel_velocity", slot("velocity", 1)),
            ("SGD/dw_kernel_momentum", slot("momentum", 3)),
            ("rmsprop/conv_kernel_average_gradient", slot("average_gradient", 1)),
            ("Adam/dense/bias/m:0", slot("m", 4)),
            ("training/Adam/m_0:0", slot("m", 1)),
            ("training/Adam/vhat_1:0", slot("vhat", 2)),
            ("Adam/conv/gone/m:0", Meaning::Unknown),
            ("training/Adam/Variable_1:0", Meaning::Unknown),
            ("Nadam/momentum_cache:0", Meaning::Product),
            ("", Meaning::Unknown),
        ] {
            assert_eq!(index().meaning(name), meaning, "{name}");
        }
    }
}
