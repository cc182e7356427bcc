//! `prepare.json`: what a folder is made of, and whether all of it is there.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{PrepareError, io, write_file};
use crate::data::source::Source;

const NAME: &str = "prepare.json";

/// Counts the changes of what is written that give other files for the same source.
const VERSION: u32 = 1;

/// What the file holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Content {
    version: u32,
    /// `folders` or `records`.
    made: String,
    images: u64,
    classes: u64,
    /// Of the images' numbers, names and labels, in hexadecimal digits.
    fingerprint: String,
    complete: bool,
}

/// A folder that is ours to fill.
pub(super) struct Marker {
    path: PathBuf,
    content: Content,
}

impl Marker {
    /// Claims `folder` for `made` of `source`. It must be missing, empty, or hold the same, finished or not.
    pub(super) fn claim(folder: &Path, made: &str, source: &dyn Source) -> Result<Self, PrepareError> {
        let wanted = Content {
            version: VERSION,
            made: made.to_owned(),
            images: source.len() as u64,
            classes: source.classes() as u64,
            fingerprint: fingerprint(source),
            complete: false,
        };
        let path = folder.join(NAME);
        let taken = |found: String| PrepareError::Taken { path: folder.to_owned(), found };
        match std::fs::read(&path) {
            Ok(text) => {
                let found: Content = serde_json::from_slice(&text)
                    .map_err(|error| taken(format!("a `{NAME}` that cannot be read: {error}")))?;
                let complete = found.complete;
                if (Content { complete: false, ..found.clone() }) != wanted {
                    return Err(taken(format!(
                        "{} of another set, or of this one before it changed: {} images of {} classes, not {} of {}",
                        found.made, found.images, found.classes, wanted.images, wanted.classes
                    )));
                }
                Ok(Self { path, content: Content { complete, ..wanted } })
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                std::fs::create_dir_all(folder).map_err(io(folder))?;
                let mut entries = std::fs::read_dir(folder).map_err(io(folder))?.flatten();
                // A draft of a marker may be left of a process that was killed.
                if let Some(entry) = entries.find(|entry| !entry.file_name().to_string_lossy().starts_with(".prepare-"))
                {
                    return Err(taken(format!("other files, such as `{}`", entry.file_name().to_string_lossy())));
                }
                let marker = Self { path, content: wanted };
                marker.write()?;
                Ok(marker)
            }
            Err(error) => Err(io(&path)(error)),
        }
    }

    /// Whether nothing is missing.
    pub(super) const fn complete(&self) -> bool {
        self.content.complete
    }

    /// Says that nothing is missing, once everything is on the disk.
    pub(super) fn finish(mut self) -> Result<(), PrepareError> {
        let folder = self.path.with_file_name("");
        let opened = std::fs::File::open(&folder).map_err(io(&folder))?;
        rustix::fs::syncfs(&opened).map_err(|error| io(&folder)(error.into()))?;
        self.content.complete = true;
        self.write()
    }

    fn write(&self) -> Result<(), PrepareError> {
        let mut text = serde_json::to_vec_pretty(&self.content).map_err(|error| io(&self.path)(error.into()))?;
        text.push(b'\n');
        write_file(&self.path, &text, true)
    }
}

/// A sum over what a source's images are called and which classes they have: FNV-1a.
fn fingerprint(source: &dyn Source) -> String {
    let mut sum = 0xcbf2_9ce4_8422_2325u64;
    let mut add = |bytes: &[u8]| {
        for byte in bytes {
            sum = (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    for index in 0..source.len() {
        add(&source.number(index).to_le_bytes());
        add(&source.label(index).to_le_bytes());
        // The file's name alone: the same set may be named by another path.
        let name = source.name(index);
        add(name.rsplit('/').next().unwrap_or_default().as_bytes());
    }
    format!("{sum:016x}")
}
