//! Smooth noise from hashed lattice points: the same numbers everywhere and on every machine.

use std::sync::LazyLock;

/// Scrambles an integer (the finaliser of `MurmurHash3`).
#[inline]
fn scramble(mut x: u32) -> u32 {
    x ^= x >> 16;
    x = x.wrapping_mul(0x85eb_ca6b);
    x ^= x >> 13;
    x = x.wrapping_mul(0xc2b2_ae35);
    x ^ (x >> 16)
}

/// Side of the table of lattice values, a power of two; noise repeats after as many units.
const SIDE: usize = 128;

/// Lattice values in `[-1, 1)`, with the first row and column once more at the end.
static LATTICE: LazyLock<Vec<f32>> = LazyLock::new(|| {
    let mut table = Vec::with_capacity((SIDE + 1) * (SIDE + 1));
    for y in 0..=SIDE {
        for x in 0..=SIDE {
            table.push(hashed(((y % SIDE) * SIDE + x % SIDE) as u32));
        }
    }
    table
});

/// A number in `[-1, 1)` for each key, without any smoothness.
#[inline]
pub fn hashed(key: u32) -> f32 {
    (scramble(key.wrapping_mul(0x9e37_79b1)) >> 8) as f32 / 8_388_608.0 - 1.0
}

/// The whole number at or below `x`, and how far `x` is above it, eased at both ends.
#[inline]
fn cell(x: f32) -> (i32, f32) {
    let whole = x as i32 - i32::from(x < 0.0);
    let t = x - whole as f32;
    (whole, t * t * (3.0 - 2.0 * t))
}

/// Noise along a line, in `[-1, 1]`, one feature a unit.
#[inline]
pub fn line(x: f32, seed: u32) -> f32 {
    plane(x, 0.0, seed)
}

/// Noise over a plane, in `[-1, 1]`, one feature a unit. Seeds shift the pattern.
#[inline]
pub fn plane(x: f32, y: f32, seed: u32) -> f32 {
    let ((ix, tx), (iy, ty)) = (cell(x), cell(y));
    let column = (ix as u32).wrapping_add(seed) as usize % SIDE;
    let row = (iy as u32).wrapping_add(seed / SIDE as u32) as usize % SIDE;
    let at = &LATTICE[row * (SIDE + 1) + column..];
    let top = at[0] + (at[1] - at[0]) * tx;
    let bottom = at[SIDE + 1] + (at[SIDE + 2] - at[SIDE + 1]) * tx;
    top + (bottom - top) * ty
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_bounded_smooth_and_centred() {
        let mut sum = 0.0;
        for i in -500..500 {
            let (x, y) = (i as f32 * 0.37, i as f32 * -0.71);
            let here = plane(x, y, 77);
            assert!((-1.0..=1.0).contains(&here));
            assert!((plane(x + 1e-3, y, 77) - here).abs() < 0.01, "a jump at {x}, {y}");
            sum += here;
        }
        assert!(sum.abs() < 100.0, "{sum}");
    }

    #[test]
    fn seeds_give_other_patterns() {
        assert!((plane(3.4, 5.6, 1) - plane(3.4, 5.6, 2)).abs() > 1e-4);
        assert!((plane(3.4, 5.6, 1) - plane(3.4, 5.6, 1 + SIDE as u32)).abs() > 1e-4);
    }
}
