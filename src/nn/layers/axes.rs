//! Keras's axes (channels last) in libtorch's tensors (NCHW).

use tch::Tensor;

/// The dimension that is Keras's last axis.
pub(super) fn channel_axis(x: &Tensor) -> i64 {
    if x.dim() == 4 { 1 } else { -1 }
}

/// The dimension that is Keras's axis, counted from 1 without the batch; -1 is the last.
pub(super) fn axis_of(x: &Tensor, axis: i64) -> i64 {
    let axes = x.dim() as i64 - 1;
    let axis = if axis < 0 { axes + 1 + axis } else { axis };
    match (x.dim(), axis) {
        (4, 3) => 1,
        (4, axis) => axis + 1,
        (_, axis) => axis,
    }
}

/// NCHW to Keras's NHWC; what is not a map stays.
pub(super) fn keras_order(x: &Tensor) -> Tensor {
    if x.dim() == 4 { x.permute([0, 2, 3, 1]) } else { x.shallow_clone() }
}

/// Keras's NHWC to NCHW; what is not a map stays.
pub(super) fn torch_order(x: &Tensor) -> Tensor {
    if x.dim() == 4 { x.permute([0, 3, 1, 2]) } else { x.shallow_clone() }
}
