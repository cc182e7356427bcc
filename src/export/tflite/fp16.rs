//! fp16 weights: every fp32 constant of some size becomes fp16 with a `DEQUANTIZE` behind it, as TensorFlow's converter
//! writes them. Runtimes compute with them in fp16 where the device can, and unpack them once where it cannot.

use super::model::{Model, Operator};
use super::op::Op;
use super::tensor::{Kind, Tensor};

/// Constants of fewer elements stay as they are: an epsilon would be lost.
const FEWEST: usize = 8;

/// The largest number of fp16.
const LARGEST: f32 = 65504.0;

/// The same model with fp16 constants. Those that fp16 cannot hold stay.
pub(super) fn halve(model: &Model) -> Model {
    let mut halved = model.clone();
    let mut first = Vec::new();
    for id in 0..model.tensors.len() {
        let Some(values) = model.tensors[id].floats().filter(|values| values.len() >= FEWEST) else { continue };
        if values.iter().any(|value| value.abs() > LARGEST) {
            continue;
        }
        let data = values.iter().flat_map(|value| from_f32(*value).to_le_bytes()).collect();
        let Tensor { name, shape, .. } = &model.tensors[id];
        let half = halved.tensor(Tensor {
            name: format!("{name}/half"),
            shape: shape.clone(),
            signature: None,
            kind: Kind::Float16,
            quantization: None,
            data: Some(data),
        });
        halved.tensors[id].data = None;
        first.push(Operator { op: Op::Dequantize, inputs: vec![half], output: id });
    }
    halved.operators.splice(0..0, first);
    halved
}

/// The nearest fp16, ties to even; what is too small becomes a subnormal or 0.
fn from_f32(value: f32) -> u16 {
    let bits = value.to_bits();
    let sign = (bits >> 16 & 0x8000) as u16;
    let exponent = (bits >> 23 & 0xff) as i32 - 127 + 15;
    let mantissa = bits & 0x7f_ffff;
    if exponent >= 31 {
        return sign | 0x7c00 | u16::from(value.is_nan());
    }
    // The bits that are kept, and by how many places the mantissa with its leading 1 is cut.
    let (kept, cut) = if exponent > 0 {
        (((exponent as u32) << 10) + (mantissa >> 13), 13)
    } else if exponent >= -10 {
        ((mantissa | 0x80_0000) >> (14 - exponent), (14 - exponent) as u32)
    } else {
        return sign;
    };
    let whole = if exponent > 0 { mantissa } else { mantissa | 0x80_0000 };
    let (rest, half) = (whole & ((1 << cut) - 1), 1 << (cut - 1));
    let up = rest > half || (rest == half && kept & 1 == 1);
    // A carry out of the mantissa raises the exponent, as it should.
    sign | (kept + u32::from(up)) as u16
}

/// The number that fp16 bits stand for.
pub(super) fn to_f32(bits: u16) -> f32 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let (exponent, mantissa) = (i32::from(bits >> 10 & 0x1f), f32::from(bits & 0x3ff));
    match exponent {
        0 => sign * mantissa * 2f32.powi(-24),
        31 if mantissa > 0.0 => f32::NAN,
        31 => sign * f32::INFINITY,
        _ => sign * (1024.0 + mantissa) * 2f32.powi(exponent - 25),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_fp16_comes_back() {
        for bits in 0..=u16::MAX {
            let value = to_f32(bits);
            assert!(value.is_nan() || from_f32(value) == bits, "{bits:04x}");
        }
        // 1 + 2^-11 lies half way between 1 and the next: even wins.
        assert_eq!(from_f32(1.0 + 2f32.powi(-11)), 0x3c00);
        assert_eq!(from_f32(1.0 + 3.0 * 2f32.powi(-11)), 0x3c02);
        assert_eq!(from_f32(65520.0), 0x7c00);
        assert_eq!(from_f32(1e-9), 0);
    }

    proptest! {
        #[test]
        fn no_fp16_is_nearer(value in -60000f32..60000.0) {
            let bits = from_f32(value);
            let error = (to_f32(bits) - value).abs();
            for other in [bits.wrapping_sub(1), bits.wrapping_add(1)] {
                prop_assert!(!to_f32(other).is_finite() || error <= (to_f32(other) - value).abs());
            }
        }
    }

    #[test]
    fn large_constants_are_halved_and_small_ones_stay() {
        let mut model = Model::default();
        model.floats("large", vec![8], &[0.5; 8]);
        model.floats("small", vec![1], &[1e-12]);
        model.floats("huge", vec![8], &[1e6; 8]);
        let halved = halve(&model);
        assert_eq!(halved.operators.len(), 1);
        assert_eq!(halved.constant_bytes(), 16 + 4 + 32);
    }
}
