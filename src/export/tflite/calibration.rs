//! The images that int8 is calibrated with, and others to check it on: spread over a folder or an evaluation bin.

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use tch::Tensor;

use super::super::ExportError;
use crate::data::bin::EvalBin;
use crate::data::decode::{decode_into, image_bytes};
use crate::graph::shape::Shape;

/// Images that the ranges are measured on, at most: more change them little.
const CALIBRATION: usize = 200;

/// Images that the result is checked on, at most.
const CHECK: usize = 40;

/// The fewest images that show which numbers occur.
const FEWEST: usize = 10;

/// Folders inside folders that are looked into.
const DEEPEST: usize = 8;

/// Images (N, H, W, 3) of bytes.
#[derive(Debug)]
pub(super) struct Images {
    /// For the ranges.
    pub(super) calibration: Tensor,
    /// For the check: others, unless there are few.
    pub(super) check: Tensor,
}

/// Reads images for a network that takes maps of this shape.
///
/// # Errors
/// A path that holds no images, or too few that can be read; a network that takes something else.
pub(super) fn read(path: &Path, shape: &Shape) -> Result<Images, ExportError> {
    let failed = |reason: String| ExportError::Calibrate { path: path.to_path_buf(), reason };
    let [height, width, 3] = shape[..] else {
        return Err(failed(format!("the network takes {shape:?}, not RGB images")));
    };
    let size = (width as u32, height as u32);
    let decoded: Vec<Option<Vec<u8>>> = if path.is_dir() {
        let mut files = Vec::new();
        list(path, DEEPEST, &mut files).map_err(|error| failed(error.to_string()))?;
        files.sort();
        let chosen: Vec<&PathBuf> = spread(files.len()).map(|at| &files[at]).collect();
        let open = |file: &&PathBuf| std::fs::read(file).ok();
        chosen.par_iter().map(|file| open(file).and_then(|bytes| decode(&bytes, size))).collect()
    } else {
        let bin = EvalBin::open(path).map_err(|error| failed(error.to_string()))?;
        let chosen: Vec<&Vec<u8>> = spread(bin.images.len()).map(|at| &bin.images[at]).collect();
        chosen.par_iter().map(|bytes| decode(bytes, size)).collect()
    };
    let (found, images) = (decoded.len(), decoded.into_iter().flatten().collect::<Vec<_>>());
    if images.len() < FEWEST {
        let all = if images.len() == found { "" } else { " that can be read" };
        return Err(failed(format!("it holds {} images{all}; expected {FEWEST} or more", images.len())));
    }
    let stack = |images: &[&Vec<u8>]| {
        let bytes: Vec<u8> = images.iter().flat_map(|image| image.iter().copied()).collect();
        Tensor::from_slice(&bytes).reshape([images.len() as i64, height as i64, width as i64, 3])
    };
    // Every sixth is held back for the check, where there are enough.
    let every = CALIBRATION / CHECK + 1;
    let part = |held: bool| {
        let chosen = images.iter().enumerate().filter(|(at, _)| (at % every == every - 1) == held);
        chosen.map(|(_, image)| image).collect::<Vec<_>>()
    };
    let calibration = stack(&part(false));
    let check = if images.len() >= 2 * every { stack(&part(true)) } else { calibration.shallow_clone() };
    Ok(Images { calibration, check })
}

fn decode(bytes: &[u8], size: (u32, u32)) -> Option<Vec<u8>> {
    let mut pixels = vec![0; image_bytes(size)];
    decode_into(bytes, size, &mut pixels).ok().map(|_| pixels)
}

/// Some positions below `count`, in even steps.
fn spread(count: usize) -> impl Iterator<Item = usize> {
    let wanted = count.min(CALIBRATION + CHECK);
    (0..wanted).map(move |at| at * count / wanted)
}

/// The JPEG and PNG files of a folder and of the folders in it.
fn list(folder: &Path, deep: usize, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs_err::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            if deep > 0 {
                list(&path, deep - 1, files)?;
            }
            continue;
        }
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
        if matches!(extension.as_deref(), Some("jpg" | "jpeg" | "png")) {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::decode::tests::png;

    #[test]
    fn images_of_a_folder_are_spread_and_some_held_back() {
        let folder = tempfile::tempdir().expect("a folder");
        for person in 0..5u8 {
            let inner = folder.path().join(person.to_string());
            std::fs::create_dir(&inner).expect("makes");
            for image in 0..5u8 {
                std::fs::write(inner.join(format!("{image}.png")), png(8, 8, [person, image, 0])).expect("writes");
            }
        }
        std::fs::write(folder.path().join("text.png"), "no image").expect("writes");
        let images = read(folder.path(), &vec![8, 8, 3]).expect("reads");
        assert_eq!(images.calibration.size()[0] + images.check.size()[0], 25);
        assert_eq!(images.check.size()[0], 4);
        let few = read(&folder.path().join("1"), &vec![8, 8, 3]).expect_err("is refused").to_string();
        assert!(few.contains("5 images"), "{few}");
        assert!(read(folder.path(), &vec![7]).is_err());
        assert!(read(&folder.path().join("nothing"), &vec![8, 8, 3]).is_err());
        assert_eq!(spread(1000).count(), CALIBRATION + CHECK);
        assert_eq!(spread(1000).last(), Some(995));
        assert_eq!(spread(0).count(), 0);
    }
}
