//! The skin as a flat picture, wrapped around the head: painted with soft-edged brushes, read with interpolation.

use crate::synth::vector::{Rgb, Vec3, linear, mix3, scale3};

/// Texels a unit.
const DENSITY: f32 = 1.4;
/// Texture units per radian of azimuth: the half width of an average head, so that units are about pixels.
pub const SKIN_SCALE: f32 = 38.0;

/// Covered range of `s` (azimuth times [`SKIN_SCALE`]) and of `y`: left, top, right, bottom.
const RANGE: [f32; 4] = [-66.0, -10.0, 66.0, 126.0];
const WIDTH: usize = ((RANGE[2] - RANGE[0]) * DENSITY) as usize;
const HEIGHT: usize = ((RANGE[3] - RANGE[1]) * DENSITY) as usize;

/// Half the blur of an edge: one texel on either side.
pub const SOFT: f32 = 0.7;

/// A picture over `s` and `y`.
pub struct Texture {
    texels: Vec<Rgb>,
}

impl Texture {
    /// Fills every texel.
    pub fn new(colour: impl Fn(f32, f32) -> Rgb) -> Self {
        let mut texels = Vec::with_capacity(WIDTH * HEIGHT);
        for row in 0..HEIGHT {
            for column in 0..WIDTH {
                let (s, y) = position(column, row);
                texels.push(colour(s, y));
            }
        }
        Self { texels }
    }

    fn each(&mut self, bounds: [f32; 4], mut change: impl FnMut(f32, f32, &mut Rgb)) {
        let column = |s: f32| ((s - RANGE[0]) * DENSITY).clamp(0.0, WIDTH as f32) as usize;
        let row = |y: f32| ((y - RANGE[1]) * DENSITY).clamp(0.0, HEIGHT as f32) as usize;
        let (left, right) = (column(bounds[0]), column(bounds[2] + 1.0));
        for i in row(bounds[1])..row(bounds[3] + 1.0) {
            for j in left..right {
                let (s, y) = position(j, i);
                change(s, y, &mut self.texels[i * WIDTH + j]);
            }
        }
    }

    /// Lays `colour` over the texels of `bounds` (left, top, right, bottom) with the brush's coverage, 0 to 1.
    pub fn paint(&mut self, bounds: [f32; 4], colour: Rgb, coverage: impl Fn(f32, f32) -> f32) {
        self.each(bounds, |s, y, texel| {
            let alpha = coverage(s, y);
            if alpha > 0.0 {
                *texel = mix3(*texel, colour, alpha.min(1.0));
            }
        });
    }

    /// Darkens (or, when negative, lightens) the texels of `bounds` by a share of their brightness.
    pub fn shade(&mut self, bounds: [f32; 4], amount: impl Fn(f32, f32) -> f32) {
        self.each(bounds, |s, y, texel| *texel = scale3(*texel, 1.0 - amount(s, y)));
    }

    /// Linear light reflected at an azimuth and height.
    #[inline]
    pub fn sample(&self, azimuth: f32, y: f32) -> Vec3 {
        let u = ((azimuth * SKIN_SCALE - RANGE[0]) * DENSITY - 0.5).clamp(0.0, WIDTH as f32 - 1.01);
        let v = ((y - RANGE[1]) * DENSITY - 0.5).clamp(0.0, HEIGHT as f32 - 1.01);
        let (column, row) = (u as usize, v as usize);
        let (tu, tv) = (u - column as f32, v - row as f32);
        let first = row * WIDTH + column;
        let top = mix3(self.texels[first], self.texels[first + 1], tu);
        let bottom = mix3(self.texels[first + WIDTH], self.texels[first + WIDTH + 1], tu);
        linear(mix3(top, bottom, tv))
    }
}

#[inline]
fn position(column: usize, row: usize) -> (f32, f32) {
    ((column as f32 + 0.5) / DENSITY + RANGE[0], (row as f32 + 0.5) / DENSITY + RANGE[1])
}
