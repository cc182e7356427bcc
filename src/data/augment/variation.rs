//! How one image is varied: what is drawn for it, and where its crop lies.

use crate::data::random::{Stream, Use};

/// Side of the random crop of level 3, of images of 112.
const CROP: (i64, i64) = (100, 112);

/// How one image is varied.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Variation {
    /// Added to every value, which lie in [0, 1].
    pub brightness: f32,
    /// Whether left and right change places.
    pub flip: bool,
    /// Factor on the distance to the channel's mean.
    pub contrast: f32,
    /// Factor on the saturation.
    pub saturation: f32,
    /// Place of the crop: shares of the room above and to the left, 0 to below 1.
    pub crop: (f32, f32),
}

impl Variation {
    /// The variation of an image in an epoch.
    pub fn draw(seed: u64, epoch: u64, image: u64) -> Self {
        let mut random = Stream::new(seed, epoch, Use::Augment, image);
        Self {
            brightness: random.between(-0.2, 0.2),
            flip: random.coin(),
            contrast: random.between(0.8, 1.2),
            saturation: random.between(0.8, 1.2),
            crop: (random.between(0.0, 1.0), random.between(0.0, 1.0)),
        }
    }
}

/// Height and width of the crop, in proportion for images of another size than 112.
pub(super) fn crop_size(height: i64, width: i64) -> (i64, i64) {
    (height * CROP.0 / CROP.1, width * CROP.0 / CROP.1)
}

/// Top left corner of a crop.
pub(super) fn place(share: (f32, f32), height: i64, width: i64) -> (i64, i64) {
    let (crop_height, crop_width) = crop_size(height, width);
    let at = |share: f32, room: i64| ((f64::from(share) * (room + 1) as f64) as i64).clamp(0, room);
    (at(share.0, height - crop_height), at(share.1, width - crop_width))
}
