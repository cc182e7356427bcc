//! One picture: a person and a capture drawn from the seed, rendered and compressed.

use image::RgbImage;
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

use super::capture::{Capture, Scene};
use super::error::SynthError;
use super::identity::Identity;
use super::random::{Dice, Purpose};
use super::render;

/// The training picture number `picture` (from 0) of person `identity` (from 0), before it is compressed: 112 x 112, RGB.
pub fn draw(seed: u64, identity: u32, picture: u32) -> RgbImage {
    let (pixels, _) = draw_pixels(seed, Purpose::Training, identity, picture, Scene::Any);
    RgbImage::from_fn(render::SIDE, render::SIDE, |x, y| {
        let first = 3 * (y * render::SIDE + x) as usize;
        image::Rgb([pixels[first], pixels[first + 1], pixels[first + 2]])
    })
}

/// RGB bytes of a picture, and the quality at which to compress it.
pub(super) fn draw_pixels(seed: u64, purpose: Purpose, identity: u32, picture: u32, scene: Scene) -> (Vec<u8>, u8) {
    let person = Identity::draw(&mut Dice::for_identity(seed, purpose, identity));
    let capture = Capture::draw(&person, scene, &mut Dice::for_picture(seed, purpose, identity, picture));
    (render::render(&person, &capture), capture.camera.quality)
}

/// A picture as a JPEG file (baseline, 4:2:0).
pub(super) fn draw_jpeg(
    seed: u64,
    purpose: Purpose,
    identity: u32,
    picture: u32,
    scene: Scene,
) -> Result<Vec<u8>, SynthError> {
    let (pixels, quality) = draw_pixels(seed, purpose, identity, picture, scene);
    let mut jpeg = Vec::with_capacity(6000);
    let mut encoder = Encoder::new(&mut jpeg, quality);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    encoder.encode(&pixels, render::SIDE as u16, render::SIDE as u16, ColorType::Rgb)?;
    Ok(jpeg)
}
