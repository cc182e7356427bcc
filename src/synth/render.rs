//! One picture of one person: a small renderer of faces.
//!
//! The face is painted flat ([`texture`], [`skin`], [`eyes`], [`mouth`]) and wrapped around a head with depth
//! ([`head`], [`mesh`]), which is turned, aligned as face-recognition data is ([`camera`]), lit, and drawn with its hair
//! and whatever covers it ([`raster`], [`hair`], [`extras`]); the camera has the last word ([`finish`]).

mod camera;
mod extras;
mod eyes;
mod finish;
mod grid;
mod hair;
mod head;
mod mesh;
mod mouth;
mod raster;
mod skin;
mod texture;

use super::capture::{Backdrop, Capture};
use super::identity::Identity;
use super::noise;
use super::vector::{Vec3, add3, length2, linear, mix3, mul3, scale3, smoothstep};
use camera::View;
use head::HeadShape;
use mesh::Finish;
use raster::{Fragment, Raster};

/// Side of a picture, in pixels.
pub const SIDE: u32 = raster::SIDE as u32;

/// Draws `identity` under the circumstances of `capture`: `SIDE * SIDE * 3` bytes, RGB, row by row.
pub fn render(identity: &Identity, capture: &Capture) -> Vec<u8> {
    let shape = HeadShape::new(identity, capture);
    let view = View::new(&capture.pose, identity, &shape);
    let mut raster = Raster::new(|x, y| backdrop(&capture.backdrop, capture.camera.noise_seed, x, y));

    extras::neck(&mut raster, &view, &shape, identity, capture);
    face(&mut raster, &view, &shape, identity, capture);
    extras::ears(&mut raster, &view, &shape, identity, capture);
    hair::draw(&mut raster, &view, &shape, identity, capture);
    extras::cover(&mut raster, &view, &shape, identity, capture);
    extras::glasses(&mut raster, &view, &shape, identity, capture);
    finish::develop(raster.resolve(), &capture.camera)
}

fn face(raster: &mut Raster, view: &View, shape: &HeadShape<'_>, identity: &Identity, capture: &Capture) {
    let mut texture = skin::base(identity, capture, shape);
    skin::beard(&mut texture, identity, capture, shape);
    mouth::mouth(&mut texture, identity, capture);
    eyes::eyes(&mut texture, identity, capture);
    eyes::brows(&mut texture, identity, capture);

    let grid = shape.grid();
    let skin = Finish { softness: 0.28, gloss: 1.0, sharpness: 14 };
    let vertices = mesh::place(&grid, view, &capture.light, skin);
    raster.grid(&vertices, grid.columns, false, |sample| {
        let colour = mul3(texture.sample(sample.at[0], sample.at[1]), sample.light);
        Fragment { colour: add3(colour, [sample.gloss; 3]), alpha: 1.0 }
    });
}

/// Linear light behind the head at a position in pixels.
fn backdrop(backdrop: &Backdrop, seed: u32, x: f32, y: f32) -> Vec3 {
    let (sin, cos) = backdrop.angle.sin_cos();
    let across = ((x - 56.0) * cos + (y - 56.0) * sin) / 140.0 + 0.5;
    let mut colour = mix3(backdrop.colours[0], backdrop.colours[1], across.clamp(0.0, 1.0));
    for ([sx, sy, radius], spot) in &backdrop.spots {
        let distance = length2(x - sx, y - sy);
        colour = mix3(colour, *spot, 0.8 * smoothstep(radius * 1.25, radius * 0.75, distance));
    }
    let cloudy = 1.0 + 0.06 * noise::plane(x * 0.06, y * 0.06, seed);
    linear(scale3(colour, cloudy))
}
