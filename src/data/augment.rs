//! The reference's augmentation levels (`random_status` 0 to 3) as operations on whole batches, on the device.
//!
//! Semantics are those of `tf.image`: brightness is added, contrast stretches around each channel's mean, saturation is
//! scaled in HSV, the crop is resized bilinearly with half-pixel centres. Values are not clipped between the steps. What
//! varies is drawn for each image from (seed, epoch, image), so neither threads nor batches change it.

mod cpu;
mod variation;

use tch::{Device, Kind, Tensor};

use crate::nn::device::upload;
use variation::{crop_size, place};

pub use variation::Variation;

/// A batch on its device, varied: bytes (B, H, W, 3) of images of `size` (width, height) to (B, 3, H, W) in fp32, in [-1, 1]
/// before the variation, channels-last. On the CPU one pass does it all, elsewhere the bytes are copied and [`apply`]
/// follows; both give the same values to 1e-5.
pub fn to_device(images: &[u8], size: (u32, u32), variations: &[Variation], level: u8, device: Device) -> Tensor {
    if device == Device::Cpu {
        return cpu::apply(images, size, variations, level);
    }
    let shape = [variations.len() as i64, i64::from(size.1), i64::from(size.0), 3];
    apply(&upload(&Tensor::from_slice(images).view(shape), device), variations, level)
}

/// Varies a batch: bytes (B, H, W, 3) to (B, 3, H, W) in fp32, `(x - 0.5) * 2`, channels-last.
pub fn apply(images: &Tensor, variations: &[Variation], level: u8) -> Tensor {
    let mut x = images.permute([0, 3, 1, 2]).to_kind(Kind::Float) * (1.0 / 255.0);
    let column = |value: &dyn Fn(&Variation) -> f32| {
        let values: Vec<f32> = variations.iter().map(value).collect();
        upload(&Tensor::from_slice(&values), images.device()).view([-1, 1, 1, 1])
    };
    if level >= 1 {
        x += column(&|variation| variation.brightness);
        let mirrored = column(&|variation| f32::from(u8::from(variation.flip))).gt(0.5);
        x = x.flip([3]).where_self(&mirrored, &x);
    }
    if level >= 2 {
        x = contrast(&x, &column(&|variation| variation.contrast));
        x = saturation(&x, &column(&|variation| variation.saturation));
    }
    if level >= 3 {
        let size = x.size();
        let places: Vec<(i64, i64)> =
            variations.iter().map(|variation| place(variation.crop, size[2], size[3])).collect();
        x = crop_resized(&x, &places);
    }
    x * 2.0 - 1.0
}

/// `tf.image.adjust_contrast` of images (B, 3, H, W) by factors that broadcast to them.
pub fn contrast(x: &Tensor, factor: &Tensor) -> Tensor {
    let mean = x.mean_dim([2i64, 3].as_slice(), true, None);
    (x - &mean) * factor + mean
}

/// `tf.image.adjust_saturation` of images (B, 3, H, W) by factors that broadcast to them.
///
/// In HSV the value and the hue stay: each channel moves towards the largest one by the ratio of the saturations.
pub fn saturation(x: &Tensor, factor: &Tensor) -> Tensor {
    let value = x.amax([1i64].as_slice(), true);
    let range = &value - x.amin([1i64].as_slice(), true);
    let positive = value.gt(0.0).to_kind(Kind::Float);
    let old = &range / value.clamp_min(1e-12);
    // Where nothing is saturated (grey, or no light) the ratio's value does not matter: the distances are zero.
    let new = (&old * factor).clamp(0.0, 1.0);
    let ratio = new / old.clamp_min(1e-12) * positive;
    &value - (&value - x) * ratio
}

/// Crops of 100/112 of images (B, 3, H, W) at (row, column), resized to (H, W) as `tf.image.resize` does it.
pub fn crop_resized(x: &Tensor, places: &[(i64, i64)]) -> Tensor {
    let size = x.size();
    let (height, width) = crop_size(size[2], size[3]);
    let rows = x.permute([0, 2, 3, 1]);
    let crops: Vec<Tensor> = places
        .iter()
        .enumerate()
        .map(|(image, (top, left))| rows.get(image as i64).narrow(0, *top, height).narrow(1, *left, width))
        .collect();
    Tensor::stack(&crops, 0).permute([0, 3, 1, 2]).upsample_bilinear2d([size[2], size[3]], false, None, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn level_0_only_scales() {
        let images = Tensor::from_slice(&[0u8, 128, 255].repeat(4)).view([1, 2, 2, 3]);
        let x = apply(&images, &[Variation::draw(1, 1, 1)], 0);
        assert_eq!(x.size(), [1, 3, 2, 2]);
        assert!(
            (x.double_value(&[0, 0, 1, 1]) + 1.0).abs() < 1e-6 && (x.double_value(&[0, 2, 0, 0]) - 1.0).abs() < 1e-6
        );
    }

    #[test]
    fn variations_depend_on_their_address_only() {
        assert_eq!(Variation::draw(1, 2, 3), Variation::draw(1, 2, 3));
        assert_ne!(Variation::draw(1, 2, 3), Variation::draw(1, 3, 3));
        let drawn: Vec<Variation> = (0..1000).map(|image| Variation::draw(5, 1, image)).collect();
        assert!(drawn.iter().all(|v| v.brightness.abs() <= 0.2 && (0.8..1.2).contains(&v.contrast)));
        let flips = drawn.iter().filter(|v| v.flip).count();
        assert!((400..600).contains(&flips), "{flips}");
    }

    #[test]
    fn a_crop_never_leaves_the_image() {
        for share in [0.0, 0.5, 0.999_999] {
            let (top, left) = place((share, share), 112, 112);
            assert!((0..=12).contains(&top) && (0..=12).contains(&left));
        }
        let images = Tensor::randint(256, [3, 112, 112, 3], (Kind::Uint8, tch::Device::Cpu));
        let variations: Vec<Variation> = (0..3).map(|image| Variation::draw(1, 1, image)).collect();
        assert_eq!(apply(&images, &variations, 3).size(), [3, 3, 112, 112]);
    }
}
