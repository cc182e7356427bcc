//! The head as a surface: an outline of superellipses, with nose, lips, sockets and cheekbones raised from it.
//!
//! A point of the surface is named by two numbers: its azimuth around the vertical axis (0 is the middle of the face,
//! positive to the viewer's right, radians) and its height `y`. The skin's texture uses the same two, so whatever is
//! painted stays where it is on the face however the head turns.

use std::f32::consts::PI;

use super::grid::Grid;
use super::texture::SKIN_SCALE;
use crate::synth::capture::Capture;
use crate::synth::identity::Identity;
use crate::synth::vector::{Vec3, bell, mix, smoothstep};

/// Height of the eyes' line, around which the head is built.
pub const EYE_Y: f32 = 52.0;

/// Entries of the table of sections.
const SECTIONS: usize = 512;

/// Measures of one head at one age with one expression.
pub struct HeadShape<'a> {
    identity: &'a Identity,
    /// `y` of the crown and of the chin's underside.
    pub crown: f32,
    pub chin: f32,
    middle: f32,
    /// [`Self::section`] at [`SECTIONS`] heights from crown to chin.
    sections: Vec<[f32; 4]>,
    jaw: f32,
    fullness: f32,
    sag: f32,
    smile: f32,
    open: f32,
    brow_shift: f32,
    nose_tip: f32,
}

impl<'a> HeadShape<'a> {
    /// Measures `identity` as it is in `capture`.
    pub fn new(identity: &'a Identity, capture: &Capture) -> Self {
        let years = ((capture.age - 25.0) / 45.0).clamp(-0.2, 1.1);
        let open = capture.expression.mouth_open;
        let chin = identity.head.chin_y + 4.0 * open;
        let crown = -9.0;
        let mut shape = Self {
            identity,
            crown,
            chin,
            middle: 50.0,
            sections: Vec::new(),
            jaw: identity.head.jaw + 0.06 * years,
            fullness: identity.head.fullness - 1.6 * years + 0.6,
            sag: years.max(0.0),
            smile: capture.expression.smile,
            open,
            brow_shift: 2.0 * capture.expression.brows,
            nose_tip: identity.nose.tip_y + 1.5 * years.max(0.0),
        };
        shape.sections =
            (0..SECTIONS).map(|i| shape.measure(mix(crown, chin, i as f32 / (SECTIONS - 1) as f32))).collect();
        shape
    }

    /// How far the outline has closed at `y`, 1 in the middle to 0 at crown and chin, for one exponent above and another
    /// below the middle.
    fn closing(&self, y: f32, above: f32, below: f32) -> f32 {
        let (reach, exponent) =
            if y < self.middle { (self.middle - self.crown, above) } else { (self.chin - self.middle, below) };
        let v = ((y - self.middle).abs() / reach).min(1.0);
        (1.0 - v.powf(exponent)).max(0.0).powf(1.0 / exponent)
    }

    /// Half width, front and back extent of the horizontal section at `y`, and the `z` of its centre.
    pub fn section(&self, y: f32) -> [f32; 4] {
        let place = ((y - self.crown) / (self.chin - self.crown)).clamp(0.0, 1.0) * (SECTIONS - 1) as f32;
        let low = (place as usize).min(SECTIONS - 2);
        let (a, b, t) = (self.sections[low], self.sections[low + 1], place - low as f32);
        [mix(a[0], b[0], t), mix(a[1], b[1], t), mix(a[2], b[2], t), mix(a[3], b[3], t)]
    }

    /// [`Self::section`], computed anew.
    fn measure(&self, y: f32) -> [f32; 4] {
        let head = &self.identity.head;
        let factor = if y < 52.0 {
            mix(head.forehead, 1.0, smoothstep(10.0, 52.0, y))
        } else if y < 68.0 {
            mix(1.0, head.cheek, smoothstep(52.0, 68.0, y))
        } else if y < 94.0 {
            mix(head.cheek, self.jaw, smoothstep(68.0, 94.0, y))
        } else {
            mix(self.jaw, head.chin * self.jaw, smoothstep(94.0, self.chin, y))
        };
        let width = head.width * factor * self.closing(y, 2.3, head.squareness);
        let front = head.depth * self.closing(y, 2.4, 3.2);
        let back = 54.0 * self.closing(y, 2.2, 2.0);
        let centre = 16.0 * smoothstep(80.0, self.chin, y);
        [width, front - centre * 0.4, back, centre]
    }

    /// The smooth outline, without features, dilated by `out` in every direction.
    pub fn outline(&self, azimuth: f32, y: f32, out: f32) -> Vec3 {
        let [width, front, back, centre] = self.section(y);
        let (sin, cos) = azimuth.sin_cos();
        let depth = if cos > 0.0 { front } else { back };
        [(width + out) * sin, y - EYE_Y, centre + (depth + out) * cos]
    }

    /// The surface with every feature.
    pub fn point(&self, azimuth: f32, y: f32) -> Vec3 {
        let mut point = self.outline(azimuth, y, 0.0);
        if azimuth.abs() < 1.6 {
            let s = azimuth * SKIN_SCALE;
            point[2] += self.relief(s, y);
            point[0] += self.cheek_bulge(s, y);
        }
        point
    }

    /// Fullness widens the cheeks and jowls sideways.
    fn cheek_bulge(&self, s: f32, y: f32) -> f32 {
        let side = s.signum() * smoothstep(12.0, 34.0, s.abs());
        let jowls = 2.2 * self.sag * bell((y - 98.0) / 8.0);
        side * (self.fullness * bell((y - 84.0) / 16.0) + jowls)
    }

    /// Height of the features above the outline, towards the front, at texture position `s`, `y`.
    fn relief(&self, s: f32, y: f32) -> f32 {
        let id = self.identity;
        let side = s.abs();
        let spacing = id.eyes.spacing;
        let mut z = self.nose(s, y);

        // Brow ridge, sockets and the balls in them.
        let brow_y = EYE_Y - 9.5 - self.brow_shift;
        z += id.head.brow_ridge * bell((y - brow_y) / 5.5) * smoothstep(32.0, 20.0, side);
        z -= id.eyes.socket * bell((side - spacing * 0.93) / 8.5) * bell((y - EYE_Y) / 6.5);
        z += 1.8 * bell((side - spacing) / 6.0) * bell((y - EYE_Y) / 4.2);
        z -= (0.6 + 1.2 * self.sag) * bell((side - spacing) / 8.0) * bell((y - EYE_Y - 9.0) / 3.0);

        // Cheekbones; the apples that a smile lifts; the folds beside the nose.
        z += id.head.cheekbones * bell((side - 24.0) / 9.0) * bell((y - 66.0) / 8.5);
        z += (self.fullness * 0.8 + 1.8 * self.smile.max(0.0)) * bell((side - 20.0) / 9.0) * bell((y - 76.0) / 9.0);
        let fold = 11.0 + 0.32 * (y - 74.0);
        z -= (0.5 + 0.9 * self.sag + 0.9 * self.smile.max(0.0))
            * bell((side - fold - 1.5) / 2.6)
            * bell((y - 84.0) / 9.0);

        // The mound of the teeth, the lips, the groove below them, the chin.
        let mouth = id.mouth.y;
        let width = id.mouth.width;
        z += 3.0 * bell(s / 15.0) * bell((y - mouth) / 11.0);
        let along = bell(s / (width * 0.85));
        z += (0.4 + 0.28 * id.mouth.upper) * along * bell((y - mouth + 2.2) / 2.4);
        z += (0.4 + 0.28 * id.mouth.lower) * along * bell((y - mouth - 3.0 - 5.0 * self.open) / 2.8);
        z -= 1.6 * bell(s / 10.0) * bell((y - mouth - 9.0 - 4.0 * self.open) / 3.6);
        z += (1.0 + id.head.chin_out) * bell(s / 11.0) * bell((y - self.chin + 8.0) / 6.5);
        z -= 1.4 * id.head.cleft * bell(s / 1.8) * bell((y - self.chin + 8.0) / 5.0);
        z -= 0.7 * id.mouth.philtrum * bell(s / 1.5) * bell((y - mouth + 8.0) / 4.0);
        z
    }

    fn nose(&self, s: f32, y: f32) -> f32 {
        let nose = &self.identity.nose;
        let tip = self.nose_tip;
        let top = EYE_Y - 6.0;
        if y < top - 4.0 || y > tip + 8.0 || s.abs() > 24.0 {
            return 0.0;
        }
        let t = ((y - top) / (tip - top)).clamp(0.0, 1.0);
        let s = s - nose.bend * bell((t - 0.6) * 2.4);
        let rise = smoothstep(top - 4.0, top + 6.0, y);
        let ridge = rise * (mix(nose.bridge, nose.tip, t * t * 0.55 + 0.45 * t) + nose.hump * bell((t - 0.45) * 4.5));
        let under = smoothstep(tip + 5.5, tip + 0.5, y);
        let half = mix(nose.ridge, nose.ridge + 2.4, t);
        let mut z = ridge * under * bell(s / (half * 1.55));
        z += 0.35 * ridge * under * bell(s / (half * 3.0));
        z += nose.bulb * bell(s / 5.0) * bell((y - tip + 0.5) / 4.0);
        let wing = nose.width - 2.2;
        z + (2.2 + 0.22 * nose.tip) * bell((s.abs() - wing) / 3.0) * bell((y - tip - 0.4) / 3.7)
    }

    /// The whole surface as a grid, finer where the features are.
    pub fn grid(&self) -> Grid {
        let columns: Vec<f32> = (0..=76)
            .map(|j| {
                let u = j as f32 / 38.0 - 1.0;
                PI * (0.46 * u + 0.54 * u * u * u)
            })
            .collect();
        let mut rows = Vec::with_capacity(76);
        for i in 0..14 {
            let t = i as f32 / 14.0;
            rows.push(mix(self.crown + 0.05, 38.0, t * t));
        }
        let low = self.chin - 7.0;
        let steps = 46;
        rows.extend((0..steps).map(|i| mix(38.0, low, i as f32 / steps as f32)));
        for i in 0..=10 {
            let t = i as f32 / 10.0;
            rows.push(mix(low, self.chin - 0.02, 1.0 - (1.0 - t) * (1.0 - t)));
        }
        Grid::new(&columns, &rows, |azimuth, y| self.point(azimuth, y))
    }

    /// `y` of the tip of the nose at this age.
    pub fn nose_tip(&self) -> f32 {
        self.nose_tip
    }
}
