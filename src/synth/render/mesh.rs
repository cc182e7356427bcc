//! Grids lit and projected: the vertices that are drawn.

use super::camera::View;
use super::grid::Grid;
use crate::synth::capture::Light;
use crate::synth::vector::{Vec3, add3, dot3, normalize3, scale3};

/// A vertex ready to be drawn.
#[derive(Debug, Clone, Copy, Default)]
pub struct Vertex {
    /// Picture position in pixels, and depth (larger is nearer).
    pub place: Vec3,
    /// Surface parameters.
    pub at: [f32; 2],
    /// Light received, to be multiplied by the surface's linear colour.
    pub light: Vec3,
    /// Highlight, to be added.
    pub gloss: f32,
}

/// How a surface answers light.
#[derive(Debug, Clone, Copy)]
pub struct Finish {
    /// Share of the light that creeps around the edge of the shadow (skin and hair: soft; lacquer: 0).
    pub softness: f32,
    /// Strength and sharpness of highlights.
    pub gloss: f32,
    pub sharpness: i32,
}

/// Light at a point with unit normal `normal` (camera axes): the part to multiply, and the highlight.
#[inline]
pub fn illuminate(light: &Light, finish: Finish, normal: Vec3, shadow: f32) -> (Vec3, f32) {
    let facing = dot3(normal, light.direction);
    let direct = ((facing + finish.softness) / (1.0 + finish.softness)).max(0.0) * shadow;
    let sky = 0.78 - 0.22 * normal[1];
    // Some light comes back from the side opposite to the lamp.
    let bounce = 0.16 * (0.5 - 0.5 * facing);
    let even = sky + 0.25 * normal[2].max(0.0);
    let received = add3(scale3(light.ambient, even), scale3(light.key, direct + 0.6 * bounce));
    let half = normalize3(add3(light.direction, [0.0, 0.0, 1.0]));
    let highlight = dot3(normal, half).max(0.0).powi(finish.sharpness) * finish.gloss * shadow * light.gloss;
    (received, highlight)
}

/// Turns, lights and projects a grid.
pub fn place(grid: &Grid, view: &View, light: &Light, finish: Finish) -> Vec<Vertex> {
    grid.points
        .iter()
        .zip(&grid.normals)
        .zip(&grid.at)
        .map(|((point, normal), at)| {
            let mut normal = view.turn(*normal);
            if finish.softness > 0.5 && normal[2] < 0.0 {
                normal = scale3(normal, -1.0);
            }
            let (light, gloss) = illuminate(light, finish, normal, 1.0);
            Vertex { place: view.project(*point), at: *at, light, gloss }
        })
        .collect()
}
