//! From the head's axes to the picture: turn, perspective, and the alignment that face-recognition data has had.

use super::head::HeadShape;
use super::texture::SKIN_SCALE;
use crate::synth::capture::Pose;
use crate::synth::identity::Identity;
use crate::synth::vector::{Vec3, dot3};

/// Where ArcFace's alignment puts eyes, tip of the nose and corners of the mouth in a 112 x 112 picture.
const TEMPLATE: [[f32; 2]; 5] =
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]];

/// A turned head in front of the camera.
pub struct View {
    rows: [Vec3; 3],
    distance: f32,
    /// The similarity `z -> a z + b` on the picture plane, as complex numbers.
    a: [f32; 2],
    b: [f32; 2],
}

impl View {
    /// Turns the head and aligns it by its five landmarks, as a detector and a similarity transform would have.
    pub fn new(pose: &Pose, identity: &Identity, shape: &HeadShape<'_>) -> Self {
        let (sy, cy) = pose.yaw.sin_cos();
        let (sp, cp) = pose.pitch.sin_cos();
        // Yaw about the vertical, then pitch about the horizontal axis.
        let rows = [[cy, 0.0, sy], [-sp * sy, cp, sp * cy], [-cp * sy, -sp, cp * cy]];
        let mut view = Self { rows, distance: pose.distance, a: [1.0, 0.0], b: [0.0, 0.0] };
        let eye = identity.eyes.spacing / SKIN_SCALE;
        let corner = identity.mouth.width / SKIN_SCALE;
        let marks = [
            shape.point(-eye, 52.0),
            shape.point(eye, 52.0),
            shape.point(0.0, shape.nose_tip()),
            shape.point(-corner, identity.mouth.y),
            shape.point(corner, identity.mouth.y),
        ]
        .map(|mark| view.project(mark));
        view.align(&marks, pose);
        view
    }

    /// Least-squares similarity from the landmarks to the template, then what the detector got wrong.
    fn align(&mut self, marks: &[Vec3; 5], pose: &Pose) {
        let mean = |points: &mut dyn Iterator<Item = [f32; 2]>| {
            points.fold([0.0, 0.0], |sum, p| [sum[0] + p[0] / 5.0, sum[1] + p[1] / 5.0])
        };
        let from = mean(&mut marks.iter().map(|m| [m[0], m[1]]));
        let to = mean(&mut TEMPLATE.iter().copied());
        let (mut real, mut imaginary, mut norm) = (0.0, 0.0, 0.0);
        for (mark, target) in marks.iter().zip(&TEMPLATE) {
            let (x, y) = (mark[0] - from[0], mark[1] - from[1]);
            let (u, v) = (target[0] - to[0], target[1] - to[1]);
            real += x * u + y * v;
            imaginary += x * v - y * u;
            norm += x * x + y * y;
        }
        let (sin, cos) = pose.roll.sin_cos();
        let (re, im) = (real / norm * pose.scale, imaginary / norm * pose.scale);
        self.a = [re * cos - im * sin, re * sin + im * cos];
        self.b = [
            to[0] + pose.shift[0] - (self.a[0] * from[0] - self.a[1] * from[1]),
            to[1] + pose.shift[1] - (self.a[1] * from[0] + self.a[0] * from[1]),
        ];
    }

    /// A direction in camera axes.
    #[inline]
    pub fn turn(&self, v: Vec3) -> Vec3 {
        [dot3(self.rows[0], v), dot3(self.rows[1], v), dot3(self.rows[2], v)]
    }

    /// A point of the head as picture position (pixels) and depth.
    #[inline]
    pub fn project(&self, point: Vec3) -> Vec3 {
        let p = self.turn(point);
        let nearer = self.distance / (self.distance - p[2]);
        let (x, y) = (p[0] * nearer, p[1] * nearer);
        [self.a[0] * x - self.a[1] * y + self.b[0], self.a[1] * x + self.a[0] * y + self.b[1], p[2]]
    }
}
