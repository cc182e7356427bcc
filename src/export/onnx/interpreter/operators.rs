//! The operators, on libtorch: those that facetui writes and those that exporters of face networks use. Maps are NCHW.
//! Floats are computed in fp32, whatever width the file has.

use tch::{Device, Kind, TchError, Tensor};

use super::call::{Call, Found, allowed, plain};
use super::{constants, shapes, spatial};

/// Operators whose inputs are stretched to each other's shapes.
const STRETCHING: &[&str] = &[
    "Add", "Clip", "Div", "Equal", "Greater", "Less", "Max", "Mean", "Min", "Mul", "PRelu", "Pow", "Sub", "Sum",
    "Where",
];

const KNOWN: &[&str] = &[
    "Abs",
    "Add",
    "AveragePool",
    "BatchNormalization",
    "Cast",
    "Clip",
    "Concat",
    "Constant",
    "ConstantOfShape",
    "Conv",
    "Div",
    "Dropout",
    "Elu",
    "Equal",
    "Erf",
    "Exp",
    "Expand",
    "Flatten",
    "Gather",
    "Gelu",
    "Gemm",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "Greater",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "InstanceNormalization",
    "LayerNormalization",
    "LeakyRelu",
    "Less",
    "Log",
    "LpNormalization",
    "MatMul",
    "Max",
    "MaxPool",
    "Mean",
    "Min",
    "Mish",
    "Mul",
    "Neg",
    "PRelu",
    "Pad",
    "Pow",
    "Reciprocal",
    "ReduceL2",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceSum",
    "ReduceSumSquare",
    "Relu",
    "Reshape",
    "Resize",
    "Selu",
    "Shape",
    "Sigmoid",
    "Slice",
    "Softmax",
    "Softplus",
    "Softsign",
    "Split",
    "Sqrt",
    "Squeeze",
    "Sub",
    "Sum",
    "Tanh",
    "Transpose",
    "Unsqueeze",
    "Upsample",
    "Where",
];

/// Whether [`run`] has it.
pub(super) fn is_known(kind: &str) -> bool {
    KNOWN.contains(&kind)
}

/// Runs one node; its results.
///
/// # Errors
/// Inputs that are missing or do not fit, as a sentence.
pub(super) fn run(call: &Call<'_>, device: Device) -> Result<Vec<Tensor>, String> {
    if STRETCHING.contains(&call.kind) {
        stretched(call.inputs)?;
    }
    if call.kind == "Split" { shapes::split(call, call.results) } else { one(call, device).map(|result| vec![result]) }
}

fn one(call: &Call<'_>, device: Device) -> Found {
    let (kind, set) = (call.kind, &call.set);
    match kind {
        "Constant" => return shapes::constant(call, device),
        "ConstantOfShape" => return shapes::filled(call, device),
        _ => {}
    }
    let x = call.tensor(0)?;
    let second = || call.tensor(1);
    match kind {
        "Identity" | "Dropout" => Ok(x.shallow_clone()),
        "Add" => plain(x.f_add(second()?)),
        "Sub" => plain(x.f_sub(second()?)),
        "Mul" => plain(x.f_mul(second()?)),
        "Div" if x.kind() == Kind::Int64 => plain(x.f_divide_tensor_mode(second()?, "trunc")),
        "Div" => plain(x.f_div(second()?)),
        "Pow" => plain(x.f_pow(second()?)),
        "MatMul" => product(x, second()?),
        "Equal" => plain(x.f_eq_tensor(second()?)),
        "Greater" => plain(x.f_gt_tensor(second()?)),
        "Less" => plain(x.f_lt_tensor(second()?)),
        "Where" => plain(second()?.f_where_self(x, call.tensor(2)?)),
        "Clip" => clip(call, x),
        "Max" => plain(reduce(&call.tensors()?, Tensor::f_maximum)),
        "Min" => plain(reduce(&call.tensors()?, Tensor::f_minimum)),
        "Sum" => plain(reduce(&call.tensors()?, Tensor::f_add)),
        "Mean" => {
            let tensors = call.tensors()?;
            plain(reduce(&tensors, Tensor::f_add).and_then(|sum| sum.f_div_scalar(tensors.len() as f64)))
        }
        "Cast" => cast(call, x),
        "Concat" => {
            let tensors = call.tensors()?;
            plain(Tensor::f_cat(&tensors, shapes::place(set.int("axis", 0), x.dim())? as i64))
        }
        "Transpose" => {
            let backwards: Vec<i64> = (0..x.dim() as i64).rev().collect();
            plain(x.f_permute(set.list("perm").unwrap_or(&backwards)))
        }
        "Reshape" => shapes::reshape(call),
        "Flatten" => shapes::flatten(call),
        "Squeeze" => shapes::squeeze(call),
        "Unsqueeze" => shapes::unsqueeze(call),
        "Gather" => shapes::gather(call),
        "Slice" => shapes::slice(call),
        "Shape" => shapes::shape(call),
        "Expand" => shapes::expand(call),
        "Gemm" => gemm(call),
        "BatchNormalization" | "InstanceNormalization" | "LayerNormalization" | "LpNormalization" => norm(call, x),
        "ReduceL2" | "ReduceMax" | "ReduceMean" | "ReduceMin" | "ReduceSum" | "ReduceSumSquare" => reduced(call, x),
        "Pad" => spatial::pad(call),
        "Conv" => spatial::convolve(call),
        "MaxPool" => spatial::largest(call),
        "AveragePool" => spatial::average(call),
        "GlobalAveragePool" => spatial::global(call, false),
        "GlobalMaxPool" => spatial::global(call, true),
        "Resize" | "Upsample" => spatial::resize(call),
        _ => function(call, x),
    }
}

/// Functions of each number by itself, and softmax.
fn function(call: &Call<'_>, x: &Tensor) -> Found {
    let set = &call.set;
    match call.kind {
        "Relu" => plain(x.f_relu()),
        "Abs" => plain(x.f_abs()),
        "Neg" => plain(x.f_neg()),
        "Log" => plain(x.f_log()),
        "Sqrt" => plain(x.f_sqrt()),
        "Reciprocal" => plain(x.f_reciprocal()),
        "Exp" => plain(x.f_exp()),
        "Erf" => plain(x.f_erf()),
        "Tanh" => plain(x.f_tanh()),
        "Sigmoid" => plain(x.f_sigmoid()),
        "Softplus" => plain(x.f_softplus()),
        "Selu" => plain(x.f_selu()),
        "HardSwish" => plain(x.f_hardswish()),
        "Mish" => plain(x.f_mish()),
        "Gelu" => plain(x.f_gelu(&set.word("approximate", "none"))),
        "Softsign" => plain(x.f_abs().and_then(|length| length.f_add_scalar(1.0)).and_then(|below| x.f_div(&below))),
        "HardSigmoid" => {
            let (alpha, beta) = (set.float("alpha", 0.2), set.float("beta", 0.5));
            plain(x.f_mul_scalar(alpha).and_then(|x| x.f_add_scalar(beta)).and_then(|x| x.f_clamp(0.0, 1.0)))
        }
        "LeakyRelu" => slanted(x, |below| below.f_mul_scalar(set.float("alpha", 0.01))),
        "PRelu" => {
            let slope = call.tensor(1)?;
            slanted(x, |below| below.f_mul(slope))
        }
        "Elu" => {
            let below =
                x.f_clamp_max(0.0).and_then(|x| x.f_expm1()).and_then(|x| x.f_mul_scalar(set.float("alpha", 1.0)));
            plain(below.and_then(|below| x.f_relu()?.f_add(&below)))
        }
        "Softmax" if call.opset >= 13 => plain(x.f_softmax(set.int("axis", -1), None)),
        "Softmax" => {
            // Older sets take everything from the axis on as one row.
            let axis = shapes::place(set.int("axis", 1), x.dim())?;
            let rows = x.f_flatten(axis as i64, -1).and_then(|rows| rows.f_softmax(-1, None));
            plain(rows.and_then(|rows| rows.f_reshape(x.size().as_slice())))
        }
        other => Err(format!("there is no operator `{other}`")),
    }
}

fn clip(call: &Call<'_>, x: &Tensor) -> Found {
    if call.inputs.len() > 1 {
        let (least, most) = (call.optional(1), call.optional(2));
        return if least.is_none() && most.is_none() {
            Ok(x.shallow_clone())
        } else {
            plain(x.f_clamp_tensor(least, most))
        };
    }
    plain(x.f_clamp(call.set.float("min", f64::from(f32::MIN)), call.set.float("max", f64::from(f32::MAX))))
}

fn cast(call: &Call<'_>, x: &Tensor) -> Found {
    let to = i32::try_from(call.set.int("to", 0)).ok();
    match constants::kind(to) {
        Some(kind) => plain(x.f_to_kind(constants::computed(kind))),
        None => Err(format!("casts to the number format {to:?}, which facetui does not run")),
    }
}

fn norm(call: &Call<'_>, x: &Tensor) -> Found {
    let set = &call.set;
    let epsilon = set.float("epsilon", 1e-5);
    match call.kind {
        "BatchNormalization" => {
            if set.int("training_mode", 0) != 0 {
                return Err("is in training mode".to_owned());
            }
            let [scale, offset, mean, variance] = [1, 2, 3, 4].map(|place| call.tensor(place).map(Some));
            plain(x.f_batch_norm(scale?, offset?, mean?, variance?, false, 0.1, epsilon, false))
        }
        "InstanceNormalization" => {
            let none: Option<&Tensor> = None;
            let (scale, offset) = (call.tensor(1)?, call.tensor(2)?);
            plain(x.f_instance_norm(Some(scale), Some(offset), none, none, true, 0.1, epsilon, false))
        }
        "LayerNormalization" => {
            let size = x.size();
            let axis = shapes::place(set.int("axis", -1), size.len())?;
            plain(x.f_layer_norm(&size[axis..], Some(call.tensor(1)?), call.optional(2), epsilon, false))
        }
        _ => {
            let length = x.f_norm_scalaropt_dim(set.int("p", 2), [set.int("axis", -1)].as_slice(), true);
            plain(length.and_then(|length| x.f_div(&length)))
        }
    }
}

fn reduced(call: &Call<'_>, x: &Tensor) -> Found {
    let keep = call.set.int("keepdims", 1) != 0;
    let axes = match shapes::axes(call, 1)? {
        Some(axes) if !axes.is_empty() => axes,
        _ if call.set.int("noop_with_empty_axes", 0) != 0 => return Ok(x.shallow_clone()),
        _ => (0..x.dim() as i64).collect(),
    };
    let axes = axes.as_slice();
    plain(match call.kind {
        "ReduceMax" => x.f_amax(axes, keep),
        "ReduceMin" => x.f_amin(axes, keep),
        "ReduceMean" => x.f_mean_dim(axes, keep, None),
        "ReduceSum" => x.f_sum_dim_intlist(axes, keep, None),
        "ReduceL2" => x.f_norm_scalaropt_dim(2, axes, keep),
        _ => x.f_square().and_then(|square| square.f_sum_dim_intlist(axes, keep, None)),
    })
}

/// `alpha * A * B + beta * C`, either transposed.
fn gemm(call: &Call<'_>) -> Found {
    let turned = |place: usize, name: &str| {
        let matrix = call.tensor(place)?;
        if matrix.dim() != 2 {
            return Err(format!("takes matrices, gets {:?}", matrix.size()));
        }
        if call.set.int(name, 0) == 0 { Ok(matrix.shallow_clone()) } else { plain(matrix.f_transpose(0, 1)) }
    };
    let mut result = product(&turned(0, "transA")?, &turned(1, "transB")?)?;
    let (alpha, beta) = (call.set.float("alpha", 1.0), call.set.float("beta", 1.0));
    if alpha.to_bits() != 1f64.to_bits() {
        result = plain(result.f_mul_scalar(alpha))?;
    }
    let Some(bias) = call.optional(2) else { return Ok(result) };
    if beta.to_bits() == 1f64.to_bits() {
        return plain(result.f_add(bias));
    }
    plain(bias.f_mul_scalar(beta).and_then(|bias| result.f_add(&bias)))
}

/// Whether inputs that are stretched to each other's shapes stay in bounds.
fn stretched(inputs: &[Option<&Tensor>]) -> Result<(), String> {
    let mut shape: Vec<i64> = Vec::new();
    for tensor in inputs.iter().flatten() {
        for (at, size) in tensor.size().into_iter().rev().enumerate() {
            match shape.get_mut(at) {
                Some(known) => *known = size.max(*known),
                None => shape.push(size),
            }
        }
    }
    allowed(shape.into_iter())
}

fn reduce(
    tensors: &[&Tensor],
    combine: impl Fn(&Tensor, &Tensor) -> Result<Tensor, TchError>,
) -> Result<Tensor, TchError> {
    let [first, rest @ ..] = tensors else { return Ok(Tensor::new()) };
    rest.iter().try_fold(first.shallow_clone(), |result, tensor| combine(&result, tensor))
}

/// `max(x, 0) - slope(max(-x, 0))`.
fn slanted(x: &Tensor, slope: impl Fn(&Tensor) -> Result<Tensor, TchError>) -> Found {
    let result = x.f_neg().and_then(|x| x.f_relu()).and_then(|below| slope(&below));
    plain(result.and_then(|below| x.f_relu()?.f_sub(&below)))
}

fn product(x: &Tensor, matrix: &Tensor) -> Found {
    let (left, right) = (x.size(), matrix.size());
    let rows = &left[..left.len().saturating_sub(1)];
    let columns = right.get(1..).and_then(<[i64]>::last).copied().unwrap_or(1);
    let stacked = right[..right.len().saturating_sub(2)].iter().copied();
    allowed(rows.iter().copied().chain(stacked).chain([columns]))?;
    plain(x.f_matmul(matrix))
}
