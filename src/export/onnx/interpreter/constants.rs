//! The numbers of a file: weights, shapes, axes. Floats of any width become fp32.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Component, Path};

use tch::{Kind, Tensor};

use super::super::proto::{TensorProto, number};
use super::call::plain;

/// libtorch's name of a number format, as the file has it.
pub(super) fn kind(format: Option<i32>) -> Option<Kind> {
    match format? {
        number::FLOAT => Some(Kind::Float),
        number::UINT8 => Some(Kind::Uint8),
        number::INT8 => Some(Kind::Int8),
        number::INT32 => Some(Kind::Int),
        number::INT64 => Some(Kind::Int64),
        number::BOOL => Some(Kind::Bool),
        number::FLOAT16 => Some(Kind::Half),
        number::DOUBLE => Some(Kind::Double),
        number::BFLOAT16 => Some(Kind::BFloat16),
        _ => None,
    }
}

/// The format that numbers of a format are computed in.
pub(super) const fn computed(kind: Kind) -> Kind {
    match kind {
        Kind::Half | Kind::BFloat16 | Kind::Double => Kind::Float,
        other => other,
    }
}

const fn bytes_of(kind: Kind) -> usize {
    match kind {
        Kind::Int64 | Kind::Double => 8,
        Kind::Float | Kind::Int => 4,
        Kind::Half | Kind::BFloat16 => 2,
        _ => 1,
    }
}

/// Reads one. `folder` is where files of weights beside the model lie; there are none without it.
///
/// # Errors
/// Numbers that are missing, too few or too many, or of a format that is not read: the end of a sentence.
pub(super) fn read(tensor: &TensorProto, folder: Option<&Path>) -> Result<Tensor, String> {
    let Some(kind) = kind(tensor.data_type) else {
        return Err(format!("have the number format {:?}, which facetui does not read", tensor.data_type));
    };
    let count = tensor.dims.iter().try_fold(1usize, |all, size| all.checked_mul(usize::try_from(*size).ok()?));
    let Some(length) = count.and_then(|count| count.checked_mul(bytes_of(kind))) else {
        return Err(format!("have the shape {:?}, which does not fit into any memory", tensor.dims));
    };
    let raw = if tensor.data_location == Some(1) {
        external(tensor, folder, length)?
    } else {
        tensor.raw_data.clone().unwrap_or_else(|| lists(tensor, kind))
    };
    if raw.len() != length {
        return Err(format!("have {} bytes, which does not fit the shape {:?}", raw.len(), tensor.dims));
    }
    let values = plain(Tensor::f_from_data_size(&raw, &tensor.dims, kind))?;
    plain(values.f_to_kind(computed(kind)))
}

/// Numbers that lie in a list of their own kind, as bytes.
fn lists(tensor: &TensorProto, kind: Kind) -> Vec<u8> {
    match kind {
        Kind::Float => tensor.float_data.iter().flat_map(|value| value.to_le_bytes()).collect(),
        Kind::Double => tensor.double_data.iter().flat_map(|value| value.to_le_bytes()).collect(),
        Kind::Int64 => tensor.int64_data.iter().flat_map(|value| value.to_le_bytes()).collect(),
        // The lowest bytes of each: 4, 2 or 1.
        _ => tensor.int32_data.iter().flat_map(|value| value.to_le_bytes().into_iter().take(bytes_of(kind))).collect(),
    }
}

/// Numbers of a file beside the model.
fn external(tensor: &TensorProto, folder: Option<&Path>, length: usize) -> Result<Vec<u8>, String> {
    let entry = |key: &str| {
        let found = tensor.external_data.iter().find(|entry| entry.key.as_deref() == Some(key));
        found.and_then(|entry| entry.value.as_deref())
    };
    let location = entry("location").unwrap_or("");
    let Some(folder) = folder else { return Err(format!("lie in another file, `{location}`")) };
    // A file of weights lies beside its model or below: anything else is not looked at.
    let inside = Path::new(location).components().all(|part| matches!(part, Component::Normal(_)));
    if location.is_empty() || !inside {
        return Err(format!("lie in `{location}`, which is not beside the model"));
    }
    let path = folder.join(location);
    let failed = |error: std::io::Error| format!("cannot be read from `{}`: {error}", path.display());
    let offset =
        entry("offset").map_or(Ok(0), str::parse::<u64>).map_err(|_error| "have a damaged offset".to_owned())?;
    let mut file = std::fs::File::open(&path).map_err(failed)?;
    let there = file.metadata().map_err(failed)?;
    let end = offset.checked_add(length as u64);
    if !there.is_file() || end.is_none_or(|end| end > there.len()) {
        return Err(format!("need {length} bytes from byte {offset} of `{}`, which is shorter", path.display()));
    }
    file.seek(SeekFrom::Start(offset)).map_err(failed)?;
    let mut bytes = vec![0; length];
    file.read_exact(&mut bytes).map_err(failed)?;
    Ok(bytes)
}
