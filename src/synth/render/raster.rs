//! A depth-buffered rasteriser on a picture four times finer than the result (2 x 2 samples a pixel), in linear light.

use super::mesh::Vertex;
use crate::synth::vector::{Vec3, mix3};

/// Side of the finished picture.
pub const SIDE: usize = 112;
/// Samples a pixel, along each axis.
pub const FINE: usize = 2;
const WIDTH: usize = SIDE * FINE;

/// What a shader makes of a sample.
#[derive(Debug, Clone, Copy)]
pub struct Fragment {
    /// Linear light.
    pub colour: Vec3,
    /// Coverage; samples of less than a half leave the depth alone.
    pub alpha: f32,
}

/// Colour and depth of every sample.
pub struct Raster {
    colour: Vec<Vec3>,
    depth: Vec<f32>,
}

impl Raster {
    /// Starts from a backdrop given in linear light for each position in pixels.
    pub fn new(backdrop: impl Fn(f32, f32) -> Vec3) -> Self {
        let mut colour = Vec::with_capacity(WIDTH * WIDTH);
        // Backdrops are smooth: one value for the samples of a pixel.
        for y in 0..SIDE {
            let row: Vec<Vec3> = (0..SIDE).map(|x| backdrop(x as f32 + 0.5, y as f32 + 0.5)).collect();
            for _ in 0..FINE {
                for &value in &row {
                    colour.extend([value; FINE]);
                }
            }
        }
        Self { colour, depth: vec![f32::NEG_INFINITY; WIDTH * WIDTH] }
    }

    /// Draws a grid of `columns` vertices a row. `both_sides` keeps the triangles that face away.
    pub fn grid(
        &mut self,
        vertices: &[Vertex],
        columns: usize,
        both_sides: bool,
        shader: impl Fn(&Vertex) -> Fragment,
    ) {
        let rows = vertices.len() / columns;
        for i in 1..rows {
            for j in 1..columns {
                let (a, b) = (vertices[(i - 1) * columns + j - 1], vertices[(i - 1) * columns + j]);
                let (c, d) = (vertices[i * columns + j - 1], vertices[i * columns + j]);
                self.triangle([&a, &b, &c], both_sides, &shader);
                self.triangle([&b, &d, &c], both_sides, &shader);
            }
        }
    }

    fn triangle(&mut self, corners: [&Vertex; 3], both_sides: bool, shader: &impl Fn(&Vertex) -> Fragment) {
        let [a, b, c] = corners;
        let fine = FINE as f32;
        let (ax, ay) = (a.place[0] * fine, a.place[1] * fine);
        let (bx, by) = (b.place[0] * fine, b.place[1] * fine);
        let (cx, cy) = (c.place[0] * fine, c.place[1] * fine);
        let area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax);
        if area.abs() < 1e-6 || (area < 0.0 && !both_sides) {
            return;
        }
        let limit = WIDTH as f32;
        let left = (ax.min(bx).min(cx) - 0.5).ceil().max(0.0);
        let right = (ax.max(bx).max(cx) - 0.5).floor().min(limit - 1.0);
        let top = (ay.min(by).min(cy) - 0.5).ceil().max(0.0);
        let bottom = (ay.max(by).max(cy) - 0.5).floor().min(limit - 1.0);
        if left > right || top > bottom {
            return;
        }
        let inverse = 1.0 / area;
        for y in top as usize..=bottom as usize {
            let py = y as f32 + 0.5;
            for x in left as usize..=right as usize {
                let px = x as f32 + 0.5;
                let wb = ((px - ax) * (cy - ay) - (py - ay) * (cx - ax)) * inverse;
                let wc = ((bx - ax) * (py - ay) - (by - ay) * (px - ax)) * inverse;
                let wa = 1.0 - wb - wc;
                if wa < 0.0 || wb < 0.0 || wc < 0.0 {
                    continue;
                }
                let depth = wa * a.place[2] + wb * b.place[2] + wc * c.place[2];
                let index = y * WIDTH + x;
                if depth <= self.depth[index] {
                    continue;
                }
                let blend = |p: f32, q: f32, r: f32| wa * p + wb * q + wc * r;
                let sample = Vertex {
                    place: [px / fine, py / fine, depth],
                    at: [blend(a.at[0], b.at[0], c.at[0]), blend(a.at[1], b.at[1], c.at[1])],
                    light: [0, 1, 2].map(|k| blend(a.light[k], b.light[k], c.light[k])),
                    gloss: blend(a.gloss, b.gloss, c.gloss),
                };
                let Fragment { colour, alpha } = shader(&sample);
                if alpha >= 0.5 {
                    self.depth[index] = depth;
                }
                if alpha > 0.0 {
                    self.colour[index] = mix3(self.colour[index], colour, alpha.min(1.0));
                }
            }
        }
    }

    /// Paints over everything drawn so far, whatever its depth, inside `bounds` (pixels: left, top, right, bottom).
    pub fn overlay(&mut self, bounds: [f32; 4], shader: impl Fn(f32, f32) -> Fragment) {
        let clip = |v: f32| (v * FINE as f32).clamp(0.0, WIDTH as f32) as usize;
        for y in clip(bounds[1])..clip(bounds[3]) {
            for x in clip(bounds[0])..clip(bounds[2]) {
                let fragment = shader((x as f32 + 0.5) / FINE as f32, (y as f32 + 0.5) / FINE as f32);
                if fragment.alpha > 0.0 {
                    let old = &mut self.colour[y * WIDTH + x];
                    *old = mix3(*old, fragment.colour, fragment.alpha.min(1.0));
                }
            }
        }
    }

    /// The picture: samples averaged to pixels, row by row.
    pub fn resolve(&self) -> Vec<Vec3> {
        let mut out = Vec::with_capacity(SIDE * SIDE);
        for y in 0..SIDE {
            for x in 0..SIDE {
                let first = y * FINE * WIDTH + x * FINE;
                let four = [first, first + 1, first + WIDTH, first + WIDTH + 1].map(|i| self.colour[i]);
                out.push([0, 1, 2].map(|c| 0.25 * (four[0][c] + four[1][c] + four[2][c] + four[3][c])));
            }
        }
        out
    }
}
