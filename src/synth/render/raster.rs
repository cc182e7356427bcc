//! A depth-buffered rasteriser on a picture four times finer than the result (2 x 2 samples a pixel), in linear light.

use super::mesh::Vertex;
use crate::synth::vector::{Vec3, add3, mix3, scale3};

/// Side of the finished picture.
pub const SIDE: usize = 112;
/// Samples a pixel, along each axis.
pub const FINE: usize = 2;
const WIDTH: usize = SIDE * FINE;

/// What a shader knows of a sample: its vertices' values, blended.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Surface parameters.
    pub at: [f32; 2],
    /// Light received.
    pub light: Vec3,
    /// Highlight.
    pub gloss: f32,
}

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
        shader: impl Fn(&Sample) -> Fragment,
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

    fn triangle(&mut self, corners: [&Vertex; 3], both_sides: bool, shader: &impl Fn(&Sample) -> Fragment) {
        let [a, b, c] = corners;
        let fine = FINE as f32;
        let (ax, ay) = (a.place[0] * fine, a.place[1] * fine);
        let (bx, by) = (b.place[0] * fine, b.place[1] * fine);
        let (cx, cy) = (c.place[0] * fine, c.place[1] * fine);
        let area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax);
        if area.abs() < 1e-6 || (area < 0.0 && !both_sides) {
            return;
        }
        // Samples lie at the middles of their squares: the first at or after an edge is the edge's rounded place.
        let cell = |v: f32| (v.clamp(0.0, WIDTH as f32) + 0.5) as usize;
        let (left, right) = (cell(ax.min(bx).min(cx)), cell(ax.max(bx).max(cx)).min(WIDTH));
        let (top, bottom) = (cell(ay.min(by).min(cy)), cell(ay.max(by).max(cy)).min(WIDTH));
        let inverse = 1.0 / area;
        let (b_across, c_across) = ((cy - ay) * inverse, (ay - by) * inverse);
        for y in top..bottom {
            let py = y as f32 + 0.5;
            let b_row = ((left as f32 + 0.5 - ax) * (cy - ay) - (py - ay) * (cx - ax)) * inverse;
            let c_row = ((bx - ax) * (py - ay) - (by - ay) * (left as f32 + 0.5 - ax)) * inverse;
            for x in left..right {
                let steps = (x - left) as f32;
                let (wb, wc) = (b_row + steps * b_across, c_row + steps * c_across);
                let wa = 1.0 - wb - wc;
                if wa < 0.0 || wb < 0.0 || wc < 0.0 {
                    continue;
                }
                let depth = wa * a.place[2] + wb * b.place[2] + wc * c.place[2];
                let index = y * WIDTH + x;
                if depth <= self.depth[index] {
                    continue;
                }
                let sample = Sample {
                    at: [wa * a.at[0] + wb * b.at[0] + wc * c.at[0], wa * a.at[1] + wb * b.at[1] + wc * c.at[1]],
                    light: [
                        wa * a.light[0] + wb * b.light[0] + wc * c.light[0],
                        wa * a.light[1] + wb * b.light[1] + wc * c.light[1],
                        wa * a.light[2] + wb * b.light[2] + wc * c.light[2],
                    ],
                    gloss: wa * a.gloss + wb * b.gloss + wc * c.gloss,
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
                let upper = add3(self.colour[first], self.colour[first + 1]);
                let lower = add3(self.colour[first + WIDTH], self.colour[first + WIDTH + 1]);
                out.push(scale3(add3(upper, lower), 0.25));
            }
        }
        out
    }
}
