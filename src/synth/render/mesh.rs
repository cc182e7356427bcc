//! Surfaces as grids of points, lit at their vertices.

use super::camera::View;
use crate::synth::capture::Light;
use crate::synth::vector::{Vec3, add3, cross3, dot3, normalize3, scale3, sub3};

/// Texture units per radian of azimuth: the half width of an average head, so that units are about pixels.
pub const SKIN_SCALE: f32 = 38.0;

/// A grid of points over two parameters.
pub struct Grid {
    pub columns: usize,
    pub points: Vec<Vec3>,
    pub normals: Vec<Vec3>,
    /// The parameters of each point.
    pub at: Vec<[f32; 2]>,
}

impl Grid {
    /// Evaluates `surface` on every pair of `columns` and `rows`, and takes the normals from neighbouring points. The
    /// surface must run so that columns increase to the right and rows downwards when seen from outside.
    pub fn new(columns: &[f32], rows: &[f32], surface: impl Fn(f32, f32) -> Vec3) -> Self {
        let count = columns.len() * rows.len();
        let mut points = Vec::with_capacity(count);
        let mut at = Vec::with_capacity(count);
        for &row in rows {
            for &column in columns {
                points.push(surface(column, row));
                at.push([column, row]);
            }
        }
        let (width, height) = (columns.len(), rows.len());
        let mut normals = Vec::with_capacity(count);
        for i in 0..height {
            let (up, down) = (i.saturating_sub(1), (i + 1).min(height - 1));
            for j in 0..width {
                let (left, right) = (j.saturating_sub(1), (j + 1).min(width - 1));
                let across = sub3(points[i * width + right], points[i * width + left]);
                let along = sub3(points[down * width + j], points[up * width + j]);
                normals.push(normalize3(cross3(across, along)));
            }
        }
        Self { columns: width, points, normals, at }
    }
}

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
