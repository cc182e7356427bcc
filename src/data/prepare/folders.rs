//! A data set as folders of the reference's layout, `<class>/<number>.jpg`, the images' bytes unchanged.
//!
//! The ending is `.jpg` whatever the bytes are, as the reference has it: every reader goes by the bytes.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;

use super::marker::Marker;
use super::{Made, PrepareError, Progress, io, no_link, write_file};
use crate::checkpoint::names::stays_inside;
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
/// As [`folders`], and a name that is none of a folder.
pub fn named_folders(source: &dyn Source, to: &Path, progress: Progress<'_>) -> Result<Made, PrepareError> {
    let names = source.names_of_classes();
    let mut different: Vec<&String> = names.iter().collect();
    different.sort_unstable();
    different.dedup();
    // Names that are not Unicode may look alike, and those of several sets may be the same.
    if !source.has_names() || different.len() < names.len() {
        return folders(source, to, progress);
    }
    let hidden = |name: &str| name.starts_with('.');
    if let Some((label, name)) = (0..).zip(&names).find(|(_, name)| hidden(name) || !stays_inside(name)) {
        return Err(PrepareError::ClassName { path: to.to_owned(), label, name: name.clone() });
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
        no_link(&folder)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::source::ImageError;

    /// An image a class, of the classes' names.
    struct Named(Vec<String>);

    impl Source for Named {
        fn len(&self) -> usize {
            self.0.len()
        }
        fn classes(&self) -> usize {
            self.0.len()
        }
        fn label(&self, index: usize) -> u32 {
            index as u32
        }
        fn names_of_classes(&self) -> Vec<String> {
            self.0.clone()
        }
        fn has_names(&self) -> bool {
            true
        }
        fn name(&self, index: usize) -> String {
            self.0[index].clone()
        }
        fn encoded(&self, index: usize, bytes: &mut Vec<u8>) -> Result<(), ImageError> {
            *bytes = vec![index as u8];
            Ok(())
        }
    }

    fn named(names: &[&str], to: &Path) -> Result<Made, String> {
        let source = Named(names.iter().map(|name| (*name).to_owned()).collect());
        named_folders(&source, to, &|_, _, _| {}).map_err(|error| error.to_string())
    }

    #[test]
    fn no_class_leads_out_of_the_folder() {
        let place = tempfile::tempdir().expect("a folder");
        let away = place.path().join("away");
        for name in
            ["../away", "..", ".", "", "a/b", "a/../../away", "a\0", ".hidden", "..bob", &away.display().to_string()]
        {
            let to = place.path().join("set");
            let error = named(&["ann", name], &to).expect_err("is refused");
            assert!(error.contains("class 1 is called") && error.contains("set`"), "{error}");
            assert!(!to.exists() && !away.exists(), "{name:?}");
        }
        assert_eq!(named(&["ann", "eve\n"], &place.path().join("good")), Ok(Made { total: 2, written: 2 }));
    }

    #[test]
    fn nothing_is_written_through_a_link() {
        let place = tempfile::tempdir().expect("a folder");
        let (to, away) = (place.path().join("set"), place.path().join("away"));
        named(&["ann", "bob"], &to).expect("writes");
        std::fs::create_dir(&away).expect("makes");
        let marker = std::fs::read_to_string(to.join("prepare.json")).expect("reads");
        std::fs::write(to.join("prepare.json"), marker.replace("true", "false")).expect("writes");
        std::fs::remove_dir_all(to.join("bob")).expect("removes");
        std::os::unix::fs::symlink(&away, to.join("bob")).expect("links");
        let error = named(&["ann", "bob"], &to).expect_err("is refused");
        assert!(error.contains("bob` is a link to"), "{error}");
        assert_eq!(std::fs::read_dir(&away).expect("reads").count(), 0);
        // An image that is a link is replaced, and what it led to stays.
        std::fs::remove_file(to.join("bob")).expect("removes");
        let kept = away.join("kept");
        std::fs::write(&kept, "mine").expect("writes");
        let image = to.join("ann/1.jpg");
        std::fs::remove_file(&image).expect("removes");
        std::os::unix::fs::symlink(&kept, &image).expect("links");
        named(&["ann", "bob"], &to).expect("goes on");
        assert_eq!(std::fs::read_to_string(&kept).expect("reads"), "mine");
        assert!(image.symlink_metadata().expect("is there").is_file());
    }
}
