//! Layers that work on height and width: convolutions, pooling, padding. TensorFlow's `same` padding is made exactly.

use tch::Tensor;

use crate::graph::layer::{Padding, Window};
use crate::graph::shape::same_padding;

/// The zeros before and after height and width that `same` padding asks for.
fn padding(x: &Tensor, window: &Window) -> [(usize, usize); 2] {
    let size = x.size();
    [0, 1].map(|axis| match window.padding {
        Padding::Valid => (0, 0),
        Padding::Same => {
            same_padding(size[axis + 2] as usize, window.kernel[axis], window.strides[axis], window.dilation[axis])
        }
    })
}

/// The map with its padding written out.
pub(super) fn pad(x: &Tensor, window: &Window, value: f64) -> Tensor {
    let [(top, bottom), (left, right)] = padding(x, window);
    if top + bottom + left + right == 0 {
        return x.shallow_clone();
    }
    x.f_pad([left as i64, right as i64, top as i64, bottom as i64], "constant", value)
        .unwrap_or_else(|error| panic!("padding failed: {error}"))
}

pub(super) fn convolve(x: &Tensor, kernel: &Tensor, bias: Option<&Tensor>, window: &Window, groups: i64) -> Tensor {
    let [(top, bottom), (left, right)] = padding(x, window);
    // Equal padding on both sides is the convolution's own; TensorFlow's odd pixel is not.
    if top == bottom && left == right {
        convolve_within(x, kernel, bias, window, [top, left], groups)
    } else {
        convolve_within(&pad(x, window, 0.0), kernel, bias, window, [0, 0], groups)
    }
}

/// A convolution of a map with zeros on both sides of (height, width), whatever padding the window asks for.
pub(super) fn convolve_within(
    x: &Tensor,
    kernel: &Tensor,
    bias: Option<&Tensor>,
    window: &Window,
    zeros: [usize; 2],
    groups: i64,
) -> Tensor {
    let [strides, dilation, zeros] = [window.strides, window.dilation, zeros].map(|pair| pair.map(|size| size as i64));
    x.conv2d(kernel, bias, strides, zeros, dilation, groups)
}

pub(super) fn average_pool(x: &Tensor, window: &Window) -> Tensor {
    let [kernel, strides] = [window.kernel, window.strides].map(|pair| pair.map(|size| size as i64));
    let pool = |x: &Tensor| x.avg_pool2d(kernel, strides, [0, 0], false, true, None);
    if padding(x, window) == [(0, 0); 2] {
        return pool(x);
    }
    // TensorFlow leaves the padded places out of the mean: divide by the share that is inside.
    let inside = Tensor::ones([1, 1, x.size()[2], x.size()[3]], (x.kind(), x.device()));
    pool(&pad(x, window, 0.0)) / pool(&pad(&inside, window, 0.0))
}

pub(super) fn max_pool(x: &Tensor, window: &Window) -> Tensor {
    let [kernel, strides] = [window.kernel, window.strides].map(|pair| pair.map(|size| size as i64));
    pad(x, window, f64::NEG_INFINITY).max_pool2d(kernel, strides, [0, 0], [1, 1], false)
}

pub(super) fn crop(x: &Tensor, [top, bottom, left, right]: [usize; 4]) -> Tensor {
    let size = x.size();
    x.narrow(2, top as i64, size[2] - (top + bottom) as i64).narrow(3, left as i64, size[3] - (left + right) as i64)
}

pub(super) fn upsample(x: &Tensor, factors: [usize; 2], bilinear: bool) -> Tensor {
    let size = x.size();
    let wanted = [size[2] * factors[0] as i64, size[3] * factors[1] as i64];
    let none: Option<f64> = None;
    if bilinear { x.upsample_bilinear2d(wanted, false, none, none) } else { x.upsample_nearest2d(wanted, none, none) }
}
