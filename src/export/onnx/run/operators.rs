//! The operators that facetui writes, on libtorch. Maps are NCHW.

use tch::{Kind, TchError, Tensor};

use super::super::proto::{NodeProto, number};
use super::attributes::Attributes;

/// What a node takes.
#[derive(Debug)]
pub(super) enum Operand {
    /// Numbers.
    Tensor(Tensor),
    /// A list: shapes, axes, paddings.
    Integers(Vec<i64>),
}

impl Operand {
    pub(super) fn same(&self) -> Self {
        match self {
            Self::Tensor(tensor) => Self::Tensor(tensor.shallow_clone()),
            Self::Integers(values) => Self::Integers(values.clone()),
        }
    }
}

/// Operators whose inputs are stretched to each other's shapes.
const STRETCHING: &[&str] = &["Add", "Clip", "Div", "Greater", "Max", "Mean", "Min", "Mul", "PRelu", "Sub", "Where"];

/// Most elements of a result: 8 GiB in fp32.
const MOST_ELEMENTS: u64 = 1 << 31;

const KNOWN: &[&str] = &[
    "Add",
    "AveragePool",
    "Cast",
    "Clip",
    "Concat",
    "Conv",
    "Div",
    "Elu",
    "Erf",
    "Exp",
    "Gemm",
    "Greater",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "LayerNormalization",
    "LeakyRelu",
    "MatMul",
    "Max",
    "MaxPool",
    "Mean",
    "Min",
    "Mul",
    "PRelu",
    "Pad",
    "ReduceMax",
    "ReduceMean",
    "ReduceSum",
    "Relu",
    "Reshape",
    "Resize",
    "Selu",
    "Sigmoid",
    "Slice",
    "Softmax",
    "Softplus",
    "Softsign",
    "Sqrt",
    "Sub",
    "Tanh",
    "Transpose",
    "Where",
];

/// Whether [`run`] has it.
pub(super) fn is_known(kind: &str) -> bool {
    KNOWN.contains(&kind)
}

/// A node's inputs.
struct Inputs<'a>(&'a [Option<&'a Operand>]);

impl<'a> Inputs<'a> {
    fn tensor(&self, place: usize) -> Result<&'a Tensor, String> {
        match self.0.get(place) {
            Some(Some(Operand::Tensor(tensor))) => Ok(tensor),
            _ => Err(format!("input {place} is no tensor")),
        }
    }

    fn optional(&self, place: usize) -> Option<&'a Tensor> {
        self.tensor(place).ok()
    }

    fn integers(&self, place: usize) -> Result<&'a [i64], String> {
        match self.0.get(place) {
            Some(Some(Operand::Integers(values))) => Ok(values),
            _ => Err(format!("input {place} is no list of integers")),
        }
    }

    fn tensors(&self) -> Result<Vec<&'a Tensor>, String> {
        (0..self.0.len()).map(|place| self.tensor(place)).collect()
    }
}

/// Runs one node.
///
/// # Errors
/// Inputs that are missing or do not fit, as a sentence.
pub(super) fn run(node: &NodeProto, inputs: &[Option<&Operand>]) -> Result<Tensor, String> {
    let (inputs, set) = (Inputs(inputs), Attributes(node));
    let kind = node.op_type.as_deref().unwrap_or("");
    if STRETCHING.contains(&kind) {
        stretched(inputs.0)?;
    }
    let plain = |result: Result<Tensor, TchError>| result.map_err(|error| first_line(&error.to_string()));
    let x = inputs.tensor(0)?;
    let second = || inputs.tensor(1);
    match kind {
        "Identity" => Ok(x.shallow_clone()),
        "Add" => plain(x.f_add(second()?)),
        "Sub" => plain(x.f_sub(second()?)),
        "Mul" => plain(x.f_mul(second()?)),
        "Div" => plain(x.f_div(second()?)),
        "MatMul" => product(x, second()?),
        "Greater" => plain(x.f_gt_tensor(second()?)),
        "Where" => plain(second()?.f_where_self(x, inputs.tensor(2)?)),
        "Relu" => plain(x.f_relu()),
        "Sqrt" => plain(x.f_sqrt()),
        "Exp" => plain(x.f_exp()),
        "Erf" => plain(x.f_erf()),
        "Tanh" => plain(x.f_tanh()),
        "Sigmoid" => plain(x.f_sigmoid()),
        "Softplus" => plain(x.f_softplus()),
        "Selu" => plain(x.f_selu()),
        "HardSwish" => plain(x.f_hardswish()),
        "Softsign" => plain(x.f_abs().and_then(|length| length.f_add_scalar(1.0)).and_then(|below| x.f_div(&below))),
        "Softmax" => plain(x.f_softmax(set.int("axis", -1), None)),
        "Clip" => plain(x.f_clamp_tensor(inputs.optional(1), inputs.optional(2))),
        "HardSigmoid" => {
            let (alpha, beta) = (set.float("alpha", 0.2), set.float("beta", 0.5));
            plain(x.f_mul_scalar(alpha).and_then(|x| x.f_add_scalar(beta)).and_then(|x| x.f_clamp(0.0, 1.0)))
        }
        "LeakyRelu" => slanted(x, |below| below.f_mul_scalar(set.float("alpha", 0.01))),
        "PRelu" => {
            let slope = second()?;
            slanted(x, |below| below.f_mul(slope))
        }
        "Elu" => {
            let below =
                x.f_clamp_max(0.0).and_then(|x| x.f_expm1()).and_then(|x| x.f_mul_scalar(set.float("alpha", 1.0)));
            plain(below.and_then(|below| x.f_relu()?.f_add(&below)))
        }
        "Cast" if set.int("to", 0) == i64::from(number::FLOAT) => plain(x.f_to_kind(Kind::Float)),
        "Cast" => Err("casts to another number format than float".to_owned()),
        "Max" => plain(reduce(&inputs.tensors()?, Tensor::f_maximum)),
        "Min" => plain(reduce(&inputs.tensors()?, Tensor::f_minimum)),
        "Mean" => {
            let tensors = inputs.tensors()?;
            plain(reduce(&tensors, Tensor::f_add).and_then(|sum| sum.f_div_scalar(tensors.len() as f64)))
        }
        "Concat" => plain(Tensor::f_cat(&inputs.tensors()?, set.int("axis", 0))),
        "Transpose" => plain(x.f_permute(set.list("perm").ok_or("has no `perm`")?)),
        "Reshape" => plain(x.f_reshape(inputs.integers(1)?)),
        "ReduceMean" | "ReduceMax" => {
            let axes = set.list("axes").ok_or("has no `axes`")?;
            let keep = set.int("keepdims", 1) != 0;
            plain(if kind == "ReduceMax" { x.f_amax(axes, keep) } else { x.f_mean_dim(axes, keep, None) })
        }
        "ReduceSum" => plain(x.f_sum_dim_intlist(inputs.integers(1)?, set.int("keepdims", 1) != 0, None)),
        "Gemm" => {
            let product = product(x, second()?)?;
            inputs.optional(2).map_or(Ok(product.shallow_clone()), |bias| plain(product.f_add(bias)))
        }
        "LayerNormalization" => {
            let length = [x.size().last().copied().unwrap_or(1)];
            let epsilon = set.float("epsilon", 1e-5);
            plain(x.f_layer_norm(length, Some(second()?), inputs.optional(2), epsilon, false))
        }
        "Slice" => slice(x, &inputs),
        "Pad" => {
            let [_, _, top, left, _, _, bottom, right] = inputs.integers(1)? else {
                return Err("has other than 8 paddings".to_owned());
            };
            pad(x, [*top, *left, *bottom, *right], 0.0)
        }
        "Conv" => convolve(x, second()?, inputs.optional(2), &set),
        "MaxPool" => pool(x, &set, f64::NEG_INFINITY, |x, kernel, strides| {
            x.f_max_pool2d(kernel, strides, [0, 0], [1, 1], false)
        }),
        "AveragePool" => {
            let average = |x: &Tensor, kernel: [i64; 2], strides: [i64; 2]| {
                x.f_avg_pool2d(kernel, strides, [0, 0], false, true, None)
            };
            let inside = plain(x.f_ones_like())?;
            let share = pool(&inside, &set, 0.0, average)?;
            plain(pool(x, &set, 0.0, average)?.f_div(&share))
        }
        "Resize" => resize(x, &inputs, &set),
        other => Err(format!("there is no operator `{other}`")),
    }
}

/// Whether a result of so many elements may be made.
fn allowed(elements: impl Iterator<Item = i64>) -> Result<(), String> {
    let count = elements.map(|size| size.max(0) as u64).try_fold(1u64, u64::checked_mul);
    match count {
        Some(count) if count <= MOST_ELEMENTS => Ok(()),
        _ => Err(format!("its result would have more than {MOST_ELEMENTS} elements")),
    }
}

/// Whether inputs that are stretched to each other's shapes stay in bounds.
fn stretched(inputs: &[Option<&Operand>]) -> Result<(), String> {
    let mut shape: Vec<i64> = Vec::new();
    for input in inputs.iter().flatten() {
        let Operand::Tensor(tensor) = input else { continue };
        for (at, size) in tensor.size().into_iter().rev().enumerate() {
            match shape.get_mut(at) {
                Some(known) => *known = size.max(*known),
                None => shape.push(size),
            }
        }
    }
    allowed(shape.into_iter())
}

/// Libtorch's first sentence, without its stack.
fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or("libtorch failed").to_owned()
}

fn reduce(
    tensors: &[&Tensor],
    combine: impl Fn(&Tensor, &Tensor) -> Result<Tensor, TchError>,
) -> Result<Tensor, TchError> {
    let [first, rest @ ..] = tensors else { return Ok(Tensor::new()) };
    rest.iter().try_fold(first.shallow_clone(), |result, tensor| combine(&result, tensor))
}

/// `max(x, 0) - slope(max(-x, 0))`.
fn slanted(x: &Tensor, slope: impl Fn(&Tensor) -> Result<Tensor, TchError>) -> Result<Tensor, String> {
    let result = x.f_neg().and_then(|x| x.f_relu()).and_then(|below| slope(&below));
    result.and_then(|below| x.f_relu()?.f_sub(&below)).map_err(|error| first_line(&error.to_string()))
}

fn product(x: &Tensor, matrix: &Tensor) -> Result<Tensor, String> {
    let [_, columns] = matrix.size()[..] else { return Err(format!("has a matrix of {:?}", matrix.size())) };
    allowed(x.size().into_iter().rev().skip(1).chain([columns]))?;
    x.f_matmul(matrix).map_err(|error| first_line(&error.to_string()))
}

fn pad(x: &Tensor, [top, left, bottom, right]: [i64; 4], value: f64) -> Result<Tensor, String> {
    if [top, left, bottom, right] == [0; 4] {
        return Ok(x.shallow_clone());
    }
    if let [batch, channels, height, width] = x.size()[..] {
        allowed([batch, channels, height + top + bottom, width + left + right].into_iter())?;
    }
    let padded = x.f_pad([left, right, top, bottom], "constant", value);
    padded.map_err(|error| first_line(&error.to_string()))
}

fn convolve(x: &Tensor, kernel: &Tensor, bias: Option<&Tensor>, set: &Attributes<'_>) -> Result<Tensor, String> {
    let (strides, dilations) = (set.sizes::<2>("strides", 1)?, set.sizes::<2>("dilations", 1)?);
    let padded = pad(x, set.sizes::<4>("pads", 0)?, 0.0)?;
    let result = padded.f_conv2d(kernel, bias, strides, [0, 0], dilations, set.int("group", 1));
    result.map_err(|error| first_line(&error.to_string()))
}

fn pool(
    x: &Tensor,
    set: &Attributes<'_>,
    outside: f64,
    pool: impl Fn(&Tensor, [i64; 2], [i64; 2]) -> Result<Tensor, TchError>,
) -> Result<Tensor, String> {
    let (kernel, strides) = (set.sizes::<2>("kernel_shape", 1)?, set.sizes::<2>("strides", 1)?);
    let padded = pad(x, set.sizes::<4>("pads", 0)?, outside)?;
    pool(&padded, kernel, strides).map_err(|error| first_line(&error.to_string()))
}

fn slice(x: &Tensor, inputs: &Inputs<'_>) -> Result<Tensor, String> {
    let [starts, ends, axes] = [1, 2, 3].map(|place| inputs.integers(place));
    let (starts, ends, axes) = (starts?, ends?, axes?);
    let steps = inputs.integers(4).unwrap_or(&[]);
    let mut result = x.shallow_clone();
    for (at, axis) in axes.iter().enumerate() {
        let (Some(start), Some(end)) = (starts.get(at), ends.get(at)) else { return Err("lacks a bound".to_owned()) };
        let step = steps.get(at).copied().unwrap_or(1);
        let sliced = match (step, *start, *end) {
            (1, start, end) => result.f_slice(*axis, start, end, 1),
            (-1, -1, i64::MIN) => result.f_flip([*axis].as_slice()),
            other => return Err(format!("(step, start, end) is {other:?}; only step 1 and whole mirroring are run")),
        };
        result = sliced.map_err(|error| first_line(&error.to_string()))?;
    }
    Ok(result)
}

fn resize(x: &Tensor, inputs: &Inputs<'_>, set: &Attributes<'_>) -> Result<Tensor, String> {
    let scales = inputs.tensor(2)?;
    let size = x.size();
    let ([batch, channels, height, width], [4]) = (&size[..], &scales.size()[..]) else {
        return Err(format!("takes maps and 4 scales, gets {size:?} and {:?}", scales.size()));
    };
    let grown = |place: i64, size: i64| (scales.double_value(&[place]) * size as f64).floor().clamp(1.0, 1e6) as i64;
    let wanted = [grown(2, *height), grown(3, *width)];
    allowed([*batch, *channels, wanted[0], wanted[1]].into_iter())?;
    let none: Option<f64> = None;
    let mode = (set.word("mode", "nearest"), set.word("coordinate_transformation_mode", "half_pixel"));
    let result = match (&*mode.0, &*mode.1) {
        ("nearest", "asymmetric") if set.word("nearest_mode", "") == "floor" => {
            x.f_upsample_nearest2d(wanted, none, none)
        }
        ("linear", "half_pixel") => x.f_upsample_bilinear2d(wanted, false, none, none),
        _ => return Err(format!("resizes by {mode:?}, which facetui does not run")),
    };
    result.map_err(|error| first_line(&error.to_string()))
}
