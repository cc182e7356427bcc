//! Operators on maps (batch, channels, height, width).

use tch::{TchError, Tensor};

use super::attributes::Attributes;
use super::call::{Call, Found, allowed, plain};
use super::shapes;
use crate::graph::shape::same_padding;

/// Rows and columns above, left, below, right of a window's map: written out, or as `auto_pad` has them.
fn pads(x: &Tensor, kernel: [i64; 2], set: &Attributes<'_>) -> Result<[i64; 4], String> {
    let auto = set.word("auto_pad", "NOTSET");
    let (strides, dilations) = (set.sizes::<2>("strides", 1)?, set.sizes::<2>("dilations", 1)?);
    match &*auto {
        "NOTSET" | "" => set.sizes::<4>("pads", 0),
        "VALID" => Ok([0; 4]),
        "SAME_UPPER" | "SAME_LOWER" => {
            let size = x.size();
            let axis = |at: usize| {
                let of = |sizes: [i64; 2]| sizes[at].max(1) as usize;
                let (less, more) = same_padding(size[at + 2] as usize, of(kernel), of(strides), of(dilations));
                let (less, more) = (less as i64, more as i64);
                if auto == "SAME_UPPER" { (less, more) } else { (more, less) }
            };
            let ((top, bottom), (left, right)) = (axis(0), axis(1));
            Ok([top, left, bottom, right])
        }
        other => Err(format!("pads by `{other}`, which facetui does not run")),
    }
}

fn is_map(x: &Tensor) -> Result<(), String> {
    if x.dim() == 4 { Ok(()) } else { Err(format!("takes maps of 4 axes, gets {:?}", x.size())) }
}

fn around(x: &Tensor, [top, left, bottom, right]: [i64; 4], value: f64) -> Found {
    if [top, left, bottom, right] == [0; 4] {
        return Ok(x.shallow_clone());
    }
    if let [batch, channels, height, width] = x.size()[..] {
        allowed([batch, channels, height + top + bottom, width + left + right].into_iter())?;
    }
    plain(x.f_pad([left, right, top, bottom], "constant", value))
}

/// `Conv`.
pub(super) fn convolve(call: &Call<'_>) -> Found {
    let (x, kernel, set) = (call.tensor(0)?, call.tensor(1)?, &call.set);
    is_map(x)?;
    let [outputs, _, height, width] = kernel.size()[..] else {
        return Err(format!("has a kernel of {:?}; only maps are convolved", kernel.size()));
    };
    let (strides, dilations) = (set.sizes::<2>("strides", 1)?, set.sizes::<2>("dilations", 1)?);
    let pads = pads(x, [height, width], set)?;
    let size = x.size();
    allowed([size[0], outputs, size[2] + pads[0] + pads[2], size[3] + pads[1] + pads[3]].into_iter())?;
    let group = set.int("group", 1);
    // libtorch pads by itself where both ends are alike; a copy otherwise.
    if pads[0] == pads[2] && pads[1] == pads[3] {
        return plain(x.f_conv2d(kernel, call.optional(2), strides, [pads[0], pads[1]], dilations, group));
    }
    let padded = around(x, pads, 0.0)?;
    plain(padded.f_conv2d(kernel, call.optional(2), strides, [0, 0], dilations, group))
}

fn pool(
    x: &Tensor,
    set: &Attributes<'_>,
    outside: f64,
    pool: impl Fn(&Tensor, [i64; 2], [i64; 2]) -> Result<Tensor, TchError>,
) -> Found {
    is_map(x)?;
    let (kernel, strides) = (set.sizes::<2>("kernel_shape", 1)?, set.sizes::<2>("strides", 1)?);
    let padded = around(x, pads(x, kernel, set)?, outside)?;
    plain(pool(&padded, kernel, strides))
}

/// `MaxPool`.
pub(super) fn largest(call: &Call<'_>) -> Found {
    let (dilations, ceil) = (call.set.sizes::<2>("dilations", 1)?, call.set.int("ceil_mode", 0) != 0);
    pool(call.tensor(0)?, &call.set, f64::NEG_INFINITY, |x, kernel, strides| {
        x.f_max_pool2d(kernel, strides, [0, 0], dilations, ceil)
    })
}

/// `AveragePool`; places outside count only with `count_include_pad`.
pub(super) fn average(call: &Call<'_>) -> Found {
    let (x, set) = (call.tensor(0)?, &call.set);
    let ceil = set.int("ceil_mode", 0) != 0;
    let average =
        |x: &Tensor, kernel: [i64; 2], strides: [i64; 2]| x.f_avg_pool2d(kernel, strides, [0, 0], ceil, true, None);
    let mean = pool(x, set, 0.0, average)?;
    if set.int("count_include_pad", 0) != 0 {
        return Ok(mean);
    }
    let inside = plain(x.f_narrow(0, 0, 1.min(x.size()[0])).and_then(|x| x.f_narrow(1, 0, 1)?.f_ones_like()))?;
    plain(mean.f_div(&pool(&inside, set, 0.0, average)?))
}

/// `GlobalAveragePool`, `GlobalMaxPool`.
pub(super) fn global(call: &Call<'_>, largest: bool) -> Found {
    let x = call.tensor(0)?;
    let axes: Vec<i64> = (2..x.dim() as i64).collect();
    if axes.is_empty() {
        return Err(format!("takes maps, gets {:?}", x.size()));
    }
    plain(if largest { x.f_amax(axes.as_slice(), true) } else { x.f_mean_dim(axes.as_slice(), true, None) })
}

/// `Pad` with one value.
pub(super) fn pad(call: &Call<'_>) -> Found {
    let (x, set) = (call.tensor(0)?, &call.set);
    let mode = set.word("mode", "constant");
    if mode != "constant" {
        return Err(format!("pads by `{mode}`, which facetui does not run"));
    }
    let written = match set.list("pads") {
        Some(pads) => pads.to_vec(),
        None => call.integers(1)?,
    };
    let value = match call.optional(2) {
        Some(value) => plain(value.f_reshape([-1]))?.f_double_value(&[0]).map_err(|error| error.to_string())?,
        None => set.float("value", 0.0),
    };
    let size = x.size();
    let axes = match call.optional(3) {
        Some(_) => call.integers(3)?,
        None => (0..size.len() as i64).collect(),
    };
    if written.len() != 2 * axes.len() || written.iter().any(|pad| !(0..=1_000_000).contains(pad)) {
        return Err(format!("has the paddings {written:?} for {} axes", axes.len()));
    }
    let mut ends = vec![(0, 0); size.len()];
    for (at, axis) in axes.iter().enumerate() {
        ends[shapes::place(*axis, size.len())?] = (written[at], written[at + axes.len()]);
    }
    allowed(size.iter().zip(&ends).map(|(size, (before, after))| size + before + after))?;
    // libtorch wants the last axis first, and none of those at the front that stay.
    let kept = ends.iter().take_while(|ends| **ends == (0, 0)).count();
    let flat: Vec<i64> = ends[kept..].iter().rev().flat_map(|(before, after)| [*before, *after]).collect();
    if flat.is_empty() { Ok(x.shallow_clone()) } else { plain(x.f_pad(flat.as_slice(), "constant", value)) }
}

/// `Resize` by factors, and its older name `Upsample`.
pub(super) fn resize(call: &Call<'_>) -> Found {
    let (x, set) = (call.tensor(0)?, &call.set);
    let older = call.kind == "Upsample";
    let scales = call.tensor(if older || call.opset < 11 { 1 } else { 2 })?;
    let size = x.size();
    let ([batch, channels, height, width], [4]) = (&size[..], &scales.size()[..]) else {
        return Err(format!("takes maps and 4 scales, gets {size:?} and {:?}", scales.size()));
    };
    let grown = |place: i64, size: i64| (scales.double_value(&[place]) * size as f64).floor().clamp(1.0, 1e6) as i64;
    let wanted = [grown(2, *height), grown(3, *width)];
    allowed([*batch, *channels, wanted[0], wanted[1]].into_iter())?;
    let none: Option<f64> = None;
    let from = if older || call.opset < 11 { "asymmetric" } else { "half_pixel" };
    let mode = (set.word("mode", "nearest"), set.word("coordinate_transformation_mode", from));
    let rounding = set.word("nearest_mode", if older || call.opset < 11 { "floor" } else { "round_prefer_floor" });
    let result = match (&*mode.0, &*mode.1) {
        ("nearest", "asymmetric") if rounding == "floor" => x.f_upsample_nearest2d(wanted, none, none),
        ("linear", "half_pixel" | "pytorch_half_pixel") => x.f_upsample_bilinear2d(wanted, false, none, none),
        ("linear", "align_corners") => x.f_upsample_bilinear2d(wanted, true, none, none),
        _ => return Err(format!("resizes by {mode:?} ({rounding}), which facetui does not run")),
    };
    plain(result)
}
