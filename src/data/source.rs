//! What the loader can read: anything with numbered, labelled images. A data source is one new file that implements
//! [`Source`].

use crate::data::decode::{self, DecodeError};

pub use crate::data::decode::ImageRead;

/// Why an image cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Read(#[from] std::io::Error),
    /// The bytes are no image, or none that we take.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The decoder gave up in a way it should not.
    #[error("the decoder failed on it")]
    Decoder,
}

/// Numbered, labelled images that any thread may read.
pub trait Source: Send + Sync {
    /// Number of images.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of classes: labels lie below it.
    fn classes(&self) -> usize;

    /// Class of image `index`.
    fn label(&self, index: usize) -> u32;

    /// The classes of all images, in order.
    fn labels(&self) -> Vec<u32> {
        (0..self.len()).map(|index| self.label(index)).collect()
    }

    /// Number of classes that have an image.
    fn present_classes(&self) -> usize {
        let mut labels = self.labels();
        labels.sort_unstable();
        labels.dedup();
        labels.len()
    }

    /// The number that image `index` goes by: its record's, or its place counted from 1.
    fn number(&self, index: usize) -> u64 {
        index as u64 + 1
    }

    /// The names of all classes, by label: their folders', or their numbers.
    fn names_of_classes(&self) -> Vec<String> {
        (0..self.classes()).map(|label| label.to_string()).collect()
    }

    /// Whether the classes have names that are not their numbers.
    fn has_names(&self) -> bool {
        false
    }

    /// What the user should know of how the set was put together, in words.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    /// How messages name image `index`: its path, or what stands for one.
    fn name(&self, index: usize) -> String;

    /// Reads the encoded image `index`, a JPEG or PNG file, into `bytes`, in place of what is in there.
    ///
    /// # Errors
    /// An image that is gone, or shorter than it was.
    fn encoded(&self, index: usize, bytes: &mut Vec<u8>) -> Result<(), ImageError>;

    /// Reads image `index` as RGB bytes, rows of pixels of three channels, in the size `(width, height)` into `pixels`
    /// (`width * height * 3` bytes). `scratch` is the caller's, kept from image to image, to spare allocations.
    ///
    /// # Errors
    /// An image that cannot be read or decoded.
    fn read(
        &self,
        index: usize,
        size: (u32, u32),
        scratch: &mut Vec<u8>,
        pixels: &mut [u8],
    ) -> Result<ImageRead, ImageError> {
        self.encoded(index, scratch)?;
        Ok(decode::decode_into(scratch, size, pixels)?)
    }
}
