//! JPEG and PNG bytes to RGB pixels of the wanted size.
//!
//! The usual case, an image that already has that size, is decoded straight into the caller's buffer. Grey images
//! get three equal channels, transparency is dropped, other sizes are resized bilinearly. A picture whose header claims
//! absurd dimensions, or more than its data can hold, is refused before memory is asked for it.
//!
//! Baseline JPEGs go to facetui's own decoder (`crates/jpeg`), one a thread, which gives the pixels of libjpeg-turbo; the rest (progressive,
//! CMYK, odd samplings) to the crate `image`.

mod size_check;

use std::cell::RefCell;
use std::io::Cursor;

use facetui_jpeg::{Decoder, Image, JpegError};
use image::{ColorType, DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage};

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
    /// Fewer data than an image of its size has at least.
    #[error(
        "its header claims {width}x{height} pixels, more than its {length} bytes can hold: the file is damaged or was cut"
    )]
    Claim {
        /// Pixels of a row, as the header has it.
        width: u32,
        /// Rows.
        height: u32,
        /// Bytes of the file.
        length: usize,
    },
    /// An image that is large and strongly compressed, nearly blank, or made to fill memory.
    #[error(
        "its {width}x{height} pixels take {memory} bytes of memory, too much for a file of {length} bytes: scale it down"
    )]
    Memory {
        /// Pixels of a row.
        width: u32,
        /// Rows.
        height: u32,
        /// Bytes that it takes to decode it.
        memory: u64,
        /// Bytes of the file.
        length: usize,
    },
    /// The decoder's own words.
    #[error("not decodable: {0}")]
    Broken(String),
    /// The buffer for the pixels does not have `width * height * 3` bytes: a mistake of the caller.
    #[error("the buffer has {0} bytes, expected {1}")]
    Buffer(usize, usize),
}

/// What is known of an image that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageRead {
    /// Width and height before it was resized to the wanted size, when it was.
    pub resized_from: Option<(u32, u32)>,
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
    if let Some(jpeg) = baseline(bytes)? {
        let found = (jpeg.width() as u32, jpeg.height() as u32);
        if found == size {
            decode_baseline(&jpeg, pixels)?;
            return Ok(ImageRead { resized_from: None });
        }
        return Ok(resized(&whole_baseline(bytes, &jpeg)?, size, pixels));
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
    Ok(resized(&image, size, pixels))
}

/// Resizes an image into `pixels`, which are `size` in width and height.
fn resized(image: &RgbImage, size: (u32, u32), pixels: &mut [u8]) -> ImageRead {
    let resized = image::imageops::resize(image, size.0, size.1, image::imageops::FilterType::Triangle);
    pixels.copy_from_slice(resized.as_raw());
    ImageRead { resized_from: Some(image.dimensions()) }
}

/// The header of a JPEG that our own decoder takes; none for any other bytes, and where sides are too long.
fn baseline(bytes: &[u8]) -> Result<Option<Image<'_>>, DecodeError> {
    let longest = LONGEST_SIDE as usize;
    match Image::parse(bytes) {
        Ok(jpeg) => Ok(Some(jpeg).filter(|jpeg| jpeg.width() <= longest && jpeg.height() <= longest)),
        Err(JpegError::Unsupported(_)) => Ok(None),
        Err(error) => Err(damaged(error)),
    }
}

fn damaged(error: JpegError) -> DecodeError {
    match error {
        JpegError::Buffer(found, expected) => DecodeError::Buffer(found, expected),
        damaged => DecodeError::Broken(damaged.to_string()),
    }
}

/// Decodes it with this thread's decoder, which keeps its tables and buffers.
fn decode_baseline(jpeg: &Image<'_>, pixels: &mut [u8]) -> Result<(), DecodeError> {
    thread_local! {
        static DECODER: RefCell<Decoder> = RefCell::new(Decoder::new());
    }
    DECODER.with_borrow_mut(|decoder| decoder.decode(jpeg, pixels)).map_err(damaged)
}

/// Refuses an image of this size that would take `memory` bytes, where that is out of all proportion to its `bytes`.
fn may_take(bytes: &[u8], (width, height): (u32, u32), memory: u64) -> Result<(), DecodeError> {
    let length = bytes.len();
    size_check::may_take(length, memory).then_some(()).ok_or(DecodeError::Memory { width, height, memory, length })
}

/// Decodes it in its own size, unless its `bytes` cannot be so many pixels.
fn whole_baseline(bytes: &[u8], jpeg: &Image<'_>) -> Result<RgbImage, DecodeError> {
    let size = (jpeg.width() as u32, jpeg.height() as u32);
    if !size_check::jpeg_suffices(bytes, size) {
        return Err(DecodeError::Claim { width: size.0, height: size.1, length: bytes.len() });
    }
    may_take(bytes, size, image_bytes(size) as u64)?;
    let mut pixels = vec![0; image_bytes(size)];
    decode_baseline(jpeg, &mut pixels)?;
    RgbImage::from_raw(size.0, size.1, pixels).ok_or_else(|| DecodeError::Buffer(0, image_bytes(size)))
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
    let (image, format) = if let Some(jpeg) = baseline(bytes)? {
        (whole_baseline(bytes, &jpeg)?, ImageFormat::Jpeg)
    } else {
        let (decoder, format) = decoder(bytes)?;
        (DynamicImage::from_decoder(decoder).map_err(broken)?.into_rgb8(), format)
    };
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
    // Reads the header alone.
    let decoder = reader.into_decoder().map_err(broken)?;
    let (width, height) = decoder.dimensions();
    let suffices = if format == ImageFormat::Png { size_check::png_suffices } else { size_check::jpeg_suffices };
    if !suffices(bytes, (width, height)) {
        return Err(DecodeError::Claim { width, height, length: bytes.len() });
    }
    let as_rgb = if decoder.color_type() == ColorType::Rgb8 { 0 } else { image_bytes((width, height)) };
    may_take(bytes, (width, height), decoder.total_bytes().saturating_add(as_rgb as u64))?;
    Ok((decoder, format))
}

#[expect(clippy::needless_pass_by_value, reason = "handed to map_err")]
fn broken(error: image::ImageError) -> DecodeError {
    DecodeError::Broken(error.to_string())
}

/// A PNG of one colour, for tests.
#[cfg(test)]
pub(crate) fn png(width: u32, height: u32, colour: [u8; 3]) -> Vec<u8> {
    encoded(&DynamicImage::from(RgbImage::from_pixel(width, height, image::Rgb(colour))))
}

#[cfg(test)]
fn encoded(image: &DynamicImage) -> Vec<u8> {
    use image::ImageEncoder as _;

    let mut bytes = Vec::new();
    image::codecs::png::PngEncoder::new(&mut bytes)
        .write_image(image.as_bytes(), image.width(), image.height(), image.color().into())
        .expect("encodes");
    bytes
}

#[cfg(test)]
mod tests {
    use image::{GrayImage, ImageEncoder as _, Luma, RgbImage, RgbaImage};

    use super::*;

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
    fn jpegs_of_either_decoder_are_the_pictures_that_were_encoded() {
        let shades = |x, y| [(x * 8) as u8, (y * 12) as u8, (x * 3 + y * 4) as u8];
        let picture: Vec<u8> = (0..17).flat_map(|y| (0..30).flat_map(move |x| shades(x, y))).collect();
        let grey: Vec<u8> = picture.iter().step_by(3).copied().collect();
        for (progressive, colour) in [(false, true), (false, false), (true, true), (true, false)] {
            let mut bytes = Vec::new();
            let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, 95);
            encoder.set_progressive(progressive);
            let (data, kind) =
                if colour { (&picture, jpeg_encoder::ColorType::Rgb) } else { (&grey, jpeg_encoder::ColorType::Luma) };
            encoder.encode(data, 30, 17, kind).expect("encodes");
            assert_eq!(baseline(&bytes).expect("has a header").is_some(), !progressive);
            let mut pixels = vec![0; image_bytes((30, 17))];
            decode_into(&bytes, (30, 17), &mut pixels).expect("decodes");
            let whole = decode_whole(&bytes).expect("decodes");
            assert_eq!((whole.format, whole.width, whole.height), ("JPEG", 30, 17));
            assert_eq!(pixels, whole.pixels);
            for (at, found) in pixels.iter().enumerate() {
                let drawn = if colour { picture[at] } else { grey[at / 3] };
                assert!(found.abs_diff(drawn) < 12, "{at}: {found}, drawn {drawn}");
            }
            let mut small = vec![0; image_bytes((15, 9))];
            let read = decode_into(&bytes, (15, 9), &mut small).expect("decodes");
            assert_eq!(read.resized_from, Some((30, 17)));
            assert!(decode_into(&bytes[..20], (30, 17), &mut pixels).is_err());
        }
    }

    #[test]
    fn a_jpeg_that_ends_early_is_no_image() {
        let mut bytes = Vec::new();
        let encoder = jpeg_encoder::Encoder::new(&mut bytes, 90);
        let noise: Vec<u8> =
            (0..24 * 24 * 3_u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        encoder.encode(&noise, 24, 24, jpeg_encoder::ColorType::Rgb).expect("encodes");
        let mut pixels = vec![0; image_bytes((24, 24))];
        decode_into(&bytes, (24, 24), &mut pixels).expect("decodes");
        // Nothing but the marker at the end may be missing.
        decode_into(&bytes[..bytes.len() - 2], (24, 24), &mut pixels).expect("decodes");
        for length in (0..bytes.len() - 3).step_by(7) {
            assert!(decode_into(&bytes[..length], (24, 24), &mut pixels).is_err(), "{length} of {}", bytes.len());
        }
        let text = decode_into(&bytes[..bytes.len() - 40], (24, 24), &mut pixels).expect_err("is cut").to_string();
        assert_eq!(text, "not decodable: its data end early");
    }

    #[test]
    fn what_the_data_cannot_hold_is_refused_and_the_emptiest_images_are_not() {
        let side = 1_500;
        let blank = RgbImage::new(side, side);
        for kind in [jpeg_encoder::SamplingFactor::F_1_1, jpeg_encoder::SamplingFactor::F_2_2] {
            let mut bytes = Vec::new();
            let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, 1);
            encoder.set_progressive(true);
            encoder.set_optimized_huffman_tables(true);
            encoder.set_sampling_factor(kind);
            encoder.encode(&blank, side as u16, side as u16, jpeg_encoder::ColorType::Rgb).expect("encodes");
            assert_eq!(decode_whole(&bytes).expect("is whole").pixels.len(), blank.len());
            let frame = bytes.windows(2).position(|pair| pair == [0xff, 0xc2]).expect("is progressive");
            bytes[frame + 5..frame + 9].copy_from_slice(&[0x2e, 0xe0, 0x2e, 0xe0]);
            let text = decode_whole(&bytes).expect_err("is too short").to_string();
            assert!(
                text.contains("claims 12000x12000 pixels, more than its") && text.contains("bytes can hold"),
                "{text}"
            );
        }
        for image in [DynamicImage::from(blank.clone()), DynamicImage::from(GrayImage::new(side, side))] {
            let mut bytes = Vec::new();
            let (best, none) = (image::codecs::png::CompressionType::Best, image::codecs::png::FilterType::NoFilter);
            let encoder = image::codecs::png::PngEncoder::new_with_quality(&mut bytes, best, none);
            encoder.write_image(image.as_bytes(), side, side, image.color().into()).expect("encodes");
            assert_eq!(decode_whole(&bytes).expect("is whole").pixels.len(), blank.len());
        }
        // Large and blank: its data are looked into. Of a half of them, together with as much that is none, nothing is made.
        let mut bytes = Vec::new();
        let encoder = image::codecs::png::PngEncoder::new(&mut bytes);
        encoder
            .write_image(&vec![9; 2_600 * 2_600 * 3], 2_600, 2_600, image::ExtendedColorType::Rgb8)
            .expect("encodes");
        assert!(decode_whole(&bytes).is_ok_and(|picture| picture.pixels.iter().all(|value| *value == 9)));
        let half = bytes.len() / 2;
        bytes[half..].fill(0);
        assert!(matches!(decode_whole(&bytes), Err(DecodeError::Claim { width: 2_600, .. })));
        let found = include_bytes!("../../fuzz/corpus/image/claims_8216x7192.png");
        let text = decode_whole(found).expect_err("is too short").to_string();
        assert_eq!(
            text,
            "its header claims 8216x7192 pixels, more than its 109 bytes can hold: the file is damaged or was cut"
        );
        let found = include_bytes!("../../fuzz/corpus/image/claims_10513x10024.jpg");
        assert!(matches!(decode_whole(found), Err(DecodeError::Claim { width: 10_513, .. })));
        let mut pixels = vec![0; image_bytes(FACE_SIZE)];
        assert!(matches!(decode_into(found, FACE_SIZE, &mut pixels), Err(DecodeError::Claim { .. })));
    }

    #[test]
    fn what_takes_memory_out_of_proportion_is_refused_and_photographs_are_not() {
        let encode = |side: u16, noise: u32| {
            let shade = |at: u32| (at.wrapping_mul(2_654_435_761) >> 24) as u8;
            let samples: Vec<u8> = (0..u32::from(side).pow(2)).map(|at| shade(at % (noise + 1))).collect();
            let mut bytes = Vec::new();
            let encoder = jpeg_encoder::Encoder::new(&mut bytes, 50);
            encoder.encode(&samples, side, side, jpeg_encoder::ColorType::Luma).expect("encodes");
            bytes
        };
        // Twenty-five million pixels, blank and not.
        let blank = encode(5_000, 0);
        let mut pixels = vec![0; image_bytes(FACE_SIZE)];
        let refused = decode_into(&blank, FACE_SIZE, &mut pixels).expect_err("is blank").to_string();
        let length = blank.len();
        assert_eq!(
            refused,
            format!(
                "its 5000x5000 pixels take 75000000 bytes of memory, too much for a file of {length} bytes: scale it down"
            )
        );
        assert!(matches!(decode_whole(&blank), Err(DecodeError::Memory { width: 5_000, height: 5_000, .. })));
        let noisy = encode(5_000, 0xffff);
        assert_eq!(decode_into(&noisy, FACE_SIZE, &mut pixels).expect("decodes").resized_from, Some((5_000, 5_000)));
        assert_eq!(decode_whole(&encode(4_000, 0)).expect("is blank, but not as large").width, 4_000);
        // With transparency a pixel takes seven bytes.
        let clear = |side| {
            let mut bytes = Vec::new();
            let encoder = image::codecs::png::PngEncoder::new(&mut bytes);
            let samples = vec![9; 4 * side as usize * side as usize];
            encoder.write_image(&samples, side, side, image::ExtendedColorType::Rgba8).expect("encodes");
            decode_whole(&bytes)
        };
        assert!(clear(2_500).is_ok());
        assert!(matches!(clear(3_200), Err(DecodeError::Memory { memory: 71_680_000, .. })));
    }

    #[test]
    fn a_header_that_claims_the_world_is_refused() {
        let mut huge = png(4, 4, [1, 2, 3]);
        huge[16..24].copy_from_slice(&[0x00, 0x01, 0x86, 0xa0, 0x00, 0x01, 0x86, 0xa0]);
        let mut pixels = vec![0; image_bytes((4, 4))];
        assert!(matches!(decode_into(&huge, (4, 4), &mut pixels), Err(DecodeError::Broken(_))));
    }
}
