//! The optimisers, as Keras's `legacy` ones compute, `AdamW` as Keras's own and `SGDW` as TensorFlow Addons': a handful
//! of kernels on whole flat buffers.
//!
//! A step works on one part of the flat buffer (all of it, or the head's), whose state lies in buffers of the same
//! layout. Weights that are frozen keep their state untouched. Nothing is read back from the device.

use tch::Tensor;

use crate::nn::sgd::sgd;
use crate::schedule::{Clip, Method, Optimizer};
use crate::train::optim::clip::Clipper;

/// Keras's Nadam: the momentum grows as `beta_1 * (1 - 0.5 * 0.96^(schedule_decay * t))` (Dozat 2016).
const NADAM_BASE: f64 = 0.96;
/// A rate below this moves no fp32 weight; its inverse is still finite in fp32.
const LEAST_RATE: f64 = 1e-30;

/// Weights that are changed at a time: few enough that they, their state and their gradient stay in a CPU's caches.
const CPU_BLOCK: i64 = 1 << 18;
/// On a GPU what matters is the number of kernels.
const GPU_BLOCK: i64 = 1 << 26;

/// An optimiser with its state for one flat buffer.
#[derive(Debug)]
pub struct OptimizerState {
    /// The rule and its hyper-parameters.
    pub rule: Optimizer,
    /// Steps taken.
    pub iterations: i64,
    /// Product of Nadam's momenta so far.
    pub momentum_cache: f64,
    /// State buffers as long as the flat buffer, in the order of [`OptimizerState::slot_names`].
    slots: Vec<Tensor>,
    clipper: Clipper,
}

impl OptimizerState {
    /// A fresh optimiser for a flat buffer like `flat`.
    pub fn new(rule: Optimizer, flat: &Tensor) -> Self {
        let slots = Self::slot_names(&rule).iter().map(|_| flat.detach().zeros_like()).collect();
        Self { rule, iterations: 0, momentum_cache: 1.0, slots, clipper: Clipper::default() }
    }

    /// A copy that shares no buffer with this one.
    #[must_use]
    pub fn copy(&self) -> Self {
        let slots = self.slots.iter().map(|slot| slot.detach().copy()).collect();
        let (rule, iterations, momentum_cache) = (self.rule, self.iterations, self.momentum_cache);
        Self { rule, iterations, momentum_cache, slots, clipper: Clipper::default() }
    }

    /// The state buffers' names in Keras, in Keras's order: `momentum`, `m`, `v`, `vhat`, `rms`, `mg`.
    pub const fn slot_names(rule: &Optimizer) -> &'static [&'static str] {
        match rule.method {
            Method::Sgd { momentum, .. } | Method::SgdW { momentum, .. } if momentum == 0.0 => &[],
            Method::Sgd { .. } | Method::SgdW { .. } => &["momentum"],
            Method::Adam { amsgrad: true, .. } | Method::AdamW { amsgrad: true, .. } => &["m", "v", "vhat"],
            Method::Adam { .. } | Method::AdamW { .. } | Method::Nadam { .. } => &["m", "v"],
            Method::RmsProp { momentum, centered, .. } => match (momentum == 0.0, centered) {
                (true, false) => &["rms"],
                (true, true) => &["rms", "mg"],
                (false, false) => &["rms", "momentum"],
                (false, true) => &["rms", "momentum", "mg"],
            },
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

    /// Clips a gradient in place, as the rule asks; its weights are as long as `lengths` says, one after the other.
    pub fn clip(&mut self, gradient: &mut Tensor, lengths: &[i64]) {
        self.clipper.apply(&self.rule.clip, gradient, lengths);
    }

    /// Takes one step on the part of `flat` that begins at `offset`, along gradients that lie in many vectors, where the rule
    /// can and nothing is clipped; else says no.
    pub fn step_pieces(&mut self, flat: &Tensor, offset: i64, gradients: &[Tensor], learning_rate: f64) -> bool {
        if self.rule.clip != Clip::default() || !takes_pieces(&self.rule.method, flat) {
            return false;
        }
        let length = gradients.iter().map(|gradient| gradient.numel() as i64).sum();
        let slots: Vec<Tensor> = self.slots.iter().map(|slot| slot.narrow(0, offset, length)).collect();
        self.begin(learning_rate).apply_pieces(&flat.narrow(0, offset, length), &slots, gradients);
        true
    }

    /// Takes one step on the part of `flat` that begins at `offset`, along `gradient` (as long as that part).
    pub fn step(&mut self, flat: &Tensor, offset: i64, gradient: &Tensor, learning_rate: f64) {
        let turn = self.begin(learning_rate);
        let length = gradient.numel() as i64;
        let slots: Vec<Tensor> = self.slots.iter().map(|slot| slot.narrow(0, offset, length)).collect();
        turn.apply(&flat.narrow(0, offset, length), &slots, gradient);
    }

    /// Begins a step, which may be applied to several parts of the weights.
    pub fn begin(&mut self, learning_rate: f64) -> Turn {
        let rate = learning_rate / (1.0 + self.rule.decay * self.iterations as f64);
        self.iterations += 1;
        let number = self.iterations as f64;
        let mut momenta = [0.0; 2];
        if let Method::Nadam { beta_1, schedule_decay, .. } = self.rule.method {
            momenta = [number, number + 1.0].map(|t| nadam_momentum(beta_1, schedule_decay, t));
            self.momentum_cache *= momenta[0];
        }
        Turn { method: self.rule.method, rate, number, momenta, momentum_cache: self.momentum_cache }
    }
}

/// One step, as far as it is the same for all weights.
#[derive(Debug, Clone, Copy)]
pub struct Turn {
    method: Method,
    rate: f64,
    /// Its number, from 1.
    number: f64,
    /// Nadam's momentum of this step and of the one after it.
    momenta: [f64; 2],
    /// The product of Nadam's momenta so far.
    momentum_cache: f64,
}

impl Turn {
    /// Changes weights and their state along a gradient: vectors of one length.
    ///
    /// Block by block, so that what is computed on the way is small, and on the CPU stays in its caches, however long the
    /// vectors are.
    pub fn apply(&self, weights: &Tensor, slots: &[Tensor], gradient: &Tensor) {
        if takes_pieces(&self.method, weights) {
            self.apply_pieces(weights, slots, std::slice::from_ref(gradient));
            return;
        }
        let length = gradient.numel() as i64;
        let block = if gradient.device().is_cuda() { GPU_BLOCK } else { CPU_BLOCK };
        tch::no_grad(|| {
            for from in (0..length).step_by(block as usize) {
                let part = |tensor: &Tensor| tensor.narrow(0, from, block.min(length - from));
                self.apply_to(&mut Step {
                    weights: part(weights),
                    slots: slots.iter().map(part).collect(),
                    gradient: &part(gradient),
                    rate: self.rate,
                    number: self.number,
                });
            }
        });
    }

    /// As [`Turn::apply`], along gradients that lie in many vectors, in the order of the weights: what of a weight changes
    /// does not depend on how they are cut.
    fn apply_pieces(&self, weights: &Tensor, slots: &[Tensor], gradients: &[Tensor]) {
        if let Method::Sgd { momentum, nesterov } = self.method {
            sgd(weights, slots.first(), gradients, self.rate, momentum, nesterov);
        }
    }

    fn apply_to(&self, step: &mut Step) {
        match self.method {
            Method::Sgd { momentum, nesterov } => step.sgd(momentum, nesterov),
            Method::SgdW { momentum, nesterov, weight_decay } => {
                step.decay(weight_decay);
                step.sgd(momentum, nesterov);
            }
            Method::Adam { beta_1, beta_2, epsilon, .. } => step.adam([beta_1, beta_2], epsilon),
            Method::AdamW { beta_1, beta_2, epsilon, weight_decay, fixed_decay, .. } => {
                step.decay(if fixed_decay { weight_decay } else { weight_decay * self.rate });
                step.adam([beta_1, beta_2], epsilon);
            }
            Method::Nadam { beta_1, beta_2, epsilon, .. } => {
                step.nadam([beta_1, beta_2], epsilon, self.momenta, self.momentum_cache);
            }
            Method::RmsProp { rho, momentum, epsilon, centered } => step.rmsprop(rho, momentum, epsilon, centered),
        }
    }
}

/// Whether [`Turn::apply_pieces`] knows the rule, where the weights are.
fn takes_pieces(method: &Method, weights: &Tensor) -> bool {
    matches!(method, Method::Sgd { .. }) && !weights.device().is_cuda()
}

/// Nadam's momentum of step `t`, from 1.
fn nadam_momentum(beta_1: f64, schedule_decay: f64, t: f64) -> f64 {
    single(beta_1) * (1.0 - 0.5 * NADAM_BASE.powf(schedule_decay * t))
}

/// The product of Nadam's momenta after `iterations` steps, for files that do not tell it; 1 for other rules.
pub fn momentum_product(rule: &Optimizer, iterations: i64) -> f64 {
    let Method::Nadam { beta_1, schedule_decay, .. } = rule.method else { return 1.0 };
    let mut product = 1.0;
    for t in 1..=iterations {
        product *= nadam_momentum(beta_1, schedule_decay, t as f64);
        if product < f64::MIN_POSITIVE {
            break;
        }
    }
    product
}

/// Keras keeps its hyper-parameters in fp32.
const fn single(value: f64) -> f64 {
    (value as f32) as f64
}

/// `1 - beta^t`, the power rounded to fp32 as Keras has it.
fn correction(beta: f64, step: f64) -> f64 {
    1.0 - single(single(beta).powf(step))
}

/// One step of the weights of a part of the buffer.
struct Step<'a> {
    weights: Tensor,
    slots: Vec<Tensor>,
    gradient: &'a Tensor,
    rate: f64,
    /// Its number, from 1.
    number: f64,
}

impl Step<'_> {
    /// Takes a share off every weight.
    fn decay(&mut self, share: f64) {
        if share != 0.0 {
            // Against `weights * (1 - share)` nothing of a small share is lost in rounding.
            let zero = Tensor::zeros([1], (self.weights.kind(), self.weights.device()));
            let _ = self.weights.lerp_(&zero, share);
        }
    }

    fn sgd(&mut self, momentum: f64, nesterov: bool) {
        let step = self.gradient * self.rate;
        let Some(velocity) = self.slots.first_mut() else {
            let _ = self.weights.g_sub_(&step);
            return;
        };
        let _ = velocity.g_mul_scalar_(momentum).g_sub_(&step);
        let _ =
            if nesterov { self.weights.g_add_(&(&*velocity * momentum - step)) } else { self.weights.g_add_(velocity) };
    }

    fn adam(&mut self, betas: [f64; 2], epsilon: f64) {
        self.rate *= correction(betas[1], self.number).sqrt() / correction(betas[0], self.number);
        self.moments(betas);
        let square = match self.slots.as_mut_slice() {
            [_, v, highest] => highest.clamp_min_tensor_(v),
            slots => slots[1].shallow_clone(),
        };
        let denominator = square.sqrt().g_add_scalar_(epsilon);
        descend(&mut self.weights, &self.slots[0], denominator, self.rate);
    }

    /// `now` and `next` are this step's momentum and the one after it, `cache` is the product of those so far.
    fn nadam(&mut self, betas: [f64; 2], epsilon: f64, [now, next]: [f64; 2], cache: f64) {
        self.moments(betas);
        // `a * gradient + b * m` is `(a + b)` times a mean of the two.
        let (a, b) = ((1.0 - now) / (1.0 - cache), next / (1.0 - cache * next));
        let direction = self.gradient.lerp(&self.slots[0], b / (a + b));
        let scale = correction(betas[1], self.number).sqrt().recip();
        let denominator = self.slots[1].sqrt().g_mul_scalar_(scale).g_add_scalar_(epsilon);
        descend(&mut self.weights, &direction, denominator, self.rate * (a + b));
    }

    fn rmsprop(&mut self, rho: f64, momentum: f64, epsilon: f64, centered: bool) {
        let share = 1.0 - single(rho);
        let _ = self.slots[0].lerp_(&(self.gradient * self.gradient), share);
        let square = match self.slots.as_mut_slice() {
            [square, .., mean] if centered => {
                let _ = mean.lerp_(self.gradient, share);
                // A steady gradient has no variance: rounding must not make it negative.
                (&*square - &*mean * &*mean).clamp_min(0.0)
            }
            slots => slots[0].shallow_clone(),
        };
        if momentum == 0.0 {
            let denominator = square.sqrt().g_add_scalar_(epsilon);
            descend(&mut self.weights, self.gradient, denominator, self.rate);
        } else {
            // With momentum Keras adds epsilon inside the root.
            let denominator = (square + epsilon).sqrt().g_mul_scalar_(self.rate.max(LEAST_RATE).recip());
            let velocity = &mut self.slots[1];
            let _ = velocity.g_mul_scalar_(momentum).addcdiv_(self.gradient, &denominator);
            let _ = self.weights.g_sub_(velocity);
        }
    }

    /// Updates the running means of the gradient and of its square.
    fn moments(&mut self, [beta_1, beta_2]: [f64; 2]) {
        let _ = self.slots[0].lerp_(self.gradient, 1.0 - single(beta_1));
        let _ = self.slots[1].lerp_(&(self.gradient * self.gradient), 1.0 - single(beta_2));
    }
}

/// `weights -= rate * direction / denominator`; the denominator is used up.
fn descend(weights: &mut Tensor, direction: &Tensor, mut denominator: Tensor, rate: f64) {
    let _ = denominator.g_mul_scalar_(-1.0 / rate.max(LEAST_RATE));
    let _ = weights.addcdiv_(direction, &denominator);
}

#[cfg(test)]
mod tests;
