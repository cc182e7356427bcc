//! The folder of a data set: what it holds, and how files come into it whole.
//!
//! `synth.json` is written before anything else and once more at the end, each time under another name first and then
//! renamed; pictures are collected in `.synth-partial` and the finished part is renamed into place. Nothing is deleted
//! but that subfolder once it is empty.

use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use fs_err as fs;
use serde::{Deserialize, Serialize};

use super::error::SynthError;
use super::options::SynthOptions;

/// Counts the changes of the drawing that give other pictures for the same options.
const VERSION: u32 = 1;

const MARKER: &str = "synth.json";
const NEW_MARKER: &str = "synth.json.new";
const PARTIAL: &str = ".synth-partial";

/// What `synth.json` holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Marker {
    version: u32,
    #[serde(flatten)]
    options: SynthOptions,
    complete: bool,
}

/// An opened folder, known to be ours.
pub struct Store {
    dir: PathBuf,
    options: SynthOptions,
    found: Option<Marker>,
}

impl Store {
    /// Looks at `dir` and changes nothing.
    ///
    /// # Errors
    /// When it holds anything but the data set of `options`, finished or not.
    pub fn open(dir: &Path, options: &SynthOptions) -> Result<Self, SynthError> {
        let found = read_marker(dir)?;
        match &found {
            Some(marker) if marker.version != VERSION || marker.options != *options => {
                let asked = Marker { version: VERSION, options: *options, complete: true };
                return Err(SynthError::Other { dir: dir.into(), found: describe(marker), asked: describe(&asked) });
            }
            Some(_) => {}
            None => refuse_foreign(dir)?,
        }
        Ok(Self { dir: dir.into(), options: *options, found })
    }

    /// Whether the folder says that nothing is missing.
    pub fn complete(&self) -> bool {
        self.found.as_ref().is_some_and(|marker| marker.complete)
    }

    /// The final place of `name`.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Claims the folder.
    pub fn begin(&self) -> Result<(), SynthError> {
        fs::create_dir_all(&self.dir)?;
        self.write_marker(false)?;
        fs::create_dir_all(self.dir.join(PARTIAL))?;
        Ok(())
    }

    /// Declares the folder complete.
    pub fn finish(&self) -> Result<(), SynthError> {
        // Whatever someone else put there stays, and harms nobody.
        let _ = fs::remove_dir(self.dir.join(PARTIAL));
        self.write_marker(true)
    }

    /// Makes a folder among the unfinished files.
    pub fn begin_folder(&self, name: &str) -> Result<(), SynthError> {
        Ok(fs::create_dir_all(self.dir.join(PARTIAL).join(name))?)
    }

    /// Writes a file among the unfinished ones.
    pub fn begin_file(&self, name: &str, bytes: &[u8]) -> Result<(), SynthError> {
        Ok(fs::write(self.dir.join(PARTIAL).join(name), bytes)?)
    }

    /// Whether an earlier call left a whole JPEG file under this name: its end marker occurs nowhere else in it.
    pub fn holds_jpeg(&self, name: &str) -> bool {
        let ends = |path: &Path| -> std::io::Result<bool> {
            let mut file = fs::File::open(path)?;
            let mut end = [0; 2];
            file.seek(SeekFrom::End(-2))?;
            file.read_exact(&mut end)?;
            Ok(end == [0xff, 0xd9])
        };
        let path = self.dir.join(PARTIAL).join(name);
        // Asking first is much cheaper than an error that names the path.
        path.exists() && ends(&path).unwrap_or(false)
    }

    /// Moves an unfinished file or folder to its final place.
    pub fn publish(&self, name: &str) -> Result<(), SynthError> {
        Ok(fs::rename(self.dir.join(PARTIAL).join(name), self.path(name))?)
    }

    /// Writes a file so that it is either absent or whole.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), SynthError> {
        self.begin_file(name, bytes)?;
        self.publish(name)
    }

    fn write_marker(&self, complete: bool) -> Result<(), SynthError> {
        let marker = Marker { version: VERSION, options: self.options, complete };
        let path = self.dir.join(MARKER);
        let mut text =
            serde_json::to_vec_pretty(&marker).map_err(|source| SynthError::Marker { path: path.clone(), source })?;
        text.push(b'\n');
        let new = self.dir.join(NEW_MARKER);
        fs::write(&new, text)?;
        Ok(fs::rename(new, path)?)
    }
}

fn read_marker(dir: &Path) -> Result<Option<Marker>, SynthError> {
    let path = dir.join(MARKER);
    if !path.exists() {
        return Ok(None);
    }
    let text = fs::read(&path)?;
    serde_json::from_slice(&text).map(Some).map_err(|source| SynthError::Marker { path, source })
}

/// A folder without a marker must be empty, but for the marker's own first draft.
fn refuse_foreign(dir: &Path) -> Result<(), SynthError> {
    if !dir.exists() {
        return Ok(());
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name != NEW_MARKER {
            names.push(name);
        }
    }
    names.sort_unstable();
    match names.into_iter().next() {
        Some(found) => Err(SynthError::Foreign { dir: dir.into(), found }),
        None => Ok(()),
    }
}

fn describe(marker: &Marker) -> String {
    let SynthOptions { identities, images, seed, bins } = marker.options;
    let bins = if bins { "with bins" } else { "without bins" };
    format!("{identities} identities, {images} images each, seed {seed}, {bins}, version {}", marker.version)
}
