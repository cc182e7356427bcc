//! Three-component arithmetic for points and colours, and the two curves that every soft edge is made of.

/// A point or direction: x to the right, y down, z to the viewer.
pub type Vec3 = [f32; 3];

/// A colour, display-referred (as in a picture file) unless said otherwise, each component in `[0, 1]`.
pub type Rgb = [f32; 3];

/// Component by component.
#[inline]
pub fn add3(a: Vec3, b: Vec3) -> Vec3 {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

/// Component by component.
#[inline]
pub fn sub3(a: Vec3, b: Vec3) -> Vec3 {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

/// Times a number.
#[inline]
pub fn scale3(a: Vec3, k: f32) -> Vec3 {
    [a[0] * k, a[1] * k, a[2] * k]
}

/// Component by component.
#[inline]
pub fn mul3(a: Vec3, b: Vec3) -> Vec3 {
    [a[0] * b[0], a[1] * b[1], a[2] * b[2]]
}

/// From `a` (at 0) to `b` (at 1).
#[inline]
pub fn mix3(a: Vec3, b: Vec3, t: f32) -> Vec3 {
    [a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t, a[2] + (b[2] - a[2]) * t]
}

/// From `a` (at 0) to `b` (at 1).
#[inline]
pub fn mix(a: f32, b: f32, t: f32) -> f32 {
    a + (b - a) * t
}

/// Scalar product.
#[inline]
pub fn dot3(a: Vec3, b: Vec3) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// Vector product.
#[inline]
pub fn cross3(a: Vec3, b: Vec3) -> Vec3 {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

/// The same direction with length 1; a null vector stays one.
#[inline]
pub fn normalize3(a: Vec3) -> Vec3 {
    scale3(a, 1.0 / dot3(a, a).sqrt().max(1e-9))
}

/// 0 below `low`, 1 above `high`, smooth between; falls instead of rising when `low > high`.
#[inline]
pub fn smoothstep(low: f32, high: f32, x: f32) -> f32 {
    let t = ((x - low) / (high - low)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// A bell of height 1 around 0, close to `exp(-x*x)` but exactly 0 from `|x| = 2` on, and cheap.
#[inline]
pub fn bell(x: f32) -> f32 {
    let t = (1.0 - 0.25 * x * x).max(0.0);
    let square = t * t;
    square * square
}

/// Length of a vector in the plane.
#[inline]
pub fn length2(x: f32, y: f32) -> f32 {
    (x * x + y * y).sqrt()
}

/// Display-referred to linear light (a gamma of 2: near enough to sRGB, and exact to invert with a square root).
#[inline]
pub fn linear(colour: Rgb) -> Vec3 {
    mul3(colour, colour)
}
