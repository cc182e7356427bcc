//! What an operator is called with, the bounds of what it may make, and errors as sentences.

use tch::{Device, Kind, TchError, Tensor};

use super::attributes::Attributes;

/// A result, or the end of a sentence that says what does not fit.
pub(super) type Found = Result<Tensor, String>;

/// Most elements of a result: 8 GiB in fp32.
const MOST_ELEMENTS: u64 = 1 << 31;

/// Longest list of integers: shapes and axes are short.
const LONGEST_LIST: usize = 64;

/// A node and what it takes.
pub(super) struct Call<'a> {
    /// The operator.
    pub(super) kind: &'a str,
    /// Its settings.
    pub(super) set: Attributes<'a>,
    /// Its inputs; none where an optional one is left out.
    pub(super) inputs: &'a [Option<&'a Tensor>],
    /// The operator set.
    pub(super) opset: i64,
    /// How many results are wanted.
    pub(super) results: usize,
}

impl<'a> Call<'a> {
    pub(super) fn tensor(&self, place: usize) -> Result<&'a Tensor, String> {
        self.optional(place).ok_or_else(|| format!("input {place} is missing"))
    }

    pub(super) fn optional(&self, place: usize) -> Option<&'a Tensor> {
        self.inputs.get(place).copied().flatten()
    }

    /// A short list of integers: a shape, axes, paddings.
    pub(super) fn integers(&self, place: usize) -> Result<Vec<i64>, String> {
        let tensor = self.tensor(place)?;
        if !matches!(tensor.kind(), Kind::Int64 | Kind::Int) || tensor.numel() > LONGEST_LIST {
            return Err(format!("input {place} is not a list of integers"));
        }
        let flat = tensor.f_reshape([-1]).and_then(|flat| flat.f_to_kind(Kind::Int64)?.f_to_device(Device::Cpu));
        flat.and_then(|flat| Vec::<i64>::try_from(&flat)).map_err(|error| first_line(&error.to_string()))
    }

    pub(super) fn tensors(&self) -> Result<Vec<&'a Tensor>, String> {
        (0..self.inputs.len()).map(|place| self.tensor(place)).collect()
    }
}

/// Whether a result of so many elements may be made.
pub(super) fn allowed(elements: impl Iterator<Item = i64>) -> Result<(), String> {
    let count = elements.map(|size| size.max(0) as u64).try_fold(1u64, u64::checked_mul);
    match count {
        Some(count) if count <= MOST_ELEMENTS => Ok(()),
        _ => Err(format!("its result would have more than {MOST_ELEMENTS} elements")),
    }
}

/// A result of libtorch; of an error its first sentence, without its stack.
pub(super) fn plain(result: Result<Tensor, TchError>) -> Found {
    result.map_err(|error| first_line(&error.to_string()))
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or("libtorch failed").to_owned()
}
