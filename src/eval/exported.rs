//! Models in other programs' formats as embedders: `.onnx` files of any exporter, and `.tflite` files that facetui wrote.
//!
//! A file of facetui says in its metadata how it takes images and what it has done to its embeddings. Of others the
//! input's axes tell the layout, and what they do not tell is assumed and said: 112 x 112 pixels, RGB, `(x / 255 - 0.5) * 2`.

use std::path::Path;

use tch::{Device, Kind, Tensor};

use crate::export::onnx::interpreter::Program as Onnx;
use crate::export::tflite::Program as Tflite;
use crate::nn::network::normalize_images;

/// The side of images where the file does not say it.
const SIDE: u32 = 112;
/// Sides of the images of a network, in pixels; a damaged file may say anything.
const LONGEST_SIDE: i64 = 4096;
/// Images at a time that a file may fix.
const LARGEST_BATCH: i64 = 4096;

/// The program of a file.
#[derive(Debug)]
enum Program {
    Onnx(Box<Onnx>),
    Tflite(Box<Tflite>),
}

impl Program {
    fn run(&self, images: &Tensor) -> Result<Tensor, String> {
        match self {
            Self::Onnx(program) => program.run(images),
            Self::Tflite(program) => Ok(program.run(images)),
        }
    }
}

/// A file that embeds images.
#[derive(Debug)]
pub(super) struct Exported {
    program: Program,
    /// Width and height of the images it takes.
    pub(super) size: (u32, u32),
    /// Length of its embeddings.
    pub(super) length: usize,
    /// The name of the value that is the embedding.
    pub(super) output: String,
    /// Where it computes.
    pub(super) device: Device,
    /// The thresholds that the file knows, by bin.
    pub(super) thresholds: Vec<(String, f64)>,
    /// What was assumed of it, in a sentence.
    pub(super) note: Option<String>,
    /// Whether it takes bytes.
    bytes: bool,
    /// Whether it takes (batch, channels, height, width).
    channels_first: bool,
    /// Whether its embeddings are already means with the mirrored image's.
    flipped: bool,
    /// Images at a time, where the file fixes them.
    batch: Option<i64>,
}

/// Whether a path names a file of such a format.
pub(super) fn is_exported(path: &Path) -> bool {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    matches!(extension.as_deref(), Some("onnx" | "tflite"))
}

impl Exported {
    /// Reads a file and runs it on one grey image, so that what it cannot do is told at once. `output` is the value of an
    /// ONNX file that is the embedding; without it the file has one output.
    ///
    /// # Errors
    /// A sentence that says what does not fit.
    pub(super) fn load(path: &Path, output: Option<&str>, device: Device) -> Result<Self, String> {
        let tflite = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("tflite"));
        let mut exported = if tflite { Self::tflite(path, output)? } else { Self::onnx(path, output, device)? };
        let (width, height) = exported.size;
        let grey = vec![127; width as usize * height as usize * 3];
        let found = exported.run(&grey, 1)?;
        match found.size()[..] {
            [1, length] if length > 0 => exported.length = length as usize,
            ref other => {
                let output = &exported.output;
                return Err(format!(
                    "`{output}` has the shape {other:?} for one image; an embedding is a list of numbers"
                ));
            }
        }
        Ok(exported)
    }

    fn onnx(path: &Path, output: Option<&str>, device: Device) -> Result<Self, String> {
        let program = Onnx::open_at(path, output, device)?;
        let axes = program.input_axes().map(<[Option<i64>]>::to_vec);
        let said = program.metadata("input_layout").map(|layout| layout == "NCHW");
        let (channels_first, sides) = layout(axes.as_deref(), said)?;
        let mut assumed = Vec::new();
        let side = |side: Option<i64>| match side {
            None => Ok(SIDE),
            Some(side @ 1..=LONGEST_SIDE) => Ok(side as u32),
            Some(side) => Err(format!("it takes images with a side of {side}; expected at most {LONGEST_SIDE} pixels")),
        };
        let size = (side(sides[1])?, side(sides[0])?);
        if sides.contains(&None) {
            assumed.push(format!("{} x {} pixels", size.0, size.1));
        }
        if program.metadata("input").is_none() {
            let scaling = if program.takes_bytes() { "0 to 255" } else { "(x / 255 - 0.5) * 2" };
            assumed.push(format!("RGB, {scaling}"));
        }
        let batch = program.batch();
        if batch.is_some_and(|batch| batch > LARGEST_BATCH) {
            return Err(format!("it takes {batch:?} images at a time; expected at most {LARGEST_BATCH}"));
        }
        let note = (!assumed.is_empty()).then(|| {
            let assumed = assumed.join(", ");
            format!("`{}` does not say how it takes images; it is fed {assumed}", path.display())
        });
        Ok(Self {
            size,
            length: 0,
            output: program.output().to_owned(),
            device: program.device(),
            thresholds: thresholds(program.metadata("thresholds")),
            note,
            bytes: program.takes_bytes(),
            channels_first,
            flipped: program.metadata("flip") == Some("true"),
            batch,
            program: Program::Onnx(Box::new(program)),
        })
    }

    fn tflite(path: &Path, output: Option<&str>) -> Result<Self, String> {
        if output.is_some() {
            return Err("a .tflite file has one output; leave --embedding out".to_owned());
        }
        let program = Tflite::open(path)?;
        let axes: Vec<Option<i64>> = program.input_shape().into_iter().map(Some).collect();
        let said = program.metadata("input_layout").map(|layout| layout == "NCHW");
        let (channels_first, sides) = layout(Some(&axes), said)?;
        let side = |side: Option<i64>| {
            let fits = side.filter(|side| (1..=LONGEST_SIDE).contains(side));
            fits.map(|side| side as u32).ok_or_else(|| format!("it takes images of {axes:?}"))
        };
        Ok(Self {
            size: (side(sides[1])?, side(sides[0])?),
            length: 0,
            output: "embeddings".to_owned(),
            device: Device::Cpu,
            thresholds: thresholds(program.metadata("thresholds").as_deref()),
            note: None,
            bytes: program.takes_bytes(),
            channels_first,
            flipped: program.metadata("flip").as_deref() == Some("true"),
            batch: None,
            program: Program::Tflite(Box::new(program)),
        })
    }

    /// Raw embeddings, row-major (count, E), of `count` images (count, H, W, 3) of bytes; with `flip` the mean with the
    /// mirrored images', unless the file does that itself.
    ///
    /// # Errors
    /// What the file cannot do, as a sentence.
    pub(super) fn embed(&self, images: &[u8], count: usize, flip: bool) -> Result<Vec<f32>, String> {
        let mut found = self.run(images, count)?;
        if flip && !self.flipped {
            let row = self.size.0 as usize * 3;
            let mirrored: Vec<u8> = images
                .chunks_exact(row)
                .flat_map(|row| row.as_chunks::<3>().0.iter().rev().flatten())
                .copied()
                .collect();
            found = (found + self.run(&mirrored, count)?) * 0.5;
        }
        let mut values = vec![0f32; found.numel()];
        found.f_copy_data(&mut values, found.numel()).map_err(|error| error.to_string())?;
        Ok(values)
    }

    /// The result on the host, fp32, contiguous.
    fn run(&self, images: &[u8], count: usize) -> Result<Tensor, String> {
        let (width, height) = self.size;
        let shape = [count as i64, i64::from(height), i64::from(width), 3];
        let plain = |error: tch::TchError| error.to_string().lines().next().unwrap_or_default().to_owned();
        let bytes = Tensor::f_from_slice(images).and_then(|all| all.f_view(shape)).map_err(plain)?;
        let bytes = bytes.f_to_device(self.device).map_err(plain)?;
        tch::no_grad(|| {
            // Maps stay channels-last in memory either way.
            let x = if self.bytes { bytes.permute([0, 3, 1, 2]) } else { normalize_images(&bytes) };
            let x = if self.channels_first { x } else { x.permute([0, 2, 3, 1]).contiguous() };
            let step = self.batch.unwrap_or(count as i64).max(1);
            let mut parts = Vec::new();
            let mut at = 0;
            while at < count as i64 {
                let taken = step.min(count as i64 - at);
                let part = x.narrow(0, at, taken);
                // A file of a fixed batch gets its last images again where there are too few.
                let missing = if self.batch.is_some() { step - taken } else { 0 };
                let part = match missing {
                    0 => part,
                    missing => Tensor::cat(&[&part, &part.narrow(0, 0, 1).repeat([missing, 1, 1, 1])], 0),
                };
                let found = self.program.run(&part)?;
                if found.dim() == 0 || found.size()[0] < taken {
                    return Err(format!("`{}` has the shape {:?} for {step} images", self.output, found.size()));
                }
                parts.push(found.narrow(0, 0, taken).to_kind(Kind::Float));
                at += taken;
            }
            Ok(Tensor::cat(&parts, 0).to_device(Device::Cpu).contiguous())
        })
    }
}

/// The thresholds of a file's metadata.
fn thresholds(text: Option<&str>) -> Vec<(String, f64)> {
    let entries: Option<serde_json::Map<String, serde_json::Value>> =
        text.and_then(|text| serde_json::from_str(text).ok());
    let entries = entries.into_iter().flatten();
    entries.filter_map(|(bin, value)| Some((bin, value.as_f64()?))).collect()
}

/// Whether channels come first, and height and width where they are fixed.
fn layout(axes: Option<&[Option<i64>]>, said: Option<bool>) -> Result<(bool, [Option<i64>; 2]), String> {
    let Some(axes) = axes else { return Ok((said.unwrap_or(true), [None, None])) };
    let [first, second, third] = axes else {
        return Err(format!("its input has {} axes; expected images, (batch, 3, height, width)", axes.len() + 1));
    };
    match (first, third) {
        (Some(3), last) if said != Some(false) => Ok((true, [*second, *last])),
        (first, Some(3)) if said != Some(true) => Ok((false, [*first, *second])),
        (None, None) if second.is_none() => Ok((said.unwrap_or(true), [None, None])),
        _ => Err(format!(
            "its input has the axes {axes:?} after the batch; expected three channels, (3, H, W) or (H, W, 3)"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axes_tell_the_layout() {
        let axes = |first, second, third| layout(Some(&[first, second, third]), None);
        assert_eq!(axes(Some(3), Some(112), Some(96)), Ok((true, [Some(112), Some(96)])));
        assert_eq!(axes(Some(112), Some(96), Some(3)), Ok((false, [Some(112), Some(96)])));
        assert_eq!(axes(Some(3), None, None), Ok((true, [None, None])));
        assert_eq!(axes(None, None, None), Ok((true, [None, None])));
        assert_eq!(layout(None, Some(false)), Ok((false, [None, None])));
        assert_eq!(layout(Some(&[Some(3), Some(3), Some(3)]), Some(false)), Ok((false, [Some(3), Some(3)])));
        assert!(axes(Some(1), Some(112), Some(112)).is_err_and(|why| why.contains("three channels")));
        assert!(layout(Some(&[Some(512)]), None).is_err_and(|why| why.contains("2 axes")));
    }
}
