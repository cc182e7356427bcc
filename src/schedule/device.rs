//! `device` and `precision`: where a run computes, and in which number format.

use serde::Serialize;

use super::names::Name;
use super::reader::{Field, Reader};
use super::scalars::choice;

/// Number format of activations and matrix products; weights, statistics and losses stay in fp32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// bf16 on a GPU, fp32 on the CPU.
    Auto,
    /// 32-bit floats.
    Fp32,
    /// bfloat16 activations and products.
    Bf16,
}

/// Where to compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceChoice {
    /// The first GPU when there is one, else the CPU.
    Auto,
    /// The CPU.
    Cpu,
    /// A GPU by number; an error when it is not there.
    Cuda(usize),
}

pub(super) fn check_precision(field: &Field<String>, reader: &mut Reader) -> Precision {
    const KNOWN: &[Name] =
        &[Name::new("auto", &[]), Name::new("fp32", &["float32"]), Name::new("bf16", &["bfloat16", "mixed_bfloat16"])];
    match choice("precision", field, KNOWN, reader) {
        Some("fp32") => Precision::Fp32,
        Some("bf16") => Precision::Bf16,
        _ => Precision::Auto,
    }
}

pub(super) fn check_device(field: &Field<String>, reader: &mut Reader) -> DeviceChoice {
    const KNOWN: &[Name] = &[Name::new("auto", &[]), Name::new("cpu", &[]), Name::new("cuda", &["gpu"])];
    if let Some(given) = field.given()
        && let Some((kind, number)) = given.value.split_once(':')
        && KNOWN[2].is(kind)
    {
        match number.trim().parse() {
            Ok(number) => return DeviceChoice::Cuda(number),
            Err(_) => reader.problems.error(
                given.at,
                format!("`{number}` is not the number of a GPU"),
                "expected cuda:0, cuda:1, ...",
                "GPUs are counted from 0".to_owned(),
            ),
        }
        return DeviceChoice::Auto;
    }
    match choice("device", field, KNOWN, reader) {
        Some("cpu") => DeviceChoice::Cpu,
        Some("cuda") => DeviceChoice::Cuda(0),
        _ => DeviceChoice::Auto,
    }
}
