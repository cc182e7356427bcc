//! The saved layout of the screen, kept from one start to the next: moved borders, and whether the mouse is on.
//!
//! A small JSON file. One that cannot be read, or that another version wrote, is as good as none: nothing in it is worth an
//! error.

use std::error::Error;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::checkpoint::atomic::write_atomically;
use crate::checkpoint::json_checksum;

use super::layout::Borders;

/// Most bytes a file of ours can have.
const LARGEST: u64 = 1 << 16;

/// Most borders that are kept.
const MOST: usize = 256;

/// What is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UiState {
    /// Shares of borders by their names.
    pub borders: Borders,
    /// Whether the mouse is the front end's.
    pub mouse: bool,
}

impl Default for UiState {
    fn default() -> Self {
        Self { borders: Borders::new(), mouse: true }
    }
}

impl UiState {
    /// Reads what was written last.
    pub(super) fn read(path: &Path) -> Self {
        let small = std::fs::metadata(path).is_ok_and(|facts| facts.is_file() && facts.len() <= LARGEST);
        let text = if small { std::fs::read(path).unwrap_or_default() } else { Vec::new() };
        let mut read: Self = json_checksum::parse(&text).unwrap_or_else(|reason| {
            if !text.is_empty() {
                tracing::warn!("`{}`: {reason}; using the default layout", path.display());
            }
            Self::default()
        });
        read.borders.retain(|_, share| share.is_finite());
        while read.borders.len() > MOST {
            read.borders.pop_last();
        }
        read
    }

    /// Writes it, whole or not at all.
    ///
    /// # Errors
    /// The folder cannot be made or written.
    pub(super) fn write(&self, path: &Path) -> Result<(), Box<dyn Error>> {
        if let Some(folder) = path.parent() {
            fs_err::create_dir_all(folder)?;
        }
        let text = json_checksum::to_text(self)?;
        write_atomically(path, |file| fs_err::write(file, &text).map_err(Box::<dyn Error>::from)).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_comes_back_and_rubbish_is_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deep/screen.json");
        assert_eq!(UiState::read(&path), UiState::default());
        let kept = UiState { borders: Borders::from([("wide.sides.1".to_owned(), 0.25)]), mouse: false };
        kept.write(&path).expect("writes");
        assert_eq!(UiState::read(&path), kept);
        let damaged = std::fs::read_to_string(&path).expect("reads").replace("0.25", "0.75");
        std::fs::write(&path, damaged).expect("writes");
        assert_eq!(UiState::read(&path), UiState::default());
        for rubbish in ["", "[]", "{\"borders\": 3}", "{\"borders\": {\"a\": null}}", "\u{0}"] {
            std::fs::write(&path, rubbish).expect("writes");
            assert_eq!(UiState::read(&path), UiState::default());
        }
        std::fs::write(&path, r#"{"mouse": false, "of another version": 1}"#).expect("writes");
        assert!(!UiState::read(&path).mouse);
    }
}
