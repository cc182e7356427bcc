//! Operators that move numbers without changing them: shapes, axes, parts.

use tch::{Device, Kind, Tensor};

use super::call::{Call, Found, allowed, plain};
use super::constants;

/// `Reshape`: 0 keeps an axis, -1 takes what is left.
pub(super) fn reshape(call: &Call<'_>) -> Found {
    let (x, wanted) = (call.tensor(0)?, call.integers(1)?);
    let size = x.size();
    let keep = call.set.int("allowzero", 0) == 0;
    let axis = |(at, wanted): (usize, &i64)| match size.get(at) {
        Some(size) if *wanted == 0 && keep => *size,
        _ => *wanted,
    };
    let shape: Vec<i64> = wanted.iter().enumerate().map(axis).collect();
    plain(x.f_reshape(shape.as_slice()))
}

/// `Flatten`: two axes, divided at one.
pub(super) fn flatten(call: &Call<'_>) -> Found {
    let x = call.tensor(0)?;
    let size = x.size();
    let axis = call.set.int("axis", 1);
    let axis = place(axis, size.len() + usize::from(axis >= 0))?;
    let rows: i64 = size[..axis].iter().product();
    let columns: i64 = size[axis..].iter().product();
    plain(x.f_reshape([rows, columns]))
}

/// An axis that may count from the end.
pub(super) fn place(axis: i64, rank: usize) -> Result<usize, String> {
    let from_start = if axis < 0 { axis.saturating_add(rank as i64) } else { axis };
    let found = usize::try_from(from_start).ok().filter(|at| *at < rank);
    found.ok_or_else(|| format!("has the axis {axis} of {rank}"))
}

/// Axes of a setting (older operator sets) or of an input; none where there is neither.
pub(super) fn axes(call: &Call<'_>, input: usize) -> Result<Option<Vec<i64>>, String> {
    if let Some(list) = call.set.list("axes") {
        return Ok(Some(list.to_vec()));
    }
    if call.optional(input).is_none() { Ok(None) } else { call.integers(input).map(Some) }
}

/// `Squeeze`.
pub(super) fn squeeze(call: &Call<'_>) -> Found {
    let x = call.tensor(0)?;
    let size = x.size();
    let gone: Vec<usize> = match axes(call, 1)? {
        Some(axes) => axes.iter().map(|axis| place(*axis, size.len())).collect::<Result<_, _>>()?,
        None => (0..size.len()).filter(|axis| size[*axis] == 1).collect(),
    };
    if let Some(axis) = gone.iter().find(|axis| size[**axis] != 1) {
        return Err(format!("cannot drop axis {axis} of {size:?}"));
    }
    let left: Vec<i64> =
        size.iter().enumerate().filter(|(axis, _)| !gone.contains(axis)).map(|(_, size)| *size).collect();
    plain(x.f_reshape(left.as_slice()))
}

/// `Unsqueeze`.
pub(super) fn unsqueeze(call: &Call<'_>) -> Found {
    let x = call.tensor(0)?;
    let axes = axes(call, 1)?.ok_or("has no `axes`")?;
    let rank = x.dim() + axes.len();
    if rank > 16 {
        return Err(format!("would have {rank} axes"));
    }
    let mut places = axes.iter().map(|axis| place(*axis, rank)).collect::<Result<Vec<_>, _>>()?;
    places.sort_unstable();
    places.iter().try_fold(x.shallow_clone(), |x, at| plain(x.f_unsqueeze(*at as i64)))
}

/// `Gather`: entries of an axis.
pub(super) fn gather(call: &Call<'_>) -> Found {
    let (x, index) = (call.tensor(0)?, call.tensor(1)?);
    let size = x.size();
    let axis = place(call.set.int("axis", 0), size.len())?;
    let shape = [&size[..axis], &index.size(), &size[axis + 1..]].concat();
    allowed(shape.iter().copied())?;
    let index = plain(index.f_to_kind(Kind::Int64))?;
    let index = plain(index.f_lt(0).and_then(|below| index.f_add(&below.f_mul_scalar(size[axis])?)))?;
    let flat = plain(index.f_reshape([-1]).and_then(|flat| flat.f_to_device(x.device())))?;
    plain(x.f_index_select(axis as i64, &flat).and_then(|rows| rows.f_reshape(shape.as_slice())))
}

/// `Slice`.
pub(super) fn slice(call: &Call<'_>) -> Found {
    let x = call.tensor(0)?;
    let (starts, ends, axes, steps) =
        if let (Some(starts), Some(ends)) = (call.set.list("starts"), call.set.list("ends")) {
            (starts.to_vec(), ends.to_vec(), call.set.list("axes").map(<[i64]>::to_vec), Vec::new())
        } else {
            let axes = call.optional(3).map(|_| call.integers(3)).transpose()?;
            let steps = call.optional(4).map(|_| call.integers(4)).transpose()?;
            (call.integers(1)?, call.integers(2)?, axes, steps.unwrap_or_default())
        };
    let axes = axes.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let mut result = x.shallow_clone();
    for (at, axis) in axes.iter().enumerate() {
        let (Some(start), Some(end)) = (starts.get(at), ends.get(at)) else { return Err("lacks a bound".to_owned()) };
        let step = steps.get(at).copied().unwrap_or(1);
        let whole = |start: i64, end: i64| start == -1 && end < -1_000_000_000;
        result = match (step, *start, *end) {
            (1.., start, end) => plain(result.f_slice(*axis, start, end, step))?,
            (-1, start, end) if whole(start, end) => plain(result.f_flip([*axis].as_slice()))?,
            other => {
                return Err(format!("(step, start, end) is {other:?}; of steps back, only whole mirroring is run"));
            }
        };
    }
    Ok(result)
}

/// `Split`: its parts.
pub(super) fn split(call: &Call<'_>, parts: usize) -> Result<Vec<Tensor>, String> {
    let x = call.tensor(0)?;
    let axis = place(call.set.int("axis", 0), x.dim())?;
    let all = x.size()[axis];
    let sizes = match (call.set.list("split"), call.optional(1)) {
        (Some(sizes), _) => sizes.to_vec(),
        (None, Some(_)) => call.integers(1)?,
        (None, None) => {
            let each = (all as u64).div_ceil(parts.max(1) as u64) as i64;
            (0..parts as i64).map(|part| each.min((all - part * each).max(0))).collect()
        }
    };
    let mut start = 0i64;
    let mut found = Vec::new();
    for size in sizes {
        let fits = size >= 0 && start.checked_add(size).is_some_and(|end| end <= all);
        if !fits {
            return Err(format!("takes {size} from {start} on of {all}"));
        }
        found.push(plain(x.f_narrow(axis as i64, start, size))?);
        start += size;
    }
    Ok(found)
}

/// `Shape`.
pub(super) fn shape(call: &Call<'_>) -> Found {
    let size = call.tensor(0)?.size();
    let bound = |name: &str, default: i64| {
        let at = call.set.int(name, default);
        (if at < 0 { at.saturating_add(size.len() as i64) } else { at }).clamp(0, size.len() as i64) as usize
    };
    let (start, end) = (bound("start", 0), bound("end", size.len() as i64));
    plain(Tensor::f_from_slice(size.get(start..end).unwrap_or(&[])))
}

/// `Expand`: stretched to a shape, or beyond it where the input is larger.
pub(super) fn expand(call: &Call<'_>) -> Found {
    let (x, wanted) = (call.tensor(0)?, call.integers(1)?);
    let size = x.size();
    let rank = size.len().max(wanted.len());
    let of = |sizes: &[i64], axis: usize| (axis + sizes.len()).checked_sub(rank).map_or(1, |at| sizes[at]);
    let shape: Vec<i64> = (0..rank).map(|axis| of(&size, axis).max(of(&wanted, axis))).collect();
    allowed(shape.iter().copied())?;
    plain(x.f_expand(shape.as_slice(), false))
}

/// `ConstantOfShape`.
pub(super) fn filled(call: &Call<'_>, device: Device) -> Found {
    let shape = call.integers(0)?;
    if shape.iter().any(|size| *size < 0) {
        return Err(format!("makes the shape {shape:?}"));
    }
    allowed(shape.iter().copied())?;
    let Some(value) = call.set.tensor("value") else {
        return plain(Tensor::f_zeros(shape.as_slice(), (Kind::Float, device)));
    };
    let value = constants::read(value, None)?;
    let one = plain(value.f_reshape([-1]))?;
    if one.numel() != 1 {
        return Err(format!("fills with {} numbers", one.numel()));
    }
    let one = if one.kind() == Kind::Float { plain(one.f_to_device(device))? } else { one };
    plain(one.f_expand(shape.as_slice(), false).and_then(|all| all.f_contiguous()))
}

/// `Constant`.
pub(super) fn constant(call: &Call<'_>, device: Device) -> Found {
    let set = &call.set;
    let value = if let Some(tensor) = set.tensor("value") {
        constants::read(tensor, None).map_err(|why| format!("its numbers {why}"))?
    } else if let Some(values) = set.list("value_ints") {
        plain(Tensor::f_from_slice(values))?
    } else if let Some(values) = set.floats("value_floats") {
        plain(Tensor::f_from_slice(values))?
    } else if set.has("value_float") {
        plain(Tensor::f_from_slice(&[set.float("value_float", 0.0) as f32]).and_then(|one| one.f_reshape([0i64; 0])))?
    } else if set.has("value_int") {
        plain(Tensor::f_from_slice(&[set.int("value_int", 0)]).and_then(|one| one.f_reshape([0i64; 0])))?
    } else {
        return Err("has no value that facetui reads".to_owned());
    };
    if value.kind() == Kind::Float { plain(value.f_to_device(device)) } else { Ok(value) }
}
