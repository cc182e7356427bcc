//! Stochastic gradient descent in one pass over memory, for fp32 weights on the CPU (`src/native/sgd.cpp`).

use std::ffi::{CStr, c_char, c_int};

use tch::Tensor;
use torch_sys::C_tensor;

#[allow(unsafe_code, reason = "the function is C++")]
unsafe extern "C" {
    fn facetui_sgd(
        weights: *const C_tensor,
        velocity: *const C_tensor,
        pieces: *const *const C_tensor,
        count: i64,
        rate: f64,
        momentum: f64,
        nesterov: c_int,
    ) -> *const c_char;
}

/// Keras's `SGD`: `v = momentum * v - rate * g`, `w += v`, or with Nesterov's momentum `w += momentum * v - rate * g`; without
/// a velocity `w -= rate * g`. `weights` and `velocity` are fp32 vectors on the CPU; `gradients` are vectors that together are
/// as long and lie in their order.
///
/// # Panics
/// As tch's own methods do, when lengths or number formats disagree.
pub fn sgd(
    weights: &Tensor,
    velocity: Option<&Tensor>,
    gradients: &[Tensor],
    rate: f64,
    momentum: f64,
    nesterov: bool,
) {
    let pieces: Vec<*const C_tensor> = gradients.iter().map(Tensor::as_ptr).collect();
    #[expect(unsafe_code, reason = "C++")]
    // SAFETY: the pointers are null or `at::Tensor*`s that live through the call, and there are as many as `count` says; the
    // function checks lengths and number formats before it touches numbers. The message is a string of its own.
    let message = unsafe {
        let message = facetui_sgd(
            weights.as_ptr(),
            velocity.map_or(std::ptr::null(), Tensor::as_ptr),
            pieces.as_ptr(),
            pieces.len() as i64,
            rate,
            momentum,
            c_int::from(nesterov),
        );
        if message.is_null() { None } else { Some(CStr::from_ptr(message).to_string_lossy().into_owned()) }
    };
    if let Some(message) = message {
        panic!("gradient descent failed: {message}");
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    #[test]
    fn a_step_is_the_formulas() {
        let noise = |length: i64, seed: f64| (Tensor::arange(length, (Kind::Float, Device::Cpu)) * seed).sin();
        let gradients = [noise(70_001, 0.1), noise(3, 0.2), noise(40_000, 0.3)];
        let (start, speed) = (noise(110_004, 0.7), noise(110_004, 0.9));
        let whole = Tensor::cat(&gradients, 0);
        let near = |one: &Tensor, other: &Tensor| (one - other).abs().max().double_value(&[]) < 1e-6;
        for nesterov in [false, true] {
            let (weights, velocity) = (start.copy(), speed.copy());
            sgd(&weights, Some(&velocity), &gradients, 0.05, 0.9, nesterov);
            let wanted = &speed * 0.9 - &whole * 0.05;
            assert!(near(&velocity, &wanted));
            let move_by = if nesterov { &wanted * 0.9 - &whole * 0.05 } else { wanted };
            assert!(near(&weights, &(&start + move_by)));
        }
        let weights = start.copy();
        sgd(&weights, None, &gradients, 0.05, 0.0, false);
        assert!(near(&weights, &(&start - &whole * 0.05)));
    }

    #[test]
    #[should_panic(expected = "do not lie as the weights do")]
    fn gradients_of_more_weights_are_refused() {
        let vector = |length: i64| Tensor::zeros([length], (Kind::Float, Device::Cpu));
        sgd(&vector(4), None, &[vector(3), vector(2)], 0.1, 0.0, false);
    }
}
