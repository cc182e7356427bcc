//! Eyes and eyebrows, painted on the skin.

use super::head::EYE_Y;
use super::skin::aged_hair;
use super::texture::{SOFT, Texture};
use crate::synth::capture::Capture;
use crate::synth::identity::Identity;
use crate::synth::noise;
use crate::synth::vector::{bell, length2, mix, mix3, scale3, smoothstep};

/// Paints both eyes.
pub fn eyes(texture: &mut Texture, identity: &Identity, capture: &Capture) {
    for side in [-1.0, 1.0] {
        Eye::new(identity, capture, side).paint(texture);
    }
}

/// One eye in its own axes: `u` outwards, `v` down, both from its centre.
struct Eye<'a> {
    identity: &'a Identity,
    side: f32,
    slant: (f32, f32),
    width: f32,
    /// Heights of the open upper and lower lid.
    upper: f32,
    lower: f32,
    /// Height of the open upper lid, however closed it is now.
    full: f32,
    gaze: [f32; 2],
    droop: f32,
}

impl<'a> Eye<'a> {
    fn new(identity: &'a Identity, capture: &Capture, side: f32) -> Self {
        let eyes = &identity.eyes;
        let droop = smoothstep(40.0, 75.0, capture.age);
        let open = capture.expression.lids * (1.0 - 0.08 * droop);
        let smile = capture.expression.smile.max(0.0);
        Self {
            identity,
            side,
            slant: (eyes.slant - 0.06 * droop).sin_cos(),
            width: eyes.width,
            upper: eyes.height * 1.25 * (1.9 * open - 0.9),
            lower: eyes.height * (0.62 - 0.16 * smile),
            full: eyes.height * 1.25,
            gaze: [capture.expression.gaze[0] * 0.26 * eyes.width, capture.expression.gaze[1] * 0.3 * eyes.height],
            droop,
        }
    }

    fn axes(&self, s: f32, y: f32) -> (f32, f32) {
        let (x, y) = (s * self.side - self.identity.eyes.spacing, y - EYE_Y);
        let (sin, cos) = self.slant;
        (x * cos - y * sin, y * cos + x * sin)
    }

    /// `v` of a lid arching by `height` (up is negative) at `u`.
    fn lid(&self, u: f32, height: f32) -> f32 {
        let t = (u / self.width).clamp(-1.0, 1.0);
        let skewed = t - self.identity.eyes.peak * 0.5 * (1.0 - t * t);
        // Between a parabola and a half circle.
        let open = (1.0 - skewed * skewed).max(0.0);
        -height * mix(open, open.sqrt(), 0.4)
    }

    /// Signed depth inside the opening, in pixels.
    fn inside(&self, u: f32, v: f32) -> f32 {
        let ends = self.width - u.abs();
        let lids = (v - self.lid(u, self.upper)).min(-v - self.lid(u, self.lower) + 0.0);
        lids.min(ends)
    }

    fn paint(&self, texture: &mut Texture) {
        let eyes = &self.identity.eyes;
        let skin = self.identity.skin.colour;
        let centre = self.side * eyes.spacing;
        let bounds = [centre - 13.0, EYE_Y - 12.0, centre + 13.0, EYE_Y + 11.0];
        let iris_at = [self.gaze[0] * self.side, -0.18 * eyes.height + self.gaze[1]];

        // The fold above the lid.
        if eyes.crease > 0.0 {
            let height = self.full + eyes.crease - 0.8 * self.droop;
            texture.shade(bounds, |s, y| {
                let (u, v) = self.axes(s, y);
                0.36 * bell((v - self.lid(u * 0.9, height)) / 0.95) * smoothstep(1.15, 0.8, u.abs() / self.width)
            });
        }
        // The white, rounded by shade towards its edges and under the lid.
        texture.paint(bounds, [0.93, 0.91, 0.89], |s, y| {
            let (u, v) = self.axes(s, y);
            smoothstep(-SOFT, SOFT, self.inside(u, v))
        });
        texture.shade(bounds, |s, y| {
            let (u, v) = self.axes(s, y);
            let within = smoothstep(-SOFT, SOFT, self.inside(u, v));
            let round = 0.22 * (u / self.width).powi(2);
            let under_lid = 0.42 * smoothstep(2.6, 0.0, v - self.lid(u, self.upper));
            within * (round + under_lid)
        });
        texture.paint(bounds, mix3(skin, [0.86, 0.48, 0.44], 0.6), |s, y| {
            let (u, v) = self.axes(s, y);
            smoothstep(-SOFT, SOFT, self.inside(u, v)) * smoothstep(2.4, 1.0, length2(u + self.width, v))
        });
        self.iris(texture, bounds, iris_at);

        // Lashes above, a softer line below.
        let dark = mix3([0.05, 0.04, 0.04], skin, 0.25 * (1.0 - eyes.lashes));
        texture.paint(bounds, dark, |s, y| {
            let (u, v) = self.axes(s, y);
            let t = u / self.width;
            let weight = (0.55 + 0.75 * eyes.lashes) * (0.75 + 0.35 * t);
            let above = smoothstep(weight + SOFT, weight - SOFT, (v - self.lid(u, self.upper) + 0.4).abs());
            let below = 0.34 * eyes.lashes * smoothstep(1.3, 0.2, (v + self.lid(u, self.lower)).abs());
            let flick = eyes.lashes
                * smoothstep(1.1, 0.3, (v + 0.8 * (u - self.width)).abs())
                * smoothstep(2.4, 0.6, (t - 1.1).abs() * 6.0);
            let ends = smoothstep(1.04, 0.96, t.abs());
            (above.max(below) * ends).max(0.6 * flick) * 0.92
        });
    }

    fn iris(&self, texture: &mut Texture, bounds: [f32; 4], at: [f32; 2]) {
        let eyes = &self.identity.eyes;
        let radius = eyes.iris_radius;
        let distance = |u: f32, v: f32| length2(u - at[0], v - at[1]);
        let within = |u: f32, v: f32| smoothstep(-SOFT, SOFT, self.inside(u, v));
        texture.paint(bounds, scale3(eyes.iris, 0.45), |s, y| {
            let (u, v) = self.axes(s, y);
            within(u, v) * smoothstep(radius + SOFT, radius - SOFT, distance(u, v))
        });
        texture.paint(bounds, eyes.iris, |s, y| {
            let (u, v) = self.axes(s, y);
            let d = distance(u, v);
            within(u, v)
                * smoothstep(radius - 0.4, radius - 1.5, d)
                * mix(0.75, 1.0, smoothstep(-radius, radius, v - at[1]))
        });
        texture.paint(bounds, [0.02, 0.02, 0.02], |s, y| {
            let (u, v) = self.axes(s, y);
            within(u, v) * smoothstep(0.42 * radius + SOFT, 0.42 * radius - SOFT, distance(u, v))
        });
        texture.paint(bounds, [1.0, 1.0, 1.0], |s, y| {
            let (u, v) = self.axes(s, y);
            let spot = length2((u - at[0]) * self.side + 1.2, v - at[1] + 1.2);
            0.9 * within(u, v) * smoothstep(1.25, 0.35, spot)
        });
        texture.shade(bounds, |s, y| {
            let (u, v) = self.axes(s, y);
            let d = distance(u, v);
            0.35 * within(u, v)
                * smoothstep(radius + SOFT, radius - SOFT, d)
                * smoothstep(2.2, 0.2, v - self.lid(u, self.upper))
        });
    }
}

/// Paints both eyebrows.
pub fn brows(texture: &mut Texture, identity: &Identity, capture: &Capture) {
    let brows = &identity.brows;
    let colour =
        aged_hair(identity, capture.age - 10.0, mix3(scale3(identity.hair.colour, 0.7), [0.12, 0.09, 0.07], 0.35));
    let lift = 2.2 * capture.expression.brows;
    let squeeze = 1.6 * (-capture.expression.brows).max(0.0);
    let density = brows.density * (1.0 - 0.2 * smoothstep(45.0, 75.0, capture.age));
    let height = EYE_Y - brows.height - lift;
    texture.paint([-40.0, 24.0, 40.0, 54.0], colour, |s, y| {
        let t = (s.abs() - brows.inner + squeeze) / brows.length;
        if !(-0.15..1.15).contains(&t) {
            return 0.0;
        }
        let rise =
            brows.arch * bell((t - 0.62) / 0.62) + brows.slant * brows.length * (t - 0.4) + 0.9 * lift * (0.3 - t);
        let line = height - rise + 1.2 * squeeze * (0.5 - t).max(0.0) + 2.6 * smoothstep(0.6, 1.1, t);
        let thick = brows.thickness * (smoothstep(-0.12, 0.14, t) * mix(1.05, 0.38, smoothstep(0.35, 1.0, t)));
        let hairs = 0.82 + 0.28 * noise::plane(s * 1.5 + 0.9 * y, y * 0.8, identity.skin.grain ^ 0x77);
        density
            * hairs
            * smoothstep(thick + 1.0, thick - 1.0, (y - line).abs())
            * smoothstep(1.06, 0.94, t)
            * smoothstep(-0.1, 0.06, t)
    });
}
