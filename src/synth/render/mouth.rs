//! The mouth: lips, the line between them, and teeth when it is open.

use super::texture::{SOFT, Texture};
use crate::synth::capture::Capture;
use crate::synth::identity::Identity;
use crate::synth::vector::{bell, mix, mix3, smoothstep};

/// Paints the mouth.
pub fn mouth(texture: &mut Texture, identity: &Identity, capture: &Capture) {
    let mouth = &identity.mouth;
    let face = &capture.expression;
    let years = smoothstep(35.0, 75.0, capture.age);
    let smile = face.smile.max(0.0);
    let width = mouth.width * (1.0 + 0.17 * face.smile - 0.06 * face.mouth_open);
    let thin = (1.0 - 0.28 * years) * (1.0 - 0.2 * smile);
    let (upper, lower) = (mouth.upper * thin, mouth.lower * thin);
    let gap = 8.5 * face.mouth_open * (1.0 - 0.25 * smile);
    let corners = -1.4 * mouth.corners.max(-1.4) - 3.2 * face.smile + 0.8 * years;

    let along = move |s: f32| 1.0 - (s / width).powi(2);
    let seam = move |s: f32| mouth.y + corners * (1.0 - along(s).max(0.0)) + 0.5 * bell(s / 3.0);
    let top = move |s: f32| {
        let bow = 1.0 - 0.16 * mouth.cupid * (bell(s / 2.3) - 0.6 * bell((s.abs() - 4.2) / 3.0));
        seam(s) - upper * rounded(along(s), 0.5) * bow
    };
    let open_to = move |s: f32| seam(s) + gap * rounded(along(s), 0.4);
    let bottom = move |s: f32| open_to(s) + lower * rounded(along(s), 0.75);
    let bounds = [-width - 3.0, mouth.y - 12.0, width + 3.0, mouth.y + 20.0];

    let skin = identity.skin.colour;
    let red = mix3([0.72, 0.30, 0.30], [0.34, 0.14, 0.14], identity.skin.tone * 0.8);
    let redness = (mouth.redness * (0.75 + 0.4 * capture.make_up) * (1.0 - 0.3 * years)).min(1.0);
    let lip = mix3(skin, red, 0.35 + 0.6 * redness);
    texture.paint(bounds, lip, |s, y| {
        let inside = (y - top(s)).min(bottom(s) - y).min(width - s.abs());
        smoothstep(-SOFT, SOFT, inside)
    });
    // The upper lip turns from the light, the lower one towards it.
    texture.shade(bounds, |s, y| {
        let covered = smoothstep(-SOFT, SOFT, (y - top(s)).min(bottom(s) - y).min(width - s.abs()));
        let above = 0.16 * smoothstep(0.6, -0.6, y - seam(s));
        let shine = -0.10 * bell((y - open_to(s) - 0.45 * lower) / (0.32 * lower + 0.2)) * bell(s / (0.6 * width));
        covered * (above + shine)
    });
    if gap > 0.6 {
        let inside = move |s: f32, y: f32| {
            smoothstep(-SOFT, SOFT, (y - seam(s)).min(open_to(s) - y).min(0.94 * width - s.abs()))
        };
        texture.paint(bounds, [0.22, 0.07, 0.07], inside);
        texture.paint(bounds, [0.92, 0.89, 0.82], |s, y| {
            let teeth =
                smoothstep(3.9 + SOFT, 3.9 - SOFT, y - seam(s)) * smoothstep(0.86 * width, 0.7 * width, s.abs());
            let between = 1.0 - 0.25 * smoothstep(0.65, 0.9, (s * 0.36 * std::f32::consts::PI).cos().abs());
            inside(s, y) * teeth * between
        });
        texture.shade(bounds, |s, y| 0.5 * inside(s, y) * smoothstep(2.0, 0.0, y - seam(s)));
    }
    let line = if gap > 0.6 { 0.35 } else { 0.72 };
    texture.paint(bounds, mix3(skin, [0.16, 0.05, 0.05], 0.8), |s, y| {
        let ends = smoothstep(width + 1.2, width - 1.5, s.abs());
        line * ends * smoothstep(1.15, 0.25, (y - seam(s)).abs())
    });
    // Dimples where the corners end.
    texture.shade([-width - 5.0, mouth.y - 10.0, width + 5.0, mouth.y + 8.0], |s, y| {
        0.22 * (0.5 + 0.5 * smile) * bell((s.abs() - width - 0.6) / 1.6) * bell((y - mouth.y - corners) / 1.8)
    });
}

/// A lip's height along it: a parabola (`roundness` 0) to a half ellipse (1).
#[inline]
fn rounded(along: f32, roundness: f32) -> f32 {
    let open = along.max(0.0);
    mix(open, open.sqrt(), roundness)
}
