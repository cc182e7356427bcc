//! A data set as folders of the reference's layout, `<class>/<number>.jpg`, the images' bytes unchanged.
//!
//! The ending is `.jpg` whatever the bytes are, as the reference has it: every reader goes by the bytes.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;

use super::marker::Marker;
use super::{Made, PrepareError, Progress, io, write_file};
use crate::data::source::Source;

/// Writes `source` as folders into `to`, a class a folder of its number. An image that is there already with the same
/// bytes is kept.
///
/// # Errors
/// A source that cannot be read, a place that is taken or full, a file that reads differently from what was written.
pub fn folders(source: &dyn Source, to: &Path, progress: Progress<'_>) -> Result<Made, PrepareError> {
    let names: Vec<String> = (0..source.classes()).map(|label| label.to_string()).collect();
    write(source, to, "folders", &names, progress)
}

/// As [`folders`], with the names that the classes have: they are labelled in the same order again.
///
/// # Errors
/// As [`folders`].
pub fn named_folders(source: &dyn Source, to: &Path, progress: Progress<'_>) -> Result<Made, PrepareError> {
    let names = source.names_of_classes();
    let mut different: Vec<&String> = names.iter().collect();
    different.sort_unstable();
    different.dedup();
    // Names that are not Unicode may look alike, and those of several sets may be the same.
    if !source.has_names() || different.len() < names.len() {
        return folders(source, to, progress);
    }
    write(source, to, "named folders", &names, progress)
}

fn write(
    source: &dyn Source,
    to: &Path,
    what: &str,
    names: &[String],
    progress: Progress<'_>,
) -> Result<Made, PrepareError> {
    let total = source.len() as u64;
    let marker = Marker::claim(to, what, source)?;
    if marker.complete() {
        return Ok(Made { total, written: 0 });
    }
    let mut labels = source.labels();
    labels.sort_unstable();
    labels.dedup();
    labels.par_iter().try_for_each(|label| {
        let folder = to.join(&names[*label as usize]);
        std::fs::create_dir_all(&folder).map_err(io(&folder))?;
        remove_drafts(&folder);
        Ok::<_, PrepareError>(())
    })?;
    let (done, written) = (AtomicU64::new(0), AtomicU64::new(0));
    (0..source.len()).into_par_iter().try_for_each_init(Default::default, |(bytes, found), index| {
        let folder = to.join(&names[source.label(index) as usize]);
        let path = folder.join(format!("{}.jpg", source.number(index)));
        source
            .encoded(index, bytes)
            .map_err(|error| PrepareError::Image { name: source.name(index), source: error })?;
        if !same(&path, bytes, found)? {
            write_file(&path, bytes, false)?;
            if !same(&path, bytes, found)? {
                return Err(PrepareError::Differs { path, reason: "its bytes changed".to_owned() });
            }
            written.fetch_add(1, Ordering::Relaxed);
        }
        progress("images written", done.fetch_add(1, Ordering::Relaxed) + 1, total);
        Ok(())
    })?;
    marker.finish()?;
    Ok(Made { total, written: written.into_inner() })
}

/// Whether the file is there and holds `bytes`.
fn same(path: &Path, bytes: &[u8], found: &mut Vec<u8>) -> Result<bool, PrepareError> {
    use std::io::Read;

    found.clear();
    match std::fs::File::open(path) {
        Ok(file) => {
            file.take(bytes.len() as u64 + 1).read_to_end(found).map_err(io(path))?;
            Ok(found == bytes)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(io(path)(error)),
    }
}

/// Removes what a killed process left half written.
fn remove_drafts(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(".prepare-") {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}
