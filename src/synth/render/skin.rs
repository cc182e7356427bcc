//! The skin: tone, blush, pores, freckles, moles, the shadows of its hollows, the lines of age, and the beard.

use super::head::{EYE_Y, HeadShape};
use super::texture::{SOFT, Texture};
use crate::synth::capture::Capture;
use crate::synth::identity::Identity;
use crate::synth::noise;
use crate::synth::vector::{Rgb, bell, mix, mix3, scale3, smoothstep};

/// The hair's colour at an age: grey sets in around the person's own time.
pub fn aged_hair(identity: &Identity, age: f32, colour: Rgb) -> Rgb {
    let grey = smoothstep(identity.hair.grey_age - 14.0, identity.hair.grey_age + 10.0, age);
    mix3(colour, [0.72, 0.72, 0.71], 0.88 * grey)
}

/// How far along the years are: 0 up to 25, 1 at 70 and above.
fn years(capture: &Capture) -> f32 {
    smoothstep(24.0, 74.0, capture.age)
}

/// Bare skin with its shadows and marks; eyes, brows and mouth are painted over it.
pub fn base(identity: &Identity, capture: &Capture, shape: &HeadShape<'_>) -> Texture {
    let skin = &identity.skin;
    let years = years(capture);
    let colour = mix3(skin.colour, scale3([0.86, 0.80, 0.76], skin.colour[0]), 0.12 * years);
    let blush = 0.35 + 0.65 * skin.blush;
    let grain = 0.016 + 0.014 * years;
    let mut texture = Texture::new(|s, y| {
        let mottle =
            grain * noise::plane(s * 0.9, y * 0.9, skin.grain) + 0.02 * noise::plane(s * 0.13, y * 0.13, skin.grain);
        let cheeks = bell((s.abs() - 21.0) / 11.0) * bell((y - 74.0) / 11.0);
        let nose = 0.8 * bell(s / 8.0) * bell((y - shape.nose_tip()) / 7.0);
        let red = blush * 0.07 * (cheeks + nose).min(1.0);
        let lit = 1.0 + mottle;
        [(colour[0] + 0.3 * red) * lit, (colour[1] - 0.7 * red) * lit, (colour[2] - 0.6 * red) * lit]
    });
    hollows(&mut texture, identity, shape);
    marks(&mut texture, identity, years);
    lines(&mut texture, identity, capture, years);
    texture
}

/// Shadows that do not depend on the lamp: where little of the sky is seen.
fn hollows(texture: &mut Texture, identity: &Identity, shape: &HeadShape<'_>) {
    let eyes = &identity.eyes;
    let nose = &identity.nose;
    let tip = shape.nose_tip();
    let mouth = identity.mouth.y;
    texture.shade([-40.0, 34.0, 40.0, 66.0], |s, y| {
        let side = s.abs();
        let inner = 0.30 * bell((side - 8.5) / 4.0) * bell((y - EYE_Y + 1.0) / 6.0);
        let lid = 0.20 * bell((side - eyes.spacing) / 9.0) * bell((y - EYE_Y + 5.0) / 3.6);
        let ring = 0.17 * eyes.rings * bell((side - eyes.spacing + 1.5) / 7.0) * bell((y - EYE_Y - 7.0) / 3.0);
        (inner + lid) * (0.45 + 0.13 * eyes.socket) + ring
    });
    texture.shade([-26.0, 50.0, 26.0, 90.0], |s, y| {
        let side = s.abs();
        let t = ((y - 50.0) / (tip - 50.0)).clamp(0.0, 1.0);
        let flank = 0.15
            * bell((side - mix(nose.ridge + 2.0, nose.width, t)) / 2.6)
            * smoothstep(50.0, 60.0, y)
            * smoothstep(tip + 3.0, tip, y);
        let under = 0.34 * bell(s / (nose.width * 0.95)) * bell((y - tip - 4.8) / 2.4);
        let crease = 0.30 * bell((side - nose.width - 0.6) / 1.3) * bell((y - tip) / 3.6);
        let glow = -0.07 * bell(s / 3.0) * bell((y - tip + 1.5) / 3.0);
        flank + under + crease + glow
    });
    for side in [-1.0, 1.0] {
        let centre = side * nose.width * 0.5;
        let (wide, high) = (2.1 * nose.nostrils * nose.width / 8.0, 1.35 * nose.nostrils);
        texture.paint(
            [centre - 6.0, tip - 1.0, centre + 6.0, tip + 8.0],
            scale3(identity.skin.colour, 0.22),
            |s, y| {
                let (u, v) = ((s - centre) / wide, (y - tip - 3.4 + 0.25 * (s - centre) * side) / high);
                0.85 * smoothstep(1.35, 0.6, (u * u + v * v).sqrt())
            },
        );
    }
    texture.shade([-20.0, 74.0, 20.0, 126.0], |s, y| {
        let groove = 0.12 * identity.mouth.philtrum * bell(s / 1.6) * bell((y - mouth + 8.0) / 4.0);
        let below = 0.22 * bell(s / 9.0) * bell((y - mouth - identity.mouth.lower - 4.0) / 2.6);
        let cleft = 0.22 * identity.head.cleft * bell(s / 1.6) * bell((y - shape.chin + 8.0) / 5.0);
        groove + below + cleft
    });
    // The underside of the jaw.
    texture.shade([-66.0, 84.0, 66.0, 126.0], |_, y| 0.45 * smoothstep(shape.chin - 5.0, shape.chin + 0.5, y));
}

fn marks(texture: &mut Texture, identity: &Identity, years: f32) {
    let skin = &identity.skin;
    let brown = mix3(skin.colour, [0.42, 0.24, 0.14], 0.6);
    let freckles = skin.freckles + 0.25 * years;
    if freckles > 0.05 {
        texture.paint([-42.0, 46.0, 42.0, 92.0], brown, |s, y| {
            let spot = noise::plane(s * 0.75, y * 0.75, skin.grain ^ 0x5a5a);
            let where_sunny = bell((s.abs() - 14.0) / 16.0) * bell((y - 68.0) / 14.0);
            freckles * 0.75 * smoothstep(0.32, 0.6, spot) * where_sunny
        });
    }
    for &[s0, y0, radius] in &skin.moles {
        texture.paint([s0 - 3.0, y0 - 3.0, s0 + 3.0, y0 + 3.0], scale3(skin.colour, 0.34), |s, y| {
            let distance = ((s - s0).powi(2) + (y - y0).powi(2)).sqrt();
            0.85 * smoothstep(radius + SOFT, radius - SOFT, distance)
        });
    }
}

/// Lines of age and of expression.
fn lines(texture: &mut Texture, identity: &Identity, capture: &Capture, years: f32) {
    let depth = identity.wrinkling * years;
    let smile = capture.expression.smile.max(0.0);
    let raised = capture.expression.brows.max(0.0);
    let grain = identity.skin.grain;
    let spacing = identity.eyes.spacing;
    let forehead = 0.21 * depth + 0.06 * raised;
    if forehead > 0.02 {
        texture.shade([-30.0, 16.0, 30.0, 40.0], |s, y| {
            let bend = 1.6 * noise::line(s * 0.07, grain) + 0.0022 * s * s;
            let wave = [20.5, 26.0, 31.5].iter().map(|line| bell((y - line - bend) / 0.85)).sum::<f32>();
            forehead * wave * smoothstep(30.0, 14.0, s.abs())
        });
    }
    let frown = 0.24 * depth + 0.12 * (-capture.expression.brows).max(0.0);
    texture.shade([-6.0, 34.0, 6.0, 52.0], |s, y| frown * bell((s.abs() - 2.4) / 0.8) * bell((y - 43.0) / 5.0));
    let crow = 0.27 * depth + 0.10 * smile;
    let corner = spacing + identity.eyes.width;
    texture.shade([-44.0, 40.0, 44.0, 66.0], |s, y| {
        let (out, up) = (s.abs() - corner - 1.5, y - EYE_Y);
        if !(0.0..10.0).contains(&out) {
            return 0.0;
        }
        let rays = [-0.55, 0.05, 0.6].iter().map(|slope| bell((up - slope * out) / 0.8)).sum::<f32>();
        crow * rays * smoothstep(9.0, 4.0, out) * smoothstep(0.0, 1.5, out)
    });
    let bag = 0.24 * depth;
    texture.shade([-36.0, 54.0, 36.0, 70.0], |s, y| {
        let across = s.abs() - spacing;
        bag * bell((y - EYE_Y - 9.0 + 0.035 * across * across) / 1.1) * smoothstep(9.5, 6.0, across.abs())
    });
    let tip = identity.nose.tip_y;
    let fold = 0.06 + 0.27 * depth + 0.15 * smile;
    let mouth = identity.mouth.y;
    texture.shade([-30.0, tip - 4.0, 30.0, 108.0], |s, y| {
        let along = (y - tip + 2.0) / (mouth + 3.0 - tip);
        let place = mix(identity.nose.width + 1.6, identity.mouth.width + 5.5, along.clamp(0.0, 1.2));
        let nasal = fold * bell((s.abs() - place) / 1.5) * smoothstep(-0.1, 0.2, along) * smoothstep(1.15, 0.7, along);
        let drop = 0.22 * depth * bell((s.abs() - identity.mouth.width - 2.0) / 1.1) * bell((y - mouth - 7.0) / 4.5);
        nasal + drop
    });
}

/// Moustache, beard and stubble.
pub fn beard(texture: &mut Texture, identity: &Identity, capture: &Capture, shape: &HeadShape<'_>) {
    let beard = &identity.beard;
    let colour = aged_hair(identity, capture.age + 4.0, scale3(identity.hair.colour, 0.85));
    let mouth = identity.mouth.y;
    let width = identity.mouth.width;
    let tip = shape.nose_tip();
    let grain = identity.skin.grain ^ 0x33;
    texture.paint([-64.0, 58.0, 64.0, 126.0], colour, |s, y| {
        let side = s.abs();
        let lip_top = mouth - identity.mouth.upper - 0.5;
        let lip_bottom = mouth + identity.mouth.lower + 1.5;
        let above =
            smoothstep(tip + 4.5, tip + 7.5, y + 0.12 * side) * smoothstep(lip_top + 2.0, lip_top, y - 0.16 * side);
        let moustache = beard.moustache * above * smoothstep(width + 6.0, width + 1.5, side);
        let chin = smoothstep(lip_bottom + 1.0, lip_bottom + 5.0, y + 0.4 * (side - 6.0).max(0.0))
            * smoothstep(width + 7.0, width + 1.0, side);
        let frame = smoothstep(width - 1.0, width + 3.5, side)
            * smoothstep(mouth - 10.0, mouth - 2.0, y)
            * smoothstep(width + 8.0, width + 4.0, side);
        let edge = 104.0 - 0.98 * side;
        let cheeks =
            smoothstep(edge, edge + 7.0, y) * smoothstep(60.0, 70.0, y) * smoothstep(width + 1.0, width + 6.0, side);
        let whole = moustache.max(beard.chin * chin.max(frame * beard.moustache)).max(beard.cheeks * cheeks);
        let shadow = beard.stubble * above.max(chin).max(cheeks) * 0.55;
        let strands = 0.78 + 0.30 * noise::plane(s * 1.3, y * 0.55, grain);
        (whole * capture.beard).min(1.0).max(shadow) * strands
    });
}
