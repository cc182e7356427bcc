//! JPEG and PNG bytes to RGB pixels of the wanted size.
//!
//! The usual case, an RGB image that already has that size, is decoded straight into the caller's buffer. Grey images
//! get three equal channels, transparency is dropped, other sizes are resized bilinearly. A picture whose header claims
//! absurd dimensions is refused before memory is asked for it.

use std::io::Cursor;

use image::{ColorType, DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use crate::data::source::ImageRead;

/// Width and height of the images that face networks take.
pub const FACE_SIZE: (u32, u32) = (112, 112);

/// Channels of a pixel: red, green, blue.
pub const CHANNELS: usize = 3;

/// How a JPEG begins.
const JPEG: [u8; 3] = [0xff, 0xd8, 0xff];

/// Pixels an image may be wide or high.
const LONGEST_SIDE: u32 = 12_000;

/// Bytes the decoder may hold for one image.
const MOST_MEMORY: u64 = 512 << 20;

/// Why bytes are not an image that we take.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Neither JPEG nor PNG.
    #[error("neither a JPEG nor a PNG image{}", first_bytes(.start))]
    Format {
        /// How the bytes begin.
        start: Vec<u8>,
    },
    /// The decoder's own words.
    #[error("not decodable: {0}")]
    Broken(String),
    /// The buffer for the pixels does not have `width * height * 3` bytes: a mistake of the caller.
    #[error("the buffer has {0} bytes, expected {1}")]
    Buffer(usize, usize),
}

/// Says how a file begins, for messages.
fn first_bytes(start: &[u8]) -> String {
    if start.is_empty() { ": it is empty".to_owned() } else { format!(": it begins with `{}`", start.escape_ascii()) }
}

/// Bytes of an RGB image of this size.
pub const fn image_bytes(size: (u32, u32)) -> usize {
    size.0 as usize * size.1 as usize * CHANNELS
}

/// Decodes `bytes` into `pixels`: RGB, rows of pixels of three channels, in the size `(width, height)`.
pub fn decode_into(bytes: &[u8], size: (u32, u32), pixels: &mut [u8]) -> Result<ImageRead, DecodeError> {
    if pixels.len() != image_bytes(size) {
        return Err(DecodeError::Buffer(pixels.len(), image_bytes(size)));
    }
    if bytes.starts_with(&JPEG)
        && let Some(read) = jpeg_into(bytes, size, pixels)?
    {
        return Ok(read);
    }
    let (decoder, _) = decoder(bytes)?;
    let found = decoder.dimensions();
    if found == size && decoder.color_type() == ColorType::Rgb8 {
        decoder.read_image(pixels).map_err(broken)?;
        return Ok(ImageRead { resized_from: None });
    }
    let image = DynamicImage::from_decoder(decoder).map_err(broken)?.into_rgb8();
    if found == size {
        pixels.copy_from_slice(image.as_raw());
        return Ok(ImageRead { resized_from: None });
    }
    let resized = image::imageops::resize(&image, size.0, size.1, image::imageops::FilterType::Triangle);
    pixels.copy_from_slice(resized.as_raw());
    Ok(ImageRead { resized_from: Some(found) })
}

/// The usual case: a colour JPEG of the wanted size, whose headers are read once and whose pixels go where they belong. None
/// for any other, which is left to [`decoder`]: the crate `image` reads headers twice and copies the bytes.
fn jpeg_into(bytes: &[u8], size: (u32, u32), pixels: &mut [u8]) -> Result<Option<ImageRead>, DecodeError> {
    let options = DecoderOptions::default()
        .set_strict_mode(false)
        .set_max_width(LONGEST_SIDE as usize)
        .set_max_height(LONGEST_SIDE as usize)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    let broken = |error: zune_jpeg::errors::DecodeErrors| DecodeError::Broken(error.to_string());
    decoder.decode_headers().map_err(broken)?;
    let colour = matches!(decoder.input_colorspace(), Some(ColorSpace::YCbCr | ColorSpace::RGB));
    if !colour || decoder.dimensions() != Some((size.0 as usize, size.1 as usize)) {
        return Ok(None);
    }
    decoder.decode_into(pixels).map_err(broken)?;
    Ok(Some(ImageRead { resized_from: None }))
}

/// A whole image, in its own size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// `JPEG` or `PNG`.
    pub format: &'static str,
    /// Pixels of a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// RGB, rows of pixels of three channels.
    pub pixels: Vec<u8>,
}

/// Decodes `bytes` in the size the image has.
///
/// # Errors
/// Bytes that are no JPEG or PNG image, or one of absurd size.
pub fn decode_whole(bytes: &[u8]) -> Result<Picture, DecodeError> {
    let (decoder, format) = decoder(bytes)?;
    let image = DynamicImage::from_decoder(decoder).map_err(broken)?.into_rgb8();
    let format = if format == ImageFormat::Png { "PNG" } else { "JPEG" };
    Ok(Picture { format, width: image.width(), height: image.height(), pixels: image.into_raw() })
}

/// Reads an image's header.
fn decoder(bytes: &[u8]) -> Result<(impl ImageDecoder + '_, ImageFormat), DecodeError> {
    let format = match bytes {
        start if start.starts_with(&JPEG) => ImageFormat::Jpeg,
        [0x89, b'P', b'N', b'G', ..] => ImageFormat::Png,
        _ => return Err(DecodeError::Format { start: bytes[..bytes.len().min(8)].to_vec() }),
    };
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::default();
    limits.max_image_width = Some(LONGEST_SIDE);
    limits.max_image_height = Some(LONGEST_SIDE);
    limits.max_alloc = Some(MOST_MEMORY);
    reader.limits(limits);
    Ok((reader.into_decoder().map_err(broken)?, format))
}

#[expect(clippy::needless_pass_by_value, reason = "handed to map_err")]
fn broken(error: image::ImageError) -> DecodeError {
    DecodeError::Broken(error.to_string())
}

#[cfg(test)]
pub(crate) mod tests {
    use image::{GrayImage, ImageEncoder, Luma, Rgb, RgbImage, RgbaImage};

    use super::*;

    /// A PNG of one colour, for the tests of this room.
    pub(crate) fn png(width: u32, height: u32, colour: [u8; 3]) -> Vec<u8> {
        encoded(&DynamicImage::from(RgbImage::from_pixel(width, height, Rgb(colour))))
    }

    fn encoded(image: &DynamicImage) -> Vec<u8> {
        let mut bytes = Vec::new();
        image::codecs::png::PngEncoder::new(&mut bytes)
            .write_image(image.as_bytes(), image.width(), image.height(), image.color().into())
            .expect("encodes");
        bytes
    }

    #[test]
    fn colour_grey_and_transparent_images_become_rgb() {
        let mut pixels = vec![0; image_bytes((4, 2))];
        let read = decode_into(&png(4, 2, [1, 2, 3]), (4, 2), &mut pixels).expect("decodes");
        assert_eq!(read, ImageRead { resized_from: None });
        assert_eq!(pixels, [1, 2, 3].repeat(8));
        let grey = encoded(&DynamicImage::from(GrayImage::from_pixel(4, 2, Luma([77]))));
        decode_into(&grey, (4, 2), &mut pixels).expect("decodes");
        assert_eq!(pixels, [77; 24]);
        let clear = encoded(&DynamicImage::from(RgbaImage::from_pixel(4, 2, image::Rgba([9, 8, 7, 0]))));
        decode_into(&clear, (4, 2), &mut pixels).expect("decodes");
        assert_eq!(pixels, [9, 8, 7].repeat(8));
    }

    #[test]
    fn other_sizes_are_resized_and_say_so() {
        let mut pixels = vec![0; image_bytes((4, 4))];
        let read = decode_into(&png(8, 6, [10, 20, 30]), (4, 4), &mut pixels).expect("decodes");
        assert_eq!(read.resized_from, Some((8, 6)));
        assert_eq!(pixels, [10, 20, 30].repeat(16));
    }

    #[test]
    fn what_is_no_image_is_named() {
        let mut pixels = vec![0; image_bytes((4, 4))];
        let text = decode_into(b"hello world", (4, 4), &mut pixels).expect_err("is text").to_string();
        assert_eq!(text, "neither a JPEG nor a PNG image: it begins with `hello wo`");
        let empty = decode_into(b"", (4, 4), &mut pixels).expect_err("is empty").to_string();
        assert_eq!(empty, "neither a JPEG nor a PNG image: it is empty");
        let whole = png(4, 4, [1, 2, 3]);
        assert!(decode_into(&whole[..40], (4, 4), &mut pixels).is_err());
        assert!(matches!(decode_into(&whole, (4, 4), &mut [0; 3]), Err(DecodeError::Buffer(3, 48))));
    }

    #[test]
    fn the_short_way_of_a_jpeg_gives_the_pixels_of_the_long_one() {
        let shades = |x, y| Rgb([(x * 9) as u8, (y * 13) as u8, (x * y) as u8]);
        let image = DynamicImage::from(RgbImage::from_fn(30, 17, shades));
        for (image, short) in [(DynamicImage::from(image.to_luma8()), false), (image, true)] {
            let mut bytes = Vec::new();
            let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 90);
            encoder.write_image(image.as_bytes(), 30, 17, image.color().into()).expect("encodes");
            let mut pixels = vec![0; image_bytes((30, 17))];
            assert_eq!(jpeg_into(&bytes, (30, 17), &mut pixels).expect("decodes").is_some(), short);
            decode_into(&bytes, (30, 17), &mut pixels).expect("decodes");
            assert_eq!(pixels, decode_whole(&bytes).expect("decodes").pixels);
            assert!(jpeg_into(&bytes, (17, 30), &mut pixels).expect("has headers").is_none());
            assert!(decode_into(&bytes[..20], (30, 17), &mut pixels).is_err());
        }
    }

    #[test]
    fn a_header_that_claims_the_world_is_refused() {
        let mut huge = png(4, 4, [1, 2, 3]);
        huge[16..24].copy_from_slice(&[0x00, 0x01, 0x86, 0xa0, 0x00, 0x01, 0x86, 0xa0]);
        let mut pixels = vec![0; image_bytes((4, 4))];
        assert!(matches!(decode_into(&huge, (4, 4), &mut pixels), Err(DecodeError::Broken(_))));
    }
}
