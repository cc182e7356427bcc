//! A surface as a grid of points with their normals.

use crate::synth::vector::{Vec3, cross3, normalize3, sub3};

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
