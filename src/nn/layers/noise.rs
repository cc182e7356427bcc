//! Layers that do something while training only: dropout and its kin.

use tch::Tensor;

/// Dropout whose kept elements are scaled up.
pub(super) fn dropout(x: &Tensor, rate: f64) -> Tensor {
    x.dropout(rate, true)
}

/// Dropout of whole channels of maps.
pub(super) fn spatial_dropout(x: &Tensor, rate: f64) -> Tensor {
    x.feature_dropout(rate, true)
}

/// Dropout to the value that a SELU saturates at, then an affine map that keeps mean and deviation.
pub(super) fn alpha_dropout(x: &Tensor, rate: f64) -> Tensor {
    x.alpha_dropout(rate, true)
}

/// Normal noise added.
pub(super) fn gaussian_noise(x: &Tensor, stddev: f64) -> Tensor {
    x + x.randn_like() * stddev
}

/// Normal noise of mean 1 multiplied.
pub(super) fn gaussian_dropout(x: &Tensor, rate: f64) -> Tensor {
    x * (x.randn_like() * (rate / (1.0 - rate)).sqrt() + 1.0)
}
