//! The accurate inverse transform of libjpeg (`jidctint.c`): 13 bits of constants, two passes, the sums of products written out.
//!
//! Between the passes values are kept in 16 bits, as libjpeg-turbo's vector code keeps them; coefficients of a real image
//! never reach the bounds.

/// What the sums of a pass are shifted by: the first keeps two bits more than the second.
const SHIFTS: [u32; 2] = [11, 18];

/// Rounding and shifts of the two passes, by the pass.
pub(crate) const fn shift(pass: usize) -> (i32, u32) {
    (1 << (SHIFTS[pass] - 1), SHIFTS[pass])
}

/// The factors of inputs 0 and 4 in the even sums.
pub(crate) const EVEN_04: [[i16; 2]; 2] = [[8192, 8192], [8192, -8192]];

/// Those of inputs 2 and 6.
pub(crate) const EVEN_26: [[i16; 2]; 2] = [[10703, 4433], [4433, -10704]];

/// Those of inputs 1 and 7 in the odd sums of outputs 0 to 3.
pub(crate) const ODD_17: [[i16; 2]; 4] = [[11363, 2260], [9633, -6436], [6437, 9633], [2260, -11363]];

/// Those of inputs 3 and 5.
pub(crate) const ODD_35: [[i16; 2]; 4] = [[9633, 6437], [-2259, -11362], [-11362, 2261], [-6436, 9633]];

type Block = [[i16; 8]; 8];

/// One pass, down each column: row `i` of the result is output `i`.
#[inline(always)]
fn pass(rows: &Block, number: usize) -> Block {
    let (rounding, shift) = shift(number);
    let mut out = [[0; 8]; 8];
    for lane in 0..8 {
        let at = |row: usize| i32::from(rows[row][lane]);
        let sum = |[a, b]: [i16; 2], x: i32, y: i32| (i32::from(a) * x).wrapping_add(i32::from(b) * y);
        let [low, high] = EVEN_04.map(|factors| sum(factors, at(0), at(4)).wrapping_add(rounding));
        let [outer, inner] = EVEN_26.map(|factors| sum(factors, at(2), at(6)));
        let even =
            [low.wrapping_add(outer), high.wrapping_add(inner), high.wrapping_sub(inner), low.wrapping_sub(outer)];
        for index in 0..4 {
            let odd = sum(ODD_17[index], at(1), at(7)).wrapping_add(sum(ODD_35[index], at(3), at(5)));
            let fit = |value: i32| (value >> shift).clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16;
            out[index][lane] = fit(even[index].wrapping_add(odd));
            out[7 - index][lane] = fit(even[index].wrapping_sub(odd));
        }
    }
    out
}

#[inline(always)]
fn transposed(rows: &Block) -> Block {
    let mut out = [[0; 8]; 8];
    for (row, values) in rows.iter().enumerate() {
        for (column, value) in values.iter().enumerate() {
            out[column][row] = *value;
        }
    }
    out
}

/// A sample of what the second pass gives.
const fn sample(value: i16) -> u8 {
    (if value < -128 {
        0
    } else if value > 127 {
        255
    } else {
        value + 128
    }) as u8
}

/// Coefficients times their steps, transformed to eight rows of eight samples, `stride` apart.
pub(crate) fn whole(coefficients: &[i16; 64], steps: &[i16; 64], out: &mut [u8], stride: usize) {
    let mut block = [[0; 8]; 8];
    for (place, (value, step)) in block.as_flattened_mut().iter_mut().zip(coefficients.iter().zip(steps)) {
        *place = value.wrapping_mul(*step);
    }
    let block = transposed(&pass(&transposed(&pass(&block, 0)), 1));
    for (row, out) in block.iter().zip(out.chunks_mut(stride)) {
        out[..8].copy_from_slice(&row.map(sample));
    }
}

/// The one sample of a block that has nothing but its mean.
#[inline(always)]
pub(crate) fn mean(coefficient: i16, step: i16) -> u8 {
    let first = i32::from(coefficient.wrapping_mul(step)) << 2;
    let first = first.clamp(i32::from(i16::MIN), i32::from(i16::MAX));
    sample(((first + 16) >> 5) as i16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_of_its_mean_is_that_of_the_transform() {
        for coefficient in (i16::MIN..=i16::MAX).step_by(37) {
            let (mut coefficients, mut steps, mut out) = ([0; 64], [3; 64], [0; 64]);
            (coefficients[0], steps[0]) = (coefficient, 5);
            whole(&coefficients, &steps, &mut out, 8);
            assert_eq!(out, [mean(coefficient, 5); 64], "{coefficient}");
        }
    }

    #[test]
    fn a_block_is_near_the_exact_transform() {
        let mut coefficients = [0_i16; 64];
        for (index, value) in coefficients.iter_mut().enumerate() {
            *value = ((index * 37 + 11) % 41) as i16 - 20;
        }
        let mut out = [0; 64];
        whole(&coefficients, &[2; 64], &mut out, 8);
        let cosine = |x: usize, u: usize| {
            let scale = if u == 0 { 0.5_f64.sqrt() } else { 1.0 };
            scale * ((2 * x + 1) as f64 * u as f64 * std::f64::consts::PI / 16.0).cos()
        };
        for (place, found) in out.iter().enumerate() {
            let term = |index: usize| {
                f64::from(coefficients[index]) * 2.0 * cosine(place / 8, index / 8) * cosine(place % 8, index % 8)
            };
            let exact: f64 = (0..64).map(term).sum::<f64>() / 4.0 + 128.0;
            assert!((exact.clamp(0.0, 255.0) - f64::from(*found)).abs() < 0.6, "{place}: {exact}, {found}");
        }
    }
}
