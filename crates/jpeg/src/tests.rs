//! Pixels against those of libjpeg-turbo, and the two ways of decoding against each other.

use std::path::Path;

use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

use crate::{Decoder, Image, JpegError};

/// Decodes both ways, which must agree.
fn decoded(bytes: &[u8], decoders: &mut [Decoder; 2]) -> Result<Vec<u8>, JpegError> {
    let image = Image::parse(bytes)?;
    let [one, two] = decoders.each_mut().map(|decoder| {
        let mut pixels = vec![0; image.width() * image.height() * 3];
        decoder.decode(&image, &mut pixels).map(|()| pixels)
    });
    assert_eq!(one.is_ok(), two.is_ok());
    assert!(one.is_err() || one == two, "the two ways of decoding differ");
    one
}

fn decoders() -> [Decoder; 2] {
    [Decoder::new(), Decoder::portable()]
}

/// The lines of `pixels.json` (`tests/python/make_jpeg_cases.py`): name, width and height, sha256.
fn cases() -> Vec<(String, [usize; 2], String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let text = std::fs::read_to_string(folder.join("pixels.json")).expect("pixels.json");
    let words = |line: &str| -> Vec<String> {
        line.split(['"', '[', ']', ',', ':', ' ']).filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    let lines = text.lines().map(words).filter(|words| words.len() == 4);
    lines
        .map(|words| {
            let size = [1, 2].map(|at: usize| words[at].parse().expect("a number"));
            let bytes = std::fs::read(folder.join(&words[0]).with_extension("jpg")).expect("the image");
            (words[0].clone(), size, words[3].clone(), bytes)
        })
        .collect()
}

#[test]
fn pixels_are_those_of_libjpeg_turbo() {
    let cases = cases();
    assert!(cases.len() > 20, "{} cases", cases.len());
    let mut kept = decoders();
    let mut wrong = Vec::new();
    // Once more, since the tables of other images lie there then.
    for (name, [width, height], sum, bytes) in cases.iter().chain(&cases) {
        let image = Image::parse(bytes).expect("is of the usual kind");
        assert_eq!([image.width(), image.height()], [*width, *height], "{name}");
        let pixels = decoded(bytes, &mut kept).expect("decodes");
        let found: String =
            Sha256::digest(&pixels).iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        if found != *sum {
            wrong.push(name);
        }
    }
    assert!(wrong.is_empty(), "other pixels: {wrong:?}");
}

#[test]
fn images_that_end_early_are_broken() {
    for (name, .., bytes) in cases() {
        let start = bytes.windows(2).position(|marker| marker == [0xff, 0xda]).expect("a scan") + 14;
        for length in (start..bytes.len() - 3).step_by(5) {
            let cut = decoded(&bytes[..length], &mut decoders());
            assert!(matches!(cut, Err(JpegError::Broken(_))), "{name}: {length} of {}: {cut:?}", bytes.len());
        }
        for length in (0..start - 8).step_by(11) {
            assert!(matches!(Image::parse(&bytes[..length]), Err(JpegError::Unsupported(_))), "{name}: {length}");
        }
    }
}

#[test]
fn other_kinds_are_told() {
    let mut progressive = Vec::new();
    let mut encoder = Encoder::new(&mut progressive, 80);
    encoder.set_progressive(true);
    encoder.encode(&[90; 16 * 16 * 3], 16, 16, ColorType::Rgb).expect("encodes");
    let mut four = Vec::new();
    Encoder::new(&mut four, 80).encode(&[90; 16 * 16 * 4], 16, 16, ColorType::Cmyk).expect("encodes");
    let mut quarter = Vec::new();
    let mut encoder = Encoder::new(&mut quarter, 80);
    encoder.set_sampling_factor(SamplingFactor::F_4_1);
    encoder.encode(&[90; 64 * 16 * 3], 64, 16, ColorType::Rgb).expect("encodes");
    for bytes in [&progressive[..], &four, &quarter, b"\x89PNG", b"", b"\xff\xd8\xff"] {
        assert!(matches!(Image::parse(bytes), Err(JpegError::Unsupported(_))));
    }
    let mut buffer = [0; 5];
    let (_, _, _, bytes) = &cases()[0];
    let image = Image::parse(bytes).expect("is of the usual kind");
    assert_eq!(Decoder::new().decode(&image, &mut buffer), Err(JpegError::Buffer(5, 48 * 40 * 3)));
}

/// An absurd size costs no memory: the data must be there that it takes at least.
#[test]
fn a_header_that_claims_the_world_is_refused() {
    let (_, _, _, mut bytes) = cases().swap_remove(3);
    let at = bytes.windows(2).position(|marker| marker == [0xff, 0xc0]).expect("a frame");
    bytes[at + 5..at + 9].fill(0xff);
    assert!(matches!(Image::parse(&bytes), Err(JpegError::Broken(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// What an encoder makes decodes, near to what was encoded, both ways alike.
    #[test]
    fn encoded_images_decode(
        (width, height) in (1..70_u16, 1..50_u16),
        quality in 1..=100_u8,
        sampling in proptest::sample::select(vec![
            SamplingFactor::F_1_1, SamplingFactor::F_2_1, SamplingFactor::F_1_2, SamplingFactor::F_2_2,
        ]),
        restart in 0..5_u16,
        (grey, noise) in (any::<bool>(), any::<bool>()),
        seed in any::<u32>(),
    ) {
        let (colour, channels) = if grey { (ColorType::Luma, 1) } else { (ColorType::Rgb, 3) };
        let mut drawn = Vec::new();
        for index in 0..u32::from(width) * u32::from(height) {
            let (x, y) = (index % u32::from(width), index / u32::from(width));
            for channel in 0..channels {
                let rough = (index * 3 + channel).wrapping_mul(2_654_435_761).wrapping_add(seed) >> 24;
                drawn.push(if noise { rough } else { 40 + x + y * 2 + channel * 10 } as u8);
            }
        }
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes, quality);
        encoder.set_sampling_factor(sampling);
        if restart > 0 {
            encoder.set_restart_interval(restart);
        }
        encoder.encode(&drawn, width, height, colour).expect("encodes");
        let pixels = decoded(&bytes, &mut decoders()).expect("decodes");
        if !noise && quality >= 90 {
            for (at, pixel) in pixels.iter().enumerate() {
                let drawn = drawn[if grey { at / 3 } else { at }];
                prop_assert!(pixel.abs_diff(drawn) < 24, "{} drawn {} at {}", pixel, drawn, at);
            }
        }
    }

    /// Damage is an error or other pixels, the same both ways.
    #[test]
    fn damaged_images_end_well(
        case in 0..26_usize,
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let mut cases = cases();
        let (_, _, _, mut bytes) = cases.swap_remove(case % cases.len());
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let _ = decoded(&bytes, &mut decoders());
    }
}
