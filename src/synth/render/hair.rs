//! Hair: a shell over the skull from the crown down to a border that the cut decides, combed along its length.

use std::f32::consts::PI;

use super::camera::View;
use super::grid::Grid;
use super::head::{EYE_Y, HeadShape};
use super::mesh::{Finish, place};
use super::raster::{Fragment, Raster};
use super::skin::aged_hair;
use crate::synth::capture::{Capture, Cover};
use crate::synth::identity::{Hair, HairCut, Identity};
use crate::synth::noise;
use crate::synth::vector::{Vec3, add3, bell, linear, mix, mul3, scale3, smoothstep};

/// A point on a shell around the head: `down` runs from 0 at the crown to 1 at height `border`; the shell stands off by
/// `top` above the crown and by `out` at the sides. Below the cheeks it hangs straight down instead of following the jaw.
pub fn shell(shape: &HeadShape<'_>, azimuth: f32, down: f32, border: f32, top: f32, out: f32) -> Vec3 {
    let crown = shape.crown - top;
    let y = mix(crown, border, down.powf(1.6));
    let skull = if y < EYE_Y { mix(shape.crown, EYE_Y, (y - crown) / (EYE_Y - crown)) } else { y.min(62.0) };
    let mut point = shape.outline(azimuth, skull, out * smoothstep(0.0, 0.3, down));
    point[1] = y - EYE_Y;
    point
}

/// A cut with the measures of one day, at one age.
struct Style<'a> {
    hair: &'a Hair,
    top: f32,
    sides: f32,
    front: f32,
    recession: f32,
    hanging: Option<f32>,
    fuzz: f32,
    seed: u32,
}

impl<'a> Style<'a> {
    fn new(identity: &Identity, hair: &'a Hair, capture: &Capture) -> Self {
        let (v, s) = (hair.volume, hair.sides);
        let (top, sides, front, hanging, fuzz) = match hair.cut {
            HairCut::Bald | HairCut::Buzzed => (0.8, 0.7, 0.0, None, 0.0),
            HairCut::Short => (3.0 + 5.0 * v, 1.8 + 2.6 * s, 0.0, None, 0.6),
            HairCut::Quiff => (7.0 + 7.0 * v, 1.2 + 1.6 * s, 6.0 + 5.0 * v, None, 0.8),
            HairCut::Curly => {
                (7.0 + 9.0 * v, 5.0 + 8.0 * s, 3.0, if s > 0.55 { Some(74.0 + 18.0 * s) } else { None }, 3.0)
            }
            HairCut::Bob => {
                (4.0 + 5.0 * v, 3.5 + 5.0 * s, 0.0, Some(mix(80.0, 98.0, (hair.length - 96.0) / 54.0)), 0.5)
            }
            HairCut::Long => (3.5 + 5.0 * v, 2.6 + 5.0 * s, 0.0, Some(hair.length + 4.0), 0.7),
            HairCut::TiedBack => (2.5 + 3.0 * v, 1.2 + 1.0 * s, 0.0, None, 0.2),
        };
        let years = smoothstep(24.0, 70.0, capture.age);
        Self {
            hair,
            top: top * (1.0 - 0.25 * years * hair.receding),
            sides,
            front,
            recession: years * hair.receding,
            hanging,
            fuzz,
            seed: identity.skin.grain ^ 0x1f,
        }
    }

    /// `y` at which the hair ends at an azimuth.
    fn border(&self, azimuth: f32) -> f32 {
        let hair = self.hair;
        let side = azimuth.abs();
        let temples = (hair.temples + 12.0 * self.recession) * bell((side - 0.62) / 0.36);
        let mut line = hair.hairline - 6.0 * self.recession - temples + hair.peak * bell(side / 0.16);
        if hair.fringe > 0.0
            && self.recession < 0.45
            && self.front == 0.0
            && !matches!(hair.cut, HairCut::TiedBack | HairCut::Buzzed)
        {
            let parted = mix(1.0, smoothstep(0.05, 0.55, (azimuth - 0.45 * hair.parting).abs()), hair.parting.abs());
            let ragged = 1.0 + 0.16 * noise::line(azimuth * 9.0, self.seed);
            line += hair.fringe * parted * ragged * smoothstep(1.15, 0.8, side);
        }
        let sideburn = mix(line, 60.0, smoothstep(0.92, 1.28, side));
        let ear = mix(sideburn, 46.0, smoothstep(1.44, 1.56, side));
        let short = mix(ear, 96.0, smoothstep(2.0, 2.25, side));
        match self.hanging {
            Some(end) => mix(
                short,
                end + 3.0 * noise::line(azimuth * 6.0, self.seed),
                smoothstep(hair.curtain - 0.22, hair.curtain, side),
            ),
            None => short,
        }
    }

    fn point(&self, shape: &HeadShape<'_>, azimuth: f32, down: f32) -> Vec3 {
        let border = self.border(azimuth);
        let facing = smoothstep(1.2, 0.3, azimuth.abs());
        let crest = self.front * facing * bell((down - 0.78) / 0.42);
        let rim = 1.0 - 0.7 * facing * smoothstep(0.6, 1.0, down) * if self.hair.fringe > 0.0 { 0.4 } else { 1.0 };
        let curls = self.fuzz * noise::plane(azimuth * 4.5, down * 7.0, self.seed);
        let wave = 1.6 * self.hair.waviness * (down * 17.0 + azimuth * 3.0).sin() * smoothstep(0.4, 0.8, down);
        let hang = if border > 70.0 { 3.0 * smoothstep(0.4, 1.0, down) + wave } else { 0.0 };
        let out = (self.sides * rim + curls + hang).max(0.7);
        let top = self.top + 0.5 * self.fuzz * noise::line(azimuth * 2.0, self.seed);
        let mut point = shell(shape, azimuth, down, border, top, out);
        point[2] += crest * 0.8;
        point[1] -= crest * 0.7;
        point
    }
}

/// Draws the hair, if there is any to be seen.
pub fn draw(raster: &mut Raster, view: &View, shape: &HeadShape<'_>, identity: &Identity, capture: &Capture) {
    let hair = &capture.hair;
    if hair.cut == HairCut::Bald {
        return;
    }
    let style = Style::new(identity, hair, capture);
    let columns: Vec<f32> = (0..=104).map(|j| PI * (j as f32 / 52.0 - 1.0)).collect();
    let rows: Vec<f32> = (0..=18).map(|i| i as f32 / 18.0).collect();
    let grid = Grid::new(&columns, &rows, |azimuth, down| style.point(shape, azimuth, down));
    let finish = Finish { softness: 0.6, gloss: 1.5, sharpness: 12 };
    let vertices = place(&grid, view, &capture.light, finish);
    let colour = linear(aged_hair(identity, capture.age, hair.colour));
    let buzzed = hair.cut == HairCut::Buzzed;
    let capped = matches!(capture.cover, Some(Cover::Cap { .. }));
    let seed = style.seed;
    let (bend, curly) = (1.2 * hair.waviness, hair.cut == HairCut::Curly);
    raster.grid(&vertices, grid.columns, true, |sample| {
        let [azimuth, down] = sample.at;
        if capped && sample.at[1] < 0.55 {
            return Fragment { colour: [0.0; 3], alpha: 0.0 };
        }
        let strand = if curly {
            noise::plane(azimuth * 11.0, down * 16.0, seed)
        } else {
            let combed = azimuth + bend * 0.12 * (down * 9.0).sin();
            0.6 * noise::plane(combed * 26.0, down * 3.0, seed) + 0.4 * noise::plane(combed * 9.0, down * 1.5, seed)
        };
        let ragged = 0.965 + 0.05 * strand;
        let alpha = smoothstep(ragged + 0.03, ragged - 0.03, down) * if buzzed { 0.72 } else { 1.0 };
        let root = 1.0 - 0.25 * smoothstep(0.75, 1.0, down);
        let lit = mul3(scale3(colour, (1.0 + 0.5 * strand) * root), sample.light);
        let shine = sample.gloss * (0.5 + 0.5 * strand) * 0.6;
        Fragment { colour: add3(lit, add3(scale3(colour, shine * 3.0), [shine * 0.15; 3])), alpha }
    });
}
