//! The augmentation on the CPU: C++ of our own that varies an image in one pass (`src/native/augment.cpp`).

use std::ffi::c_int;

use tch::{Device, Kind, Tensor};

use super::variation::{Variation, crop_size, place};

/// One image's variation as the C++ takes it.
#[repr(C)]
struct Parameters {
    brightness: f32,
    contrast: f32,
    saturation: f32,
    flip: i32,
    top: i32,
    left: i32,
}

#[allow(unsafe_code, reason = "the function is C++")]
unsafe extern "C" {
    fn facetui_augment(
        images: *const u8,
        variations: *const Parameters,
        count: i64,
        height: i64,
        width: i64,
        crop_height: i64,
        crop_width: i64,
        level: i64,
        out: *mut f32,
    ) -> c_int;
}

/// As [`super::apply`], of bytes (B, H, W, 3) of images of `size` (width, height), to a tensor on the CPU.
///
/// # Panics
/// When the bytes are not those of as many images as there are variations, and, as tch's methods do, without memory.
pub(super) fn apply(images: &[u8], size: (u32, u32), variations: &[Variation], level: u8) -> Tensor {
    let (width, height, count) = (i64::from(size.0), i64::from(size.1), variations.len() as i64);
    assert_eq!(images.len() as i64, count * height * width * 3, "bytes of {count} images");
    let (crop_height, crop_width) = crop_size(height, width);
    let parameters: Vec<Parameters> = variations
        .iter()
        .map(|variation| {
            let (top, left) = place(variation.crop, height, width);
            Parameters {
                brightness: variation.brightness,
                contrast: variation.contrast,
                saturation: variation.saturation,
                flip: i32::from(variation.flip),
                top: top as i32,
                left: left as i32,
            }
        })
        .collect();
    // An image of a pixel or two has no crop.
    let level = if crop_height < 1 || crop_width < 1 { level.min(2) } else { level };
    let out = Tensor::empty([count, height, width, 3], (Kind::Float, Device::Cpu));
    #[expect(unsafe_code, reason = "C++")]
    // SAFETY: the bytes and the floats are of `count` images of this size, as checked above; there is a variation for each,
    // and its crop lies inside the image. The tensor is new, contiguous and nobody else's.
    let failed = unsafe {
        facetui_augment(
            images.as_ptr(),
            parameters.as_ptr(),
            count,
            height,
            width,
            crop_height.max(1),
            crop_width.max(1),
            i64::from(level),
            out.data_ptr().cast(),
        )
    };
    assert_eq!(failed, 0, "not enough memory to vary a batch of images");
    out.permute([0, 3, 1, 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fused_pass_equals_the_tensor_operations() {
        for (width, height) in [(112, 112), (96, 112), (37, 20), (9, 10)] {
            let count = 5u64;
            let bytes: Vec<u8> = (0..count * width * height * 3)
                .map(|at| {
                    let noise = at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
                    // Noise, then grey, black and one colour, so that every branch of the saturation is met.
                    match at * 5 / (count * width * height * 3) {
                        0 | 1 => noise as u8,
                        2 => (at / 3) as u8,
                        3 => 0,
                        _ => [250, 3, 3][(at % 3) as usize],
                    }
                })
                .collect();
            let mut variations: Vec<Variation> = (0..count).map(|image| Variation::draw(4, 1, image)).collect();
            for (image, variation) in variations.iter_mut().enumerate() {
                variation.flip = image % 2 == 0;
            }
            variations[4].saturation = 3.0;
            variations[3].brightness = -0.1;
            let tensor = Tensor::from_slice(&bytes).view([count as i64, height as i64, width as i64, 3]);
            for level in 0..=3 {
                let ours = apply(&bytes, (width as u32, height as u32), &variations, level);
                let wanted = super::super::apply(&tensor, &variations, level);
                assert_eq!(ours.size(), wanted.size());
                let error = (ours - wanted).abs().max().double_value(&[]);
                assert!(error < 1e-5, "{width}x{height}, level {level}: off by {error}");
            }
        }
    }
}
