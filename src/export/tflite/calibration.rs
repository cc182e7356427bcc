//! The images that int8 is calibrated with, and others to check it on: spread over a folder, a record file or an
//! evaluation bin.

use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;
use tch::Tensor;

use super::super::error::ExportError;
use crate::data::bin::EvalBin;
use crate::data::decode::image_bytes;
use crate::data::items::{Item, Items};
use crate::data::recordio;
use crate::graph::shape::Shape;

/// Images that the ranges are measured on, at most: more change them little.
const CALIBRATION: usize = 200;

/// Images that the result is checked on, at most.
const CHECK: usize = 40;

/// The fewest images that show which numbers occur.
const FEWEST: usize = 10;

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
    let items = chosen(path).map_err(&failed)?;
    let decoded: Vec<Option<Vec<u8>>> = items.par_iter().map(|item| decode(item, size)).collect();
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

/// The images to read: of a bin, of a record file, or of a folder and those in it.
fn chosen(path: &Path) -> Result<Vec<Item>, String> {
    if path.is_file() && !recordio::is_record_set(path) {
        let bin = Arc::new(EvalBin::open(path).map_err(|error| error.to_string())?);
        return Ok(spread(bin.images.len()).map(|at| Item::Bin(Arc::clone(&bin), at)).collect());
    }
    // Counted first: a set may have millions, and few are wanted.
    let walk = || Items::new(vec![path.to_path_buf()], std::io::empty());
    let mut count = 0;
    for item in walk() {
        item.map_err(|error| error.to_string())?;
        count += 1;
    }
    let mut wanted = spread(count).peekable();
    let items = walk().enumerate().filter(|(at, _)| wanted.next_if_eq(at).is_some());
    items.map(|(_, item)| item.map_err(|error| error.to_string())).collect()
}

fn decode(item: &Item, size: (u32, u32)) -> Option<Vec<u8>> {
    let mut pixels = vec![0; image_bytes(size)];
    item.read(size, &mut Vec::new(), &mut pixels).ok().map(|_| pixels)
}

/// Some positions below `count`, in even steps.
fn spread(count: usize) -> impl Iterator<Item = usize> {
    let wanted = count.min(CALIBRATION + CHECK);
    (0..wanted).map(move |at| at * count / wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::decode::png;

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
        // A RecordIO set is read too: this one has fewer images than are wanted.
        let records = Path::new("tests/cases/recordio/scalar_label");
        let few = read(records, &vec![8, 8, 3]).expect_err("is refused").to_string();
        assert!(few.contains("8 images;"), "{few}");
        assert!(read(&folder.path().join("nothing"), &vec![8, 8, 3]).is_err());
        assert_eq!(spread(1000).count(), CALIBRATION + CHECK);
        assert_eq!(spread(1000).last(), Some(995));
        assert_eq!(spread(0).count(), 0);
    }
}
