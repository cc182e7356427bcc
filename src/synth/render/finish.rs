//! What the camera makes of the light: blur, exposure, contrast, saturation, noise, eight bits.

use super::raster::SIDE;
use crate::synth::capture::Camera;
use crate::synth::noise::hashed;
use crate::synth::vector::{Vec3, add3, scale3};

/// From linear light to the bytes of an RGB picture, row by row.
pub fn develop(mut light: Vec<Vec3>, camera: &Camera) -> Vec<u8> {
    if camera.blur > 0.0 {
        light = blur(&light, camera.blur);
    }
    let mut bytes = Vec::with_capacity(SIDE * SIDE * 3);
    for (index, value) in light.iter().enumerate() {
        // Bright parts are compressed as film does, so that highlights keep their colour.
        let shown = value.map(|v| {
            let exposed = v.max(0.0) * camera.exposure;
            (exposed * (1.0 + 0.25 * exposed) / (1.0 + 0.62 * exposed)).sqrt()
        });
        let grey = 0.3 * shown[0] + 0.59 * shown[1] + 0.11 * shown[2];
        let key = camera.noise_seed.wrapping_add(4 * index as u32);
        let speckle = hashed(key);
        for (channel, part) in shown.iter().enumerate() {
            let saturated = grey + (part - grey) * camera.saturation;
            let contrasted = 0.45 + (saturated - 0.45) * camera.contrast;
            // Two uniform numbers, one of them common to the channels: speckles more than colours.
            let grain = key.wrapping_add(channel as u32 + 1);
            let value = contrasted + (speckle + hashed(grain)) * camera.noise;
            bytes.push((value.clamp(0.0, 1.0) * 255.0 + 0.5) as u8);
        }
    }
    bytes
}

/// A binomial blur of about the given radius, along rows and then along columns.
fn blur(light: &[Vec3], radius: f32) -> Vec<Vec3> {
    let weight = 0.3 * (radius / 1.1).min(1.0);
    let pass = |source: &[Vec3], step: usize, position: &dyn Fn(usize) -> usize| {
        let mut out = Vec::with_capacity(source.len());
        for (index, &centre) in source.iter().enumerate() {
            let at = position(index);
            let before = if at == 0 { centre } else { source[index - step] };
            let after = if at == SIDE - 1 { centre } else { source[index + step] };
            let kept = scale3(centre, 1.0 - 2.0 * weight);
            out.push(add3(kept, scale3(add3(before, after), weight)));
        }
        out
    };
    let rows = pass(light, 1, &|index| index % SIDE);
    pass(&rows, SIDE, &|index| index / SIDE)
}
