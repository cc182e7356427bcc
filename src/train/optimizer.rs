//! The optimisers, as Keras's `legacy` ones compute: a handful of kernels on whole flat buffers.
//!
//! A step works on one part of the flat buffer (all of it, or the head's), whose state lies in buffers of the same
//! layout. Weights that are frozen keep their state untouched.

use tch::{Kind, Tensor};

use crate::schedule::Optimizer;

/// Keras's Nadam: the momentum grows as `beta_1 * (1 - 0.5 * 0.96^(0.004 t))` (Dozat 2016).
const NADAM_BASE: f64 = 0.96;
/// See [`NADAM_BASE`].
const NADAM_DECAY: f64 = 0.004;

/// An optimiser with its state for one flat buffer.
#[derive(Debug)]
pub struct OptimizerState {
    /// The rule and its hyper-parameters.
    pub rule: Optimizer,
    /// Steps taken.
    pub iterations: i64,
    /// Product of Nadam's momenta so far.
    pub momentum_cache: f64,
    /// State buffers as long as the flat buffer: `momentum`, or `m` and `v`.
    slots: Vec<Tensor>,
}

impl OptimizerState {
    /// A fresh optimiser for a flat buffer like `flat`.
    pub fn new(rule: Optimizer, flat: &Tensor) -> Self {
        let slots = Self::slot_names(&rule).iter().map(|_| flat.detach().zeros_like()).collect();
        Self { rule, iterations: 0, momentum_cache: 1.0, slots }
    }

    /// A copy that shares no buffer with this one.
    #[must_use]
    pub fn copy(&self) -> Self {
        let slots = self.slots.iter().map(|slot| slot.detach().copy()).collect();
        Self { rule: self.rule, iterations: self.iterations, momentum_cache: self.momentum_cache, slots }
    }

    /// The state buffers' names in Keras: none, `momentum`, or `m` and `v`.
    pub const fn slot_names(rule: &Optimizer) -> &'static [&'static str] {
        match rule {
            Optimizer::Sgd { momentum, .. } if *momentum == 0.0 => &[],
            Optimizer::Sgd { .. } => &["momentum"],
            Optimizer::Adam { .. } | Optimizer::Nadam { .. } => &["m", "v"],
        }
    }

    /// The state buffers, in the order of [`OptimizerState::slot_names`].
    pub fn slots(&self) -> &[Tensor] {
        &self.slots
    }

    /// Replaces the state buffers: those of a checkpoint, or the old ones after the head changed.
    pub fn set_slots(&mut self, slots: Vec<Tensor>) {
        debug_assert_eq!(slots.len(), self.slots.len());
        self.slots = slots;
    }

    /// Takes one step on the part of `flat` that begins at `offset`, along `gradient` (as long as that part).
    pub fn step(&mut self, flat: &Tensor, offset: i64, gradient: &Tensor, learning_rate: f64) {
        tch::no_grad(|| {
            let length = gradient.numel() as i64;
            let mut weights = flat.narrow(0, offset, length);
            let mut parts: Vec<Tensor> = self.slots.iter().map(|slot| slot.narrow(0, offset, length)).collect();
            self.iterations += 1;
            match self.rule {
                Optimizer::Sgd { momentum, nesterov } => {
                    sgd(&mut weights, &mut parts, gradient, learning_rate, momentum, nesterov);
                }
                Optimizer::Adam { beta_1, beta_2, epsilon } => {
                    let step = self.iterations as f64;
                    let rate = learning_rate * (1.0 - beta_2.powf(step)).sqrt() / (1.0 - beta_1.powf(step));
                    let (m, v) = moments(&mut parts, gradient, beta_1, beta_2);
                    let _ = weights.addcdiv_(&(m * -rate), &(v.sqrt() + epsilon));
                }
                Optimizer::Nadam { beta_1, beta_2, epsilon } => {
                    let step = self.iterations as f64;
                    let momentum = |t: f64| beta_1 * (1.0 - 0.5 * NADAM_BASE.powf(NADAM_DECAY * t));
                    let (now, next) = (momentum(step), momentum(step + 1.0));
                    self.momentum_cache *= now;
                    let cache = self.momentum_cache;
                    let (m, v) = moments(&mut parts, gradient, beta_1, beta_2);
                    let direction = gradient * ((1.0 - now) / (1.0 - cache)) + m * (next / (1.0 - cache * next));
                    let scale = (v / (1.0 - beta_2.powf(step))).sqrt() + epsilon;
                    let _ = weights.addcdiv_(&(direction * -learning_rate), &scale);
                }
            }
        });
    }
}

fn sgd(weights: &mut Tensor, slots: &mut [Tensor], gradient: &Tensor, rate: f64, momentum: f64, nesterov: bool) {
    let [velocity] = slots else {
        let _ = weights.g_sub_(&(gradient * rate));
        return;
    };
    let step = gradient * -rate;
    let _ = velocity.g_mul_scalar_(momentum).g_add_(&step);
    let _ = if nesterov { weights.g_add_(&(&*velocity * momentum + step)) } else { weights.g_add_(velocity) };
}

/// Updates the running means of the gradient and of its square.
fn moments<'a>(slots: &'a mut [Tensor], gradient: &Tensor, beta_1: f64, beta_2: f64) -> (&'a Tensor, &'a Tensor) {
    let (first, second) = slots.split_at_mut(1);
    let _ = first[0].lerp_(gradient, 1.0 - beta_1);
    let _ = second[0].g_mul_scalar_(beta_2).addcmul_(&(gradient * (1.0 - beta_2)), gradient);
    (&first[0], &second[0])
}

/// The gradient's length, a scalar on the device.
pub fn norm(gradient: &Tensor) -> Tensor {
    gradient.norm().to_kind(Kind::Float)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    const ADAM: Optimizer = Optimizer::Adam { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7 };
    const NADAM: Optimizer = Optimizer::Nadam { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7 };

    fn numbers(value: &Value) -> Vec<f32> {
        match value {
            Value::Array(list) => list.iter().flat_map(numbers).collect(),
            number => vec![number.as_f64().expect("a number") as f32],
        }
    }

    #[test]
    fn a_frozen_part_keeps_its_weights_and_state() {
        let flat = Tensor::from_slice(&[1f32, 2.0, 3.0, 4.0]);
        let mut optimizer = OptimizerState::new(ADAM, &flat);
        optimizer.step(&flat, 2, &Tensor::from_slice(&[1f32, -1.0]), 0.1);
        assert_eq!(Vec::<f32>::try_from(flat.narrow(0, 0, 2)).expect("numbers"), [1.0, 2.0]);
        assert!(flat.double_value(&[2]) < 3.0 && flat.double_value(&[3]) > 4.0);
        assert!(optimizer.slots()[0].double_value(&[0]).abs() < 1e-12);
    }

    #[test]
    fn nesterov_looks_ahead() {
        let flat = Tensor::from_slice(&[0f32]);
        let mut optimizer = OptimizerState::new(Optimizer::Sgd { momentum: 0.5, nesterov: true }, &flat);
        optimizer.step(&flat, 0, &Tensor::from_slice(&[1f32]), 1.0);
        assert!((flat.double_value(&[0]) + 1.5).abs() < 1e-6);
    }

    /// Ten steps along given gradients, as Keras's own optimisers took them (`cases/optimizers.json`, where it lies).
    #[test]
    fn follows_keras() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/cases/optimizers.json");
        let Ok(text) = std::fs::read_to_string(path) else { return };
        let file: Value = serde_json::from_str(&text).expect("JSON");
        for (name, rule, rate) in [
            ("legacy.Adam()", ADAM, 0.001),
            ("legacy.Nadam()", NADAM, 0.001),
            ("legacy.SGD()", Optimizer::Sgd { momentum: 0.0, nesterov: false }, 0.01),
            ("legacy.SGD(momentum=0.9)", Optimizer::Sgd { momentum: 0.9, nesterov: false }, 0.01),
        ] {
            let flat = Tensor::from_slice(&numbers(&file["p0"]));
            let mut optimizer = OptimizerState::new(rule, &flat);
            let wanted = file["runs"][name]["fixed"].as_array().expect("steps");
            for (gradient, wanted) in file["fixed_grads_p"].as_array().expect("gradients").iter().zip(wanted) {
                optimizer.step(&flat, 0, &Tensor::from_slice(&numbers(gradient)), rate);
                let wanted = Tensor::from_slice(&numbers(&wanted["p"]));
                let error = (&flat - &wanted).norm().double_value(&[]) / wanted.norm().double_value(&[]);
                assert!(error < 1e-5, "{name}: off by {error}");
            }
        }
    }
}
