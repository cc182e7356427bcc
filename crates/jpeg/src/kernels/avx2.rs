//! The transform and the colours for AVX2, and everything else compiled for it.

#![expect(unsafe_code, reason = "vectors are loaded and stored through pointers, and calls rest on what was detected")]
#![allow(clippy::wildcard_imports, reason = "some forty intrinsics")]

use std::arch::x86_64::*;

use super::{GROUP, Kernels};
use crate::JpegError;
use crate::header::Image;
use crate::idct::{EVEN_04, EVEN_26, ODD_17, ODD_35, shift};
use crate::scan::{self, Work};

/// That this processor has the instructions: nothing else makes a value of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Avx2(());

impl Avx2 {
    pub(crate) fn detect() -> Option<Self> {
        let found = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("lzcnt");
        found.then_some(Self(()))
    }

    #[expect(clippy::unused_self, reason = "that it exists is what is asked for")]
    pub(crate) fn decode(self, work: &mut Work, image: &Image<'_>, pixels: &mut [u8]) -> Result<(), JpegError> {
        // SAFETY: `self` exists, so the processor has the instructions.
        unsafe { decode(work, image, pixels) }
    }
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
fn decode(work: &mut Work, image: &Image<'_>, pixels: &mut [u8]) -> Result<(), JpegError> {
    scan::decode::<Inside>(work, image, pixels)
}

/// The loops, for [`decode`] alone.
struct Inside;

impl Kernels for Inside {
    #[inline(always)]
    fn transform(coefficients: &[i16; 64], steps: &[i16; 64], out: &mut [u8], stride: usize) {
        // SAFETY: only `decode` of this module names `Inside`, and it is called where the processor has the instructions.
        unsafe { transform(coefficients, steps, out, stride) }
    }

    #[inline(always)]
    fn colours(first: &[u8], second: &[u8], third: &[u8], out: &mut [u8]) {
        // SAFETY: as above.
        unsafe { colours(first, second, third, out) }
    }
}

/// Rows `row` and `row + 4`, times their steps, in the lower and the upper half.
#[target_feature(enable = "avx2")]
#[inline]
fn rows(coefficients: &[i16; 64], steps: &[i16; 64], row: usize) -> __m256i {
    let load = |from: &[i16; 64], row: usize| {
        let row: &[i16] = &from[row * 8..][..8];
        // SAFETY: eight values of 16 bits are the 16 bytes that are loaded; no alignment is asked for.
        unsafe { _mm_loadu_si128(row.as_ptr().cast()) }
    };
    let pair = |from: &[i16; 64]| _mm256_set_m128i(load(from, row + 4), load(from, row));
    _mm256_mullo_epi16(pair(coefficients), pair(steps))
}

/// Two factors, for each lane.
#[target_feature(enable = "avx2")]
#[inline]
fn factors([low, high]: [i16; 2]) -> __m256i {
    _mm256_set1_epi32(i32::from(high) << 16 | i32::from(low.cast_unsigned()))
}

/// The values of the lower half, each followed by its like of the upper half, as pairs in the order of columns.
#[target_feature(enable = "avx2")]
#[inline]
fn paired(rows: __m256i) -> __m256i {
    let order = _mm256_setr_epi8(
        0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15, 0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15,
    );
    _mm256_shuffle_epi8(_mm256_permute4x64_epi64::<0b11_01_10_00>(rows), order)
}

/// One pass down the columns of rows (0, 4), (1, 5), (2, 6) and (3, 7), whose result is transposed, in the same halves.
#[target_feature(enable = "avx2")]
#[inline]
fn pass<const PASS: usize, const SHIFT: i32>([r04, r15, r26, r37]: [__m256i; 4]) -> [__m256i; 4] {
    const UPPER: i32 = 0b1111_0000;
    let (p04, p26) = (paired(r04), paired(r26));
    let p17 = paired(_mm256_blend_epi32::<UPPER>(r15, r37));
    let p35 = paired(_mm256_blend_epi32::<UPPER>(r37, r15));
    let rounding = _mm256_set1_epi32(shift(PASS).0);
    let low = _mm256_add_epi32(_mm256_madd_epi16(p04, factors(EVEN_04[0])), rounding);
    let high = _mm256_add_epi32(_mm256_madd_epi16(p04, factors(EVEN_04[1])), rounding);
    let outer = _mm256_madd_epi16(p26, factors(EVEN_26[0]));
    let inner = _mm256_madd_epi16(p26, factors(EVEN_26[1]));
    let even = [
        _mm256_add_epi32(low, outer),
        _mm256_add_epi32(high, inner),
        _mm256_sub_epi32(high, inner),
        _mm256_sub_epi32(low, outer),
    ];
    let odd = |index: usize| {
        let one = _mm256_madd_epi16(p17, factors(ODD_17[index]));
        _mm256_add_epi32(one, _mm256_madd_epi16(p35, factors(ODD_35[index])))
    };
    let sum = |index: usize| _mm256_srai_epi32::<SHIFT>(_mm256_add_epi32(even[index], odd(index)));
    let difference = |index: usize| _mm256_srai_epi32::<SHIFT>(_mm256_sub_epi32(even[index], odd(index)));
    // Outputs i and i + 4, four columns a half.
    let o04 = _mm256_packs_epi32(sum(0), difference(3));
    let o15 = _mm256_packs_epi32(sum(1), difference(2));
    let o26 = _mm256_packs_epi32(sum(2), difference(1));
    let o37 = _mm256_packs_epi32(sum(3), difference(0));
    let (o01, o45) = (_mm256_unpacklo_epi16(o04, o15), _mm256_unpackhi_epi16(o04, o15));
    let (o23, o67) = (_mm256_unpacklo_epi16(o26, o37), _mm256_unpackhi_epi16(o26, o37));
    let (front, front_next) = (_mm256_unpacklo_epi32(o01, o23), _mm256_unpackhi_epi32(o01, o23));
    let (back, back_next) = (_mm256_unpacklo_epi32(o45, o67), _mm256_unpackhi_epi32(o45, o67));
    [
        _mm256_unpacklo_epi64(front, back),
        _mm256_unpackhi_epi64(front, back),
        _mm256_unpacklo_epi64(front_next, back_next),
        _mm256_unpackhi_epi64(front_next, back_next),
    ]
}

/// [`crate::idct::whole`].
#[target_feature(enable = "avx2")]
#[inline]
fn transform(coefficients: &[i16; 64], steps: &[i16; 64], out: &mut [u8], stride: usize) {
    let rows = [0, 1, 2, 3].map(|row| rows(coefficients, steps, row));
    let [r04, r15, r26, r37] = pass::<1, { shift(1).1 as i32 }>(pass::<0, { shift(0).1 as i32 }>(rows));
    let middle = _mm256_set1_epi8(-128);
    // Rows 0, 1 | 4, 5 and 2, 3 | 6, 7.
    let one = _mm256_xor_si256(_mm256_packs_epi16(r04, r15), middle);
    let two = _mm256_xor_si256(_mm256_packs_epi16(r26, r37), middle);
    let all = [
        _mm256_extract_epi64::<0>(one),
        _mm256_extract_epi64::<1>(one),
        _mm256_extract_epi64::<0>(two),
        _mm256_extract_epi64::<1>(two),
        _mm256_extract_epi64::<2>(one),
        _mm256_extract_epi64::<3>(one),
        _mm256_extract_epi64::<2>(two),
        _mm256_extract_epi64::<3>(two),
    ];
    for (row, values) in all.iter().enumerate() {
        out[row * stride..][..8].copy_from_slice(&values.to_le_bytes());
    }
}

/// Sixteen samples as words.
#[target_feature(enable = "avx2")]
#[inline]
fn words(samples: &[u8; GROUP]) -> __m256i {
    // SAFETY: the array is the 16 bytes that are loaded; no alignment is asked for.
    _mm256_cvtepu8_epi16(unsafe { _mm_loadu_si128(samples.as_ptr().cast()) })
}

/// Words as bytes, those out of range at its ends.
#[target_feature(enable = "avx2")]
#[inline]
fn bytes(words: __m256i) -> __m128i {
    _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256::<1>(words))
}

/// The portable `colours`, of sixteen pixels. The factors are what is beyond whole numbers, which are added.
#[target_feature(enable = "avx2")]
#[inline]
fn sixteen(first: &[u8; GROUP], second: &[u8; GROUP], third: &[u8; GROUP], out: &mut [u8; 3 * GROUP]) {
    let middle = _mm256_set1_epi16(128);
    let y = words(first);
    let (cb, cr) = (_mm256_sub_epi16(words(second), middle), _mm256_sub_epi16(words(third), middle));
    // (2 c f) / 2^16, rounded down, plus 1, halved: c f / 2^16, rounded.
    let part = |twice: __m256i, factor: i16| {
        let high = _mm256_mulhi_epi16(twice, _mm256_set1_epi16(factor));
        _mm256_srai_epi16::<1>(_mm256_add_epi16(high, _mm256_set1_epi16(1)))
    };
    let (twice_cb, twice_cr) = (_mm256_add_epi16(cb, cb), _mm256_add_epi16(cr, cr));
    let red = _mm256_add_epi16(_mm256_add_epi16(y, cr), part(twice_cr, 26345));
    let blue = _mm256_add_epi16(_mm256_add_epi16(y, twice_cb), part(twice_cb, -14942));
    let rounding = _mm256_set1_epi32(32768);
    let mixed = |pairs: __m256i| {
        let sums = _mm256_madd_epi16(pairs, factors([-22554, 18734]));
        _mm256_srai_epi32::<16>(_mm256_add_epi32(sums, rounding))
    };
    let green = _mm256_packs_epi32(mixed(_mm256_unpacklo_epi16(cb, cr)), mixed(_mm256_unpackhi_epi16(cb, cr)));
    let green = _mm256_add_epi16(y, _mm256_sub_epi16(green, cr));
    let channels = [bytes(red), bytes(green), bytes(blue)];
    for (number, out) in out.as_chunks_mut::<16>().0.iter_mut().enumerate() {
        let [red, green, blue] = [0, 1, 2].map(|channel| {
            // SAFETY: the array is the 16 bytes that are loaded; no alignment is asked for.
            let order = unsafe { _mm_loadu_si128(ORDERS[number][channel].as_ptr().cast()) };
            _mm_shuffle_epi8(channels[channel], order)
        });
        // SAFETY: the array is the 16 bytes that are stored; no alignment is asked for.
        unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), _mm_or_si128(_mm_or_si128(red, green), blue)) };
    }
}

/// Where the bytes of each third of sixteen pixels come from in each channel; 128 for another channel's.
const ORDERS: [[[u8; 16]; 3]; 3] = {
    let mut orders = [[[128; 16]; 3]; 3];
    let mut index = 0;
    while index < 48 {
        orders[index / 16][index % 3][index % 16] = (index / 3) as u8;
        index += 1;
    }
    orders
};

#[target_feature(enable = "avx2")]
#[inline]
fn colours(first: &[u8], second: &[u8], third: &[u8], out: &mut [u8]) {
    let (first, second, third) =
        (first.as_chunks::<GROUP>().0, second.as_chunks::<GROUP>().0, third.as_chunks::<GROUP>().0);
    let mut samples = first.iter().zip(second).zip(third);
    let (groups, rest) = out.as_chunks_mut::<{ 3 * GROUP }>();
    for (out, ((first, second), third)) in groups.iter_mut().zip(&mut samples) {
        sixteen(first, second, third, out);
    }
    if let Some(((first, second), third)) = samples.next()
        && !rest.is_empty()
    {
        let mut last = [0; 3 * GROUP];
        sixteen(first, second, third, &mut last);
        rest.copy_from_slice(&last[..rest.len()]);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::idct;
    use crate::kernels::Portable;

    proptest! {
        #[test]
        fn the_transform_is_the_portable_one(
            coefficients in proptest::array::uniform32((any::<i16>(), -60..60_i16)),
            steps in proptest::array::uniform32((1..20_i16, any::<i16>())),
            small in any::<bool>(),
        ) {
            let pick = |(any, few): (i16, i16)| if small { [few % 5, few] } else { [any, few] };
            let coefficients: Vec<i16> = coefficients.into_iter().flat_map(pick).collect();
            let steps: Vec<i16> = steps.into_iter().flat_map(|(few, any)| [few, if small { few } else { any }]).collect();
            let (coefficients, steps) = (coefficients.first_chunk().expect("64"), steps.first_chunk().expect("64"));
            let (mut one, mut two) = ([7; 8 * 11], [7; 8 * 11]);
            idct::whole(coefficients, steps, &mut one, 11);
            if Avx2::detect().is_some() {
                // SAFETY: detected.
                unsafe { transform(coefficients, steps, &mut two, 11) };
                prop_assert_eq!(one, two);
            }
        }
    }

    #[test]
    fn all_colours_are_those_of_the_portable_way() {
        if Avx2::detect().is_none() {
            return;
        }
        let first: [u8; 16] = std::array::from_fn(|index| (index * 17) as u8);
        for second in 0..=255 {
            for third in 0..=255 {
                let (mut one, mut two) = ([0; 48], [0; 48]);
                Portable::colours(&first, &[second; 16], &[third; 16], &mut one);
                // SAFETY: detected.
                unsafe { colours(&first, &[second; 16], &[third; 16], &mut two) };
                assert_eq!(one, two);
            }
        }
    }
}
