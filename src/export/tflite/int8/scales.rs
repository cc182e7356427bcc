//! What the integers of a tensor stand for: scales and zero points, and how they follow from a range.

/// How integers stand for numbers: `scale * (q - zero_point)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Quantization {
    /// One for the tensor, or one for each place of `axis`.
    pub scales: Vec<f32>,
    /// The integer that stands for 0: one for the tensor; with several scales it is 0.
    pub zero_point: i64,
    /// The axis of the scales; 0 where there is one.
    pub axis: i32,
}

impl Quantization {
    /// One scale for the whole tensor.
    pub fn whole(scale: f32, zero_point: i64) -> Self {
        Self { scales: vec![scale], zero_point, axis: 0 }
    }

    /// The quantisation to int8 of numbers from `low` to `high`; 0 is always exact.
    pub fn of_range(low: f32, high: f32) -> Self {
        let (low, high) = (f64::from(low.min(0.0)), f64::from(high.max(0.0)));
        let scale = if high - low > 1e-20 { (high - low) / 255.0 } else { 1.0 / 255.0 };
        let zero_point = (-128.0 - low / scale).round().clamp(-128.0, 127.0);
        Self::whole(scale as f32, zero_point as i64)
    }

    /// The smallest and largest number that int8 can stand for.
    pub fn range(&self) -> (f32, f32) {
        let of = |q: i64| (q - self.zero_point) as f32 * self.scales[0];
        (of(-128), of(127))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_keep_zero_exact() {
        let quantization = Quantization::of_range(-1.0, 3.0);
        assert_eq!((quantization.scales[0], quantization.zero_point), (4.0 / 255.0, -64));
        let (low, high) = quantization.range();
        assert!((low + 1.0).abs() < 0.01 && (high - 3.0).abs() < 0.01);
        assert_eq!(Quantization::of_range(0.5, 2.0).zero_point, -128);
        assert_eq!(Quantization::of_range(-2.0, -1.0).zero_point, 127);
        assert!(Quantization::of_range(0.0, 0.0).scales[0] > 0.0);
    }
}
