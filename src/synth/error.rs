//! Why a data set could not be drawn.

use std::path::PathBuf;

/// Why a data set could not be made.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[non_exhaustive]
pub enum SynthError {
    /// No identities or no images were asked for, or more than can be numbered.
    #[error("cannot draw {identities} identities with {images} images each")]
    #[diagnostic(help("ask for at least 1 of both, and at most {max} images in all", max = u32::MAX))]
    Size {
        /// As asked for.
        identities: u32,
        /// As asked for.
        images: u32,
    },
    /// The folder belongs to something else.
    #[error("`{}` holds files that are not of a demo data set, such as `{found}`", dir.display())]
    #[diagnostic(help("choose a folder that is empty or does not exist yet"))]
    Foreign {
        /// The folder asked for.
        dir: PathBuf,
        /// One of the entries found there.
        found: String,
    },
    /// The folder holds a demo data set drawn with other options or by another version.
    #[error("`{}` holds another demo data set: {found}; asked for: {asked}", dir.display())]
    #[diagnostic(help("choose another folder, or remove this one yourself"))]
    Other {
        /// The folder asked for.
        dir: PathBuf,
        /// What its `synth.json` says.
        found: String,
        /// What was asked for.
        asked: String,
    },
    /// `synth.json` cannot be understood.
    #[error("`{}` is not a demo data set's description", path.display())]
    #[diagnostic(help("choose another folder, or remove this one yourself"))]
    Marker {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A picture could not be encoded.
    #[error("cannot encode a picture as JPEG")]
    Jpeg(#[from] jpeg_encoder::EncodingError),
    /// A file could not be read or written; the message names it.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}
