//! The choice among instruction sets when the program runs.

use crate::JpegError;
use crate::header::Image;
use crate::kernels::Portable;
#[cfg(target_arch = "x86_64")]
use crate::kernels::avx2;
use crate::scan::{self, Work};

/// Which instructions are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Level {
    #[default]
    Portable,
    /// Only [`Level::detect`] gives it.
    #[cfg(target_arch = "x86_64")]
    Avx2(avx2::Avx2),
}

impl Level {
    /// The best that this processor has.
    pub(crate) fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(found) = avx2::Avx2::detect() {
            return Self::Avx2(found);
        }
        Self::Portable
    }
}

/// Decodes an image with the instructions of `level`.
pub(crate) fn decode(level: Level, work: &mut Work, image: &Image<'_>, pixels: &mut [u8]) -> Result<(), JpegError> {
    match level {
        Level::Portable => scan::decode::<Portable>(work, image, pixels),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2(found) => found.decode(work, image, pixels),
    }
}
