//! What surrounds and covers the face: ears, neck and clothes, spectacles, cap, scarf, hand.

use std::f32::consts::PI;

use super::camera::View;
use super::grid::Grid;
use super::hair::shell;
use super::head::{EYE_Y, HeadShape};
use super::mesh::{Finish, place};
use super::raster::{Fragment, Raster, Sample};
use crate::synth::capture::{Capture, Cover};
use crate::synth::identity::{HairCut, Identity};
use crate::synth::noise;
use crate::synth::vector::{Rgb, Vec3, add3, length2, linear, mix, mix3, mul3, scale3, smoothstep};

const CLOTH: Finish = Finish { softness: 0.55, gloss: 0.0, sharpness: 4 };
const SKIN: Finish = Finish { softness: 0.55, gloss: 0.4, sharpness: 12 };
const LACQUER: Finish = Finish { softness: 0.55, gloss: 3.0, sharpness: 30 };

fn opaque(colour: Vec3, sample: &Sample) -> Fragment {
    Fragment { colour: add3(mul3(colour, sample.light), [sample.gloss; 3]), alpha: 1.0 }
}

const NOTHING: Fragment = Fragment { colour: [0.0; 3], alpha: 0.0 };

/// Both ears: dished discs, turned away from the head.
pub fn ears(raster: &mut Raster, view: &View, shape: &HeadShape<'_>, identity: &Identity, capture: &Capture) {
    let ears = &identity.ears;
    let growth = 1.0 + 0.12 * smoothstep(40.0, 75.0, capture.age);
    let size = ears.size * growth;
    let skin = linear(identity.skin.colour);
    for side in [-1.0, 1.0] {
        let root = shape.outline(side * 1.6, ears.y, -1.5);
        let away = [side * ears.spread.sin(), 0.0, -ears.spread.cos()];
        let radii: Vec<f32> = (0..=5).map(|i| i as f32 / 5.0).collect();
        let angles: Vec<f32> = (0..=16).map(|j| PI * j as f32 / 8.0).collect();
        let grid = Grid::new(&angles, &radii, |angle, radius| {
            let (sin, cos) = angle.sin_cos();
            let reach = size * (4.6 + radius * cos * (5.4 - 1.6 * sin));
            let dish = -1.6 * side * (1.0 - radius * radius);
            add3(root, [away[0] * reach + dish * away[2].abs(), size * 10.5 * radius * sin, away[2] * reach])
        });
        let vertices = place(&grid, view, &capture.light, SKIN);
        raster.grid(&vertices, grid.columns, true, |sample| {
            let radius = sample.at[1];
            let shade = 0.42 + 0.58 * smoothstep(0.15, 0.75, radius) - 0.12 * smoothstep(0.9, 1.0, radius);
            opaque(mul3(skin, [1.02 * shade, 0.86 * shade, 0.84 * shade]), sample)
        });
    }
}

/// Neck, shoulders and collar.
pub fn neck(raster: &mut Raster, view: &View, shape: &HeadShape<'_>, identity: &Identity, capture: &Capture) {
    let radius = identity.head.width * 0.66;
    let columns: Vec<f32> = (0..=24).map(|j| 2.2 * (j as f32 / 12.0 - 1.0)).collect();
    let rows: Vec<f32> = (0..=16).map(|i| 84.0 + 5.0 * i as f32).collect();
    let grid = Grid::new(&columns, &rows, |azimuth, y| {
        let wide = radius + 60.0 * smoothstep(118.0, 160.0, y);
        let (sin, cos) = azimuth.sin_cos();
        [wide * sin, y - EYE_Y, -14.0 + radius * 0.9 * cos + 0.12 * (y - 100.0).max(0.0)]
    });
    let vertices = place(&grid, view, &capture.light, CLOTH);
    let (skin, cloth) = (linear(identity.skin.colour), linear(capture.backdrop.clothes));
    let chin = shape.chin;
    raster.grid(&vertices, grid.columns, false, |sample| {
        let [azimuth, y] = sample.at;
        let shadow = mix(0.32, 0.85, smoothstep(chin - 6.0, chin + 16.0, y));
        let collar = smoothstep(121.0, 122.5, y - 3.0 * azimuth.cos());
        opaque(mix3(scale3(skin, shadow), cloth, collar), sample)
    });
}

/// Spectacles, clear or dark, when this picture has them.
pub fn glasses(raster: &mut Raster, view: &View, shape: &HeadShape<'_>, identity: &Identity, capture: &Capture) {
    let dark = matches!(capture.cover, Some(Cover::Sunglasses));
    if !dark && !capture.glasses {
        return;
    }
    let frame = &identity.glasses;
    let (wide, high, rim) = if dark { (15.0, 10.5, 1.4) } else { (frame.width, frame.height, frame.rim) };
    let colour = linear(if dark { [0.05, 0.05, 0.05] } else { frame.colour });
    let centre = (identity.eyes.spacing + 0.8).max(wide + 1.6);
    let front = shape.outline(0.0, EYE_Y, 0.0)[2] + identity.nose.bridge.max(3.0) + 2.0;
    let edge = centre + wide;
    let bent = |x: f32| front - 0.009 * x * x;

    let columns: Vec<f32> = (0..=20).map(|j| (edge + 2.0) * (j as f32 / 10.0 - 1.0)).collect();
    let rows = [38.0, 46.0, 54.0, 62.0, 70.0];
    let plane = Grid::new(&columns, &rows, |x, y| [x, y - EYE_Y, bent(x)]);
    let vertices = place(&plane, view, &capture.light, LACQUER);
    raster.grid(&vertices, plane.columns, true, |sample| {
        let [x, y] = sample.at;
        let (u, v) = ((x.abs() - centre).abs() / wide, (y - 53.5).abs() / high);
        let norm = (u.powf(frame.shape) + v.powf(frame.shape)).powf(1.0 / frame.shape);
        let distance = (norm - 1.0) * high;
        let ring = smoothstep(rim + 0.4, rim - 0.4, distance.abs());
        let bridge = smoothstep(rim + 0.4, rim - 0.4, (y - 50.0 + 0.06 * x * x).abs())
            * smoothstep(centre - wide + 0.5, centre - wide, x.abs());
        let solid = ring.max(bridge);
        if solid > 0.02 {
            return Fragment { alpha: solid, ..opaque(colour, sample) };
        }
        if distance < 0.0 {
            let glint = smoothstep(0.5, 0.0, ((x - 0.7 * (y - 46.0)).rem_euclid(37.0) - 9.0).abs() - 2.0);
            let tint = if dark { [0.012, 0.012, 0.016] } else { [0.9, 0.95, 1.0] };
            let alpha = if dark { 0.94 - 0.12 * glint } else { 0.03 + 0.06 * glint };
            return Fragment { colour: if dark { add3(tint, [0.05 * glint; 3]) } else { tint }, alpha };
        }
        NOTHING
    });

    for side in [-1.0, 1.0] {
        let depths: Vec<f32> = (0..=6).map(|i| i as f32 / 6.0).collect();
        let heights = [49.5 - rim, 49.5 + rim];
        let arm = Grid::new(&depths, &heights, |t, y| {
            let ear = shape.outline(side * 1.62, y, 1.8);
            let hinge = [side * edge, y - EYE_Y, bent(edge)];
            let bulge = (identity.head.width * 1.04 - edge).max(0.0) * smoothstep(0.0, 0.45, t);
            [mix(hinge[0], ear[0], t).abs().max(edge + bulge * 0.9) * side, hinge[1], mix(hinge[2], ear[2], t)]
        });
        let vertices = place(&arm, view, &capture.light, LACQUER);
        raster.grid(&vertices, arm.columns, true, |sample| opaque(colour, sample));
    }
}

/// Cap, scarf or hand, when this picture has one.
pub fn cover(raster: &mut Raster, view: &View, shape: &HeadShape<'_>, identity: &Identity, capture: &Capture) {
    match &capture.cover {
        Some(Cover::Cap { colour, edge }) => cap(raster, view, shape, capture, *colour, *edge),
        Some(Cover::Scarf { colour, edge }) => scarf(raster, view, shape, capture, *colour, *edge),
        Some(Cover::Hand { side, x, y }) => hand(raster, identity, capture, *side, [*x, *y]),
        Some(Cover::Sunglasses) | None => {}
    }
}

fn cap(raster: &mut Raster, view: &View, shape: &HeadShape<'_>, capture: &Capture, colour: Rgb, edge: f32) {
    let thick = match capture.hair.cut {
        HairCut::Bald | HairCut::Buzzed | HairCut::TiedBack => 3.5,
        _ => 6.0,
    };
    let columns: Vec<f32> = (0..=48).map(|j| PI * (j as f32 / 24.0 - 1.0)).collect();
    let rows: Vec<f32> = (0..=12).map(|i| i as f32 / 12.0).collect();
    let grid = Grid::new(&columns, &rows, |azimuth, down| {
        let border = mix(edge, edge + 26.0, smoothstep(0.5, 2.0, azimuth.abs()));
        let cuff = 1.6 * smoothstep(0.78, 0.82, down);
        shell(shape, azimuth, down, border, thick + 2.0, thick + cuff)
    });
    let vertices = place(&grid, view, &capture.light, CLOTH);
    let cloth = linear(colour);
    raster.grid(&vertices, grid.columns, true, |sample| {
        let rib = 1.0 + 0.12 * (sample.at[0] * 40.0).sin();
        let seam = 1.0 - 0.35 * smoothstep(0.02, 0.0, (sample.at[1] - 0.8).abs());
        opaque(scale3(cloth, rib * seam), sample)
    });
}

fn scarf(raster: &mut Raster, view: &View, shape: &HeadShape<'_>, capture: &Capture, colour: Rgb, edge: f32) {
    let columns: Vec<f32> = (0..=40).map(|j| 2.3 * (j as f32 / 20.0 - 1.0)).collect();
    let rows: Vec<f32> = (0..=14).map(|i| i as f32 / 14.0).collect();
    let seed = capture.camera.noise_seed;
    let grid = Grid::new(&columns, &rows, |azimuth, down| {
        let top = edge - 5.0 * smoothstep(0.4, 1.6, azimuth.abs()) + 2.0 * noise::line(azimuth * 2.0, seed);
        let y = mix(top, 150.0, down);
        let fold = 1.6 * noise::plane(azimuth * 1.2, y * 0.16, seed);
        let mut point = shape.outline(azimuth, y.min(88.0), 6.0 + fold);
        point[1] = y - EYE_Y;
        point
    });
    let vertices = place(&grid, view, &capture.light, CLOTH);
    let cloth = linear(colour);
    raster.grid(&vertices, grid.columns, true, |sample| {
        let knit = 1.0 + 0.2 * noise::plane(sample.at[0] * 14.0, sample.at[1] * 9.0, seed);
        opaque(scale3(cloth, knit), sample)
    });
}

/// Four fingers reaching in from the lower corner of one side.
fn hand(raster: &mut Raster, identity: &Identity, capture: &Capture, side: f32, tip: [f32; 2]) {
    let skin = linear(identity.skin.colour);
    let light = &capture.light;
    let root = [56.0 + side * 62.0, 132.0];
    let (dx, dy) = (tip[0] - root[0], tip[1] - root[1]);
    let length = length2(dx, dy);
    let along = [dx / length, dy / length];
    raster.overlay([0.0, 30.0, 112.0, 112.0], |x, y| {
        let (rx, ry) = (x - root[0], y - root[1]);
        let (t, across) = (rx * along[0] + ry * along[1], (rx * along[1] - ry * along[0]) * side);
        let finger = ((across + 15.0) / 8.4).floor().clamp(0.0, 3.0);
        let reach = length - [4.0, 0.0, 1.5, 7.0][finger as usize];
        let offset = across - (finger * 8.4 - 10.8);
        let past = (t - reach).max(0.0);
        let distance = length2(offset, past);
        let radius = 4.5;
        if distance > radius + 0.4 {
            return NOTHING;
        }
        let bulge = (1.0 - (distance / radius).powi(2)).max(0.0).sqrt();
        let nail = smoothstep(0.4, -0.4, length2((t - reach + 0.5) / 3.2, offset / 2.5) - 1.0);
        let power = [0, 1, 2].map(|c| light.ambient[c] * (0.5 + 0.5 * bulge) + light.key[c] * (0.15 + 0.6 * bulge));
        let crease = 1.0 - 0.2 * smoothstep(0.8, 0.0, (t - reach + 11.0).abs());
        let base = mix3(skin, [0.75, 0.5, 0.45], 0.3 * nail);
        Fragment { colour: mul3(scale3(base, crease), power), alpha: smoothstep(radius + 0.4, radius - 0.4, distance) }
    });
}
